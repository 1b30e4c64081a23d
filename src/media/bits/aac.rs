//! Windows of AAC (ISO/IEC 14496-3 sections 4.4.2.1 and 4.4.2.7).

use super::reader::Bits;

/// Syntactic elements of a raw data block.
const SINGLE_CHANNEL: usize = 0;
const CHANNEL_PAIR: usize = 1;
const FILL: usize = 6;

/// How a frame's second half overlaps the first half of the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Whether the slope is that of short windows.
    pub is_short: bool,
    /// Whether it is Kaiser-Bessel derived, not a sine.
    pub is_kbd: bool,
}

impl Overlap {
    /// Reads a raw data block of one channel, or of two that share their window; `None` for
    /// anything else.
    #[must_use]
    pub fn of(block: &[u8]) -> Option<Self> {
        let mut bits = Bits::of(block);
        let mut element = bits.take(3)?;
        while element == FILL {
            // Its count has a second part where the first says 15.
            let count = match bits.take(4)? {
                15 => 14 + bits.take(8)?,
                count => count,
            };
            bits.at += count * 8;
            element = bits.take(3)?;
        }
        // element_instance_tag
        bits.take(4)?;
        match element {
            // global_gain
            SINGLE_CHANNEL => bits.take(8).map(drop)?,
            CHANNEL_PAIR if bits.take(1)? == 1 => {}
            _ => return None,
        }
        // ics_reserved_bit, window_sequence: 0 long, 1 long to short, 2 short, 3 short to long.
        bits.take(1)?;
        let is_short = matches!(bits.take(2)?, 1 | 2);
        Some(Self { is_short, is_kbd: bits.take(1)? == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_of_one_channel_or_of_a_pair_is_read() {
        let long = Overlap { is_short: false, is_kbd: true };
        let short = Overlap { is_short: true, is_kbd: false };
        // 000 0000 gggggggg 0 00 1
        assert_eq!(Overlap::of(&[0b0000_0001, 0b0110_1000, 0b0010_0000]), Some(long));
        // 001 0000 1 0 10 0
        assert_eq!(Overlap::of(&[0b0010_0001, 0b0100_0000]), Some(short));
        assert_eq!(Overlap::of(&[0b0010_0001, 0b0111_0000]).map(|o| o.is_short), Some(false));
        assert_eq!(Overlap::of(&[0b0010_0000, 0b0100_0000]), None, "two windows");
        // 110 0001 and a byte of filling before the pair.
        let filled = [0b1100_0011, 0b1111_1110, 0b0100_0010, 0b1000_0000];
        assert_eq!(Overlap::of(&filled), Some(short));
        for none in [&[][..], &[0x20], &[0xff; 4], &[0b0110_0000; 4]] {
            assert_eq!(Overlap::of(none), None);
        }
    }
}
