//! The muxer's side: streams, flags, tags and the packet clamp of the `ffmpeg` command.

use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::ffi::{
    AV_INPUT_BUFFER_PADDING_SIZE, AV_NOPTS_VALUE, AVCodecID, AVFMT_FLAG_BITEXACT,
    AVFMT_GLOBALHEADER, AVFMT_NOTIMESTAMPS, AVFMT_TS_NONSTRICT, AVMediaType, AVPacketSideDataType,
    AVRational, AVStream, av_mallocz, av_rescale_q, av_stream_new_side_data,
    avcodec_parameters_copy, avcodec_parameters_from_context, avformat_new_stream,
};
use ffmpeg_next::format::context::{Input, Output};
use ffmpeg_next::{Error, Packet, Rational};

use super::dictionary;
use super::input::raw_stream;

/// The identification header of Opus in its shortest form, and where the pre-skip stands in it, at
/// 48 kHz (RFC 7845 section 5.1).
const OPUS_HEAD_BYTES: usize = 19;
const OPUS_PRE_SKIP: std::ops::Range<usize> = 10..12;

/// Whether the muxer wants codec headers in the container (AVFMT_GLOBALHEADER).
#[must_use]
pub fn wants_global_header(output: &Output) -> bool {
    format_flags(output) & AVFMT_GLOBALHEADER != 0
}

/// Keeps version strings, times and random serials out of the container.
pub fn set_bitexact(output: &mut Output) {
    // SAFETY: the context is ours and its header is not written yet.
    unsafe { (*output.as_mut_ptr()).flags |= AVFMT_FLAG_BITEXACT };
}

/// Sets a tag of the container.
pub fn set_tag(output: &mut Output, key: &str, value: &str) {
    // SAFETY: the dictionary belongs to the context, which is borrowed mutably.
    unsafe { dictionary::set(&raw mut (*output.as_mut_ptr()).metadata, key, value) };
}

/// Adds chapters; times in milliseconds.
///
/// # Errors
/// What libav says: a chapter that ends before it starts, no memory.
pub fn add_chapters<'a>(
    output: &mut Output,
    chapters: impl Iterator<Item = (i64, i64, &'a str)>,
) -> Result<(), Error> {
    for (id, (start, end, title)) in (0..).zip(chapters) {
        // ffmpeg-next panics on a NUL.
        let title = title.replace('\0', "");
        output.add_chapter(id, (1, 1000), start, end.max(start), title)?;
    }
    Ok(())
}

/// Attaches a file, as Matroska keeps covers. Comes after the sound's stream.
///
/// # Errors
/// No memory.
pub fn attach(output: &mut Output, name: &str, mime_type: &str, bytes: &[u8]) -> Result<(), Error> {
    const NO_MEMORY: Error = Error::Other { errno: ffmpeg_next::error::ENOMEM };
    let length = i32::try_from(bytes.len()).map_err(|_| NO_MEMORY)?;
    // SAFETY: the context is borrowed mutably and its header not written yet; the new stream and
    // its codecpar belong to it. The extradata is a fresh allocation with the padding libav wants,
    // owned by the codecpar from then on.
    unsafe {
        let stream = avformat_new_stream(output.as_mut_ptr(), std::ptr::null());
        let extradata = av_mallocz(bytes.len() + AV_INPUT_BUFFER_PADDING_SIZE as usize);
        if stream.is_null() || extradata.is_null() {
            return Err(NO_MEMORY);
        }
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), extradata.cast(), bytes.len());
        let parameters = (*stream).codecpar;
        (*parameters).codec_type = AVMediaType::AVMEDIA_TYPE_ATTACHMENT;
        (*parameters).extradata = extradata.cast();
        (*parameters).extradata_size = length;
        dictionary::set(&raw mut (*stream).metadata, "filename", name);
        dictionary::set(&raw mut (*stream).metadata, "mimetype", mime_type);
    }
    Ok(())
}

