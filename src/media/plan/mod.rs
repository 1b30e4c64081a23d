//! What will be done: decided from facts alone, before anything is opened for writing.

mod check;
mod coding;
mod copying;
mod layout;
mod lead;

pub use check::plan_options;
pub use copying::Copied;
pub use lead::{Encoded, Lead};

use self::coding::{
    encoder_gain_db, plan_bitrate, plan_coding, plan_depth, plan_rates, planned_rate, wants_dither,
};
use self::layout::{keeping_channels, output_channels, plan_layouts};
use super::catalog::FormatEntry;
use super::failure::Warning;
use super::metadata::read;
use super::probe::{AudioStream, Probe};
use super::request::{Carry, Exactness, Format, Range, Request};
use crate::base::BitRate;

/// Samples that may wait in half the room: 16 bits.
pub const SMALL: &str = "s16";

/// A decision, ready to be carried out, shown and reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Target format.
    pub format: Format,
    /// Position of the source's stream in its container.
    pub stream: usize,
    /// Set when packets are copied; what is said of decoder, encoder and samples does not matter then.
    pub copied: Option<Copied>,
    /// libav's decoder.
    pub decoder: String,
    /// libav's encoder.
    pub encoder: &'static str,
    /// libav's muxer.
    pub muxer: &'static str,
    /// Target in bits per second.
    pub bit_rate: Option<BitRate>,
    /// Position on the codec's VBR scale.
    pub vbr_quality: Option<i32>,
    /// Effort of the encoder.
    pub compression_level: Option<i32>,
    /// Samples per second that come out; 0 when the source does not say before it is decoded.
    pub sample_rate: u32,
    /// Channels that come out; 0 as above.
    pub channels: u32,
    /// What the encoder may be given; libavfilter picks the nearest to the source.
    pub accepts: Accepts,
    /// Whether what is cut off the samples is dithered.
    pub dither: bool,
    /// Which part of the recording.
    pub range: Range,
    /// Samples per channel of the whole recording, where the decoder may give more.
    pub source_samples: Option<u64>,
    /// Loudness to reach, in LUFS.
    pub loudness: Option<f64>,
    /// Gain in dB; known once the loudness is measured.
    pub gain_db: Option<f64>,
    /// Gain in dB that the encoder applies by itself.
    pub encoder_gain_db: f64,
    /// What is carried over beside the sound.
    pub carried: Carried,
    /// Tags that are set whatever the source says.
    pub overrides: Vec<(&'static str, String)>,
    /// For comparisons with the command.
    pub exactness: Exactness,
    /// Cores it may work on at the most.
    pub threads: usize,
    /// Deviations known beforehand.
    pub warnings: Vec<Warning>,
}

/// What of the source reaches the output beside the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Texts.
    pub tags: Carry,
    /// Pictures.
    pub cover: Carry,
    /// Chapters.
    pub chapters: Carry,
}

/// Lists for the format filter; an empty one means "anything".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepts {
    /// Sample formats by name.
    pub sample_formats: Vec<String>,
    /// Sample rates in Hz.
    pub sample_rates: Vec<u32>,
    /// Channel layouts by name.
    pub channel_layouts: Vec<String>,
}

/// The request cannot be met, and what would work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unsupported {
    /// The option at fault.
    pub option: &'static str,
    /// One sentence: option, format, what would work.
    pub message: String,
}

fn unsupported(option: &'static str, message: String) -> Unsupported {
    Unsupported { option, message }
}

/// Decides how to make what `request` asks for out of `probe`'s source.
///
/// # Errors
/// [`Unsupported`], when the format cannot take an option or the source has no such stream.
pub fn plan(probe: &Probe, request: &Request, entry: &FormatEntry) -> Result<Plan, Unsupported> {
    plan_options(request, entry)?;
    let source = choose_stream(probe, request)?;
    let lists = entry.encoder.clone().unwrap_or_default();
    let mut warnings = Vec::new();
    let carried = plan_carried(probe, source, request, entry, &mut warnings);
    let copied = copying::copied(probe, source, request);
    let known_beforehand = warnings.len();

    let mut channel_layouts = plan_layouts(request, entry)?;
    if request.exactness == Exactness::Ordinary {
        channel_layouts = keeping_channels(source.channels, channel_layouts);
    }
    let channels = output_channels(source.channels, &channel_layouts);
    if request.channels.is_none() && channels < source.channels {
        warnings.push(Warning::new(
            "downmixed",
            format!(
                "{} cannot have {} channels: mixed down to {channels}.",
                entry.spec.label, source.channels
            ),
        ));
    }
    let sample_rates = plan_rates(source, request, entry, lists.sample_rates, &mut warnings);
    let (encoder, sample_formats) = plan_depth(source, request, entry, &mut warnings);
    let (asked, vbr_quality, compression_level) = plan_coding(source, request, entry, channels);
    let sample_rate = planned_rate(source, &sample_rates);
    let bit_rate =
        asked.map(|asked| plan_bitrate(asked, request, channels, sample_rate, &mut warnings));
    if copied.is_some() {
        // What an encoder would have changed stays as it is.
        warnings.truncate(known_beforehand);
    }
    Ok(Plan {
        format: request.format,
        stream: source.index,
        sample_rate: if copied.is_some() { source.sample_rate } else { sample_rate },
        channels: if copied.is_some() { source.channels } else { channels },
        copied,
        decoder: source.decoder.clone(),
        encoder,
        muxer: entry.spec.muxer,
        bit_rate,
        vbr_quality,
        compression_level,
        accepts: Accepts {
            sample_formats: if sample_formats.is_empty() {
                lists.sample_formats
            } else {
                sample_formats
            },
            sample_rates,
            channel_layouts,
        },
        dither: wants_dither(source, request, entry),
        range: request.range,
        source_samples: probe.samples.filter(|_| request.exactness == Exactness::Ordinary),
        loudness: request.loudness,
        gain_db: None,
        encoder_gain_db: encoder_gain_db(request.format, bit_rate),
        overrides: request.overrides.clone(),
        carried,
        exactness: request.exactness,
        threads: request.threads,
        warnings,
    })
}

