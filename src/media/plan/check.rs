//! Whether a format can take the options at all: what a form can be told before its file has come.

use super::layout::plan_layouts;
use super::{Unsupported, unsupported};
use crate::media::catalog::{Coding, FormatEntry, Scale};
use crate::media::request::Request;

/// Checks the options against the format, without a source: what a form can be told at once.
///
/// # Errors
/// The first option the format cannot take.
pub fn plan_options(request: &Request, entry: &FormatEntry) -> Result<(), Unsupported> {
    let label = entry.spec.label;
    if let Some(reason) = entry.missing() {
        return Err(unsupported("format", reason));
    }
    match &entry.spec.coding {
        Coding::Lossy { vbr, effort, .. } => {
            refuse_depth(request, label)?;
            check_scale(request, label, vbr.or(*effort))?;
            if vbr.is_some() && request.quality.is_some() && request.bitrate.is_some() {
                return Err(either_bitrate_or_quality(label));
            }
        }
        Coding::Quality { scale, .. } => {
            refuse_depth(request, label)?;
            check_scale(request, label, Some(*scale))?;
            if request.quality.is_some() && request.bitrate.is_some() {
                return Err(either_bitrate_or_quality(label));
            }
        }
        Coding::Lossless { depths, effort, .. } => {
            if request.bitrate.is_some() {
                return Err(unsupported(
                    "bitrate",
                    format!(
                        "{label} is lossless and takes no bitrate; leave it out, or choose mp3, m4a, opus or ogg."
                    ),
                ));
            }
            check_scale(request, label, *effort)?;
            if let Some(depth) = request.bit_depth.filter(|depth| !depths.contains(depth)) {
                let words: Vec<_> = depths.iter().map(|depth| depth.as_str()).collect();
                return Err(unsupported(
                    "bit_depth",
                    format!(
                        "{label} cannot have bit depth {}; it takes {}.",
                        depth.as_str(),
                        words.join(", ")
                    ),
                ));
            }
        }
    }
    if let (false, Some((name, _))) = (entry.spec.holds.tags, request.overrides.first()) {
        return Err(unsupported(
            name,
            format!("{label} has no place for tags; leave \"{name}\" out, or choose mka or m4a."),
        ));
    }
    plan_layouts(request, entry).map(|_| ())
}

fn refuse_depth(request: &Request, label: &str) -> Result<(), Unsupported> {
    if request.bit_depth.is_none() {
        return Ok(());
    }
    Err(unsupported(
        "bit_depth",
        format!("{label} has no bit depth; leave it out, or choose flac, alac, wav or aiff."),
    ))
}

fn check_scale(request: &Request, label: &str, scale: Option<Scale>) -> Result<(), Unsupported> {
    match (request.quality, scale) {
        (None, _) => Ok(()),
        (Some(_), None) => {
            Err(unsupported("quality", format!("{label} has no quality scale; leave it out.")))
        }
        (Some(value), Some(scale)) if (scale.least..=scale.most).contains(&value) => Ok(()),
        (Some(value), Some(scale)) => Err(unsupported(
            "quality",
            format!(
                "{label} cannot have quality {value}; it takes {} to {}.",
                scale.least, scale.most
            ),
        )),
    }
}

fn either_bitrate_or_quality(label: &str) -> Unsupported {
    unsupported("quality", format!("{label} takes either a bitrate or a quality, not both."))
}
