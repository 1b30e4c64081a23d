//! `audiomill settings`: the reference table of README.md (hidden; a test compares the two).

use clap::Command;

use super::{Ended, Outcome};
use crate::config::declare::markdown;

pub(super) fn command() -> Command {
    Command::new("settings").about("Print the table of settings").hide(true)
}

#[expect(clippy::unnecessary_wraps, reason = "every command has this shape")]
pub(super) fn run() -> Outcome {
    print!("{}", markdown());
    Ok(Ended::Done)
}
