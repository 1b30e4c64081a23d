//! `audiomill probe INPUT`: what is in a file, as JSON.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{Outcome, Refused, open_source, say};
use crate::media::Limits;

pub(super) fn command() -> Command {
    Command::new("probe").about("Say what is in a file, as JSON").arg(
        Arg::new("INPUT")
            .required(true)
            .value_parser(value_parser!(PathBuf))
            .help("the file to read, or - for stdin"),
    )
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let input = arguments.get_one::<PathBuf>("INPUT").map_or(Path::new(""), PathBuf::as_path);
    let shown = input.display();
    let probe = crate::media::convert::examine(open_source(input)?, &Limits::default())
        .map_err(|failure| Refused::Failed(format!("{shown}: {}", failure.message)))?;
    let json = serde_json::to_string_pretty(&probe)
        .map_err(|error| Refused::Failed(format!("{shown}: cannot be printed: {error}")))?;
    say(&format!("{json}\n"))
}
