//! `audiomill probe INPUT`: what is in a file, as JSON.

use clap::{Arg, ArgMatches, Command};

use super::{Ended, Outcome, Refused, open_source};
use crate::media::Limits;

pub(super) fn command() -> Command {
    Command::new("probe")
        .about("Say what is in a file, as JSON")
        .arg(Arg::new("INPUT").required(true).help("the file to read, or - for stdin"))
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let input = arguments.get_one::<String>("INPUT").map_or("", String::as_str);
    let probe = crate::media::convert::examine(open_source(input)?, &Limits::default())
        .map_err(|failure| Refused::Failed(format!("{input}: {}", failure.message)))?;
    let json = serde_json::to_string_pretty(&probe)
        .map_err(|error| Refused::Failed(format!("{input}: cannot be printed: {error}")))?;
    println!("{json}");
    Ok(Ended::Done)
}
