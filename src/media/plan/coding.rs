//! Sample rate, depth and bits: how the codec is to spend what it gets.

use crate::base::BitRate;
use crate::media::catalog::{Coding, FormatEntry, pcm_encoder};
use crate::media::failure::Warning;
use crate::media::probe::AudioStream;
use crate::media::request::{BitDepth, Exactness, Format, Request};

/// The rates the encoder may get: its own list, or the one nearest to what was asked for.
pub(super) fn plan_rates(
    source: &AudioStream,
    request: &Request,
    entry: &FormatEntry,
    mut rates: Vec<u32>,
    warnings: &mut Vec<Warning>,
) -> Vec<u32> {
    let most = highest_rate(request.format);
    if request.exactness == Exactness::Ordinary
        && let Some(most) = most.filter(|&most| rates.is_empty() && source.sample_rate > most)
    {
        // Half, or half of that: resampling by whole numbers keeps the most.
        let halves = std::iter::successors(Some(source.sample_rate), |rate| Some(rate / 2));
        rates = halves.take(16).find(|&rate| rate <= most).into_iter().collect();
    }
    let Some(wanted) = request.sample_rate else {
        let planned = planned_rate(source, &rates);
        // Opus has one rate, which everybody knows.
        let is_told = request.exactness == Exactness::Ordinary && rates != OPUS_RATES;
        if is_told && source.sample_rate > 0 && planned != source.sample_rate {
            warnings.push(Warning::new(
                "sample_rate_adjusted",
                format!(
                    "{} has no {} Hz: it is {planned} Hz.",
                    entry.spec.label, source.sample_rate
                ),
            ));
        }
        return rates;
    };
    let wanted = most.map_or(wanted, |most| wanted.min(most));
    let nearest = rates.iter().copied().min_by_key(|rate| rate.abs_diff(wanted)).unwrap_or(wanted);
    let asked = request.sample_rate.unwrap_or(nearest);
    if nearest != asked {
        warnings.push(Warning::new(
            "sample_rate_adjusted",
            format!("{} has no {asked} Hz: {nearest} Hz is the nearest.", entry.spec.label),
        ));
    }
    vec![nearest]
}

/// What libopus takes.
const OPUS_RATES: [u32; 5] = [48_000, 24_000, 16_000, 12_000, 8_000];

/// The highest rate of encoders that publish no list but refuse to open beyond it.
fn highest_rate(format: Format) -> Option<u32> {
    match format {
        Format::Ogg => Some(200_000),
        // RFC 9639 section 9.1.2: 16 bits of tens of hertz.
        Format::Flac => Some(655_350),
        _ => None,
    }
}

/// The rate that comes out: libavfilter takes the one nearest to the source's.
pub(super) fn planned_rate(source: &AudioStream, rates: &[u32]) -> u32 {
    let nearest = rates.iter().copied().min_by_key(|rate| rate.abs_diff(source.sample_rate));
    nearest.unwrap_or(source.sample_rate)
}

