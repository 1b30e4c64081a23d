//! `audiomill bench quality INPUT FORMAT [NAME=VALUE…]`: what the seams cost, as a table.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::{Outcome, Refused, open_source, say};
use crate::media::Format;
use crate::media::options::parse;
use crate::media::quality::{Comparison, Figures, compare};

pub(super) fn command() -> Command {
    let input = Arg::new("INPUT")
        .required(true)
        .value_parser(value_parser!(PathBuf))
        .help("the recording to measure with");
    let format = Arg::new("FORMAT")
        .required(true)
        .value_parser(|name: &str| Format::parse(name).ok_or("no such format"))
        .help("what it is converted to");
    let options =
        Arg::new("OPTION").num_args(0..).help("options of the conversion, like bitrate=192k");
    let cores = Arg::new("cores")
        .long("cores")
        .default_value("2")
        .value_parser(value_parser!(usize))
        .help("how many work side by side");
    Command::new("bench").about("Measure").subcommand_required(true).subcommand(
        Command::new("quality")
            .about("Compare a lossy result of several cores with that of one, at its seams")
            .args([input, format, options, cores]),
    )
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    match arguments.subcommand() {
        Some(("quality", arguments)) => quality(arguments),
        _ => Err(Refused::Usage(String::from("no such measure"))),
    }
}

fn quality(arguments: &ArgMatches) -> Outcome {
    let input = arguments.get_one::<PathBuf>("INPUT").cloned().unwrap_or_default();
    let format = arguments.get_one::<Format>("FORMAT").copied();
    let cores = arguments.get_one::<usize>("cores").copied().unwrap_or(1);
    let options = arguments.get_many::<String>("OPTION").unwrap_or_default();
    let options: Option<Vec<(&str, &str)>> = options.map(|option| option.split_once('=')).collect();
    let options = options.ok_or_else(|| Refused::Usage(String::from("options are NAME=VALUE")))?;
    let request = parse(format, options).map_err(|error| Refused::Usage(error.to_string()))?;
    let source = open_source(&input)?;
    let compared = compare(&source, &request, cores)
        .map_err(|failure| Refused::Failed(format!("{}: {}", input.display(), failure.message)))?;
    say(&table(&compared))
}

fn table(compared: &Comparison) -> String {
    let (many, one) = compared.bytes;
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    let growth = (many as f64 / one.max(1) as f64 - 1.0) * 100.0;
    let mut text = format!(
        "seams {}, serial because {}\nbytes {many} / {one} ({growth:+.3} %)\nsamples {} / {}\n",
        compared.segmented.seams.len(),
        compared.segmented.serial_because.unwrap_or("-"),
        compared.decoded.0,
        compared.decoded.1,
    );
    let mut line = |place: &str, figures: Figures| {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{place}: {} frames, {:+.3} dB on average, {:+.2} dB at the worst",
            figures.frames, figures.mean_db, figures.worst_db
        );
    };
    line("at seams", compared.at_seams);
    line("elsewhere", compared.elsewhere);
    for (seconds, db) in &compared.outliers {
        let _ = writeln!(text, "outlier at {seconds:.2} s: {db:+.2} dB");
    }
    for complaint in &compared.complaints {
        let _ = writeln!(text, "decoding says: {complaint}");
    }
    text
}
