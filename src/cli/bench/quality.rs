//! `audiomill bench quality INPUT FORMAT [NAME=VALUE…]`: what the seams cost.

use std::fmt::Write as _;

use clap::{Arg, ArgMatches, Command, value_parser};

use super::super::{Outcome, open_source, say};
use super::{conversion, conversion_of, failed, input, input_of};
use crate::media::quality::{Comparison, Figures, compare};

pub(super) fn command() -> Command {
    let cores = Arg::new("cores")
        .long("cores")
        .default_value("2")
        .value_parser(value_parser!(u16).range(1..))
        .help("how many work side by side");
    Command::new("quality")
        .about("Compare what several cores make with what one makes, at its seams")
        .arg(input())
        .args(conversion())
        .arg(cores)
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let cores = arguments.get_one::<u16>("cores").copied().map_or(1, usize::from);
    let request = conversion_of(arguments)?;
    let source = open_source(&input_of(arguments))?;
    let compared = compare(&source, &request, cores);
    say(&table(&compared.map_err(|failure| failed(arguments, &failure))?))
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
