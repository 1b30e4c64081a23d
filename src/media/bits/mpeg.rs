//! Frame headers of MPEG audio layer III (ISO/IEC 11172-3 section 2.4.1.3, ISO/IEC 13818-3 section
//! 2.4.2.3, and the half rates that MPEG 2.5 adds).

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