/// The bitrate the codec will really run at, with a word when it is not the one asked for.
///
/// MP3 has a table of rates for each MPEG version (ISO/IEC 11172-3 and 13818-3; LAME takes the
/// nearest), AAC at most 6144 bits per channel and frame of 1024 samples (ISO/IEC 14496-3), Opus at
/// most 256 kbit/s a channel (libopus refuses more).
pub(super) fn plan_bitrate(
    asked: BitRate,
    request: &Request,
    channels: u32,
    sample_rate: u32,
    warnings: &mut Vec<Warning>,
) -> BitRate {
    const MPEG_1: &[u32] = &[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const MPEG_2: &[u32] = &[8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    const MPEG_2_5: &[u32] = &[8, 16, 24, 32, 40, 48, 56, 64];
    const AC3: &[u32] =
        &[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
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
        Format::M4a | Format::M4b | Format::Aac => kbit.min(6 * channels * sample_rate / 1000),
        Format::Opus | Format::Mka | Format::Webm => kbit.min(256 * channels),
        Format::Ac3 => AC3.iter().copied().min_by_key(|step| step.abs_diff(kbit)).unwrap_or(kbit),
        Format::Ogg
        | Format::Flac
        | Format::Alac
        | Format::Wv
        | Format::Tta
        | Format::Wav
        | Format::Aiff => kbit,
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
        Format::Mp3 | Format::M4a | Format::M4b | Format::Aac => asked,
        Format::Opus
        | Format::Mka
        | Format::Webm
        | Format::Ac3
        | Format::Ogg
        | Format::Flac
        | Format::Alac
        | Format::Wv
        | Format::Tta
        | Format::Wav
        | Format::Aiff => reaches,
    }
}

/// The next usual step from `kbit` upwards; [`plan_bitrate`] brings it to the codec's own table.
fn next_step(kbit: u32) -> BitRate {
    const STEPS: [u32; 18] =
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 448];
    STEPS.into_iter().find(|&step| step >= kbit).map_or(BitRate::MAX, BitRate::kbit)
}

/// The place on Vorbis' scale that comes to `kbit` or more (libvorbis' nominal rates of stereo).
fn vorbis_quality(kbit: u32, channels: u32) -> i32 {
    const NOMINAL: [(i32, u32); 12] = [
        (-1, 45),
        (0, 64),
        (1, 80),
        (2, 96),
        (3, 112),
        (4, 128),
        (5, 160),
        (6, 192),
        (7, 224),
        (8, 256),
        (9, 320),
        (10, 500),
    ];
    let found = NOMINAL.iter().find(|(_, nominal)| nominal * channels.max(1) / 2 >= kbit);
    found.map_or(10, |(quality, _)| *quality)
}

/// The gain in dB that the encoder itself applies.
///
/// LAME turns constant bitrates below 256 kbit/s down by 2 to 5 % (the `scale` column of its
/// presets; measured on a tone, -0.45 dB up to 160 kbit/s), variable ones not.
pub(super) fn encoder_gain_db(format: Format, bit_rate: Option<BitRate>) -> f64 {
    const SCALES: [(u32, f64); 5] = [(160, 0.95), (192, 0.97), (224, 0.98), (256, 1.0), (320, 1.0)];
    let (Format::Mp3, Some(bit_rate)) = (format, bit_rate) else { return 0.0 };
    let kbit = (bit_rate.bits_per_second() / 1000).max(160);
    let nearest = SCALES.iter().min_by_key(|(step, _)| step.abs_diff(kbit));
    nearest.map_or(0.0, |(_, scale)| 20.0 * scale.log10())
}

/// The encoder and, where the depth was asked for, the sample formats that carry it.
pub(super) fn plan_depth(
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
    // What a lossy codec gives has no depth of its own: 16 bits hold it, 24 would only take room.
    let depth_asked = match request.exactness {
        Exactness::Ordinary if !source.is_lossless() => Some(depth),
        Exactness::Ordinary | Exactness::BitExact => request.bit_depth,
    };
    let planar = if matches!(entry.format, Format::Alac | Format::Wv) { "p" } else { "" };
    let formats = match depth_asked {
        None => Vec::new(),
        Some(BitDepth::Int16) => vec![format!("s16{planar}")],
        Some(BitDepth::Int24 | BitDepth::Int32) => vec![format!("s32{planar}")],
        Some(BitDepth::Float32) => vec![format!("flt{planar}")],
    };
    (entry.spec.encoder, formats)
}

/// Whether samples lose bits on the way, so that what is cut off must be dithered.
pub(super) fn wants_dither(source: &AudioStream, request: &Request, entry: &FormatEntry) -> bool {
    let Coding::Lossless { .. } = &entry.spec.coding else { return false };
    let kept = kept_depth(source);
    let bits = |depth| match depth {
        BitDepth::Int16 => 16,
        BitDepth::Int24 => 24,
        BitDepth::Int32 | BitDepth::Float32 => 32,
    };
    let asked = request.bit_depth.unwrap_or(kept);
    request.exactness == Exactness::Ordinary
        && source.is_lossless()
        && asked == BitDepth::Int16
        && bits(asked) < bits(kept)
}

/// The depth that loses nothing of the source; a lossy source has none, 16 bits are enough for it.
pub(super) fn kept_depth(source: &AudioStream) -> BitDepth {
    match source.bits_per_sample {
        _ if source.is_float => BitDepth::Float32,
        0..=16 => BitDepth::Int16,
        17..=24 => BitDepth::Int24,
        _ => BitDepth::Int32,
    }
}

/// Bitrate, place on the VBR scale, effort. What is not asked for is the format's standard, but no
/// more than a lossy source was given: what it has lost does not come back.
pub(super) fn plan_coding(
    source: &AudioStream,
    request: &Request,
    entry: &FormatEntry,
    channels: u32,
) -> (Option<BitRate>, Option<i32>, Option<i32>) {
    let is_capped =
        request.exactness == Exactness::Ordinary && source.bit_rate > 0 && !source.is_lossless();
    let most = is_capped.then(|| {
        let kbit = u32::try_from(source.bit_rate.div_ceil(1000)).unwrap_or(u32::MAX);
        kbit.clamp(8, 512)
    });
    match &entry.spec.coding {
        Coding::Lossy { vbr: Some(_), .. } if request.quality.is_some() => {
            (None, request.quality, None)
        }
        Coding::Lossy { .. } => {
            let standard = entry
                .spec
                .standard_bitrate(channels)
                .map(|standard| most.map_or(standard, |most| standard.min(next_step(most))));
            (request.bitrate.or(standard), None, request.quality)
        }
        Coding::Quality { .. } if request.bitrate.is_some() => (request.bitrate, None, None),
        Coding::Quality { steps: [_, standard, _], .. } => {
            let standard =
                most.map_or(*standard, |most| (*standard).min(vorbis_quality(most, channels)));
            (None, Some(request.quality.unwrap_or(standard)), None)
        }
        Coding::Lossless { .. } => (None, None, request.quality),
    }
}
