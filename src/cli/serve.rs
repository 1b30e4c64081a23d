//! `audiomill serve`: the server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Ended, Outcome, Refused};
use crate::app::{App, SignIn};
use crate::config::declare::{Kind, SETTINGS};
use crate::config::layers::Layers;
use crate::config::{Config, ConfigError};
use crate::observe;

pub(super) fn command() -> Command {
    with_settings(Command::new("serve").about("Run the server (the default command)"))
}

/// Adds a flag for every setting that has one.
pub(super) fn with_settings(command: Command) -> Command {
    let command = command
        .arg(file("env-file", "settings as NAME=value lines"))
        .arg(file("config", "settings as a TOML file"));
    SETTINGS.iter().fold(command, |command, setting| match setting.kind {
        Kind::Plain => command.arg(
            Arg::new(setting.name).long(setting.flag()).value_name("VALUE").help(setting.meaning),
        ),
        Kind::Secret => command.arg(
            Arg::new(format!("{}_FILE", setting.name))
                .long(format!("{}-file", setting.flag()))
                .value_name("PATH")
                .help(format!("a file that holds {}: {}", setting.name, setting.meaning)),
        ),
        Kind::Later => command,
    })
}

fn file(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("PATH").help(help)
}

/// The settings of flags, environment and files.
pub(super) fn config(arguments: &ArgMatches) -> Result<Config, Refused> {
    let flags: BTreeMap<String, String> = arguments
        .ids()
        .filter(|id| id.as_str().chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .filter_map(|id| {
            let value = arguments.get_one::<String>(id.as_str())?;
            Some((id.as_str().to_owned(), value.clone()))
        })
        .collect();
    let path = |name: &str| arguments.get_one::<String>(name).map(PathBuf::from);
    let refused = |error: ConfigError| Refused::Usage(error.0);
    let layers = Layers::gather(flags, path("env-file").as_deref(), path("config").as_deref());
    Config::load(&layers.map_err(refused)?).map_err(refused)
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let config = config(arguments)?;
    observe::start(&config.log).map_err(|error| Refused::Usage(format!("LOG_LEVEL: {error}")))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("audiomill")
        .build()
        .map_err(|error| Refused::Failed(format!("the runtime cannot start: {error}")))?;
    let ended = runtime.block_on(async {
        let stop =
            stop_on_signals().map_err(|error| Refused::Failed(format!("signals: {error}")))?;
        let app = App::start(&config).await.map_err(|error| Refused::Usage(error.to_string()))?;
        announce(&app);
        app.run(stop).await;
        Ok(Ended::Done)
    });
    // A conversion deep inside libav may not return for long; its job has been handed back.
    runtime.shutdown_background();
    ended
}

/// Said on stderr, outside the log: a link that signs in has no place in one.
fn announce(app: &App) {
    eprintln!("audiomill {} listens on {}", env!("CARGO_PKG_VERSION"), app.addresses.join(", "));
    eprintln!();
    match &app.sign_in {
        SignIn::Link(link) => {
            eprintln!("    To sign in, open this link (good once, for 15 minutes):");
            eprintln!("    {link}");
        }
        SignIn::Form(page) => {
            eprintln!(
                "    Sign in here (\"audiomill user link\" prints a link that needs no password):"
            );
            eprintln!("    {page}");
        }
    }
    eprintln!();
}

/// The first SIGTERM or SIGINT ends the server in good order, the second at once.
fn stop_on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let first = stop.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if round > 0 {
                std::process::exit(1);
            }
            first.cancel();
        }
    });
    Ok(stop)
}
