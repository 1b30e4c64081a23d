//! `audiomill probe INPUT`: what is in a file, as JSON.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::{Outcome, Refused, open_source, say};
use crate::base::CancelToken;
use crate::media::convert::{examine, measure_loudness};
use crate::media::{Failure, Limits};

pub(super) fn command() -> Command {
    Command::new("probe")
        .about("Say what is in a file, as JSON")
        .arg(
            Arg::new("INPUT")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("the file to read, or - for stdin"),
        )
        .arg(
            Arg::new("loudness")
                .long("loudness")
                .action(ArgAction::SetTrue)
                .help("measure its loudness too (EBU R128): the whole file is decoded"),
        )
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let input = arguments.get_one::<PathBuf>("INPUT").map_or(Path::new(""), PathBuf::as_path);
    let shown = input.display();
    let failed = |failure: Failure| Refused::Failed(format!("{shown}: {}", failure.message));
    let source = open_source(input)?;
    let limits = Limits::of_a_person();
    let probe = examine(&source, &limits, &CancelToken::default()).map_err(failed)?;
    let mut json = serde_json::json!(probe);
    if arguments.get_flag("loudness") {
        let loudness = measure_loudness(&source, &limits).map_err(failed)?;
        json["loudness"] = serde_json::json!(loudness);
    }
    let json = serde_json::to_string_pretty(&json)
        .map_err(|error| Refused::Failed(format!("{shown}: cannot be printed: {error}")))?;
    say(&format!("{json}\n"))
}
