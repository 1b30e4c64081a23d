//! Packets in, frames out, timed in samples.

use ffmpeg_next::codec::decoder::Opened;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet, Rational, Rescale, frame};

use super::super::ffi::decoder::{self, FrameClock};

/// One opened decoder.
pub struct Decode {
    decoder: Opened,
    time_base: Rational,
    clock: FrameClock,
    /// Where in the file the packet stands that was handed over last.
    byte: Option<u64>,
    /// Timestamp of the packet that gave the frame before, to notice a jump.
    previous_pts: Option<i64>,
    /// What the packet being decoded claims, until its first frame has used it.
    packet: Option<Claim>,
    /// Where the next frame starts when nothing says so. Microseconds, as the `ffmpeg` command keeps
    /// it: WMA's last frame, which no packet times, falls on another sample in any finer unit.
    expected_us: i64,
}

/// A packet's own words on time, in the stream's time base.
#[derive(Clone, Copy)]
struct Claim {
    pts: Option<i64>,
    duration: i64,
}

const MICROSECONDS: Rational = Rational(1, 1_000_000);

/// What a pull gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A frame is in the buffer that was handed in.
    Frame,
    /// The decoder wants another packet.
    More,
    /// The decoder has given everything.
    End,
    /// A packet could not be decoded; the next one may.
    Damaged,
}

impl Decode {
    /// Opens the decoder `name` for `stream`.
    ///
    /// # Errors
    /// What libav says.
    pub fn open(input: &Input, stream: usize, name: &str) -> Result<Self, Error> {
        let codec = ffmpeg_next::decoder::find_by_name(name).ok_or(Error::DecoderNotFound)?;
        Ok(Self {
            decoder: decoder::open(input, stream, codec)?,
            time_base: decoder::stream_time_base(input, stream),
            clock: FrameClock::default(),
            byte: None,
            previous_pts: None,
            packet: None,
            expected_us: 0,
        })
    }

    /// Significant bits of its samples, 0 when the codec does not say.
    #[must_use]
    pub fn bits_per_raw_sample(&self) -> u32 {
        decoder::bits_per_raw_sample(&self.decoder)
    }

    /// Where in the file the packet stands that was handed over last, if its container says so.
    #[must_use]
    pub fn byte(&self) -> Option<u64> {
        self.byte
    }

    /// Hands a packet over. All frames must have been pulled before.
    pub fn push(&mut self, packet: &Packet) -> Decoded {
        self.byte = u64::try_from(packet.position()).ok();
        self.packet = Some(Claim { pts: packet.pts(), duration: packet.duration() });
        if let Some(dts) = packet.dts() {
            self.expected_us = dts.rescale(self.time_base, MICROSECONDS);
        }
        match self.decoder.send_packet(packet) {
            Ok(()) => Decoded::More,
            Err(_) => Decoded::Damaged,
        }
    }

    /// Says that no packet follows.
    pub fn close(&mut self) {
        self.packet = None;
        // The only error is "closed already".
        let _ = self.decoder.send_eof();
    }

    /// Takes the next frame into `frame`, its timestamp in samples of its own rate.
    pub fn pull(&mut self, frame: &mut frame::Audio) -> Decoded {
        match self.decoder.receive_frame(frame) {
            Ok(()) => {
                decoder::name_layout(frame);
                self.time(frame);
                Decoded::Frame
            }
            Err(Error::Other { errno: ffmpeg_next::error::EAGAIN }) => Decoded::More,
            Err(Error::Eof) => Decoded::End,
            Err(_) => Decoded::Damaged,
        }
    }

    fn time(&mut self, frame: &mut frame::Audio) {
        let rate = frame.rate().max(1);
        let packet = self.packet.take();
        let (timestamp, time_base) = match frame.pts().or(packet.and_then(|packet| packet.pts)) {
            Some(pts) => (pts, self.time_base),
            None => (self.expected_us, MICROSECONDS),
        };
        if let Some(packet) = packet {
            self.notice_jump(packet);
        }
        let pts = self.clock.rescale(timestamp, time_base, frame.samples(), rate);
        frame.set_pts(Some(pts));
        let samples = i64::try_from(frame.samples()).unwrap_or(0);
        self.expected_us =
            self.expected_us.saturating_add(samples.saturating_mul(1_000_000) / i64::from(rate));
    }

    /// A gap longer than the packet: the rounding so far says nothing about what follows.
    fn notice_jump(&mut self, packet: Claim) {
        if let (Some(pts), Some(previous)) = (packet.pts, self.previous_pts)
            && packet.duration > 0
            && pts.saturating_sub(previous) > packet.duration
        {
            self.clock.reset();
        }
        self.previous_pts = packet.pts;
    }
}
