//! Parts of a recording, in samples.

use crate::base::greatest_common_divisor;

/// Samples of the source that a resampler hears before a part starts.
const BEFORE: u64 = 1024;

/// A part of a recording that is decoded for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first sample of what comes out.
    pub border: u64,
    /// Timestamp of the recording's first frame, in samples of the source.
    pub origin: i64,
    /// Rates of the source and of what comes out, in Hz.
    pub rates: (u32, u32),
}

impl Part {
    /// From one possible border to the next, in samples of what comes out: whole steps of both rates.
    #[must_use]
    pub fn step((from, to): (u32, u32)) -> u64 {
        per_step(to, from)
    }

    /// From where on the source is converted, in its own samples, and what comes of that before the
    /// border.
    pub fn before(&self) -> (u64, u64) {
        let (from, to) = self.rates;
        let border = self.border * u64::from(from) / u64::from(to.max(1));
        if from == to {
            return (border, 0);
        }
        let source_step = per_step(from, to);
        let steps = BEFORE.div_ceil(source_step).min(border / source_step);
        (border - steps * source_step, steps * Self::step(self.rates))
    }
}

/// Samples at the one rate in the shortest time that is a whole number of samples at both.
fn per_step(one: u32, other: u32) -> u64 {
    let (one, other) = (u64::from(one), u64::from(other));
    (one / greatest_common_divisor(one, other).max(1)).max(1)
}
