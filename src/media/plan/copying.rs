//! Whether the source's packets may become the output's as they are.

use crate::media::probe::{AudioStream, Probe};
use crate::media::request::{Exactness, Format, Reencode, Request};

use super::coding::kept_depth;

/// libav's number of AAC's low complexity profile.
const AAC_LOW_COMPLEXITY: i32 = 1;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// libav's name of the codec.
    pub codec: String,
    /// Bits per second as the source claims; 0 when it does not.
    pub bit_rate: u64,
}

/// What can be copied, or `None` when the sound must be encoded anew: another codec, a part of the
/// recording, another loudness, another way to spend bits.
pub(super) fn copied(probe: &Probe, source: &AudioStream, request: &Request) -> Option<Copied> {
    let is_wanted = request.reencode == Reencode::Auto
        && request.exactness == Exactness::Ordinary
        && request.range.is_whole()
        && request.loudness.is_none();
    (is_wanted && keeps_shape(source, request) && has_place(probe, source, request.format))
        .then(|| Copied { codec: source.codec.clone(), bit_rate: source.bit_rate })
}

/// Whether everything that was asked of the sound is so already.
fn keeps_shape(source: &AudioStream, request: &Request) -> bool {
    let asks_no_other =
        |asked: Option<u32>, has: u32| asked.is_none_or(|asked| has > 0 && asked == has);
    request.bitrate.is_none()
        && request.quality.is_none()
        && asks_no_other(request.sample_rate, source.sample_rate)
        && asks_no_other(request.channels, source.channels)
        && request.bit_depth.is_none_or(|depth| depth == kept_depth(source))
}

/// Whether the format is made of this codec, and its container takes the packets as they are.
fn has_place(probe: &Probe, source: &AudioStream, format: Format) -> bool {
    let codec = source.codec.as_str();
    match format {
        Format::Mp3 => codec == "mp3",
        Format::M4a | Format::M4b => codec == "aac",
        // ADTS has two bits for the profile: what extends AAC has no name there.
        Format::Aac => {
            codec == "aac" && (probe.container == "aac" || source.profile == AAC_LOW_COMPLEXITY)
        }
        Format::Opus => codec == "opus",
        Format::Ogg => codec == "vorbis",
        Format::Mka => matches!(codec, "opus" | "vorbis" | "aac" | "mp3" | "ac3"),
        Format::Webm => matches!(codec, "opus" | "vorbis"),
        Format::Ac3 => codec == "ac3",
        Format::Flac => codec == "flac",
        // Other containers do not say how long the last packet is.
        Format::Alac => codec == "alac" && probe.container == "mp4",
        Format::Wv => codec == "wavpack" && probe.container == "wv",
        Format::Tta => codec == "tta" && probe.container == "tta",
        // Samples as they are have no packets worth copying.
        Format::Wav | Format::Aiff => false,
    }
}
