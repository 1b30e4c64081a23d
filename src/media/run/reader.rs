//! Source to decoded frames: the part that every driver shares.

use ffmpeg_next::{Error, Packet, frame};

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::packet;
use super::super::io::Watch;
use super::super::limits::Limits;
use super::super::plan::Plan;
use super::super::stage::decode::{Decode, Decoded};
use super::super::stage::demux::{Demux, Pulled};
use super::super::stage::{failed, stopped};

/// The decoded sound of the plan's stream, from the start of the file to the end of the range.
pub struct Reader<'a> {
    plan: &'a Plan,
    limits: &'a Limits,
    watch: &'a Watch,
    demux: Demux,
    decode: Decode,
    is_closed: bool,
    decoded_seconds: f64,
    damaged_packets: u64,
    broken_off: bool,
}

/// What was read when a reader is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Read {
    /// Length of the sound that was decoded.
    pub decoded_seconds: f64,
    /// Packets that could not be decoded.
    pub damaged_packets: u64,
    /// Whether the container could not be read to its end.
    pub broken_off: bool,
}

impl<'a> Reader<'a> {
    /// Opens the plan's decoder.
    ///
    /// # Errors
    /// `unsupported_codec`.
    pub fn open(
        plan: &'a Plan,
        limits: &'a Limits,
        watch: &'a Watch,
        demux: Demux,
    ) -> Result<Self, Failure> {
        watch.progress.enter(Stage::Decoding);
        let decode = Decode::open(demux.input(), plan.stream, &plan.decoder).map_err(|error| {
            let message =
                format!("The decoder \"{}\" does not take this stream: {error}.", plan.decoder);
            let otherwise = Failure::new(FailureCode::UnsupportedCodec, Stage::Decoding, message);
            failed(error, otherwise, watch)
        })?;
        Ok(Self {
            plan,
            limits,
            watch,
            demux,
            decode,
            is_closed: false,
            decoded_seconds: 0.0,
            damaged_packets: 0,
            broken_off: false,
        })
    }

    /// What has read the source.
    #[must_use]
    pub fn into_demux(self) -> Demux {
        self.demux
    }

    /// The opened source.
    #[must_use]
    pub fn demux(&self) -> &Demux {
        &self.demux
    }

    /// Significant bits of the decoder's samples, 0 when it does not say.
    #[must_use]
    pub fn bits_per_raw_sample(&self) -> u32 {
        self.decode.bits_per_raw_sample()
    }

    /// Where it stands.
    #[must_use]
    pub fn read(&self) -> Read {
        Read {
            decoded_seconds: self.decoded_seconds,
            damaged_packets: self.damaged_packets,
            broken_off: self.broken_off,
        }
    }

    /// Goes to somewhere before `seconds`.
    ///
    /// # Errors
    /// What libav says.
    pub fn seek(&mut self, seconds: f64) -> Result<(), Error> {
        self.demux.seek(seconds)
    }

    /// Says up to where the sound is decoded, and that what was damaged before does not count.
    pub fn pardon(&mut self, decoded_seconds: f64) {
        self.damaged_packets = 0;
        self.decoded_seconds = decoded_seconds;
    }

    /// Where in the file the packet stands that was read last, if its container says so.
    #[must_use]
    pub fn byte(&self) -> Option<u64> {
        self.decode.byte()
    }

    /// The next decoded frame into `frame`; `Ok(false)` at the end. Cancel is seen at every packet.
    ///
    /// # Errors
    /// Stopped, a limit, a source that cannot be read. A container that is broken ends there.
    pub fn next(&mut self, frame: &mut frame::Audio) -> Result<bool, Failure> {
        loop {
            match self.decode.pull(frame) {
                Decoded::Frame => {
                    self.account(frame)?;
                    return Ok(true);
                }
                Decoded::End => return Ok(false),
                Decoded::Damaged => self.damaged_packets += 1,
                Decoded::More => {}
            }
            if self.is_closed {
                return Ok(false);
            }
            self.feed()?;
        }
    }

    fn feed(&mut self) -> Result<(), Failure> {
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Decoding));
        }
        let is_past_end = self.plan.read_until().is_some_and(|end| self.decoded_seconds > end);
        if is_past_end {
            self.close();
            return Ok(());
        }
        match self.demux.pull() {
            Pulled::Packet(packet) if is_chained_header(&packet) => {}
            Pulled::Packet(mut packet) => {
                if self.plan.source_samples.is_some() {
                    packet::set_discard(&mut packet, 0);
                }
                if self.decode.push(&packet) == Decoded::Damaged {
                    self.damaged_packets += 1;
                }
            }
            Pulled::End => self.close(),
            Pulled::Broken(error) => {
                self.check_source(error)?;
                self.broken_off = true;
                self.close();
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.decode.close();
        self.is_closed = true;
    }

    /// A container that cannot be read on ends there, unless it was our own reading that failed.
    fn check_source(&self, error: Error) -> Result<(), Failure> {
        let ours = self.watch.cancel.is_stopped() || self.watch.source_fault.get().is_some();
        if !ours {
            return Ok(());
        }
        let otherwise =
            Failure::new(FailureCode::InputGone, Stage::Reading, "The source cannot be read.");
        Err(failed(error, otherwise, self.watch))
    }

    fn account(&mut self, frame: &frame::Audio) -> Result<(), Failure> {
        let (rate, samples) = (frame.rate(), frame.samples() as u64);
        self.limits.check_shape(rate, u32::from(frame.channels()))?;
        #[expect(clippy::cast_precision_loss, reason = "a frame has far fewer than 2^52 samples")]
        let seconds = samples as f64 / f64::from(rate.max(1));
        self.decoded_seconds += seconds;
        self.limits.check_length(self.decoded_seconds)?;
        self.watch.progress.decoded(samples, self.decoded_seconds);
        Ok(())
    }

    /// Why nothing came out.
    #[must_use]
    pub fn nothing_came_out(&self) -> Failure {
        if self.damaged_packets > 0 || self.broken_off {
            Failure::new(
                FailureCode::CorruptInput,
                Stage::Decoding,
                "The file is damaged: its sound cannot be decoded.",
            )
        } else if self.plan.range.start_seconds > 0.0 && self.decoded_seconds > 0.0 {
            Failure::new(
                FailureCode::EmptyOutput,
                Stage::Decoding,
                format!(
                    "The recording is {:.3} s long: nothing lies behind the start at {:.3} s.",
                    self.decoded_seconds, self.plan.range.start_seconds
                ),
            )
        } else {
            Failure::new(
                FailureCode::EmptyOutput,
                Stage::Decoding,
                "The file was read to its end and no sound came out.",
            )
        }
    }
}

/// Whether the packet is a header of the next stream of chained Ogg Opus, which libav 5.1 hands out
/// as if it were sound (RFC 7845 section 5).
pub(super) fn is_chained_header(packet: &Packet) -> bool {
    let data = packet.data().unwrap_or_default();
    data.starts_with(b"OpusHead") || data.starts_with(b"OpusTags")
}
