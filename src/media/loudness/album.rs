//! Several recordings measured as one, so that what is quiet among them stays quiet.

use super::{Adjustment, Histogram, Loudness};

/// A recording measured, in a form that can be joined with others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Of this recording alone.
    pub loudness: Loudness,
    /// Blocks of 400 ms, one every 100 ms.
    pub momentary: Histogram,
    /// Blocks of 3 s, one every 100 ms.
    pub short_term: Histogram,
}

/// The one gain that brings the recordings, played one after the other, to `target_lufs`: an
/// adjustment for each.
#[must_use]
pub fn adjusted_together(tracks: &[Measured], target_lufs: f64) -> Vec<Adjustment> {
    let (mut momentary, mut short_term) = (Histogram::default(), Histogram::default());
    for track in tracks {
        momentary.merge(&track.momentary);
        short_term.merge(&track.short_term);
    }
    let peaks = tracks.iter().filter_map(|track| track.loudness.true_peak_dbtp);
    let album = Loudness {
        integrated_lufs: momentary.integrated(),
        range_lu: short_term.range(),
        true_peak_dbtp: peaks.reduce(f64::max),
    };
    let Adjustment { gain_db, limited_by_peak, .. } = album.adjusted_to(target_lufs);
    let of_track = |track: &Measured| Adjustment {
        measured: track.loudness,
        album: Some(album),
        target_lufs,
        gain_db,
        output_lufs: track.loudness.integrated_lufs.map(|measured| measured + gain_db),
        limited_by_peak,
    };
    tracks.iter().map(of_track).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(lufs: f64, peak: f64) -> Measured {
        let mut track =
            Measured { loudness: Loudness::of_meter(lufs, 0.0, peak), ..Measured::default() };
        (0..100).for_each(|_| track.momentary.count(lufs));
        track
    }

    #[test]
    fn all_get_the_gain_of_the_whole() {
        let gains = |tracks: &[Measured], target| -> Vec<(i32, bool)> {
            let adjusted = adjusted_together(tracks, target);
            let tenths = |gain: f64| {
                #[expect(clippy::cast_possible_truncation, reason = "a small number")]
                let tenths = (gain * 10.0).round() as i32;
                tenths
            };
            adjusted.iter().map(|one| (tenths(one.gain_db), one.limited_by_peak)).collect()
        };
        let quiet_and_loud = [track(-26.0, 0.1), track(-20.0, 0.2)];
        // The mean of both is -22.0 LUFS.
        assert_eq!(gains(&quiet_and_loud, -18.0), [(40, false); 2]);
        // The louder one's peak at -14 dBTP leaves 12.5 dB.
        assert_eq!(gains(&quiet_and_loud, -6.0), [(125, true); 2]);
        assert_eq!(gains(&[Measured::default()], -16.0), [(0, false)]);
        assert_eq!(gains(&[], -16.0), []);
    }
}
