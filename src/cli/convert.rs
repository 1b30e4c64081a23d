//! `audiomill convert INPUT OUTPUT`: the engine on local files.

use std::io::{self, IsTerminal, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tempfile::NamedTempFile;
use tokio::signal::unix::{SignalKind, signal};

use super::{Ended, Outcome, Refused, cause, open_source, say};
use crate::base::{CancelToken, StopReason};
use crate::media::convert::plan_only;
use crate::media::cores::Cores;
use crate::media::failure::FailureCode;
use crate::media::options::{OPTIONS, parse};
use crate::media::request::Exactness;
use crate::media::{Catalog, Conversion, Format, Limits, Output, Progress, Request, Sink, report};

pub(super) fn command() -> Command {
    let command =
        Command::new("convert")
            .about("Convert a local file; - is stdin or stdout")
            .arg(path("INPUT").help("the file to read, or - for stdin"))
            .arg(path("OUTPUT").help("the file to write, or - for stdout"))
            .arg(flag("force").help("overwrite OUTPUT when it exists"))
            .arg(Arg::new("progress").long("progress").value_parser(["bar", "json", "none"]).help(
                "json writes one object a line to stderr; the default is a bar on a terminal",
            ))
            .arg(flag("plan").help("say as JSON what would be done, and do nothing"))
            .arg(flag("bitexact").hide(true));
    OPTIONS.iter().fold(command, |command, option| {
        command.arg(
            Arg::new(option.name)
                .long(option.name.replace('_', "-"))
                .value_name(option.values)
                .help(option.help)
                .allow_hyphen_values(true),
        )
    })
}

/// A path may be any bytes, not only UTF-8.
fn path(name: &'static str) -> Arg {
    Arg::new(name).required(true).value_parser(value_parser!(PathBuf))
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let input = path_of(arguments, "INPUT");
    let output = path_of(arguments, "OUTPUT");
    let request = request(arguments, output)?;
    if arguments.get_flag("plan") {
        return say_plan(input, &request);
    }
    let target = Target::open(output, arguments.get_flag("force"))?;
    let sink = target.sink().map_err(|error| cannot_write(output, &error))?;
    let conversion = Conversion {
        request,
        adjustment: None,
        limits: Limits::of_a_person(),
        seat: Cores::of_this_machine(usize::MAX).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let temporary = target.temporary_path();
    cancel_on_signals(conversion.cancel.clone(), temporary)
        .map_err(|error| Refused::Failed(format!("cannot watch for Ctrl-C: {error}")))?;
    let reporter = Reporter::start(arguments, &conversion.progress);
    let source = open_source(input)?;
    let result = crate::media::convert(&conversion, source, sink, &mut |_, _| {});
    reporter.finish(result.is_ok());
    match result {
        Ok(done) => {
            target.publish().map_err(|error| cannot_write(output, &error))?;
            warn(&done);
            Ok(Ended::Done)
        }
        Err(failure) if failure.code == FailureCode::Cancelled => Ok(Ended::Interrupted),
        Err(failure) => {
            let detail = failure.detail.last().map(|line| format!(" ({line})")).unwrap_or_default();
            Err(Refused::Failed(format!("{}: {}{detail}", input.display(), failure.message)))
        }
    }
}

fn say_plan(input: &Path, request: &Request) -> Outcome {
    let limits = Limits::of_a_person();
    let source = open_source(input)?;
    let (probe, plan) = plan_only(&source, &limits, request, &CancelToken::default())
        .map_err(|failure| Refused::Failed(format!("{}: {}", input.display(), failure.message)))?;
    let json = serde_json::json!({
        "source": report::source(&probe, &plan),
        "planned": report::planned(&plan),
    });
    let json = serde_json::to_string_pretty(&json)
        .map_err(|error| Refused::Failed(format!("the plan cannot be printed: {error}")))?;
    say(&format!("{json}\n"))
}

fn path_of<'a>(arguments: &'a ArgMatches, name: &str) -> &'a Path {
    arguments.get_one::<PathBuf>(name).map_or(Path::new(""), PathBuf::as_path)
}

