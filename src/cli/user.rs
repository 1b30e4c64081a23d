//! `audiomill user`: accounts. For now `link` alone: a new one-time sign-in link.

use clap::{ArgMatches, Command};

use super::serve::{config, with_settings};
use super::{Outcome, Refused, say};
use crate::app::issue_link;

pub(super) fn command() -> Command {
    Command::new("user").about("Accounts").subcommand_required(true).subcommand(with_settings(
        Command::new("link").about("Print a new one-time sign-in link; older ones are void"),
    ))
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("link", arguments)) => link(arguments),
        _ => Err(Refused::Usage(String::from("user takes link; the rest is not built yet"))),
    }
}

fn link(arguments: &ArgMatches) -> Outcome {
    let config = config(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Refused::Failed(format!("the runtime cannot start: {error}")))?;
    let link = runtime
        .block_on(issue_link(&config))
        .map_err(|error| Refused::Failed(error.to_string()))?;
    say(&format!("{link}\n"))
}
