//! Channels: which layouts the encoder may get, and how many channels come out.

use super::{Unsupported, unsupported};
use crate::media::catalog::FormatEntry;
use crate::media::request::Request;

/// The layouts the encoder may get: its own list, cut to the wanted number of channels.
pub(super) fn plan_layouts(
    request: &Request,
    entry: &FormatEntry,
) -> Result<Vec<String>, Unsupported> {
    let all = entry.encoder.as_ref().map(|lists| lists.channel_layouts.clone()).unwrap_or_default();
    let Some(wanted) = request.channels else { return Ok(all) };
    let usual = usual_layout(wanted);
    if all.is_empty() || all.iter().any(|layout| layout == usual) {
        return Ok(vec![usual.to_owned()]);
    }
    let fitting: Vec<String> =
        all.iter().filter(|layout| channels_of(layout) == wanted).cloned().collect();
    if fitting.is_empty() {
        let mut counts: Vec<u32> = all.iter().map(|layout| channels_of(layout)).collect();
        counts.sort_unstable();
        counts.dedup();
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        return Err(unsupported(
            "channels",
            format!(
                "{} cannot have {wanted} channels; it takes {}.",
                entry.spec.label,
                counts.join(", ")
            ),
        ));
    }
    Ok(fitting)
}

fn usual_layout(channels: u32) -> &'static str {
    match channels {
        1 => "mono",
        2 => "stereo",
        6 => "5.1",
        _ => "7.1",
    }
}

/// How many channels a layout's name says: `5.1(side)` is six.
fn channels_of(layout: &str) -> u32 {
    match layout {
        "mono" => 1,
        "stereo" | "downmix" => 2,
        "quad" | "quad(side)" => 4,
        "hexagonal" => 6,
        "octagonal" => 8,
        "hexadecagonal" => 16,
        numbers => numbers
            .split('(')
            .next()
            .unwrap_or_default()
            .split('.')
            .filter_map(|number| number.parse::<u32>().ok())
            .sum(),
    }
}

/// Of the layouts the encoder may get, those with as many channels as the source, where there are
/// any: libavfilter goes by likeness and would rather lose a channel than move one.
pub(super) fn keeping_channels(source: u32, layouts: Vec<String>) -> Vec<String> {
    let alike: Vec<String> =
        layouts.iter().filter(|layout| channels_of(layout) == source).cloned().collect();
    if alike.is_empty() { layouts } else { alike }
}

/// The channels that come out: the source's where the encoder has them, else the most it has.
pub(super) fn output_channels(source: u32, layouts: &[String]) -> u32 {
    let counts = layouts.iter().map(|layout| channels_of(layout));
    if layouts.is_empty() || counts.clone().any(|count| count == source) {
        return source;
    }
    counts.clone().filter(|&count| count <= source).max().or_else(|| counts.min()).unwrap_or(source)
}
