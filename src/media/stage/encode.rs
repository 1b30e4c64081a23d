//! Frames in, packets out.

use std::collections::VecDeque;

use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::{Error, Packet, Rational, frame};

use super::super::ffi::encoder::{self, EncoderSettings};
use super::super::ffi::graph::Shape;
use super::super::ffi::{packet, samples};
use super::super::plan::{Encoded, Lead, Plan, SMALL};
use super::super::request::Exactness;

/// Samples that a frame has at the least, but for the last, where frames are small and many wait:
/// libav's Vorbis encoder takes 64 at a time, and what surrounds them takes more memory than they do.
const FRAME_SAMPLES: usize = 4096;

/// Twice the longest last frame that was seen to end the process.
const ALAC_LEAST_SAMPLES: usize = 4;

/// Twice what the shortest frame takes that was seen to end the process.
const TTA_LEAST_BYTES: usize = 16;

/// What an encoder is opened for.
#[derive(Debug)]
pub struct Feed {
    /// Shape of the frames, which are timed in samples.
    pub shape: Shape,
    /// Significant bits of the source's samples, 0 when unknown.
    pub source_bits: u32,
    /// Whether the muxer wants codec headers in the container.
    pub global_header: bool,
}

/// One opened encoder.
pub struct Encode {
    encoder: Encoder,
    /// Bytes of samples that a frame must have.
    least_bytes: usize,
    /// Samples that the last frame must have.
    least_samples: usize,
    /// Whether frames are smaller than what the encoder takes.
    widens: bool,
    /// Samples that the encoder takes at a time, where frames are to have more.
    step: Option<usize>,
    /// Packets that came while a frame was handed over in parts.
    ready: VecDeque<Packet>,
    time_base: Rational,
    /// Packets still to come that are not written.
    unwritten_packets: u64,
    /// Samples before the sound in packets that are written.
    hidden: u64,
    /// How many samples the sound has, when more may be handed over.
    end: Option<u64>,
}

impl Encode {
    /// Opens the plan's encoder for what it will be fed.
    ///
    /// # Errors
    /// What libav says.
    pub fn open(plan: &Plan, feed: &Feed) -> Result<Self, Error> {
        let wide = feed.shape.in_planar_float();
        let widens = plan.takes_small() && feed.shape.format_name() == SMALL;
        let shape = if widens { &wide } else { &feed.shape };
        #[expect(clippy::cast_precision_loss, reason = "a scale of a dozen steps")]
        let quality = plan.vbr_quality.map(|quality| quality as f32);
        let encoder = encoder::open(&EncoderSettings {
            name: plan.encoder,
            shape,
            bit_rate: plan.bit_rate.map(|rate| rate.bits_per_second()),
            quality,
            compression_level: plan.compression_level,
            source_bits: feed.source_bits,
            global_header: feed.global_header,
            bitexact: plan.exactness == Exactness::BitExact,
        })?;
        let time_base = Rational::new(1, i32::try_from(shape.sample_rate().max(1)).unwrap_or(1));
        // libav's TTA encoder asserts, and ends the process, when a packet has no room for its own
        // checksum: frames of a few bytes.
        let least_bytes = if plan.encoder == "tta" { TTA_LEAST_BYTES } else { 0 };
        // Its ALAC encoder does the same for several pairs of channels.
        let is_surround_alac = plan.encoder == "alac" && shape.channels() > 3;
        let least_samples = if is_surround_alac { ALAC_LEAST_SAMPLES } else { 0 };
        let fixed = encoder.codec().and_then(|codec| encoder::fixed_frame_size(&encoder, codec));
        // Where the source's clock counts, the command's frames are as many as its jumps can be.
        let step = fixed
            .map(|size| size as usize)
            .filter(|&size| widens || size * 16 <= FRAME_SAMPLES)
            .filter(|_| plan.exactness == Exactness::Ordinary);
        Ok(Self {
            encoder,
            widens,
            step,
            ready: VecDeque::new(),
            least_bytes,
            least_samples,
            time_base,
            unwritten_packets: 0,
            hidden: 0,
            end: None,
        })
    }

