//! MP3: a frame's main data may start in frames before it, and its window must fit theirs.

use ffmpeg_next::Packet;

use super::seam::{Grid, Overlap, Verdict};
use crate::media::bits::mpeg::Side;

/// Frames after which the places where a constant bit rate pads repeat at any sample rate.
const PADDING_PERIOD: u64 = 49;
/// Frames that travel together: a part of the period.
const BATCH: u64 = 7;
/// Frames in a row that are coded alike: the two encoders have become one.
const ALIKE: usize = 8;
/// Frames behind the border after which a new encoder's reservoir is filled as that of one that has
/// long been at work: from there on any seam is good.
const SETTLED: usize = 240;
/// Frames behind the border until which it is waited for reservoirs that are alike too, in bytes. A
/// variable bit rate does without them, but where a frame has fewer bytes than so many for each channel.
const REFILLED: usize = 200;
const NEARLY: usize = 8;
const AMPLE: usize = 160;
/// Frames behind the border that are mostly encoded twice.
const USUAL: u64 = 48;
/// Frames behind the border in which a seam was always found.
const PATIENCE: usize = 300;

/// Finds seams of MP3.
#[derive(Default)]
pub struct Mp3 {
    /// Whether all frames have as many bits, so that good ones live on what others have spared.
    is_constant: bool,
    /// The frame that is looked at next.
    at: usize,
    /// Frames before it that are coded alike.
    alike: usize,
}

impl Mp3 {
    /// For a constant bit rate, or a variable one.
    pub fn new(is_constant: bool) -> Self {
        Self { is_constant, ..Self::default() }
    }

    pub fn grid(frame_size: u64) -> Grid {
        Grid {
            batch: BATCH * frame_size,
            borders: PADDING_PERIOD * frame_size,
            settled: USUAL * frame_size,
            heard: 0..0,
        }
    }

    pub fn begin(&mut self) {
        *self = Self::new(self.is_constant);
    }

    pub fn find(&mut self, overlap: &mut Overlap) -> Verdict {
        let Overlap { before, after, .. } = overlap;
        while self.at < PATIENCE {
            let Some(next) = after.get(self.at) else { return Verdict::Wait };
            // The first packets of `after` start before the border.
            let Some(last) = before.last() else { return Verdict::Wait };
            let same = before.iter().position(|packet| packet.pts() == next.pts());
            if let Some(same) = same {
                let is_alike = is_coded_alike(&before[same], next);
                self.alike = if is_alike { self.alike + 1 } else { 0 };
                let is_one = self.alike >= ALIKE
                    && (self.at >= REFILLED || self.has_as_much(&before[same], next));
                let is_good = is_one || self.at >= SETTLED;
                if is_good && is_seam(before, same, after, self.at).is_some() {
                    return Verdict::Seam(same, self.at);
                }
            } else if last.pts() < next.pts() {
                return Verdict::Wait;
            }
            self.at += 1;
        }
        Verdict::Never
    }

    /// Whether two frames have about as much room before them, where that is missed.
    fn has_as_much(&self, one: &Packet, other: &Packet) -> bool {
        let side = |packet: &Packet| Side::of(packet.data()?);
        side(one).zip(side(other)).is_some_and(|(one, other)| {
            let is_ample = !self.is_constant && other.bytes_per_channel >= AMPLE;
            is_ample || one.reaches_back.abs_diff(other.reaches_back) <= NEARLY
        })
    }
}

/// Whether two frames say the same of everything but where their main data start.
fn is_coded_alike(one: &Packet, other: &Packet) -> bool {
    let coding = |packet: &Packet| Some(Side::of(packet.data()?)?.coding);
    coding(one).is_some_and(|one| Some(one) == coding(other))
}

/// Whether `after[n]` may follow `before[m - 1]`; then its main data stand where it looks for them.
///
/// The windows of the frames before must be alike for the overlapping halves to add up. What the
/// frame's main data take of earlier frames must be free in `before`, whose own frame would have
/// started there or further back.
fn is_seam(before: &mut [Packet], m: usize, after: &[Packet], n: usize) -> Option<()> {
    let side = |packet: &Packet| Side::of(packet.data()?);
    let (old, new) = (side(before.get(m)?)?, side(after.get(n)?)?);
    let windows =
        |packets: &[Packet], at: usize| Some(side(packets.get(at.checked_sub(1)?)?)?.last_window);
    if windows(before, m)? != windows(after, n)? || old.reaches_back < new.reaches_back {
        return None;
    }
    let mut moved = Vec::with_capacity(new.reaches_back);
    for packet in after.get(..n)?.iter().rev() {
        let payload = packet.data()?.get(side(packet)?.payload..)?;
        let wanted = (new.reaches_back - moved.len()).min(payload.len());
        moved.extend(payload[payload.len() - wanted..].iter().rev());
        if moved.len() == new.reaches_back {
            break;
        }
    }
    // All of the room first: a frame must not be changed for a seam that is none.
    let rooms: Option<Vec<usize>> =
        before.get(..m)?.iter().map(|p| Some(side(p)?.payload)).collect();
    let rooms = rooms?;
    let room: usize =
        before.iter().zip(&rooms).map(|(packet, payload)| packet.size() - payload).sum();
    if moved.len() < new.reaches_back || room < moved.len() {
        return None;
    }
    let mut moved = moved.into_iter();
    for (packet, payload) in before[..m].iter_mut().zip(rooms).rev() {
        for byte in packet.data_mut()?[payload..].iter_mut().rev() {
            let Some(other) = moved.next() else { return Some(()) };
            *byte = other;
        }
    }
    Some(())
}
