//! Opus: a decoder goes on predicting from what it has decoded, so that a seam is tried by decoding.

use ffmpeg_next::{Error, Packet, frame};

use super::seam::{Batch, Grid, Overlap, Verdict};
use super::sound::{heard, interleave};
use crate::media::ffi::decoder::Trial;

/// Samples per second of the sound that a trial is compared with.
pub const SAMPLE_RATE: u32 = 48_000;
/// Bits per second, for each pair of channels, from which on every packet is of the kind that
/// forgets what came before within a few packets (RFC 6716 section 4.3: CELT).
pub const BITS_PER_PAIR: u32 = 64_000;
/// Packets that travel together.
const BATCH: u64 = 8;
/// Packets behind the border from which on a new encoder is as good as one that has long been at
/// work: what it knows of the sound decides more where bits are few.
const SETTLED: usize = 40;
const SETTLED_SPARE: usize = 200;
/// Bits per second of one or two channels below which they are.
const SPARE_BITS: u32 = 96_000;
/// Packets from there on in which the best seam is looked for, and those in which any is taken.
const BEST: usize = 16;
const PATIENCE: usize = 260;
/// From one packet to the next that is tried: in that range, and behind it.
const STEP: usize = 4;
const STRIDE: usize = 8;
/// Packets after which a decoder has forgotten where it started, and those that are compared.
const WARM: usize = 16;
const COMPARED: usize = 3;
/// Error of a decoder that crosses the seam, in dB above the encoder's own: at which it is beyond
/// doubt, and at which it is still not heard.
const PERFECT: f64 = -30.0;
const GOOD: f64 = -12.0;
/// What the encoder's own error is taken for where the sound is not known: 30 dB below the signal.
const USUAL_NOISE: f64 = 1e-3;

/// Finds seams of Opus.
pub struct Opus {
    trial: Trial,
    first: usize,
    /// The packet that is tried next.
    at: usize,
    /// The best so far: its error, and the verdict on it.
    best: Option<(f64, Verdict)>,
}

impl Opus {
    /// With a decoder to try seams with, for so many bits per second.
    pub fn new(trial: Trial, bits_per_second: u32, channels: u32) -> Self {
        // Several streams share what bits there are.
        let is_spare = channels > 2 || bits_per_second < SPARE_BITS;
        let first = if is_spare { SETTLED_SPARE } else { SETTLED };
        Self { trial, first, at: first, best: None }
    }

    pub fn grid(&self, frame_size: u64) -> Grid {
        let batch = BATCH * frame_size;
        Grid {
            batch,
            borders: batch,
            settled: self.first as u64 * frame_size,
            heard: 0..(self.first + PATIENCE + COMPARED) as u64 * frame_size,
        }
    }

    pub fn begin(&mut self) {
        (self.at, self.best) = (self.first, None);
    }

    pub fn find(&mut self, overlap: &Overlap) -> Verdict {
        let Overlap { before, after, sound } = overlap;
        while self.at < self.first + PATIENCE {
            let (Some(last), Some(_)) = (after.get(self.at - 1), after.get(self.at + COMPARED - 1))
            else {
                return Verdict::Wait;
            };
            if before.last().is_none_or(|before| before.pts() < last.pts()) {
                return Verdict::Wait;
            }
            let same = before.binary_search_by_key(&last.pts(), Packet::pts);
            if let Ok(same) = same {
                let error = self.error(&before[..=same], after, sound);
                let verdict = Verdict::Seam(same + 1, self.at);
                if error.is_some_and(|error| error < PERFECT) {
                    return verdict;
                }
                let is_better = |error: &f64| self.best.is_none_or(|(best, _)| *error < best);
                if let Some(error) = error.filter(is_better) {
                    self.best = Some((error, verdict));
                }
            }
            if self.at >= self.first + BEST
                && let Some((_, verdict)) = self.best.filter(|&(best, _)| best < GOOD)
            {
                return verdict;
            }
            self.at += if self.at < self.first + BEST { STEP } else { STRIDE };
        }
        Verdict::Never
    }

    /// What a decoder that comes from `before` makes wrong of the packets from `at` on, in dB above
    /// what the encoder makes wrong of the sound; `None` when it does not decode or the packets are
    /// of different kinds.
    fn error(&mut self, before: &[Packet], after: &[Packet], sound: &[Batch]) -> Option<f64> {
        let at = self.at;
        // The table of contents: mode, bandwidth, channels.
        let kind = |packet: Option<&Packet>| packet?.data()?.first().copied();
        if kind(before.last())? != kind(after.get(at - 1))? {
            return None;
        }
        let warm = before.get(before.len().checked_sub(WARM)?..)?;
        let compared = &after[at..at + COMPARED];
        let crossing = self.decoded(warm.iter().chain(compared))?;
        let own = self.decoded(after.get(at - WARM..at)?.iter().chain(compared))?;
        let heard = heard(sound, compared.first()?.pts()?, own.len());
        let length = own.len() / COMPARED;
        let part = |samples: &[f32], index: usize| samples[index * length..][..length].to_vec();
        let worst = (0..COMPARED).map(|index| {
            let (crossing, own) = (part(&crossing, index), part(&own, index));
            let noise = match &heard {
                Some(heard) => difference(&own, &part(heard, index)),
                None => difference(&own, &vec![0.0; length]) * USUAL_NOISE,
            };
            let error = difference(&crossing, &own);
            if error == 0.0 { f64::NEG_INFINITY } else { 10.0 * (error / noise).log10() }
        });
        Some(worst.fold(f64::NEG_INFINITY, f64::max))
    }

    /// The samples of the last packets, interleaved.
    fn decoded<'a>(&mut self, packets: impl Iterator<Item = &'a Packet>) -> Option<Vec<f32>> {
        let mut frames: Vec<frame::Audio> = Vec::new();
        let decoded: Result<(), Error> =
            self.trial.decode(packets, &mut |frame| frames.push(frame));
        decoded.ok()?;
        let last = frames.get(frames.len().checked_sub(COMPARED)?..)?;
        let mut samples = Vec::new();
        last.iter().for_each(|frame| interleave(frame, &mut samples));
        Some(samples)
    }
}

/// Sum of the squares of what two sounds differ by.
fn difference(one: &[f32], other: &[f32]) -> f64 {
    let squares = one.iter().zip(other).map(|(one, other)| f64::from(one - other).powi(2));
    squares.sum()
}