/// The request of the flags; the format comes from OUTPUT's extension unless it is given.
fn request(arguments: &ArgMatches, output: &Path) -> Result<Request, Refused> {
    let given = OPTIONS.iter().filter_map(|option| {
        arguments.get_one::<String>(option.name).map(|value| (option.name, value.as_str()))
    });
    let by_extension = format_of(output);
    let is_named =
        ["format", "preset"].iter().any(|name| arguments.get_one::<String>(name).is_some());
    if by_extension.is_none() && !is_named {
        return Err(Refused::Usage(format!(
            "{}: no format is known by this extension; say --format, one of {}",
            output.display(),
            Format::ALL.map(Format::as_str).join(", ")
        )));
    }
    let mut request =
        parse(by_extension, given).map_err(|error| Refused::Usage(error.to_string()))?;
    if arguments.get_flag("bitexact") {
        request.exactness = Exactness::BitExact;
    }
    crate::media::plan::plan_options(&request, Catalog::of_this_build().entry(request.format))
        .map_err(|unsupported| Refused::Usage(unsupported.message))?;
    Ok(request)
}

fn format_of(output: &Path) -> Option<Format> {
    let extension = output.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "aif" => Some(Format::Aiff),
        "wave" => Some(Format::Wav),
        "oga" => Some(Format::Ogg),
        other => Format::parse(other),
    }
}

/// Where the output goes: nothing is seen of it until it is whole.
enum Target {
    /// A file beside the wanted one, renamed at the end.
    File { temporary: NamedTempFile, path: PathBuf, force: bool },
    /// Stdout, a device or a pipe: written to in one go at the end.
    Stream { spool: std::fs::File, path: Option<PathBuf> },
}

impl Target {
    fn open(output: &Path, force: bool) -> Result<Self, Refused> {
        let spool = || tempfile::tempfile().map_err(|error| cannot_write(output, &error));
        if output == Path::new("-") {
            return Ok(Self::Stream { spool: spool()?, path: None });
        }
        let existing = std::fs::metadata(output).ok();
        match &existing {
            Some(found) if found.is_dir() => {
                return Err(Refused::Failed(format!("{}: is a folder", output.display())));
            }
            // A rename would put a file in the device's place.
            Some(found) if !found.is_file() => {
                return Ok(Self::Stream { spool: spool()?, path: Some(output.to_owned()) });
            }
            Some(_) if !force => {
                let sentence = format!("{}: exists; --force overwrites it", output.display());
                return Err(Refused::Failed(sentence));
            }
            Some(_) | None => {}
        }
        let path = real_path(output)?;
        let temporary = tempfile::Builder::new()
            .prefix(".audiomill-")
            // As any new file: the umask takes its part.
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(folder_of(&path))
            .map_err(|error| cannot_write(output, &error))?;
        if let Some(old) = existing {
            let kept = temporary.as_file().set_permissions(old.permissions());
            kept.map_err(|error| cannot_write(output, &error))?;
        }
        Ok(Self::File { temporary, path, force })
    }

    fn sink(&self) -> io::Result<Sink> {
        let file = match self {
            Self::File { temporary, .. } => temporary.as_file(),
            Self::Stream { spool, .. } => spool,
        };
        Ok(Sink::new(file.try_clone()?, u64::MAX))
    }

    fn temporary_path(&self) -> Option<PathBuf> {
        match self {
            Self::File { temporary, .. } => Some(temporary.path().to_owned()),
            Self::Stream { .. } => None,
        }
    }

