//! The commands: one file each.
//!
//! Owns: arguments, what is printed, exit codes. Never: how anything is done.
//! Used by: `main`.
#![expect(clippy::print_stderr, reason = "this layer is where printing lives")]

mod bench;
mod convert;
mod db;
mod formats;
mod key;
mod probe;
mod serve;
mod settings;
mod user;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::app::with_accounts;
use crate::auth::{Auth, AuthError};
use crate::config::Config;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// 0.
    Done,
    /// 130.
    Interrupted,
}

/// Why a command did not do its work, with the sentence for stderr.
#[derive(Debug)]
enum Refused {
    /// Wrong usage or settings: exit code 2.
    Usage(String),
    /// Anything else: exit code 1.
    Failed(String),
}

type Outcome = Result<Ended, Refused>;

/// Runs the command that `arguments` name and returns its exit code: 0 done, 1 failed, 2 wrong
/// usage or settings, 130 interrupted.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match command().try_get_matches_from(with_default(arguments)) {
        Ok(matches) => matches,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // The only failure is a closed terminal, which nobody can be told of.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match dispatch(&matches) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Interrupted) => ExitCode::from(130),
        Err(Refused::Usage(sentence)) => {
            eprintln!("audiomill: {sentence}");
            ExitCode::from(2)
        }
        Err(Refused::Failed(sentence)) => {
            eprintln!("audiomill: {sentence}");
            ExitCode::from(1)
        }
    }
}

/// `serve` is the command when none is given; a flag of it may come first.
fn with_default(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_for_serve = arguments.get(1).is_none_or(|first| {
        let first = first.to_string_lossy();
        first.starts_with("--") && !matches!(first.as_ref(), "--help" | "--version")
    });
    if is_for_serve {
        arguments.insert(1.min(arguments.len()), OsString::from("serve"));
    }
    arguments
}

fn command() -> Command {
    Command::new("audiomill")
        .about("Self-hosted audio transcoding server")
        .version(concat!(
            env!("CARGO_PKG_VERSION"),
            " (",
            env!("AUDIOMILL_COMMIT"),
            ", ",
            env!("AUDIOMILL_LIBAV"),
            ")"
        ))
        .subcommand(serve::command())
        .subcommand(convert::command())
        .subcommand(probe::command())
        .subcommand(formats::command())
        .subcommand(user::command())
        .subcommand(key::command())
        .subcommand(db::command())
        .subcommand(bench::command())
        .subcommand(settings::command())
}

fn dispatch(matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("convert", arguments)) => convert::run(arguments),
        Some(("probe", arguments)) => probe::run(arguments),
        Some(("formats", arguments)) => formats::run(arguments),
        Some(("serve", arguments)) => serve::run(arguments),
        Some(("bench", arguments)) => bench::run(arguments),
        Some(("user", arguments)) => user::run(arguments),
        Some(("key", arguments)) => key::run(arguments),
        Some(("db", arguments)) => db::run(arguments),
        Some(("settings", _)) => settings::run(),
        _ => Err(Refused::Usage(String::from("no such command"))),
    }
}

/// The runtime of a command that waits for the database alone.
fn runtime() -> Result<tokio::runtime::Runtime, Refused> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Refused::Failed(format!("the runtime cannot start: {error}")))
}

/// Works on the accounts of a server that may be running.
fn on_accounts<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> Result<T, AuthError>,
) -> Result<T, Refused> {
    let done = runtime()?.block_on(with_accounts(config, work));
    let failed = |error: &dyn std::fmt::Display| Refused::Failed(error.to_string());
    done.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// Opens a local file. Stdin (`-`), pipes and the like are spooled first: libav wants to seek.
fn open_source(path: &Path) -> Result<crate::media::Source, Refused> {
    let shown = path.display();
    let cannot = |error: std::io::Error| Refused::Failed(format!("{shown}: {}", cause(&error)));
    let file = if path == Path::new("-") {
        spooled(&mut std::io::stdin().lock()).map_err(cannot)?
    } else {
        let mut file = File::open(path).map_err(cannot)?;
        if file.metadata().map_err(cannot)?.is_dir() {
            return Err(Refused::Failed(format!("{shown}: is a folder")));
        }
        if file.stream_position().is_ok() { file } else { spooled(&mut file).map_err(cannot)? }
    };
    let length = file.metadata().map_err(cannot)?.len();
    Ok(crate::media::Source::new(file, Some(length)))
}

fn spooled(stream: &mut dyn Read) -> std::io::Result<File> {
    let mut spool = tempfile::tempfile()?;
    std::io::copy(stream, &mut spool)?;
    spool.rewind()?;
    Ok(spool)
}

/// Prints to stdout. A reader that has gone is no failure: it has seen what it wanted.
fn say(text: &str) -> Outcome {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Refused::Failed(format!("stdout: {}", cause(&error))))
        }
        Ok(()) | Err(_) => Ok(Ended::Done),
    }
}

/// The system's word for an error, without the number behind it.
fn cause(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
