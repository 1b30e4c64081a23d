//! Bytes, bit by bit.

/// Bits, the highest of each byte first.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// How many have been read or skipped.
    pub at: usize,
}

impl<'a> Bits<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next so many as a number; `None` when there are fewer.
    pub fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | usize::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Some(value)
    }
}
