//! What people are told when an output is not all that they asked for.

use super::super::catalog::Catalog;
use super::super::failure::Warning;
use super::super::loudness::{Adjustment, CEILING_DBTP};
use super::super::plan::Plan;
use super::super::run::serial::Ran;
use super::Length;
use crate::base::units::clock;

pub(super) fn loudness_warning(adjustment: &Adjustment) -> Option<Warning> {
    let target = adjustment.target_lufs;
    match adjustment.reached_lufs() {
        None if adjustment.measured.true_peak_dbtp.is_none() => {
            Some(Warning::new("silent", "The recording is silent: its loudness stays."))
        }
        None => Some(Warning::new(
            "too_short_to_measure",
            "The recording is too short or too quiet to be measured: its loudness stays.",
        )),
        Some(reached) if adjustment.limited_by_peak => Some(Warning::new(
            "loudness_limited",
            format!(
                "{target} LUFS would lift peaks above {CEILING_DBTP} dBTP: it is {reached:.1} LUFS."
            ),
        )),
        Some(_) => None,
    }
}

/// Sound that was copied to where nothing says that its start is not to be heard.
pub(super) fn priming_warning(plan: &Plan, ran: &Ran) -> Option<Warning> {
    (ran.priming_heard > 0).then(|| {
        let label = Catalog::of_this_build().entry(plan.format).spec.label;
        let milliseconds = u64::from(ran.priming_heard) * 1000 / u64::from(ran.sample_rate.max(1));
        Warning::new(
            "starts_late",
            format!(
                "{label} cannot say where copied sound starts: {milliseconds} ms come before it."
            ),
        )
    })
}

/// Samples that an encoder could not have taken.
pub(super) fn tamed_warning(ran: &Ran) -> Option<Warning> {
    (ran.tamed > 0).then(|| {
        let count = ran.tamed;
        let samples = if count == 1 { "sample was" } else { "samples were" };
        let message = format!(
            "{count} {samples} no number or far beyond full scale: silence or a clipped peak is there now."
        );
        Warning::new("wild_samples", message)
    })
}

/// What of the source did not come out: an end that is missing, places that are damaged.
pub(super) fn damage_warning(
    ran: &Ran,
    declared: Option<Length>,
    errors_logged: usize,
) -> Option<Warning> {
    let ended_early = declared.filter(|declared| {
        let missing = declared.seconds - ran.read.decoded_seconds;
        let (least, share) = if declared.is_counted { (0.5, 200.0) } else { (1.0, 10.0) };
        missing > least && missing > declared.seconds / share
    });
    if ended_early.is_some() || ran.read.broken_off {
        let promised = ended_early
            .map(|declared| format!(", though the file promises {}", clock(declared.seconds)));
        return Some(Warning::new(
            "ended_early",
            format!(
                "The sound breaks off at {}{}; everything up to there was converted.",
                clock(ran.read.decoded_seconds),
                promised.unwrap_or_default(),
            ),
        ));
    }
    if ran.read.damaged_packets > 0 || errors_logged > 0 {
        let places = ran.read.damaged_packets.max(errors_logged as u64);
        return Some(Warning::new(
            "damaged",
            format!(
                "The file is damaged in {places} {}; the rest was converted.",
                if places == 1 { "place" } else { "places" }
            ),
        ));
    }
    None
}
