//! What will be done: decided from facts alone, before anything is opened for writing.

use crate::base::BitRate;

use super::catalog::{Coding, FormatEntry, Scale, pcm_encoder, standard_bitrate};
use super::failure::Warning;
use super::probe::{AudioStream, Probe};
use super::request::{BitDepth, Carry, Exactness, Format, Request};

/// A decision, ready to be carried out, shown and reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Target format.
    pub format: Format,
    /// Position of the source's stream in its container.
    pub stream: usize,
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
    /// What the encoder may be given; libavfilter picks the nearest to the source.
    pub accepts: Accepts,
    /// Whether tags are carried over.
    pub tags: Carry,
    /// For comparisons with the command.
    pub exactness: Exactness,
    /// Deviations known beforehand.
    pub warnings: Vec<Warning>,
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

/// Decides how to make what `request` asks for out of `probe`'s source.
///
/// # Errors
/// [`Unsupported`], when the format cannot take an option or the source has no such stream.
pub fn plan(probe: &Probe, request: &Request, entry: &FormatEntry) -> Result<Plan, Unsupported> {
    plan_options(request, entry)?;
    let source = choose_stream(probe, request)?;
    let lists = entry.encoder.clone().unwrap_or_default();
    let mut warnings = Vec::new();
    if probe.covers > 0 && request.exactness == Exactness::Ordinary {
        warnings.push(Warning::new("cover_dropped", "The cover picture is not carried over yet."));
    }
    if probe.chapters > 0 && request.exactness == Exactness::Ordinary {
        warnings.push(Warning::new("chapters_dropped", "Chapters are not carried over yet."));
    }

    let channel_layouts = plan_layouts(request, entry)?;
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
    let sample_rates = plan_rates(request, entry, lists.sample_rates, &mut warnings);
    let (encoder, sample_formats) = plan_depth(source, request, entry, &mut warnings);
    let (asked, vbr_quality, compression_level) = plan_coding(request, entry, channels);
    let sample_rate = planned_rate(source, &sample_rates);
    let bit_rate =
        asked.map(|asked| plan_bitrate(asked, request, channels, sample_rate, &mut warnings));
    Ok(Plan {
        format: request.format,
        stream: source.index,
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
        tags: match request.exactness {
            Exactness::Ordinary => request.tags,
            Exactness::BitExact => Carry::Drop,
        },
        exactness: request.exactness,
        warnings,
    })
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

/// The layouts the encoder may get: its own list, cut to the wanted number of channels.
fn plan_layouts(request: &Request, entry: &FormatEntry) -> Result<Vec<String>, Unsupported> {
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

/// The channels that come out: the source's where the encoder has them, else the most it has.
fn output_channels(source: u32, layouts: &[String]) -> u32 {
    let counts = layouts.iter().map(|layout| channels_of(layout));
    if layouts.is_empty() || counts.clone().any(|count| count == source) {
        return source;
    }
    counts.clone().filter(|&count| count <= source).max().or_else(|| counts.min()).unwrap_or(source)
}

fn plan_rates(
    request: &Request,
    entry: &FormatEntry,
    rates: Vec<u32>,
    warnings: &mut Vec<Warning>,
) -> Vec<u32> {
    let Some(wanted) = request.sample_rate else { return rates };
    let nearest = rates.iter().copied().min_by_key(|rate| rate.abs_diff(wanted)).unwrap_or(wanted);
    if nearest != wanted {
        warnings.push(Warning::new(
            "sample_rate_adjusted",
            format!("{} has no {wanted} Hz: {nearest} Hz is the nearest.", entry.spec.label),
        ));
    }
    vec![nearest]
}

/// The rate that comes out: libavfilter takes the one nearest to the source's.
fn planned_rate(source: &AudioStream, rates: &[u32]) -> u32 {
    let nearest = rates.iter().copied().min_by_key(|rate| rate.abs_diff(source.sample_rate));
    nearest.unwrap_or(source.sample_rate)
}

/// The bitrate the codec will really run at, with a word when it is not the one asked for.
///
/// MP3 has a table of rates for each MPEG version (ISO/IEC 11172-3 and 13818-3; LAME takes the
/// nearest), AAC at most 6144 bits per channel and frame of 1024 samples (ISO/IEC 14496-3), Opus at
/// most 256 kbit/s a channel (libopus refuses more).
fn plan_bitrate(
    asked: BitRate,
    request: &Request,
    channels: u32,
    sample_rate: u32,
    warnings: &mut Vec<Warning>,
) -> BitRate {
    const MPEG_1: &[u32] = &[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const MPEG_2: &[u32] = &[8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const MPEG_2_5: &[u32] = &[8, 16, 24, 32, 40, 48, 56, 64];
    let kbit = asked.bits_per_second() / 1000;
    let runs_at = match request.format {
        Format::Mp3 => {
            let table = match sample_rate {
                ..16_000 => MPEG_2_5,
                16_000..32_000 => MPEG_2,
                32_000.. => MPEG_1,
            };
            table.iter().copied().min_by_key(|step| step.abs_diff(kbit)).unwrap_or(kbit)
        }
        Format::M4a => kbit.min(6 * channels * sample_rate / 1000),
        Format::Opus => kbit.min(256 * channels),
        Format::Ogg | Format::Flac | Format::Alac | Format::Wav | Format::Aiff => kbit,
    };
    let reaches = BitRate::kbit(runs_at.max(1));
    if runs_at != kbit && request.bitrate.is_some() {
        warnings.push(Warning::new("bitrate_adjusted", format!(
            "{asked}bit/s is not to be had with {channels} {} at {sample_rate} Hz: it is {reaches}bit/s.",
            if channels == 1 { "channel" } else { "channels" },
        )));
    }
    match request.format {
        // These two come to the same by themselves, and byte by byte as the command does.
        Format::Mp3 | Format::M4a => asked,
        Format::Opus | Format::Ogg | Format::Flac | Format::Alac | Format::Wav | Format::Aiff => {
            reaches
        }
    }
}

/// The encoder and, where the depth was asked for, the sample formats that carry it.
fn plan_depth(
    source: &AudioStream,
    request: &Request,
    entry: &FormatEntry,
    warnings: &mut Vec<Warning>,
) -> (&'static str, Vec<String>) {
    let Coding::Lossless { depths, .. } = &entry.spec.coding else {
        return (entry.spec.encoder, Vec::new());
    };
    let kept = kept_depth(source);
    if request.bit_depth.is_none() && !depths.contains(&kept) && source.is_lossless() {
        warnings.push(Warning::new(
            "bit_depth_reduced",
            format!(
                "{} stores 24 bits at the most; the source has {}.",
                entry.spec.label,
                match kept {
                    BitDepth::Float32 => "floating point samples",
                    BitDepth::Int16 | BitDepth::Int24 | BitDepth::Int32 => "32",
                }
            ),
        ));
    }
    let depth = request.bit_depth.unwrap_or(kept);
    if let Some((encoder, sample_format)) = pcm_encoder(entry.format, depth) {
        return (encoder, vec![sample_format.to_owned()]);
    }
    let planar = if entry.format == Format::Alac { "p" } else { "" };
    let formats = match request.bit_depth {
        None => Vec::new(),
        Some(BitDepth::Int16) => vec![format!("s16{planar}")],
        Some(BitDepth::Int24 | BitDepth::Int32 | BitDepth::Float32) => vec![format!("s32{planar}")],
    };
    (entry.spec.encoder, formats)
}

/// The depth that loses nothing of the source; a lossy source has none, 16 bits are enough for it.
fn kept_depth(source: &AudioStream) -> BitDepth {
    match source.bits_per_sample {
        _ if source.is_float => BitDepth::Float32,
        0..=16 => BitDepth::Int16,
        17..=24 => BitDepth::Int24,
        _ => BitDepth::Int32,
    }
}

fn plan_coding(
    request: &Request,
    entry: &FormatEntry,
    channels: u32,
) -> (Option<BitRate>, Option<i32>, Option<i32>) {
    match &entry.spec.coding {
        Coding::Lossy { vbr: Some(_), .. } if request.quality.is_some() => {
            (None, request.quality, None)
        }
        Coding::Lossy { .. } => {
            let standard = standard_bitrate(&entry.spec.coding, channels);
            (request.bitrate.or(standard), None, request.quality)
        }
        Coding::Quality { .. } if request.bitrate.is_some() => (request.bitrate, None, None),
        Coding::Quality { steps: [_, standard, _], .. } => {
            (None, Some(request.quality.unwrap_or(*standard)), None)
        }
        Coding::Lossless { .. } => (None, None, request.quality),
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
                duration_seconds: Some(1.0),
                is_default: false,
                tags: Vec::new(),
            }],
            covers: 0,
            chapters: 0,
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
    fn a_rate_the_encoder_has_not_becomes_the_nearest_with_a_warning() {
        let request = Request { sample_rate: Some(44_100), ..Request::new(Format::Opus) };
        let plan = planned(&source(2, 16), &request).expect("a plan");
        assert_eq!(plan.accepts.sample_rates, [48_000]);
        assert_eq!(plan.warnings[0].code, "sample_rate_adjusted");
    }
}
