//! Units as types: what a number counts is part of its name.

use std::fmt;

/// Bits per second over all channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(u32);

impl BitRate {
    /// Lowest rate any option takes.
    pub const MIN: Self = Self(8_000);
    /// Highest rate any option takes.
    pub const MAX: Self = Self(512_000);

    /// A rate of `kbit` times 1000 bits per second.
    #[must_use]
    pub const fn kbit(kbit: u32) -> Self {
        Self(kbit * 1000)
    }

    /// Reads `192k`, within [`Self::MIN`] and [`Self::MAX`]; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix(['k', 'K'])?;
        if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let rate = Self::kbit(digits.parse().ok()?);
        (Self::MIN..=Self::MAX).contains(&rate).then_some(rate)
    }

    /// Bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u32 {
        self.0
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}k", self.0 / 1000)
    }
}

/// A number of bytes, printed for people (1 MB = 10⁶).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// `mebi` times 2^20 bytes, the MB of the settings.
    #[must_use]
    pub const fn mebi(mebi: u64) -> Self {
        Self(mebi * 1024 * 1024)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        #[expect(clippy::cast_precision_loss, reason = "printed with one decimal")]
        let as_float = bytes as f64;
        match bytes {
            0..1_000 => write!(f, "{bytes} bytes"),
            1_000..1_000_000 => write!(f, "{:.0} kB", as_float / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", as_float / 1e6),
            _ => write!(f, "{:.1} GB", as_float / 1e9),
        }
    }
}

/// Seconds as people read them: `2:09`, `1:02:09`.
#[must_use]
pub fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped by `as`")]
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitrate_is_digits_and_a_k_within_the_range() {
        assert_eq!(BitRate::parse("192k"), Some(BitRate::kbit(192)));
        assert_eq!(BitRate::parse("8k"), Some(BitRate::MIN));
        for wrong in ["192", "7k", "513k", "k", "-8k", "1e2k", "192kk", "99999999999k", ""] {
            assert_eq!(BitRate::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes_are_printed_for_people() {
        assert_eq!(ByteSize(999).to_string(), "999 bytes");
        assert_eq!(ByteSize(52_900_000).to_string(), "52.9 MB");
        assert_eq!(ByteSize::mebi(500).to_string(), "524.3 MB");
    }

    #[test]
    fn lengths_are_said_as_people_read_them() {
        assert_eq!([clock(0.4), clock(129.9), clock(3729.0)], ["0:00", "2:09", "1:02:09"]);
    }
}
