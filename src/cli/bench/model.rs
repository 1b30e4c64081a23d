//! `audiomill bench model INPUT FORMAT [NAME=VALUE…]`: how long it takes on more cores than there are.
//!
//! The engine runs with as many lanes as a machine with so many cores would have. What each kind of
//! thread spends of CPU time does not depend on how many cores there are, and of it follows how long
//! they would take: no less than all of it spread over the cores, and no less than any thread that
//! cannot be split. That is put to the test on one core and on two, to which the process is pinned.

use std::fmt::Write as _;
use std::time::Instant;

use clap::{Arg, ArgMatches, Command, value_parser};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::super::{Outcome, Refused, open_source, say};
use super::{conversion, conversion_of, failed, input, input_of, median};
use crate::media::quality::converted;
use crate::media::run::spent::{Spent, thread_seconds};
use crate::media::{Request, Source};

/// Cores that are foretold.
const FORETOLD: [usize; 5] = [1, 2, 4, 8, 16];
/// Cores that it is put to the test on, and lanes with which.
const TESTED: [(usize, usize); 4] = [(1, 1), (1, 4), (2, 2), (2, 4)];

pub(super) fn command() -> Command {
    let rounds = Arg::new("rounds")
        .long("rounds")
        .default_value("3")
        .value_parser(value_parser!(u8).range(1..))
        .help("how often each is measured");
    Command::new("model")
        .about("Foretell how long a conversion takes on 1 to 16 cores")
        .arg(input())
        .args(conversion())
        .arg(rounds)
}

/// What a run was like.
#[derive(Clone, Copy)]
struct Measured {
    wall: f64,
    /// CPU seconds of what is done by one thread before and after all others work.
    alone: f64,
    spent: Spent,
    segments: usize,
}

impl Measured {
    /// Seconds on so many cores, and what they are bound by.
    fn foretold(&self, cores: usize) -> (f64, &'static str) {
        let Spent { reading, longest, joining, listening, .. } = self.spent;
        #[expect(clippy::cast_precision_loss, reason = "a few cores")]
        let spread = self.spent.total() / cores as f64;
        let bounds = [
            (spread, "cores"),
            (reading, "reading"),
            (longest, "the longest lane"),
            (joining, "joining"),
            (listening, "the sum over the sound"),
        ];
        let bound = bounds.into_iter().max_by(|one, other| one.0.total_cmp(&other.0));
        let (seconds, by) = bound.unwrap_or((0.0, ""));
        (self.alone + seconds, by)
    }
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let request = conversion_of(arguments)?;
    let rounds = arguments.get_one::<u8>("rounds").copied().unwrap_or(1);
    let source = open_source(&input_of(arguments))?;
    let measured = |lanes: usize| {
        let runs: Result<Vec<Measured>, Refused> = (0..rounds)
            .map(|_| {
                measure(&source, &request, lanes).map_err(|failure| failed(arguments, &failure))
            })
            .collect();
        runs.map(of_runs)
    };
    let mut text = String::from(
        "| cores | seconds | speed-up | bound by | parts | cpu s | of it reading, encoding, joining, sum |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let serial = measured(1)?;
    let (whole, _) = serial.foretold(1);
    for cores in FORETOLD {
        let run = if cores == 1 { serial } else { measured(cores)? };
        let (seconds, by) = run.foretold(cores);
        let Spent { reading, encoding, joining, listening, .. } = run.spent;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {cores} | {seconds:.2} | {:.2} | {by} | {} | {:.2} \
             | {reading:.2}, {encoding:.2}, {joining:.2}, {listening:.2} |",
            whole / seconds,
            run.segments,
            run.alone + run.spent.total(),
        );
    }
    text.push_str(
        "\n| pinned to cores | lanes | foretold s | measured s | off by |\n|---|---|---|---|---|\n",
    );
    let all = sched_getaffinity(None).map_err(cannot)?;
    for (cores, lanes) in TESTED {
        pin(&all, cores)?;
        let run = measured(lanes);
        sched_setaffinity(None, &all).map_err(cannot)?;
        let run = run?;
        let (foretold, _) = run.foretold(cores);
        let off = (run.wall / foretold - 1.0) * 100.0;
        let _ =
            writeln!(text, "| {cores} | {lanes} | {foretold:.2} | {:.2} | {off:+.1} % |", run.wall);
    }
    say(&text)
}

/// Keeps this process to so many of its cores.
fn pin(all: &CpuSet, cores: usize) -> Result<(), Refused> {
    let mut some = CpuSet::new();
    let own: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| all.is_set(cpu)).collect();
    if own.len() < cores {
        let message = format!("the model is tested on {cores} cores, and here is one");
        return Err(Refused::Failed(message));
    }
    own.iter().take(cores).for_each(|&cpu| some.set(cpu));
    sched_setaffinity(None, &some).map_err(cannot)
}

fn cannot(error: rustix::io::Errno) -> Refused {
    Refused::Failed(format!("cannot pin to cores: {error}"))
}

fn measure(
    source: &Source,
    request: &Request,
    lanes: usize,
) -> Result<Measured, crate::media::Failure> {
    let (started, before) = (Instant::now(), thread_seconds());
    let (done, _) = converted(source, request, lanes)?;
    let own = thread_seconds() - before;
    Ok(Measured {
        wall: started.elapsed().as_secs_f64(),
        alone: (own - done.spent.own).max(0.0),
        spent: done.spent,
        segments: done.segments(),
    })
}

/// The middle of each number.
fn of_runs(runs: Vec<Measured>) -> Measured {
    let of = |pick: fn(&Measured) -> f64| median(runs.iter().map(pick).collect());
    Measured {
        wall: of(|run| run.wall),
        alone: of(|run| run.alone),
        spent: Spent {
            reading: of(|run| run.spent.reading),
            encoding: of(|run| run.spent.encoding),
            longest: of(|run| run.spent.longest),
            joining: of(|run| run.spent.joining),
            listening: of(|run| run.spent.listening),
            own: of(|run| run.spent.own),
        },
        segments: runs.iter().map(|run| run.segments).max().unwrap_or(1),
    }
}
