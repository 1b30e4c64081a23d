//! Facts of an opened input as owned values.

use std::ffi::CStr;

use ffmpeg_next::ffi::{
    AV_DISPOSITION_ATTACHED_PIC, AV_DISPOSITION_DEFAULT, AV_NOPTS_VALUE, AVDiscard,
    AVDurationEstimationMethod, AVFMT_TS_DISCONT, AVMediaType, AVRational, AVStream,
    av_get_bits_per_sample, avcodec_find_decoder, avcodec_get_name,
};
use ffmpeg_next::format::context::Input;

use super::dictionary;

/// One stream of an input.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamFacts {
    /// Position in the container.
    pub index: usize,
    /// What kind of stream it is.
    pub kind: StreamKind,
    /// libav's name of the codec (`pcm_s16le`, `aac`, `none`).
    pub codec: String,
    /// Name of the decoder libav would take (`mp3float` for MP3), if it has one.
    pub decoder: Option<String>,
    /// Samples per second and channel; 0 when unknown.
    pub sample_rate: u32,
    /// Number of channels; 0 when unknown.
    pub channels: u32,
    /// Significant bits of a sample where the codec is lossless, else 0.
    pub bits_per_sample: u32,
    /// Whether samples are floating point by the codec's own name.
    pub is_float: bool,
    /// Bits per second as the container or codec claims; 0 when unknown.
    pub bit_rate: u64,
    /// Length as the container claims, in seconds.
    pub duration_seconds: Option<f64>,
    /// Whether the container marks it as the default of its kind.
    pub is_default: bool,
    /// Samples at the start that a decoder drops, in seconds.
    pub priming_seconds: f64,
    /// The codec's profile, by libav's number; negative when unknown.
    pub profile: i32,
    /// Whether the samples are encrypted (common encryption without a key).
    pub is_encrypted: bool,
    /// Tags of the stream, in order.
    pub tags: Vec<(String, String)>,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Sound.
    Audio,
    /// An attached picture: a cover.
    Picture,
    /// Moving pictures, subtitles, data.
    Other,
}

/// The container's short names (`mov,mp4,m4a,3gp,3g2,mj2`).
#[must_use]
pub fn container(input: &Input) -> String {
    // SAFETY: an opened input has a demuxer whose name is a static NUL-terminated string.
    unsafe { CStr::from_ptr((*(*input.as_ptr()).iformat).name) }.to_string_lossy().into_owned()
}

/// Whether the demuxer's timestamps may jump (AVFMT_TS_DISCONT).
#[must_use]
pub fn timestamps_may_jump(input: &Input) -> bool {
    // SAFETY: an opened input has a demuxer.
    unsafe { (*(*input.as_ptr()).iformat).flags & AVFMT_TS_DISCONT != 0 }
}

/// Earliest timestamp over all streams in microseconds, if the container has one.
#[must_use]
pub fn start_time_us(input: &Input) -> Option<i64> {
    // SAFETY: the context is alive as long as `input`.
    known(unsafe { (*input.as_ptr()).start_time })
}

/// Whether libav has no better word on the length than the size of the file by its bit rate.
#[must_use]
pub fn is_duration_guessed(input: &Input) -> bool {
    // SAFETY: the context is alive as long as `input`.
    let method = unsafe { (*input.as_ptr()).duration_estimation_method };
    method == AVDurationEstimationMethod::AVFMT_DURATION_FROM_BITRATE
}

/// Length in seconds as the container claims or libav estimates; `None` when unknown.
///
/// libav says "unknown" by `i64::MIN`; a claim of zero or less is as good as none.
#[must_use]
pub fn duration_seconds(input: &Input) -> Option<f64> {
    // SAFETY: the context is alive as long as `input`.
    let microseconds = known(unsafe { (*input.as_ptr()).duration })?;
    let microseconds = heard(microseconds, start_time_us(input));
    #[expect(clippy::cast_precision_loss, reason = "a duration for people; 2^53 µs are 285 years")]
    let seconds = microseconds as f64 / 1e6;
    (microseconds > 0).then_some(seconds)
}

