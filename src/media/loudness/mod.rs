//! Loudness by EBU R 128 (ITU-R BS.1770-4) and the gain that brings a recording to a target.

mod album;
mod histogram;

pub use album::{Measured, adjusted_together};
pub use histogram::Histogram;

use serde::Serialize;

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Loudness {
    /// Integrated loudness in LUFS; `None` where all is below the gate: silence.
    pub integrated_lufs: Option<f64>,
    /// Loudness range in LU (EBU Tech 3342).
    pub range_lu: f64,
    /// Highest true peak in dBTP; `None` for digital silence.
    pub true_peak_dbtp: Option<f64>,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Adjustment {
    /// What was measured before.
    #[serde(flatten)]
    pub measured: Loudness,
    /// The same of everything that gets the same gain, where that is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub album: Option<Loudness>,
    /// What was asked for, in LUFS.
    pub target_lufs: f64,
    /// Gain in dB, the same for every sample.
    pub gain_db: f64,
    /// What comes out, in LUFS.
    pub output_lufs: Option<f64>,
    /// Whether the peak ceiling kept it from the target.
    pub limited_by_peak: bool,
}

impl Adjustment {
    /// What the target was for and how loud that becomes: the album, or the recording alone.
    #[must_use]
    pub fn reached_lufs(&self) -> Option<f64> {
        self.album.unwrap_or(self.measured).integrated_lufs.map(|measured| measured + self.gain_db)
    }
}

/// The highest true peak that raising a recording may lead to, in dBTP.
pub const CEILING_DBTP: f64 = -1.5;

/// Below this, libav's meter has gated everything away.
const GATE_LUFS: f64 = -70.0;

impl Loudness {
    /// A measurement from the meter's numbers: LUFS, LU and the highest true peak as an amplitude.
    #[must_use]
    pub fn of_meter(integrated: f64, range: f64, peak: f64) -> Self {
        Self {
            integrated_lufs: (integrated > GATE_LUFS).then_some(integrated),
            range_lu: range,
            true_peak_dbtp: (peak > 0.0).then(|| 20.0 * peak.log10()),
        }
    }

    /// The same with an amplitude that was seen among the samples.
    #[must_use]
    pub fn with_peak(mut self, peak: f64) -> Self {
        if peak > 0.0 {
            let seen = 20.0 * peak.log10();
            self.true_peak_dbtp = Some(self.true_peak_dbtp.map_or(seen, |known| known.max(seen)));
        }
        self
    }

    /// The gain to `target_lufs`: linear, and never one that lifts the peak above
    /// [`CEILING_DBTP`]. Silence stays as it is.
    #[must_use]
    pub fn adjusted_to(self, target_lufs: f64) -> Adjustment {
        let wanted = self.integrated_lufs.map_or(0.0, |measured| target_lufs - measured);
        let room = self.true_peak_dbtp.map_or(f64::INFINITY, |peak| CEILING_DBTP - peak);
        // A peak that is above the ceiling already is no reason to turn the recording down further
        // than the target wants.
        let gain_db = if wanted > 0.0 { wanted.min(room.max(0.0)) } else { wanted };
        Adjustment {
            measured: self,
            album: None,
            target_lufs,
            gain_db,
            output_lufs: self.integrated_lufs.map(|measured| measured + gain_db),
            limited_by_peak: gain_db < wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_stops_at_the_peak_ceiling_and_silence_stays() {
        let gain = |integrated, peak: f64, target| {
            let adjustment = Loudness::of_meter(integrated, 5.0, peak).adjusted_to(target);
            ((adjustment.gain_db * 10.0).round() / 10.0, adjustment.limited_by_peak)
        };
        assert_eq!(gain(-20.0, 0.1, -16.0), (4.0, false));
        assert_eq!(gain(-20.0, 0.7, -16.0), (1.6, true));
        assert_eq!(gain(-20.0, 1.2, -16.0), (0.0, true));
        assert_eq!(gain(-10.0, 1.2, -16.0), (-6.0, false));
        assert_eq!(gain(-70.0, 0.0, -16.0), (0.0, false));
    }
}
