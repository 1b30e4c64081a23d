//! AAC: the halves of neighbouring windows must fit, and the encoder takes seconds to settle.

use ffmpeg_next::{Packet, frame};

use super::seam::{Batch, Grid, Overlap, Verdict};
use super::sound::{heard, interleave};
use crate::media::bits::aac;
use crate::media::ffi::decoder::Trial;
use crate::media::noise::{HOP, Noise};

/// Packets behind the border after which a new encoder is mostly as good as one that has long been at
/// work, 12 s of CD sound: libav's keeps the extremes of what sound cost it.
const SETTLED: usize = 512;
/// Packets from there on in which it mostly becomes so where it is not.
const PATIENCE: usize = 640;
/// From one packet to the next behind which it is looked at, and how many packets before that.
const STEP: usize = 40;
const COMPARED: usize = 40;
/// Packets after which a decoder has forgotten where it started.
const WARM: usize = 2;
/// How much noisier it may be in dB, on average over the bands of hearing.
const SAME_NOISE: f64 = 0.05;
/// Packets that travel together.
const BATCH: usize = 8;
/// Bytes of a sample of all channels up to which enough sound can wait.
pub const SAMPLE_BYTES: usize = 4;

/// Finds seams of AAC.
pub struct Aac {
    trial: Trial,
    noise: Noise,
    /// The packet that is looked at next.
    at: usize,
    /// Whether the new encoder is as good as the old.
    is_settled: bool,
}

impl Aac {
    /// With a decoder and a measure.
    pub fn new(trial: Trial, noise: Noise) -> Self {
        Self { trial, noise, at: SETTLED, is_settled: false }
    }

    pub fn grid() -> Grid {
        let packets = |count: usize| (count * HOP) as u64;
        let batch = packets(BATCH);
        Grid {
            batch,
            borders: batch,
            settled: packets(SETTLED),
            heard: packets(SETTLED - COMPARED - BATCH)..packets(SETTLED + PATIENCE),
        }
    }

    pub fn begin(&mut self) {
        (self.at, self.is_settled) = (SETTLED, false);
    }

    pub fn find(&mut self, overlap: &Overlap) -> Verdict {
        let Overlap { before, after, sound } = overlap;
        while self.at < SETTLED + PATIENCE {
            let (Some(last), Some(_)) = (after.get(self.at - 1), after.get(self.at)) else {
                return Verdict::Wait;
            };
            if before.last().is_none_or(|before| before.pts() < last.pts()) {
                return Verdict::Wait;
            }
            if let Ok(same) = before.binary_search_by_key(&last.pts(), Packet::pts) {
                if !self.is_settled && (self.at - SETTLED).is_multiple_of(STEP) {
                    let excess = self.excess(&before[..=same], &after[..self.at], sound);
                    self.is_settled = excess.is_some_and(|db| db <= SAME_NOISE);
                }
                if self.is_settled && fits(&before[same], last) {
                    return Verdict::Seam(same + 1, self.at);
                }
            }
            self.at += 1;
        }
        Verdict::Never
    }

    /// By how many dB the last packets of the one are noisier than those of the other.
    fn excess(&mut self, before: &[Packet], after: &[Packet], sound: &[Batch]) -> Option<f64> {
        let first = after.get(after.len().checked_sub(COMPARED)?)?.pts()?;
        // A hop of the measure is a packet.
        let values = HOP * self.noise.channels();
        let sound = heard(sound, first, COMPARED * values)?;
        let [old, new] = [before, after].map(|packets| self.decoded(packets));
        let (old, new) = (old?, new?);
        self.noise.begin();
        let (mut sum, mut count) = (0.0, 0_u32);
        for at in (0..COMPARED).map(|index| index * values) {
            let hop = |samples: &[f32]| samples.get(at..at + values).map(<[f32]>::to_vec);
            if let Some([new, old]) = self.noise.of(&[hop(&sound)?, hop(&new)?, hop(&old)?]) {
                sum += new - old;
                count += 1;
            }
        }
        Some(sum / f64::from(count.max(1)))
    }

    /// The samples of the last packets, interleaved.
    fn decoded(&mut self, packets: &[Packet]) -> Option<Vec<f32>> {
        let packets = packets.get(packets.len().checked_sub(COMPARED + WARM)?..)?;
        let mut frames: Vec<frame::Audio> = Vec::new();
        self.trial.decode(packets.iter(), &mut |frame| frames.push(frame)).ok()?;
        let last = frames.get(frames.len().checked_sub(COMPARED)?..)?;
        let mut samples = Vec::new();
        last.iter().for_each(|frame| interleave(frame, &mut samples));
        Some(samples)
    }
}

/// Whether what follows the one may follow the other.
fn fits(one: &Packet, other: &Packet) -> bool {
    let overlap = |packet: &Packet| aac::Overlap::of(packet.data()?);
    overlap(one).is_some_and(|one| overlap(other) == Some(one))
}
