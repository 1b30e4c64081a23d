//! A decoder set up as the `ffmpeg` command sets one up.

use ffmpeg_next::codec::decoder::Opened;
use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::codec::{Context, Parameters};
use ffmpeg_next::ffi::{
    AV_NOPTS_VALUE, AVChannelLayout, AVChannelOrder, AVRational, av_channel_layout_default,
    av_rescale_delta, avcodec_parameters_from_context, avcodec_parameters_to_context,
};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Codec, Error, Packet, Rational, frame};

use super::input::raw_stream;

/// Opens `codec` for stream `index` of `input`, with one thread.
///
/// The packet time base is set before opening, or skipped priming samples would not move the
/// timestamps; an unspecified layout (plain WAV) becomes the default one of its channel count.
///
/// # Errors
/// [`Error::StreamNotFound`] when there is no such stream, else what libav says.
pub fn open(input: &Input, index: usize, codec: Codec) -> Result<Opened, Error> {
    let stream = raw_stream(input, index).ok_or(Error::StreamNotFound)?;
    let mut context = Context::new_with_codec(codec);
    // SAFETY: `stream` lives inside the borrowed input, `context` is ours; libav copies.
    let code = unsafe { avcodec_parameters_to_context(context.as_mut_ptr(), (*stream).codecpar) };
    if code < 0 {
        return Err(Error::from(code));
    }
    // SAFETY: `context` is ours and not opened yet.
    unsafe {
        let raw = context.as_mut_ptr();
        // The demuxer may be wrong: it takes the samples of RIFX for little-endian ones.
        (*raw).codec_id = codec.id().into();
        (*raw).thread_count = 1;
        name_unordered(&raw mut (*raw).ch_layout);
    }
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(stream_time_base(input, index));
    decoder.open_as(codec)
}

/// A decoder for what an encoder makes, to try things out with.
pub struct Trial(Opened);

impl Trial {
    /// Opens a decoder for the encoder's packets.
    ///
    /// # Errors
    /// [`Error::DecoderNotFound`], else what libav says.
    pub fn of(encoder: &Encoder) -> Result<Self, Error> {
        let codec = encoder.codec().ok_or(Error::DecoderNotFound)?;
        let codec = ffmpeg_next::decoder::find(codec.id()).ok_or(Error::DecoderNotFound)?;
        let mut parameters = Parameters::new();
        // SAFETY: both are alive; libav copies.
        let code =
            unsafe { avcodec_parameters_from_context(parameters.as_mut_ptr(), encoder.as_ptr()) };
        if code < 0 {
            return Err(Error::from(code));
        }
        let mut context = Context::new_with_codec(codec);
        context.set_parameters(parameters)?;
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(encoder.time_base());
        Ok(Self(decoder.open_as(codec)?))
    }

    /// Decodes packets as if nothing came before them.
    ///
    /// # Errors
    /// What libav says.
    pub fn decode<'a>(
        &mut self,
        packets: impl Iterator<Item = &'a Packet>,
        take: &mut dyn FnMut(frame::Audio),
    ) -> Result<(), Error> {
        self.0.flush();
        for packet in packets {
            self.0.send_packet(packet)?;
            let mut frame = frame::Audio::empty();
            while self.0.receive_frame(&mut frame).is_ok() {
                take(std::mem::replace(&mut frame, frame::Audio::empty()));
            }
        }
        Ok(())
    }
}

/// Gives a frame whose channels have no order (Speex) the default layout of its channel count:
/// several encoders take no other.
pub fn name_layout(frame: &mut frame::Audio) {
    // SAFETY: the frame is ours and alive; libav writes a plain layout over one that owns nothing.
    unsafe { name_unordered(&raw mut (*frame.as_mut_ptr()).ch_layout) }
}

/// # Safety
/// `layout` points at a live, initialised layout.
unsafe fn name_unordered(layout: *mut AVChannelLayout) {
    // SAFETY: the caller's promise; an unordered layout owns no map that could leak.
    unsafe {
        if (*layout).order == AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC && (*layout).nb_channels > 0 {
            let channels = (*layout).nb_channels;
            av_channel_layout_default(layout, channels);
        }
    }
}

/// Time base of stream `index`, or 1/1000000 when there is no such stream.
#[must_use]
pub fn stream_time_base(input: &Input, index: usize) -> Rational {
    raw_stream(input, index).map_or(Rational::new(1, 1_000_000), |stream| {
        // SAFETY: the stream lives inside the borrowed input.
        Rational::from(unsafe { (*stream).time_base })
    })
}

/// Significant bits of the decoder's samples, 0 when it does not say.
#[must_use]
pub fn bits_per_raw_sample(decoder: &Opened) -> u32 {
    // SAFETY: the context is alive as long as `decoder`.
    u32::try_from(unsafe { (*decoder.as_ptr()).bits_per_raw_sample }).unwrap_or(0)
}

/// Rescales timestamps of frames without rounding errors adding up (`av_rescale_delta`).
#[derive(Debug)]
pub struct FrameClock {
    last: i64,
}

impl Default for FrameClock {
    fn default() -> Self {
        Self { last: AV_NOPTS_VALUE }
    }
}

impl FrameClock {
    /// Forgets the past, after a jump of the timestamps.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// `timestamp` (in `time_base`) of a frame of `samples` samples, in units of 1/`sample_rate`.
    pub fn rescale(
        &mut self,
        timestamp: i64,
        time_base: Rational,
        samples: usize,
        sample_rate: u32,
    ) -> i64 {
        let Ok(rate) = i32::try_from(sample_rate.max(1)) else { return timestamp };
        // libav asserts (and aborts) on an unknown timestamp.
        if timestamp == AV_NOPTS_VALUE {
            return timestamp;
        }
        let unit = AVRational { num: 1, den: rate };
        let samples = i32::try_from(samples).unwrap_or(i32::MAX);
        // SAFETY: `last` is a live i64 and the rest are plain values; the timestamp is known and
        // the duration not negative, which is all that libav asserts.
        unsafe {
            av_rescale_delta(time_base.into(), timestamp, unit, samples, &raw mut self.last, unit)
        }
    }
}
