//! Where pieces end.

use super::super::super::splice::{Grid, SerialBecause};
use super::super::super::stage::encode::Feed;

/// Bytes of samples in a piece at the most: what may wait for each core.
const PIECE_BYTES: u64 = 1 << 20;
/// The same where each piece takes a new encoder, which costs time: fewer of them.
const FRESH_BYTES: u64 = 3 << 20;
/// The same where pieces overlap, which costs more.
const OVERLAPPING_BYTES: u64 = 5 << 20;
/// Seconds of sound in a piece at the least: less does not pay for another thread, or encoder.
const PIECE_SECONDS_MIN: u64 = 4;
/// The same where pieces overlap, and at the most.
const OVERLAPPING_SECONDS: (u64, u64) = (8, 24);
/// So many bytes of samples are enough where they do not: a second that has more of them takes longer.
const PIECE_BYTES_MIN: u64 = 3 << 19;
/// How many halves of what is encoded twice a piece has at the least, and may wait at the most.
const HALF_OVERLAPS: (u64, u64) = (5, 8);
/// Bytes of samples that travel together.
const BATCH_BYTES: usize = 1 << 17;

/// Decides where pieces end.
pub struct Cutter {
    /// Samples that travel together.
    pub batch: u64,
    /// Samples of a piece that may wait.
    pub most: u64,
    /// Samples of a piece at the least.
    least: u64,
    /// Samples from one possible border to the next.
    borders: u64,
    /// Samples that are still to come, when that is known.
    left: Option<u64>,
    cores: u64,
    /// Samples of the newest piece.
    piece: u64,
    /// Samples of all pieces.
    cut: u64,
    /// Whether there was a place for another piece.
    has_paid: bool,
}

impl Cutter {
    /// For so many samples that are expected, and pieces that overlap on a grid or not at all.
    pub fn new(
        feed: &Feed,
        (grid, keeps_encoder): (Option<&Grid>, bool),
        expected: Option<u64>,
        cores: usize,
    ) -> Self {
        let bytes = feed.shape.bytes_per_sample().max(1);
        let rate = u64::from(feed.shape.sample_rate());
        let (batch, borders, least, most) = match grid {
            None => {
                let least = (rate * PIECE_SECONDS_MIN).min(PIECE_BYTES_MIN / bytes as u64);
                let batch = (BATCH_BYTES / bytes) as u64;
                let most = if keeps_encoder { PIECE_BYTES } else { FRESH_BYTES };
                (batch, 1, least, most / bytes as u64)
            }
            Some(grid) => {
                let (least, most) = OVERLAPPING_SECONDS;
                let least = (rate * least).max(grid.settled * HALF_OVERLAPS.0 / 2);
                let most = (rate * most).max(grid.settled * HALF_OVERLAPS.1 / 2);
                let most = most.min(OVERLAPPING_BYTES / bytes as u64);
                (grid.batch, grid.borders, least, most)
            }
        };
        Self {
            batch,
            most: most.max(least),
            least,
            borders,
            left: expected,
            cores: cores as u64,
            piece: 0,
            cut: 0,
            has_paid: false,
        }
    }

    /// Whether the newest piece can end here and is long enough, and what follows is worth another
    /// one. Towards the end pieces become shorter, so that all cores end at about the same time.
    pub fn pays(&mut self) -> bool {
        let fair = self.left.map_or(self.most, |left| left / (2 * self.cores));
        let is_worth_it = self.left.is_none_or(|left| left > self.least);
        let pays = is_worth_it && self.piece >= fair.clamp(self.least, self.most);
        let pays = pays && self.is_border();
        self.has_paid |= pays;
        pays
    }

    /// Why there is one piece alone, in a word of the API.
    pub fn alone_because(&self) -> SerialBecause {
        if self.has_paid { "busy" } else { "short" }
    }

    /// Whether a piece may end here.
    pub fn is_border(&self) -> bool {
        self.cut.is_multiple_of(self.borders)
    }

    /// Starts with another piece.
    pub fn begin(&mut self) {
        self.piece = 0;
    }

    /// Samples that go to the newest piece.
    pub fn add(&mut self, samples: u64) {
        self.piece += samples;
        self.cut += samples;
        // A source that has more than it said may have any number more.
        self.left = self.left.and_then(|left| left.checked_sub(samples));
    }
}