    /// Says which of the samples to come are heard: those behind the lead, of them `end` at the
    /// most. Packets tell it to the muxer.
    pub fn heed(&mut self, lead: Lead, end: Option<u64>) {
        if let Some(Encoded { unwritten_packets, hidden }) = lead.encoded {
            (self.unwritten_packets, self.hidden) = (unwritten_packets, hidden);
        }
        self.end = end;
    }

    /// Samples before the sound in the packets to come, beyond the encoder's own delay.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// The opened encoder, for the muxer's stream.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// One sample: the time base of frames and packets.
    #[must_use]
    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    /// Samples per channel of every frame but the last, or `None` when any number will do.
    #[must_use]
    pub fn frame_size(&self) -> Option<u32> {
        let codec = self.encoder.codec()?;
        let size = encoder::fixed_frame_size(&self.encoder, codec)?;
        Some(self.step.map_or(size, |step| size * (FRAME_SAMPLES / step) as u32))
    }

    /// Hands a frame over. All packets must have been pulled before.
    ///
    /// # Errors
    /// ENOTSUP for a last frame that is so short that libav would end the process; what libav says.
    pub fn push(&mut self, frame: &frame::Audio) -> Result<(), Error> {
        let bytes = frame.samples() * usize::from(frame.channels()) * frame.format().bytes();
        if bytes < self.least_bytes || frame.samples() < self.least_samples {
            return Err(Error::Other { errno: libc::ENOTSUP });
        }
        let Some(step) = self.step else { return self.send(frame) };
        let mut part = frame::Audio::empty();
        for from in (0..frame.samples()).step_by(step) {
            samples::take_part(&mut part, frame, from, step.min(frame.samples() - from))?;
            self.send(&part)?;
            while let Some(packet) = self.receive()? {
                self.ready.push_back(packet);
            }
        }
        Ok(())
    }

    fn send(&mut self, frame: &frame::Audio) -> Result<(), Error> {
        if self.widens {
            let wide: frame::Audio = samples::in_planar_float(frame)?;
            return self.encoder.send_frame(&wide);
        }
        self.encoder.send_frame(frame)
    }

    /// Says that no frame follows.
    ///
    /// # Errors
    /// What libav says.
    pub fn close(&mut self) -> Result<(), Error> {
        self.encoder.send_eof()
    }

    /// The next packet, or `None` when the encoder wants more first or has ended.
    ///
    /// # Errors
    /// What libav says.
    pub fn pull(&mut self) -> Result<Option<Packet>, Error> {
        match self.ready.pop_front() {
            Some(packet) => Ok(Some(packet)),
            None => self.receive(),
        }
    }

    fn receive(&mut self) -> Result<Option<Packet>, Error> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {
                    if self.unwritten_packets > 0 {
                        self.unwritten_packets -= 1;
                        continue;
                    }
                    self.skip_hidden(&mut packet);
                    if self.is_heard(&mut packet) {
                        return Ok(Some(packet));
                    }
                }
                Err(Error::Eof | Error::Other { errno: ffmpeg_next::error::EAGAIN }) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The first packet of some encoders says how much a decoder drops: the lead is more of that.
    fn skip_hidden(&self, packet: &mut Packet) {
        if let (Ok(hidden @ 1..), (skipped @ 1.., _)) =
            (u32::try_from(self.hidden), packet::skipped_samples(packet))
        {
            packet::set_skip(packet, skipped.saturating_add(hidden));
        }
    }

    /// Whether anything of the packet lies before the end of the sound; what lies behind it is
    /// marked as not to be heard.
    fn is_heard(&self, packet: &mut Packet) -> bool {
        let (Some(end), Some(pts)) = (self.end, packet.pts()) else { return true };
        let room = i64::try_from(end).unwrap_or(i64::MAX).saturating_sub(pts);
        if let Ok(beyond @ 1..) = u32::try_from(packet.duration().saturating_sub(room)) {
            let (_, known) = packet::skipped_samples(packet);
            packet::set_discard(packet, known.saturating_add(beyond));
            packet.set_duration(room);
        }
        room > 0
    }
}
