//! `audiomill formats`: what this build can write.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Outcome, Refused, say};
use crate::media::Catalog;
use crate::media::options::PRESETS;

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
        return say(&format!("{json}\n"));
    }
    let mut table = line("format", "encoder", "container", "extension", "MIME type");
    for entry in catalog.entries() {
        let spec = entry.spec;
        let name = entry.format.as_str();
        table.push_str(&line(name, spec.encoder, spec.container, spec.extension, spec.mime_type));
        if let Some(reason) = entry.missing() {
            table.push_str(&format!("         {reason}\n"));
        }
    }
    table.push_str("\npreset     options\n");
    for preset in &PRESETS {
        let options = preset.options.iter().map(|(name, value)| format!("{name}={value}"));
        let options = options.collect::<Vec<_>>().join(" ");
        table.push_str(&format!("{:<10} {options}\n", preset.name));
    }
    say(&table)
}

fn line(format: &str, encoder: &str, container: &str, extension: &str, mime_type: &str) -> String {
    format!("{format:<8} {encoder:<12} {container:<10} {extension:<10} {mime_type}\n")
}
