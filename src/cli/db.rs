//! `audiomill db`: the database, set up or started anew.

use std::io::{BufRead, IsTerminal};

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::serve::{config, with_settings};
use super::{Outcome, Refused, on_accounts, say};
use crate::app::forget_everything;

pub(super) fn command() -> Command {
    let init = Command::new("init")
        .about("Make the database, or bring it up to this version; nothing in it is lost");
    let reset = Command::new("reset")
        .about("Remove the database and every stored recording")
        .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("do not ask"));
    Command::new("db")
        .about("The database")
        .subcommand_required(true)
        .subcommands([init, reset].map(with_settings))
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("init", arguments)) => {
            let config = config(arguments)?;
            on_accounts(&config, async |_| Ok(()))?;
            say(&format!("The database {} is ready.\n", config.database.display()))
        }
        Some(("reset", arguments)) => reset(arguments),
        _ => Err(Refused::Usage(String::from("db takes init or reset"))),
    }
}

fn reset(arguments: &ArgMatches) -> Outcome {
    let config = config(arguments)?;
    if config.http.public_origins.iter().any(|origin| origin.starts_with("https:")) {
        let why = "PUBLIC_URL is https: this server has users, and reset is refused. \
                   Take PUBLIC_URL out of the settings to reset it all the same.";
        return Err(Refused::Usage(String::from(why)));
    }
    if !arguments.get_flag("force") {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            eprintln!(
                "This removes {} with every account, job and recording. Type yes to go on:",
                config.database.display()
            );
        }
        let mut line = String::new();
        let read = stdin.lock().read_line(&mut line);
        read.map_err(|error| Refused::Failed(format!("the answer: {error}")))?;
        if line.trim() != "yes" {
            let why = "nothing was removed: that was not \"yes\" (--force does not ask)";
            return Err(Refused::Failed(String::from(why)));
        }
    }
    let forgotten = super::runtime()?.block_on(forget_everything(&config));
    forgotten.map_err(|error| Refused::Failed(error.to_string()))?;
    on_accounts(&config, async |_| Ok(()))?;
    say("Everything is removed, and the database is new.\n")
}
