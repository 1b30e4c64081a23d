//! What of a source stands beside the sound of an output.

use lofty::tag::ItemKey;

use super::super::failure::Warning;
use super::super::limits::MetadataLimits;
use super::super::metadata::{Key, Metadata, Picture, ilst, read};
use super::super::plan::Plan;
use super::super::probe::{AudioStream, Probe};
use super::super::request::{Carry, Format};
use super::super::wrap::flac;

/// What the plan carries over, with the texts that were asked for, and what people should know of
/// what it does not.
pub(super) fn metadata(
    plan: &Plan,
    probe: &Probe,
    stream: &AudioStream,
    limits: &MetadataLimits,
) -> (Metadata, Vec<Warning>) {
    let mut metadata = wanted(plan, probe, stream);
    let mut warnings = Vec::new();
    warnings.extend(limit_warning(metadata.limit(limits)));
    if plan.carried.tags == Carry::Keep && probe.guessed_texts.contains(&stream.index) {
        warnings.push(Warning::new(
            "tags_guessed",
            "Some texts are not in UTF-8: they were read as Windows-1252, and may be wrong.",
        ));
    }
    let (takes, which): (fn(&Picture) -> bool, &str) = match plan.format {
        Format::M4a | Format::M4b | Format::Alac => {
            (ilst::takes, "MP4 takes JPEG, PNG, GIF and BMP pictures: others are left out.")
        }
        Format::Flac => {
            (flac::takes, "FLAC takes pictures below 16 MiB: larger ones are left out.")
        }
        _ => (|_| true, ""),
    };
    let before = metadata.pictures.len();
    metadata.pictures.retain(takes);
    if metadata.pictures.len() < before {
        warnings.push(Warning::new("cover_dropped", which));
    }
    (metadata, warnings)
}

fn wanted(plan: &Plan, probe: &Probe, stream: &AudioStream) -> Metadata {
    let mut dictionaries = read::of_dictionaries(&probe.tags, &stream.tags);
    // libav calls the description of Vorbis comments a comment.
    let description = probe.metadata.first(&Key::Known(ItemKey::Description));
    dictionaries.items.retain(|item| {
        item.key != Key::Known(ItemKey::Comment) || description != Some(item.value.as_str())
    });
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

fn limit_warning(left_out: [usize; 3]) -> Option<Warning> {
    let counted = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        count => Some(format!("{count} {noun}s")),
    };
    let parts = left_out.into_iter().zip(["tag", "picture", "chapter"]);
    let parts: Vec<String> = parts.filter_map(|(count, noun)| counted(count, noun)).collect();
    (!parts.is_empty()).then(|| {
        let what = parts.join(", ");
        let message = format!("{what}: too much to carry over, left out.");
        Warning::new("metadata_limited", message)
    })
}