/// Tags of the container, in order.
#[must_use]
pub fn tags(input: &Input) -> Vec<(String, String)> {
    // SAFETY: the dictionary belongs to the context, which nobody changes while `input` is borrowed.
    unsafe { dictionary::entries((*input.as_ptr()).metadata) }
}

/// Whether a text of the container or of stream `index` is in no known encoding.
#[must_use]
pub fn has_guessed_texts(input: &Input, index: usize) -> bool {
    // SAFETY: the dictionaries belong to the context and the stream, which nobody changes while
    // `input` is borrowed.
    unsafe {
        dictionary::is_guessed((*input.as_ptr()).metadata)
            || raw_stream(input, index)
                .is_some_and(|stream| dictionary::is_guessed((*stream).metadata))
    }
}

/// One chapter as the demuxer tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChapterFacts {
    /// Start in seconds.
    pub start_seconds: f64,
    /// End in seconds.
    pub end_seconds: f64,
    /// Its texts, in order.
    pub tags: Vec<(String, String)>,
}

/// The chapters, in container order, at most `limit`.
#[must_use]
pub fn chapters(input: &Input, limit: usize) -> Vec<ChapterFacts> {
    // SAFETY: the context is alive as long as `input`; the array holds `nb_chapters` pointers to
    // live chapters, each with a dictionary of its own.
    unsafe {
        let context = input.as_ptr();
        (0..((*context).nb_chapters as usize).min(limit))
            .map(|index| {
                let chapter = &**(*context).chapters.add(index);
                ChapterFacts {
                    start_seconds: seconds(chapter.start, chapter.time_base),
                    end_seconds: seconds(chapter.end, chapter.time_base),
                    tags: dictionary::entries(chapter.metadata),
                }
            })
            .collect()
    }
}

/// One attached picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFacts {
    /// Its file.
    pub bytes: Vec<u8>,
    /// Its texts: `title` is the description, `comment` the kind in words.
    pub tags: Vec<(String, String)>,
}

/// The attached pictures, in container order, none larger than `limit` bytes.
#[must_use]
pub fn pictures(input: &Input, limit: usize) -> Vec<PictureFacts> {
    (0..input.nb_streams() as usize)
        .filter_map(|index| {
            let stream = raw_stream(input, index)?;
            // SAFETY: the stream is alive; the packet of an attached picture holds `size` bytes.
            unsafe {
                let stream = &*stream;
                let length = usize::try_from(stream.attached_pic.size).ok()?;
                let is_picture = stream.disposition & AV_DISPOSITION_ATTACHED_PIC != 0;
                let data = stream.attached_pic.data;
                (is_picture && !data.is_null() && (1..=limit).contains(&length)).then(|| {
                    PictureFacts {
                        bytes: std::slice::from_raw_parts(data, length).to_vec(),
                        tags: dictionary::entries(stream.metadata),
                    }
                })
            }
        })
        .collect()
}

/// Facts of every stream, in container order.
#[must_use]
pub fn streams(input: &Input) -> Vec<StreamFacts> {
    (0..input.nb_streams() as usize)
        .filter_map(|index| {
            let stream = raw_stream(input, index)?;
            // SAFETY: `raw_stream` found it inside this input, which stays borrowed.
            Some(unsafe { stream_facts(index, stream) })
        })
        .collect()
}

/// Makes the demuxer skip the packets of every stream but `wanted`.
pub fn discard_all_but(input: &mut Input, wanted: usize) {
    for index in 0..input.nb_streams() as usize {
        if let Some(stream) = raw_stream(input, index) {
            let discard = if index == wanted {
                AVDiscard::AVDISCARD_DEFAULT
            } else {
                AVDiscard::AVDISCARD_ALL
            };
            // SAFETY: `input` is borrowed mutably, so nobody else reads or writes the stream.
            unsafe { (*stream).discard = discard };
        }
    }
}

