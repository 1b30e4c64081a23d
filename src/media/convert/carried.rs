//! What of a source stands beside the sound of an output.

use super::super::failure::Warning;
use super::super::metadata::{Metadata, ilst, read};
use super::super::plan::Plan;
use super::super::probe::{AudioStream, Probe};
use super::super::request::{Carry, Format};

/// What the plan carries over, with the texts that were asked for, and what people should know of
/// what it does not.
pub(super) fn metadata(
    plan: &Plan,
    probe: &Probe,
    stream: &AudioStream,
) -> (Metadata, Vec<Warning>) {
    let mut metadata = wanted(plan, probe, stream);
    let mut warnings = Vec::new();
    warnings.extend(limit_warning(metadata.limit()));
    if matches!(plan.format, Format::M4a | Format::M4b | Format::Alac) {
        let before = metadata.pictures.len();
        metadata.pictures.retain(ilst::takes);
        if metadata.pictures.len() < before {
            warnings.push(Warning::new(
                "cover_dropped",
                "MP4 takes JPEG, PNG, GIF and BMP pictures: others are left out.",
            ));
        }
    }
    (metadata, warnings)
}

fn wanted(plan: &Plan, probe: &Probe, stream: &AudioStream) -> Metadata {
    let dictionaries = read::of_dictionaries(&probe.tags, &stream.tags);
    let mut metadata = probe.metadata.clone().or(dictionaries);
    if plan.carried.tags == Carry::Drop {
        metadata.items.clear();
    }
    if plan.carried.cover == Carry::Drop {
        metadata.pictures.clear();
    }
    if plan.carried.chapters == Carry::Drop {
        metadata.chapters.clear();
    }
    if plan.loudness.is_some() {
        metadata.forget_gain();
    } else if plan.format == Format::Opus {
        metadata.gain_for_opus();
    } else {
        metadata.gain_for_others();
    }
    metadata.cut_chapters(plan.range.start_seconds, plan.range.end_seconds);
    metadata.overridden(&plan.overrides)
}

fn limit_warning((texts, pictures): (usize, usize)) -> Option<Warning> {
    let what = match (texts, pictures) {
        (0, 0) => return None,
        (texts, 0) => format!("{texts} tags"),
        (0, pictures) => format!("{pictures} pictures"),
        (texts, pictures) => format!("{texts} tags and {pictures} pictures"),
    };
    Some(Warning::new("metadata_limited", format!("{what} are too much to carry over: left out.")))
}
