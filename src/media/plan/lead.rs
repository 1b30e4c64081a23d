//! The sound around a range: a codec that hears silence beyond a cut ticks where two parts join.

use super::Plan;
use crate::base::greatest_common_divisor;
use crate::media::request::{Exactness, Format, Range};

/// Samples behind a range that its last packets may depend on: what the slowest encoder looks ahead,
/// and a frame of it.
const BEHIND: u64 = 4 * 1152;
/// Samples before a range that a resampler's filter reaches back to, with plenty to spare.
const RESAMPLER: u64 = 1024;

/// How much of the neighbouring sound is handed on with a range, in samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lead {
    /// Before the range, at the source's rate.
    pub source_before: u64,
    /// The same at the output's rate.
    pub before: u64,
    /// Behind the range, at the source's rate.
    pub source_behind: u64,
    /// Whether the encoder gets it, and what that makes of it. Else it ends with the resampler.
    pub encoded: Option<Encoded>,
}

/// What becomes of a lead that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Packets at the start that are thrown away: the encoder has settled by then.
    pub unwritten_packets: u64,
    /// Samples that the packets behind those hold before the range: decoders need them, and the
    /// container says that they are not heard.
    pub hidden: u64,
}

/// What a format can do with a lead.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Samples that it can hide beyond its encoder's own delay.
    hidden: u64,
    /// Samples per packet.
    packet: u64,
    /// Samples before the sound that its encoder gives by itself, where readers count packets and not
    /// by an edit list.
    delay: Option<u64>,
    /// How many samples its encoder takes to settle, where its first packets can do without those
    /// before them.
    settling: u64,
}

impl Room {
    /// `None` for what has no way to say that the start is not heard, and for what needs none.
    fn of(format: Format, rate: u32) -> Option<Self> {
        let rate = u64::from(rate);
        match format {
            // The delay has 12 bits. Packets borrow bytes of those before them: all are written.
            Format::Mp3 => {
                Some(Self { hidden: 2 * 1152, packet: 1152, delay: Some(1105), settling: 0 })
            }
            Format::M4a | Format::M4b => {
                Some(Self { hidden: 2 * 1024, packet: 1024, delay: None, settling: rate })
            }
            // RFC 7845 section 4.2 has a decoder converge in 80 ms. Three times that is where nothing
            // was left to be measured of steady tones at 24 to 128 kbit/s.
            Format::Opus => Some(Self::of_opus(rate, 240, rate)),
            // Players count from the first packet here and would be late by all that is hidden.
            Format::Mka | Format::Webm => Some(Self::of_opus(rate, 80, 0)),
            Format::Aac
            | Format::Ac3
            | Format::Ogg
            | Format::Flac
            | Format::Alac
            | Format::Wav
            | Format::Aiff
            | Format::Wv
            | Format::Tta => None,
        }
    }

    /// With the encoder's own delay of 6.5 ms so many milliseconds.
    const fn of_opus(rate: u64, milliseconds: u64, settling: u64) -> Self {
        let delay = rate * 13 / 2000;
        let hidden = rate * milliseconds / 1000 - delay;
        Self { hidden, packet: rate / 50, delay: Some(delay), settling }
    }
}

impl Lead {
    /// The lead of `range` in a conversion from one rate to another, in Hz; none where nothing would
    /// change by it.
    fn of(range: &Range, format: Format, from: u32, to: u32) -> Self {
        let room = Room::of(format, to);
        if from == 0 || to == 0 || (room.is_none() && from == to) {
            return Self::default();
        }
        let (start, end) = range.in_samples(from);
        let (from, to) = (u64::from(from), u64::from(to));
        // Whole steps of both rates keep the range's first sample where it is. Rates without any
        // that are of use miss it by less than a sample.
        let common = greatest_common_divisor(from, to);
        let most = room.map_or(RESAMPLER, |room| room.hidden);
        let step = if to / common <= most { to / common } else { 1 };
        let there = start.saturating_mul(to) / from;
        let hidden = most.min(there) / step * step;
        // libav's decoders lose count where the packet of the end is also that of the start.
        let is_short = room.zip(end).is_some_and(|(room, end)| {
            let samples = end.saturating_sub(start).saturating_mul(to) / from;
            room.delay.map(|delay| delay + hidden).is_some_and(|before| {
                (before + samples).saturating_sub(1) / room.packet <= before / room.packet
            })
        });
        if is_short {
            return Self::default();
        }
        let encoded = room.map(|room| {
            let both = room.packet / greatest_common_divisor(room.packet, step) * step;
            let unwritten = room.settling.min(there - hidden) / both * both;
            Encoded { unwritten_packets: unwritten / room.packet, hidden }
        });
        let unwritten =
            encoded.zip(room).map_or(0, |(encoded, room)| encoded.unwritten_packets * room.packet);
        let before = unwritten + hidden;
        Self {
            source_before: before * from / to,
            before,
            source_behind: if end.is_some() { (BEHIND * from).div_ceil(to) } else { 0 },
            encoded,
        }
    }
}

impl Plan {
    /// What of the neighbouring sound goes with the range, from a decoder's rate in Hz to the
    /// planned one.
    #[must_use]
    pub fn lead(&self, from: u32) -> Lead {
        if self.range.is_whole() || self.exactness == Exactness::BitExact {
            return Lead::default();
        }
        Lead::of(&self.range, self.format, from, self.sample_rate)
    }

    /// How many seconds of the source are of interest; `None` for all.
    #[must_use]
    pub fn read_until(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let behind = BEHIND as f64 / f64::from(self.sample_rate.max(1));
        let is_exact = self.exactness == Exactness::BitExact;
        self.range.end_seconds.map(|end| if is_exact { end } else { end + behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_whole_steps_of_both_rates_and_whole_packets() {
        let lead = |start, end, format, from, to| {
            let range = Range { start_seconds: start, end_seconds: end };
            let lead = Lead::of(&range, format, from, to);
            let encoded = lead.encoded.map(|encoded| (encoded.unwritten_packets, encoded.hidden));
            (lead.source_before, lead.before, lead.source_behind, encoded)
        };
        let mp3 = lead(2.0, None, Format::Mp3, 44_100, 44_100);
        assert_eq!(mp3, (2304, 2304, 0, Some((0, 2304))));
        let opus = lead(2.0, Some(3.0), Format::Opus, 44_100, 48_000);
        assert_eq!(opus, (54_390, 59_200, 4234, Some((50, 11_200))));
        let early = lead(0.01, None, Format::Opus, 44_100, 48_000);
        assert_eq!(early, (441, 480, 0, Some((0, 480))));
        let first = lead(0.0, Some(1.0), Format::M4a, 8000, 8000);
        assert_eq!(first, (0, 0, 4608, Some((0, 0))));
        assert_eq!(lead(2.0, Some(2.001), Format::Mp3, 44_100, 44_100), (0, 0, 0, None));
        assert_eq!(lead(2.0, Some(3.0), Format::Flac, 44_100, 44_100), (0, 0, 0, None));
        assert_eq!(lead(2.0, None, Format::Flac, 44_100, 48_000), (882, 960, 0, None));
        assert_eq!(lead(2.0, None, Format::Flac, 47_999, 48_000), (1023, 1024, 0, None));
    }
}
