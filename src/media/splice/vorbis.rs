//! Vorbis: blocks of two sizes, whose places depend on all the sound before them.

use ffmpeg_next::Packet;

use super::seam::{Grid, Overlap, Verdict};

/// Samples that travel together: a multiple of the longest block, so that blocks of steady sound
/// stand at the same places in both encoders.
const BATCH: u64 = 8192;
/// Packets in a row that are the same, byte by byte: the two encoders have become one.
const ALIKE: usize = 3;
/// Packets behind the border in which blocks that do not stand at the same places mostly come to do so,
/// half a minute and more: steady sound keeps them where they are.
const PATIENCE: usize = 2048;

/// Finds seams of Vorbis.
#[derive(Default)]
pub struct Vorbis {
    /// The packet that is looked at next.
    at: usize,
    /// Packets before it that are the same.
    alike: usize,
}

impl Vorbis {
    pub fn grid() -> Grid {
        Grid { batch: BATCH, borders: BATCH, settled: BATCH, heard: 0..0 }
    }

    pub fn begin(&mut self) {
        *self = Self::default();
    }

    /// A block that is the same in both leaves a decoder in the same state: what follows it in one
    /// may follow it in the other (Vorbis I specification, section 4.3).
    pub fn find(&mut self, overlap: &Overlap) -> Verdict {
        let Overlap { before, after, .. } = overlap;
        while self.at < PATIENCE {
            let Some(next) = after.get(self.at) else { return Verdict::Wait };
            if before.last().is_none_or(|last| last.pts() < next.pts()) {
                return Verdict::Wait;
            }
            let same = before.binary_search_by_key(&next.pts(), Packet::pts);
            let same = same.ok().filter(|&same| is_same(&before[same], next));
            self.alike = same.map_or(0, |_| self.alike + 1);
            self.at += 1;
            if let Some(same) = same.filter(|_| self.alike >= ALIKE) {
                return Verdict::Seam(same + 1, self.at);
            }
        }
        Verdict::Never
    }
}

fn is_same(one: &Packet, other: &Packet) -> bool {
    one.duration() == other.duration() && one.data() == other.data()
}
