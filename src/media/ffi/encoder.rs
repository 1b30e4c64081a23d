//! What an encoder takes, and an encoder opened from what a filter graph gives.

use std::ffi::{CStr, CString};

use ffmpeg_next::codec::Context;
use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::ffi::{
    AV_CODEC_CAP_VARIABLE_FRAME_SIZE, AV_CODEC_FLAG_BITEXACT, AV_CODEC_FLAG_GLOBAL_HEADER,
    AV_CODEC_FLAG_QSCALE, AVSampleFormat, av_channel_layout_copy, av_channel_layout_describe,
    av_get_bytes_per_sample, av_get_sample_fmt_name, avcodec_find_encoder_by_name,
};
use ffmpeg_next::{Codec, Error, Rational};

use super::graph::Shape;

/// libav's factor between a quality and its lambda (FF_QP2LAMBDA).
const QUALITY_TO_LAMBDA: f32 = ffmpeg_next::ffi::FF_QP2LAMBDA as f32;

/// The lists an encoder publishes; an empty list means "anything".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncoderLists {
    /// Sample formats by name, in the encoder's order.
    pub sample_formats: Vec<String>,
    /// Sample rates in Hz, in the encoder's order.
    pub sample_rates: Vec<u32>,
    /// Channel layouts by name, in the encoder's order.
    pub channel_layouts: Vec<String>,
}

/// What libopus takes though it declares no list: the layouts of RFC 7845 section 5.1.1.2.
const OPUS_LAYOUTS: [&str; 8] = ["mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"];

/// The lists of encoder `name`, or `None` when this libav has no such encoder.
#[must_use]
pub fn lists(name: &str) -> Option<EncoderLists> {
    let name = CString::new(name).ok()?;
    let mut lists = EncoderLists::default();
    // SAFETY: the codec is static. Its lists are null or end with -1, 0 and an empty layout; the
    // names are static strings.
    unsafe {
        let codec = avcodec_find_encoder_by_name(name.as_ptr());
        if codec.is_null() {
            return None;
        }
        let mut formats = (*codec).sample_fmts;
        while !formats.is_null() && *formats != AVSampleFormat::AV_SAMPLE_FMT_NONE {
            let text = CStr::from_ptr(av_get_sample_fmt_name(*formats));
            lists.sample_formats.push(text.to_string_lossy().into_owned());
            formats = formats.add(1);
        }
        let mut rates = (*codec).supported_samplerates;
        while !rates.is_null() && *rates != 0 {
            lists.sample_rates.extend(u32::try_from(*rates));
            rates = rates.add(1);
        }
        let mut layouts = (*codec).ch_layouts;
        while !layouts.is_null() && (*layouts).nb_channels != 0 {
            let mut buffer = [0_u8; 128];
            av_channel_layout_describe(layouts, buffer.as_mut_ptr().cast(), buffer.len());
            if let Ok(text) = CStr::from_bytes_until_nul(&buffer) {
                lists.channel_layouts.push(text.to_string_lossy().into_owned());
            }
            layouts = layouts.add(1);
        }
    }
    if name.as_bytes() == b"libopus" {
        lists.channel_layouts = OPUS_LAYOUTS.map(str::to_owned).into();
    }
    Some(lists)
}

/// How to open an encoder.
#[derive(Clone, Copy, Debug)]
pub struct EncoderSettings<'a> {
    /// libav's name of the encoder.
    pub name: &'a str,
    /// Shape of the frames it will get.
    pub shape: &'a Shape,
    /// Target in bits per second, where the codec takes one.
    pub bit_rate: Option<u32>,
    /// The codec's own VBR scale (`-q:a` of the command).
    pub quality: Option<f32>,
    /// Effort (`-compression_level` of the command).
    pub compression_level: Option<i32>,
    /// Significant bits of the source's samples, 0 when unknown.
    pub source_bits: u32,
    /// Whether the muxer wants codec headers in the container.
    pub global_header: bool,
    /// Whether no version string of the library may reach the output.
    pub bitexact: bool,
}

/// Opens an encoder as the `ffmpeg` command does, with one thread.
///
/// The context is made with the codec, since only then the codec's own defaults apply (bit rate
/// 128000 of libmp3lame, effort 10 of libopus).
///
/// # Errors
/// [`Error::EncoderNotFound`], else what libav says.
pub fn open(settings: &EncoderSettings<'_>) -> Result<Encoder, Error> {
    let codec = ffmpeg_next::encoder::find_by_name(settings.name).ok_or(Error::EncoderNotFound)?;
    let mut context = Context::new_with_codec(codec);
    let rate = settings.shape.sample_rate();
    // SAFETY: the context is ours and not opened yet; the layout is copied.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).thread_count = 1;
        (*raw).sample_fmt = settings.shape.format();
        (*raw).sample_rate = i32::try_from(rate).unwrap_or(0);
        let code = av_channel_layout_copy(&raw mut (*raw).ch_layout, settings.shape.layout());
        if code < 0 {
            return Err(Error::from(code));
        }
        let sample_bits = av_get_bytes_per_sample(settings.shape.format()) * 8;
        (*raw).bits_per_raw_sample =
            i32::try_from(settings.source_bits).unwrap_or(0).min(sample_bits);
        if let Some(bit_rate) = settings.bit_rate {
            (*raw).bit_rate = i64::from(bit_rate);
        }
        if let Some(quality) = settings.quality {
            (*raw).flags |= AV_CODEC_FLAG_QSCALE as i32;
            #[expect(clippy::cast_possible_truncation, reason = "as the command truncates it")]
            let lambda = (QUALITY_TO_LAMBDA * quality) as i32;
            (*raw).global_quality = lambda;
        }
        if let Some(level) = settings.compression_level {
            (*raw).compression_level = level;
        }
        if settings.global_header {
            (*raw).flags |= AV_CODEC_FLAG_GLOBAL_HEADER as i32;
        }
        if settings.bitexact {
            (*raw).flags |= AV_CODEC_FLAG_BITEXACT as i32;
        }
    }
    context.set_time_base(Rational::new(1, i32::try_from(rate.max(1)).unwrap_or(1)));
    context.encoder().audio()?.open_as(codec)
}

/// Samples per channel the encoder wants in each frame but the last, or `None` when any number will do.
#[must_use]
pub fn fixed_frame_size(encoder: &Encoder, codec: Codec) -> Option<u32> {
    // SAFETY: a codec is static.
    let capabilities = unsafe { (*codec.as_ptr()).capabilities };
    let variable = capabilities & AV_CODEC_CAP_VARIABLE_FRAME_SIZE as i32 != 0;
    (!variable).then(|| encoder.frame_size()).filter(|&size| size > 0)
}

/// The bit rate the opened encoder settled on, in bits per second; 0 when it has none.
#[must_use]
pub fn bit_rate(encoder: &Encoder) -> u64 {
    // SAFETY: the context is alive as long as `encoder`.
    u64::try_from(unsafe { (*encoder.as_ptr()).bit_rate }).unwrap_or(0)
}