pub(super) fn raw_stream(input: &Input, index: usize) -> Option<*mut AVStream> {
    // SAFETY: the context is alive as long as `input`; the array holds `nb_streams` pointers.
    unsafe {
        let context = input.as_ptr();
        (index < (*context).nb_streams as usize).then(|| *(*context).streams.add(index))
    }
}

/// # Safety
/// `stream` points into an opened input that stays alive and unchanged for the call.
unsafe fn stream_facts(index: usize, stream: *const AVStream) -> StreamFacts {
    // SAFETY: the caller vouches for the stream; its codecpar is never null.
    let (stream, parameters) = unsafe { (&*stream, &*(*stream).codecpar) };
    let is_picture = stream.disposition & AV_DISPOSITION_ATTACHED_PIC != 0;
    let kind = match parameters.codec_type {
        AVMediaType::AVMEDIA_TYPE_AUDIO => StreamKind::Audio,
        AVMediaType::AVMEDIA_TYPE_VIDEO if is_picture => StreamKind::Picture,
        _ => StreamKind::Other,
    };
    // SAFETY: takes any value and returns a static string.
    let codec = unsafe { CStr::from_ptr(avcodec_get_name(parameters.codec_id)) };
    let codec = codec.to_string_lossy().into_owned();
    // SAFETY: takes any id; returns null or a static codec with a static name.
    let decoder = unsafe {
        let found = avcodec_find_decoder(parameters.codec_id);
        (!found.is_null()).then(|| CStr::from_ptr((*found).name).to_string_lossy().into_owned())
    };
    // SAFETY: takes any id.
    let pcm_bits = unsafe { av_get_bits_per_sample(parameters.codec_id) };
    let bits = if codec.starts_with("pcm_") && parameters.bits_per_raw_sample <= 0 {
        pcm_bits
    } else {
        parameters.bits_per_raw_sample
    };
    StreamFacts {
        index,
        kind,
        decoder,
        sample_rate: u32::try_from(parameters.sample_rate).unwrap_or(0),
        channels: u32::try_from(parameters.ch_layout.nb_channels).unwrap_or(0),
        bits_per_sample: u32::try_from(bits).unwrap_or(0),
        is_float: codec.starts_with("pcm_f"),
        bit_rate: u64::try_from(parameters.bit_rate).unwrap_or(0),
        duration_seconds: known(stream.duration)
            .map(|ticks| heard(ticks, known(stream.start_time)))
            .filter(|&ticks| ticks > 0)
            .map(|ticks| seconds(ticks, stream.time_base)),
        is_default: stream.disposition & AV_DISPOSITION_DEFAULT != 0,
        priming_seconds: f64::from(parameters.initial_padding.max(0))
            / f64::from(parameters.sample_rate.max(1)),
        profile: parameters.profile,
        // The mov demuxer keeps the tag of the sample entry: `enca` is ISO/IEC 23001-7's.
        is_encrypted: parameters.codec_tag == u32::from_le_bytes(*b"enca"),
        // SAFETY: the dictionary belongs to the stream.
        tags: unsafe { dictionary::entries(stream.metadata) },
        codec,
    }
}

/// A length without what lies before 0, which is not heard: libav counts the pre-skip of Opus.
fn heard(length: i64, start: Option<i64>) -> i64 {
    length.saturating_add(start.map_or(0, |start| start.min(0)))
}

fn known(timestamp: i64) -> Option<i64> {
    (timestamp != AV_NOPTS_VALUE).then_some(timestamp)
}

#[expect(clippy::cast_precision_loss, reason = "a duration for people")]
fn seconds(ticks: i64, time_base: AVRational) -> f64 {
    ticks as f64 * f64::from(time_base.num) / f64::from(time_base.den.max(1))
}
