//! `audiomill bench speed INPUT [TARGET…]`: whole processes beside the `ffmpeg` command's, in turn.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io;
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command, value_parser};
use wait4::Wait4;

use super::super::{Outcome, Refused, say};
use super::{input, input_of, median};

/// What is converted, by our options and by the command's.
struct Target {
    name: &'static str,
    extension: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
}

const fn target(
    name: &'static str,
    extension: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
) -> Target {
    Target { name, extension, ours, theirs }
}

const TARGETS: [Target; 9] = [
    target("mp3-192k", "mp3", &["--bitrate", "192k"], &["-b:a", "192k"]),
    target("mp3-v2", "mp3", &["--quality", "2"], &["-q:a", "2"]),
    target("opus-128k", "opus", &["--bitrate", "128k"], &["-c:a", "libopus", "-b:a", "128k"]),
    target("ogg-q5", "ogg", &["--quality", "5"], &["-c:a", "libvorbis", "-q:a", "5"]),
    target("m4a-160k", "m4a", &["--bitrate", "160k"], &["-c:a", "aac", "-b:a", "160k"]),
    target("flac", "flac", &["--reencode", "always"], &[]),
    target(
        "flac-8",
        "flac",
        &["--quality", "8", "--reencode", "always"],
        &["-compression_level", "8"],
    ),
    target("alac", "m4a", &["--format", "alac"], &["-c:a", "alac"]),
    target("wv", "wv", &[], &[]),
];

pub(super) fn command() -> Command {
    let targets = Arg::new("TARGET")
        .num_args(0..)
        .value_parser(TARGETS.map(|target| target.name))
        .help("what is measured; everything unless told");
    let rounds = Arg::new("rounds")
        .long("rounds")
        .default_value("5")
        .value_parser(value_parser!(u8).range(1..))
        .help("how often each is measured");
    Command::new("speed")
        .about("Compare the times of every core, of one, and of the ffmpeg command")
        .args([input(), targets, rounds])
}

/// What a process took.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
    peak_bytes: u64,
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let input = input_of(arguments);
    let rounds = arguments.get_one::<u8>("rounds").copied().unwrap_or(1);
    let wanted: Vec<&str> =
        arguments.get_many::<String>("TARGET").unwrap_or_default().map(String::as_str).collect();
    let folder = tempfile::tempdir().map_err(cannot)?;
    let own = std::env::current_exe().map_err(cannot)?;
    let mut table = format!(
        "median of {rounds} rounds; ratios to the ffmpeg command of the same round\n\n\
         | target | wall, every core | wall, one core | cpu, every core to one | audiomill s \
         | ffmpeg s | peak MiB |\n|---|---|---|---|---|---|---|\n"
    );
    for target in TARGETS.iter().filter(|one| wanted.is_empty() || wanted.contains(&one.name)) {
        let (ours, theirs) = ["ours", "theirs"]
            .map(|name| folder.path().join(name).with_extension(target.extension))
            .into();
        let converted = |threads: &[&str]| {
            let options = [&["convert", "--force"], target.ours, threads].concat();
            let paths = [input.as_os_str(), ours.as_os_str()];
            took(own.as_os_str(), options.iter().map(OsStr::new).chain(paths))
        };
        let by_command = || {
            let before = ["-nostdin", "-v", "error", "-y", "-i"].map(OsStr::new);
            let options = target.theirs.iter().map(OsStr::new);
            let options = std::iter::once(input.as_os_str()).chain(options);
            took(
                OsStr::new("ffmpeg"),
                before.into_iter().chain(options).chain([theirs.as_os_str()]),
            )
        };
        let mut runs = Vec::new();
        for _ in 0..rounds {
            runs.push((converted(&[])?, converted(&["--threads", "1"])?, by_command()?));
        }
        let of =
            |pick: &dyn Fn(&(Took, Took, Took)) -> f64| median(runs.iter().map(pick).collect());
        let seconds = |took: &Took| took.wall.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        let mebibytes = |took: &Took| took.peak_bytes as f64 / f64::from(1 << 20);
        // Writing to a string cannot fail.
        let _ = writeln!(
            table,
            "| {} | {:.3} | {:.3} | {:.3} | {:.2} | {:.2} | {:.0} |",
            target.name,
            of(&|(all, _, ffmpeg)| seconds(all) / seconds(ffmpeg)),
            of(&|(_, one, ffmpeg)| seconds(one) / seconds(ffmpeg)),
            of(&|(all, one, _)| all.cpu.as_secs_f64() / one.cpu.as_secs_f64()),
            of(&|(all, _, _)| seconds(all)),
            of(&|(_, _, ffmpeg)| seconds(ffmpeg)),
            of(&|(all, _, _)| mebibytes(all)),
        );
    }
    say(&table)
}

fn cannot(error: io::Error) -> Refused {
    Refused::Failed(format!("cannot measure: {error}"))
}

/// Runs a program to its end.
fn took<'a>(program: &OsStr, arguments: impl Iterator<Item = &'a OsStr>) -> Result<Took, Refused> {
    let refused = |why: String| Refused::Failed(format!("{}: {why}", program.display()));
    let started = Instant::now();
    let mut child = Process::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| refused(error.to_string()))?;
    let ended = child.wait4().map_err(|error| refused(error.to_string()))?;
    if !ended.status.success() {
        return Err(refused(format!("{}, by itself it says why", ended.status)));
    }
    Ok(Took {
        wall: started.elapsed(),
        cpu: ended.rusage.utime + ended.rusage.stime,
        peak_bytes: ended.rusage.maxrss,
    })
}