/// What of a source's stream the output's stream takes over.
#[derive(Clone, Copy)]
pub struct StreamOrigin<'a> {
    /// The opened source.
    pub input: &'a Input,
    /// Which of its streams.
    pub index: usize,
}

/// Adds the one stream that `encoder` will fill; its index is 0.
///
/// As the command does: time base of the encoder, the source's length as a hint, its side data
/// (ReplayGain and the like) unless `origin` is `None`, and the name of the encoder as a tag.
///
/// # Errors
/// What libav says.
pub fn add_encoded_stream(
    output: &mut Output,
    encoder: &Encoder,
    encoder_tag: &str,
    origin: StreamOrigin<'_>,
) -> Result<(), Error> {
    // SAFETY: the context is borrowed mutably and its header not written yet. The new stream and
    // its codecpar belong to it; the encoder is opened and alive.
    let stream = unsafe {
        let stream = avformat_new_stream(output.as_mut_ptr(), std::ptr::null());
        if stream.is_null() {
            return Err(Error::Other { errno: ffmpeg_next::error::ENOMEM });
        }
        let code = avcodec_parameters_from_context((*stream).codecpar, encoder.as_ptr());
        if code < 0 {
            return Err(Error::from(code));
        }
        (*stream).time_base = (*encoder.as_ptr()).time_base;
        dictionary::set(&raw mut (*stream).metadata, "encoder", encoder_tag);
        stream
    };
    if let Some(source) = raw_stream(origin.input, origin.index) {
        // SAFETY: both streams are alive; the source is only read.
        unsafe { take_over(stream, source) };
    }
    Ok(())
}

/// Says that a decoder of the one stream drops `samples` more at the start than the encoder made it
/// drop. Comes before the header.
pub fn hide_more(output: &mut Output, samples: u64) {
    let Ok(samples @ 1..) = i32::try_from(samples) else { return };
    // SAFETY: the context is borrowed mutably; the array holds `nb_streams` pointers, the extradata
    // as many bytes as it says.
    unsafe {
        let context = output.as_mut_ptr();
        if (*context).nb_streams == 0 {
            return;
        }
        let parameters = (**(*context).streams).codecpar;
        (*parameters).initial_padding += samples;
        let length = usize::try_from((*parameters).extradata_size).unwrap_or(0);
        if (*parameters).codec_id == AVCodecID::AV_CODEC_ID_OPUS && length >= OPUS_HEAD_BYTES {
            let extradata = std::slice::from_raw_parts_mut((*parameters).extradata, length);
            let at_48_khz = i64::from((*parameters).initial_padding) * 48_000
                / i64::from((*parameters).sample_rate.max(1));
            let pre_skip = u16::try_from(at_48_khz).unwrap_or(u16::MAX);
            extradata[OPUS_PRE_SKIP].copy_from_slice(&pre_skip.to_le_bytes());
        }
    }
}

/// Adds the one stream that packets of `origin` will fill as they are; its index is 0.
///
/// `priming` is the number of samples that a decoder drops at the start, `sample_time` the time base
/// of the packets to come.
///
/// # Errors
/// What libav says; [`Error::StreamNotFound`] when the source has no such stream.
pub fn add_copied_stream(
    output: &mut Output,
    origin: StreamOrigin<'_>,
    priming: u32,
    sample_time: Rational,
) -> Result<(), Error> {
    let source = raw_stream(origin.input, origin.index).ok_or(Error::StreamNotFound)?;
    // SAFETY: the context is borrowed mutably and its header not written yet. The new stream and
    // its codecpar belong to it; the source's stream is alive and only read.
    unsafe {
        let stream = avformat_new_stream(output.as_mut_ptr(), std::ptr::null());
        if stream.is_null() {
            return Err(Error::Other { errno: ffmpeg_next::error::ENOMEM });
        }
        let code = avcodec_parameters_copy((*stream).codecpar, (*source).codecpar);
        if code < 0 {
            return Err(Error::from(code));
        }
        // Each container has tags of its own for a codec.
        (*(*stream).codecpar).codec_tag = 0;
        (*(*stream).codecpar).initial_padding = i32::try_from(priming).unwrap_or(0);
        (*stream).time_base = sample_time.into();
        take_over(stream, source);
    }
    Ok(())
}