/// What the request wants and the container has a place for; a warning for what it has not.
fn plan_carried(
    probe: &Probe,
    source: &AudioStream,
    request: &Request,
    entry: &FormatEntry,
    warnings: &mut Vec<Warning>,
) -> Carried {
    if request.exactness == Exactness::BitExact {
        return Carried { tags: Carry::Drop, cover: Carry::Drop, chapters: Carry::Drop };
    }
    if probe.has_unread_tags {
        let message = "The file brings more tags than this server reads: they are left out.";
        warnings.push(Warning::new("metadata_limited", message));
    }
    let label = entry.spec.label;
    let holds = entry.spec.holds;
    let mut carry = |wanted: Carry, is_there: bool, holds: bool, code, what: &str| {
        if wanted == Carry::Keep && is_there && !holds {
            let message = format!("{label} has no place for {what}: left out.");
            warnings.push(Warning::new(code, message));
        }
        if holds { wanted } else { Carry::Drop }
    };
    let has_tags = !probe.metadata.items.is_empty()
        || !read::of_dictionaries(&probe.tags, &source.tags).items.is_empty();
    Carried {
        tags: carry(request.tags, has_tags, holds.tags, "tags_dropped", "tags"),
        cover: carry(request.cover, probe.covers > 0, holds.covers, "cover_dropped", "a cover"),
        chapters: carry(
            request.chapters,
            !probe.chapters.is_empty(),
            holds.chapters,
            "chapters_dropped",
            "chapters",
        ),
    }
}

fn choose_stream<'a>(probe: &'a Probe, request: &Request) -> Result<&'a AudioStream, Unsupported> {
    let chosen = match request.stream {
        Some(number) => probe.audio.get(number),
        None => probe.audio.iter().find(|stream| stream.is_default).or_else(|| probe.audio.first()),
    };
    chosen.ok_or_else(|| {
        unsupported(
            "stream",
            format!(
                "There is no audio stream {}; the file has {}, counted from 0.",
                request.stream.unwrap_or(0),
                probe.audio.len()
            ),
        )
    })
}

impl Plan {
    /// Whether samples of 16 bits are handed to the encoder as they are, to become what it takes only
    /// there: so much sound waits for it.
    #[must_use]
    pub fn takes_small(&self) -> bool {
        let is_as_it_is = self.gain_db.is_none() && self.exactness == Exactness::Ordinary;
        self.encoder == "aac" && is_as_it_is
    }

    /// The name of what logs errors that are none of the source: the encoder. Where it bears that of the
    /// decoder, nothing: those of both count.
    #[must_use]
    pub fn component_besides_source(&self) -> &'static str {
        if self.encoder == self.decoder { "" } else { self.encoder }
    }

    /// Whether the target keeps every bit of what it is given.
    #[must_use]
    pub const fn is_lossless(&self) -> bool {
        self.bit_rate.is_none() && self.vbr_quality.is_none()
    }
}