    /// Makes the whole output visible: flushed to the device, then renamed.
    fn publish(self) -> io::Result<()> {
        match self {
            Self::File { temporary, path, force } => {
                temporary.as_file().sync_all()?;
                if force {
                    temporary.persist(&path)?;
                } else {
                    temporary.persist_noclobber(&path)?;
                }
                std::fs::File::open(folder_of(&path))?.sync_all()
            }
            Self::Stream { mut spool, path } => {
                spool.rewind()?;
                match path {
                    None => {
                        let mut stdout = io::stdout().lock();
                        io::copy(&mut spool, &mut stdout)?;
                        stdout.flush()
                    }
                    Some(path) => {
                        let mut device = std::fs::File::options().write(true).open(path)?;
                        io::copy(&mut spool, &mut device).map(drop)
                    }
                }
            }
        }
    }
}

/// The file behind a link: the link itself stays.
fn real_path(output: &Path) -> Result<PathBuf, Refused> {
    let is_link = std::fs::symlink_metadata(output).is_ok_and(|found| found.is_symlink());
    if !is_link {
        return Ok(output.to_owned());
    }
    std::fs::canonicalize(output)
        .map_err(|_| Refused::Failed(format!("{}: is a link that leads nowhere", output.display())))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(output: &Path, error: &io::Error) -> Refused {
    Refused::Failed(format!("{}: cannot be written: {}", output.display(), cause(error)))
}

/// A conversion that was asked to stop ends within this time; one that waits for stdin or stdout
/// cannot, and is ended.
const STOP_TIME: Duration = Duration::from_secs(1);

/// Turns Ctrl-C, SIGTERM and SIGHUP into a cancel, so that no temporary file is left behind.
fn cancel_on_signals(cancel: CancelToken, temporary: Option<PathBuf>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(inside);
    std::thread::Builder::new().name(String::from("signals")).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            cancel.stop(StopReason::Cancelled);
            tokio::time::sleep(STOP_TIME).await;
            if let Some(temporary) = temporary {
                // It may have been renamed or removed meanwhile.
                let _ = std::fs::remove_file(temporary);
            }
            std::process::exit(130);
        });
    })?;
    Ok(())
}

fn warn(done: &Output) {
    for warning in &done.warnings {
        eprintln!("audiomill: {}", warning.message);
    }
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Bar,
    Json,
    Nothing,
}

/// Shows progress from a thread of its own, so that a stuck source still shows a standing bar.
struct Reporter {
    shown: Shown,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    progress: Arc<Progress>,
}

impl Reporter {
    fn start(arguments: &ArgMatches, progress: &Arc<Progress>) -> Self {
        let shown = match arguments.get_one::<String>("progress").map(String::as_str) {
            Some("json") => Shown::Json,
            Some("none") => Shown::Nothing,
            Some(_) => Shown::Bar,
            None if io::stderr().is_terminal() => Shown::Bar,
            None => Shown::Nothing,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let thread = (shown != Shown::Nothing).then(|| {
            let (stop, progress) = (Arc::clone(&stop), Arc::clone(progress));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    show(shown, &progress, None);
                    std::thread::park_timeout(Duration::from_millis(200));
                }
            })
        });
        Self { shown, stop, thread, progress: Arc::clone(progress) }
    }

    fn finish(mut self, done: bool) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic while printing has been printed already.
            let _ = thread.join();
        }
        if done {
            show(self.shown, &self.progress, Some(100.0));
        }
        if self.shown == Shown::Bar {
            eprintln!();
        }
    }
}

fn show(shown: Shown, progress: &Progress, percent: Option<f64>) {
    let mut snapshot = progress.snapshot();
    snapshot.percent = percent.or(snapshot.percent);
    match shown {
        Shown::Nothing => {}
        Shown::Json => {
            if let Ok(line) = serde_json::to_string(&snapshot) {
                eprintln!("{line}");
            }
        }
        Shown::Bar => {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
            let filled = (snapshot.percent.unwrap_or(0.0) / 2.5) as usize;
            let speed = snapshot.speed.map(|speed| format!("  {speed:.0}x")).unwrap_or_default();
            eprint!(
                "\r[{:<40}] {:>5.1} %{speed}\x1b[K",
                "=".repeat(filled.min(40)),
                snapshot.percent.unwrap_or(0.0)
            );
        }
    }
}
