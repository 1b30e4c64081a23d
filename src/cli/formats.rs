//! `audiomill formats`: what this build can write.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Ended, Outcome, Refused};
use crate::media::Catalog;

pub(super) fn command() -> Command {
    Command::new("formats").about("List the target formats of this build").arg(
        Arg::new("json").long("json").action(ArgAction::SetTrue).help("as JSON, with all options"),
    )
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let catalog = Catalog::of_this_build();
    if arguments.get_flag("json") {
        let json = serde_json::to_string_pretty(&crate::media::describe::describe(catalog))
            .map_err(|error| {
                Refused::Failed(format!("the catalogue cannot be printed: {error}"))
            })?;
        println!("{json}");
        return Ok(Ended::Done);
    }
    println!(
        "{:<8} {:<12} {:<10} {:<10} {:<12}",
        "format", "encoder", "container", "extension", "MIME type"
    );
    for entry in catalog.entries() {
        let spec = entry.spec;
        let missing = entry.missing().map(|reason| format!("  ({reason})")).unwrap_or_default();
        println!(
            "{:<8} {:<12} {:<10} {:<10} {:<12}{missing}",
            entry.format.as_str(),
            spec.encoder,
            spec.container,
            spec.extension,
            spec.mime_type
        );
    }
    Ok(Ended::Done)
}