impl Accepts {
    /// The argument text of libavfilter's `aformat`; empty when anything is welcome.
    #[must_use]
    pub fn filter_argument(&self) -> String {
        let rates: Vec<String> = self.sample_rates.iter().map(ToString::to_string).collect();
        [
            ("sample_fmts", self.sample_formats.join("|")),
            ("sample_rates", rates.join("|")),
            ("channel_layouts", self.channel_layouts.join("|")),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| format!("{name}={list}"))
        .collect::<Vec<_>>()
        .join(":")
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::Catalog;
    use super::super::metadata::Metadata;
    use super::super::request::BitDepth;
    use super::*;

    fn source(channels: u32, bits: u32) -> Probe {
        Probe {
            container: "wav".into(),
            duration_seconds: Some(1.0),
            audio: vec![AudioStream {
                index: 0,
                codec: "pcm_s16le".into(),
                decoder: "pcm_s16le".into(),
                sample_rate: 44_100,
                channels,
                bits_per_sample: bits,
                is_float: false,
                bit_rate: 0,
                profile: -99,
                duration_seconds: Some(1.0),
                is_default: false,
                tags: Vec::new(),
            }],
            covers: 0,
            chapters: Vec::new(),
            metadata: Metadata::default(),
            has_unread_tags: false,
            samples: None,
            is_length_guessed: false,
            guessed_texts: Vec::new(),
            tags: Vec::new(),
        }
    }

    fn planned(probe: &Probe, request: &Request) -> Result<Plan, Unsupported> {
        plan(probe, request, Catalog::of_this_build().entry(request.format))
    }

    #[test]
    fn mono_stays_mono_at_half_the_bitrate() {
        let plan = planned(&source(1, 16), &Request::new(Format::Mp3)).expect("a plan");
        assert_eq!(plan.bit_rate, Some(BitRate::kbit(96)));
        assert_eq!(plan.warnings, []);
    }

    #[test]
    fn surround_to_mp3_is_mixed_down_and_says_so() {
        let plan = planned(&source(6, 16), &Request::new(Format::Mp3)).expect("a plan");
        assert_eq!(plan.bit_rate, Some(BitRate::kbit(192)));
        assert_eq!(plan.warnings[0].code, "downmixed");
    }

    #[test]
    fn depth_is_kept_by_pcm_targets() {
        let plan = planned(&source(2, 24), &Request::new(Format::Wav)).expect("a plan");
        assert_eq!((plan.encoder, plan.bit_rate), ("pcm_s24le", None));
        let lossy = planned(&source(2, 0), &Request::new(Format::Aiff)).expect("a plan");
        assert_eq!(lossy.encoder, "pcm_s16be");
    }

    #[test]
    fn options_a_format_cannot_take_are_refused_with_what_would_work() {
        let refused = |request: Request| planned(&source(2, 16), &request).err().map(|e| e.option);
        let flac = Request::new(Format::Flac);
        assert_eq!(
            refused(Request { bitrate: Some(BitRate::MIN), ..flac.clone() }),
            Some("bitrate")
        );
        assert_eq!(
            refused(Request { bit_depth: Some(BitDepth::Float32), ..flac.clone() }),
            Some("bit_depth")
        );
        assert_eq!(refused(Request { quality: Some(13), ..flac }), Some("quality"));
        let mp3 = Request::new(Format::Mp3);
        assert_eq!(refused(Request { channels: Some(6), ..mp3.clone() }), Some("channels"));
        assert_eq!(
            refused(Request { bit_depth: Some(BitDepth::Int16), ..mp3.clone() }),
            Some("bit_depth")
        );
        assert_eq!(refused(Request { stream: Some(1), ..mp3 }), Some("stream"));
        assert_eq!(
            refused(Request { quality: Some(1), ..Request::new(Format::M4a) }),
            Some("quality")
        );
    }

    #[test]
    fn a_bitrate_the_codec_cannot_run_at_is_said_so() {
        let warned = |format, kbit, channels| {
            let request = Request { bitrate: Some(BitRate::kbit(kbit)), ..Request::new(format) };
            let plan = planned(&source(channels, 16), &request).expect("a plan");
            plan.warnings.first().map(|warning| warning.message.clone())
        };
        assert_eq!(warned(Format::Mp3, 192, 2), None);
        assert_eq!(
            warned(Format::Mp3, 512, 2).as_deref(),
            Some("512kbit/s is not to be had with 2 channels at 44100 Hz: it is 320kbit/s.")
        );
        assert!(warned(Format::Opus, 512, 1).is_some() && warned(Format::Opus, 512, 2).is_none());
        assert!(warned(Format::M4a, 320, 1).is_some() && warned(Format::M4a, 256, 1).is_none());
    }

    #[test]
    fn rates_beyond_an_encoder_are_halved_and_told() {
        let of = |format, rate| {
            let mut probe = source(2, 16);
            probe.audio[0].sample_rate = rate;
            let plan = planned(&probe, &Request::new(format)).expect("a plan");
            (plan.sample_rate, plan.warnings.first().map(|warning| warning.code))
        };
        assert_eq!(of(Format::Ogg, 384_000), (192_000, Some("sample_rate_adjusted")));
        assert_eq!(of(Format::Flac, 768_000), (384_000, Some("sample_rate_adjusted")));
        assert_eq!(of(Format::Mp3, 96_000), (48_000, Some("sample_rate_adjusted")));
        assert_eq!(of(Format::Mp3, 44_100), (44_100, None));
        assert_eq!(of(Format::Opus, 44_100), (48_000, None));
        assert_eq!(of(Format::Wav, 768_000), (768_000, None));
    }

    #[test]
    fn a_rate_the_encoder_has_not_becomes_the_nearest_with_a_warning() {
        let request = Request { sample_rate: Some(44_100), ..Request::new(Format::Opus) };
        let plan = planned(&source(2, 16), &request).expect("a plan");
        assert_eq!(plan.accepts.sample_rates, [48_000]);
        assert_eq!(plan.warnings[0].code, "sample_rate_adjusted");
    }
}
