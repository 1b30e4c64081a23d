//! How often each loudness was heard: all that is needed to measure several recordings as one.

/// Steps of a hundredth of a LU from the absolute gate up.
const STEPS: usize = 8001;
const LOWEST_LUFS: f64 = -70.0;
const STEPS_PER_LU: f64 = 100.0;

/// Counts of loudness values from -70 to +10 LUFS; what lies below is gated away (ITU-R BS.1770-4).
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; STEPS] }
    }
}

impl Histogram {
    /// Counts one value in LUFS.
    pub fn count(&mut self, lufs: f64) {
        if lufs >= LOWEST_LUFS {
            let step = ((lufs - LOWEST_LUFS) * STEPS_PER_LU).round();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "`as` clamps"
            )]
            let step = (step as usize).min(STEPS - 1);
            self.counts[step] += 1;
        }
    }

    /// Takes over what another has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Of blocks of 400 ms: the mean of what is not more than 10 LU below the mean of all, in LUFS
    /// (ITU-R BS.1770-4). `None` for silence.
    #[must_use]
    pub fn integrated(&self) -> Option<f64> {
        self.mean(self.gate(10.0)?)
    }

    /// Of blocks of 3 s: from the 10th to the 95th percentile of what is not more than 20 LU below
    /// the mean of all, in LU (EBU Tech 3342).
    #[must_use]
    pub fn range(&self) -> f64 {
        let Some(gate) = self.gate(20.0) else { return 0.0 };
        let total: u64 = self.counts[gate..].iter().sum();
        let percentile = |percent: u64| {
            let mut left = total * percent / 100;
            let place = self.counts[gate..].iter().position(|&count| {
                let is_there = left < count;
                left = left.saturating_sub(count);
                is_there
            });
            value(gate + place.unwrap_or(0))
        };
        percentile(95) - percentile(10)
    }

    /// The step that lies so many LU below the mean of everything.
    fn gate(&self, below: f64) -> Option<usize> {
        let gate = self.mean(0)? - below;
        (0..STEPS).find(|&step| value(step) >= gate)
    }

    /// Loudness of the mean energy of everything from a step on.
    fn mean(&self, from: usize) -> Option<f64> {
        let (mut energy, mut blocks) = (0.0, 0.0);
        for (step, &count) in
            self.counts.iter().enumerate().skip(from).filter(|(_, count)| **count > 0)
        {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 blocks")]
            let count = count as f64;
            energy += count * 10_f64.powf(value(step) / 10.0);
            blocks += count;
        }
        (blocks > 0.0).then(|| 10.0 * (energy / blocks).log10())
    }
}

/// The loudness of a step in LUFS.
#[expect(clippy::cast_precision_loss, reason = "a few thousand steps")]
fn value(step: usize) -> f64 {
    LOWEST_LUFS + step as f64 / STEPS_PER_LU
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quiet_is_gated_away() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.integrated(), histogram.range()), (None, 0.0));
        (0..100).for_each(|_| histogram.count(-20.0));
        (0..100).for_each(|_| histogram.count(-60.0));
        (0..100).for_each(|_| histogram.count(-90.0));
        let close = |value: f64, to: f64| assert!((value - to).abs() < 0.01, "{value}");
        close(histogram.integrated().expect("sound"), -20.0);
        let mut louder = Histogram::default();
        (0..100).for_each(|_| louder.count(-14.0));
        louder.merge(&histogram);
        // The mean of 10^-2 and 10^-1.4.
        close(louder.integrated().expect("sound"), -16.04);
        close(louder.range(), 6.0);
        louder.count(f64::INFINITY);
        louder.count(f64::NAN);
    }
}
