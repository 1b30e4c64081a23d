//! Packets of one stream, with the container's start taken off their timestamps.

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Error, Packet, Rational};

use super::super::ffi::{decoder, input};

/// Reads the packets of one stream.
pub struct Demux {
    input: Input,
    stream: usize,
    /// Taken off every timestamp, in the stream's time base.
    offset: i64,
}

/// What a pull gave.
pub enum Pulled {
    /// A packet of the stream.
    Packet(Packet),
    /// The container has ended.
    End,
    /// The container cannot be read on.
    Broken(Error),
}

const MICROSECONDS: Rational = Rational(1, 1_000_000);

impl Demux {
    /// Reads `stream` of an opened input; the packets of all others are skipped by the demuxer.
    #[must_use]
    pub fn new(mut input: Input, stream: usize) -> Self {
        input::discard_all_but(&mut input, stream);
        let start = input::start_time_us(&input).unwrap_or(0);
        let offset = rescale(start, MICROSECONDS, decoder::stream_time_base(&input, stream));
        Self { input, stream, offset }
    }

    /// The opened input, for facts.
    #[must_use]
    pub fn input(&self) -> &Input {
        &self.input
    }

    /// Goes to the last place before `seconds` from which the stream can be decoded.
    ///
    /// # Errors
    /// What libav says.
    pub fn seek(&mut self, seconds: f64) -> Result<(), Error> {
        let start = input::start_time_us(&self.input).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "`as` clamps")]
        let timestamp = start.saturating_add((seconds * 1e6) as i64);
        self.input.seek(timestamp, ..timestamp)
    }

    /// Whether the container's own clock stands at 0 when a pulled packet starts.
    #[must_use]
    pub fn is_at_zero(&self, packet: &Packet) -> bool {
        packet.pts().is_some_and(|pts| pts.saturating_add(self.offset) == 0)
    }

    /// The next packet of the stream. Blocks while the source is read.
    pub fn pull(&mut self) -> Pulled {
        loop {
            // A packet is made for each read: reading into a used one leaks (rust-ffmpeg#260).
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) if packet.stream() == self.stream => {
                    packet.set_pts(packet.pts().map(|pts| pts.saturating_sub(self.offset)));
                    packet.set_dts(packet.dts().map(|dts| dts.saturating_sub(self.offset)));
                    return Pulled::Packet(packet);
                }
                Ok(()) => {}
                Err(Error::Eof) => return Pulled::End,
                Err(error) => return Pulled::Broken(error),
            }
        }
    }
}

/// `value` in units of `from` as units of `to`, nearest, halves away from zero.
fn rescale(value: i64, from: Rational, to: Rational) -> i64 {
    use ffmpeg_next::Rescale;
    value.rescale(from, to)
}
