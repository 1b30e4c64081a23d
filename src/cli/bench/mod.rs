//! `audiomill bench NAME`: what the engine costs, and what it does to the sound, as tables.

mod jobs;
mod model;
mod quality;
mod speed;

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{Outcome, Refused};
use crate::media::options::parse;
use crate::media::{Failure, Format, Request};

pub(super) fn command() -> Command {
    Command::new("bench").about("Measure").subcommand_required(true).subcommands([
        quality::command(),
        speed::command(),
        model::command(),
        jobs::command(),
    ])
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("quality", arguments)) => quality::run(arguments),
        Some(("speed", arguments)) => speed::run(arguments),
        Some(("model", arguments)) => model::run(arguments),
        Some(("jobs", arguments)) => jobs::run(arguments),
        _ => Err(Refused::Usage(String::from("no such measure"))),
    }
}

fn input() -> Arg {
    Arg::new("INPUT")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("the recording to measure with")
}

fn input_of(arguments: &ArgMatches) -> PathBuf {
    arguments.get_one::<PathBuf>("INPUT").cloned().unwrap_or_default()
}

/// What a recording is converted to: format and options.
fn conversion() -> [Arg; 2] {
    let format = Arg::new("FORMAT")
        .required(true)
        .value_parser(|name: &str| Format::parse(name).ok_or("no such format"))
        .help("what it is converted to");
    let options =
        Arg::new("OPTION").num_args(0..).help("options of the conversion, like bitrate=192k");
    [format, options]
}

fn conversion_of(arguments: &ArgMatches) -> Result<Request, Refused> {
    let format = arguments.get_one::<Format>("FORMAT").copied();
    let options = arguments.get_many::<String>("OPTION").unwrap_or_default();
    let options: Option<Vec<(&str, &str)>> = options.map(|option| option.split_once('=')).collect();
    let options = options.ok_or_else(|| Refused::Usage(String::from("options are NAME=VALUE")))?;
    parse(format, options).map_err(|error| Refused::Usage(error.to_string()))
}

fn failed(arguments: &ArgMatches, failure: &Failure) -> Refused {
    Refused::Failed(format!("{}: {}", input_of(arguments).display(), failure.message))
}

/// The middle one of some numbers, or the mean of the middle two; 0 of none.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let upper = numbers.len() / 2;
    let lower = numbers.len().saturating_sub(1) / 2;
    let middle = numbers.get(lower..=upper).unwrap_or_default();
    middle.iter().sum::<f64>() / middle.len().max(1) as f64
}