/// # Safety
/// Both streams are alive, and nobody else uses `to`.
unsafe fn take_over(to: *mut AVStream, from: *const AVStream) {
    // SAFETY: the caller's contract; side data arrays hold `nb_side_data` entries of `size` bytes.
    unsafe {
        (*to).disposition = (*from).disposition;
        if (*from).duration > 0 {
            (*to).duration = av_rescale_q((*from).duration, (*from).time_base, (*to).time_base);
        }
        for position in 0..usize::try_from((*from).nb_side_data).unwrap_or(0) {
            let data = &*(*from).side_data.add(position);
            if data.type_ == AVPacketSideDataType::AV_PKT_DATA_CPB_PROPERTIES {
                continue;
            }
            let copy = av_stream_new_side_data(to, data.type_, data.size);
            if !copy.is_null() {
                std::ptr::copy_nonoverlapping(data.data, copy, data.size);
            }
        }
    }
}

/// Readies packets of the one stream for the muxer: rescales them to the time base it chose and
/// keeps decoding timestamps rising, as the command does before it writes.
///
/// Without the clamp, Vorbis to Vorbis ends in EINVAL ("Queue input is backward in time").
#[derive(Debug)]
pub struct PacketClock {
    time_base: Rational,
    last_dts: i64,
}

impl PacketClock {
    /// A clock for packets that are timed in `time_base`.
    #[must_use]
    pub fn new(time_base: Rational) -> Self {
        Self { time_base, last_dts: AV_NOPTS_VALUE }
    }

    /// Prepares the next packet for `output`, whose header is written.
    pub fn prepare(&mut self, packet: &mut Packet, output: &Output) {
        let Some(time_base) = stream_time_base(output) else { return };
        packet.rescale_ts(self.time_base, Rational::from(time_base));
        packet.set_stream(0);
        let flags = format_flags(output);
        if flags & AVFMT_NOTIMESTAMPS == 0 {
            self.order(packet);
            if let (Some(dts), true) = (packet.dts(), self.last_dts != AV_NOPTS_VALUE) {
                let lowest = self.last_dts + i64::from(flags & AVFMT_TS_NONSTRICT == 0);
                if dts < lowest {
                    if packet.pts().is_some_and(|pts| pts >= dts) {
                        packet.set_pts(packet.pts().map(|pts| pts.max(lowest)));
                    }
                    packet.set_dts(Some(lowest));
                }
            }
        }
        self.last_dts = packet.dts().unwrap_or(AV_NOPTS_VALUE);
    }

    /// A packet decoded after it is shown is impossible: both become the middle of the three
    /// candidates, as the command does.
    fn order(&self, packet: &mut Packet) {
        if let (Some(pts), Some(dts)) = (packet.pts(), packet.dts())
            && dts > pts
        {
            let mut candidates = [pts, dts, self.last_dts.saturating_add(1)];
            candidates.sort_unstable();
            packet.set_pts(Some(candidates[1]));
            packet.set_dts(Some(candidates[1]));
        }
    }
}

fn stream_time_base(output: &Output) -> Option<AVRational> {
    // SAFETY: the context is alive as long as `output`; the array holds `nb_streams` pointers.
    unsafe {
        let context = output.as_ptr();
        ((*context).nb_streams > 0).then(|| (**(*context).streams).time_base)
    }
}

fn format_flags(output: &Output) -> i32 {
    // SAFETY: an output has a muxer from its making on.
    unsafe { (*(*output.as_ptr()).oformat).flags }
}
