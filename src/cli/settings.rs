//! `audiomill settings`: the reference table of README.md (hidden; a test compares the two).

use clap::Command;

use super::{Outcome, say};
use crate::config::declare::markdown;

pub(super) fn command() -> Command {
    Command::new("settings").about("Print the table of settings").hide(true)
}

pub(super) fn run() -> Outcome {
    say(&markdown())
}
