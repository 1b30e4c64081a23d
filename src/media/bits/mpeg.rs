//! Frame headers and side information of MPEG audio layer III (ISO/IEC 11172-3 sections 2.4.1.3 and
//! 2.4.1.7, ISO/IEC 13818-3 sections 2.4.2.3 and 2.4.1.7, and the half rates that MPEG 2.5 adds).

use super::reader::Bits;

/// kbit/s by the header's number, 1 to 14: MPEG 1, and the lower rates of 2 and 2.5.
const KBIT: [[usize; 14]; 2] = [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

/// What a header says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Bytes, the header's four included.
    pub bytes: usize,
    /// What all frames of a stream have in common: version and layer, sample rate, mono or not.
    pub kind: [u8; 3],
}

impl Frame {
    /// Reads a header; `None` for anything else, and for the free format, whose frames do not tell
    /// their length.
    #[must_use]
    pub fn of(header: [u8; 4]) -> Option<Self> {
        let [0xff, second, third, fourth] = header else { return None };
        let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
        if second & 0xe0 != 0xe0 || version == 1 || layer != 1 {
            return None;
        }
        let is_low = version != 3;
        let kbit = *KBIT[usize::from(is_low)].get(usize::from(third >> 4).checked_sub(1)?)?;
        // MPEG 2 halves the rates of MPEG 1, and 2.5 halves them again.
        let rate = *[44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))?;
        let rate = rate >> u8::from(is_low) >> u8::from(version == 0);
        let per_frame = if is_low { 72_000 } else { 144_000 };
        let padding = usize::from(third >> 1 & 1);
        Some(Self {
            bytes: per_frame * kbit / rate + padding,
            kind: [second & 0x1e, third & 0x0c, u8::from(fourth >> 6 == 3)],
        })
    }
}

/// What the side information of a frame says of its place among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Where the main data starts in the frame: behind header and side information.
    pub payload: usize,
    /// Bytes of earlier frames' main data that this frame's starts before its header
    /// (`main_data_begin`).
    pub reaches_back: usize,
    /// Window of the last granule, for each channel: block type, with 4 added when its lowest bands
    /// are of long blocks.
    pub last_window: [u8; 2],
    /// Bytes of the frame for each channel.
    pub bytes_per_channel: usize,
    /// All of the side information but for `main_data_begin`.
    pub coding: [u8; 32],
}

impl Side {
    /// Reads a whole frame; `None` for anything else, and for frames with a checksum.
    #[must_use]
    pub fn of(frame: &[u8]) -> Option<Self> {
        let header = *frame.first_chunk::<4>()?;
        if Frame::of(header)?.bytes != frame.len() || header[1] & 1 == 0 {
            return None;
        }
        let is_low = header[1] >> 3 & 3 != 3;
        let channels = if header[3] >> 6 == 3 { 1 } else { 2 };
        let mut bits = Bits::of(&frame[4..]);
        let reaches_back = bits.take(if is_low { 8 } else { 9 })?;
        // Private bits, and of MPEG 1 which scale factors the second granule shares.
        bits.at += match (is_low, channels) {
            (true, 1) => 1,
            (true, _) => 2,
            (false, 1) => 5 + 4,
            (false, _) => 3 + 2 * 4,
        };
        let scale_factor_bits = if is_low { 9 } else { 4 };
        let mut last_window = [0; 2];
        for at in 0..channels * if is_low { 1 } else { 2 } {
            let window = &mut last_window[at % channels];
            // part2_3_length, big_values, global_gain, scalefac_compress
            bits.at += 12 + 9 + 8 + scale_factor_bits;
            *window = if bits.take(1)? == 1 {
                let kind = bits.take(2)? as u8 | (bits.take(1)? as u8) << 2;
                // table_select, subblock_gain
                bits.at += 2 * 5 + 3 * 3;
                kind
            } else {
                // table_select, region0_count, region1_count
                bits.at += 3 * 5 + 4 + 3;
                0
            };
            // preflag (MPEG 1 alone), scalefac_scale, count1table_select
            bits.at += if is_low { 2 } else { 3 };
        }
        let payload = 4 + bits.at / 8;
        let mut coding = [0; 32];
        let side = frame.get(4..payload)?;
        coding.get_mut(..side.len())?.copy_from_slice(side);
        coding[0] = 0;
        coding[1] &= if is_low { 0xff } else { 0x7f };
        let bytes_per_channel = frame.len() / channels;
        Some(Self { payload, reaches_back, last_window, bytes_per_channel, coding })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_how_long_its_frame_is() {
        let bytes = |header| Frame::of(header).map(|frame| frame.bytes);
        assert_eq!(bytes([0xff, 0xfb, 0x90, 0x64]), Some(417), "128 kbit/s at 44.1 kHz");
        assert_eq!(bytes([0xff, 0xfb, 0x92, 0x64]), Some(418), "with padding");
        assert_eq!(bytes([0xff, 0xf3, 0x84, 0xc4]), Some(192), "64 kbit/s at 24 kHz");
        assert_eq!(bytes([0xff, 0xe3, 0x18, 0xc4]), Some(72), "8 kbit/s at 8 kHz");
        for none in [
            [0xff, 0xfb, 0x00, 0x64],
            [0xff, 0xfb, 0xf0, 0x64],
            [0xff, 0xfb, 0x9c, 0x64],
            [0xff, 0xeb, 0x90, 0x64],
            [0xff, 0xfd, 0x90, 0x64],
            [0xfe, 0xfb, 0x90, 0x64],
        ] {
            assert_eq!(bytes(none), None, "{none:x?}");
        }
    }
}
