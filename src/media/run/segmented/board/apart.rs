//! The board where lanes read for themselves.

use std::ops::Range;

use ffmpeg_next::Packet;

use super::{Batch, Board, Lane, Misfit, State, wait};
use crate::media::failure::{Failure, FailureCode, Stage};

/// Frames at the start of a part that the lane before must have decoded alike, where lanes read for
/// themselves.
pub const COMPARED: usize = 8;
/// Bytes of packets that a lane gives ahead of its turn at the most, where lanes read for themselves.
const AHEAD_BYTES: usize = 10 << 20;

/// Whether a lane that reads for itself may go on.
pub enum Turn {
    /// It may, up to the border of the lane behind it, if there is one.
    Go { end: Option<i64> },
    /// Leave everything.
    Stop,
}

/// How far the lanes have come.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// Border of the newest, and how far it has read.
    pub border: i64,
    pub position: i64,
    /// Samples that the others have still to read up to where the next one starts.
    pub left: u64,
}

impl<T> Board<T> {
    /// Opens a lane with what `next` gives: tools, and a border that no lane has come to. Waits for it;
    /// whether there was one.
    pub fn open_part(&self, mut next: impl FnMut(Lanes) -> Option<Option<(T, i64)>>) -> bool {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return false;
            }
            match next(state.how_far()) {
                None => state = wait(&self.roomy, state),
                Some(None) => return false,
                Some(Some((tools, border))) => {
                    state.open(tools, border);
                    self.opened.notify_one();
                    return true;
                }
            }
        }
    }

    /// Waits until a lane that reads for itself, and has come to `position`, may go on: until the lanes
    /// before it have caught up, and what is there is written.
    pub fn turn(&self, lane: usize, position: i64) -> Turn {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return Turn::Stop;
            }
            let is_current = state.current == lane;
            let Some((own, after)) = state.lanes.get_mut(lane..).and_then(<[_]>::split_first_mut)
            else {
                return Turn::Stop;
            };
            if own.is_dropped {
                return Turn::Stop;
            }
            own.position = position;
            let untaken = || own.output.iter().map(Packet::size).sum();
            let ahead = if is_current { untaken() } else { own.given };
            if ahead < AHEAD_BYTES {
                let next = after.iter().find(|lane| !lane.is_dropped);
                return Turn::Go { end: next.map(|lane| lane.border) };
            }
            state = wait(&self.fed, state);
        }
    }

    /// Keeps of the sound that a lane has read for itself what lies in `head` behind its border.
    pub fn keep(&self, lane: usize, batch: &Batch, head: &Range<u64>) {
        if let Some(own) = self.lock().lanes.get_mut(lane) {
            own.keep(batch, head);
        }
    }

    /// Takes the sum of a frame that a lane has read for itself, if it is one of the first behind a
    /// border: whether it is what the other lane that reads it has found.
    pub fn compare(
        &self,
        lane: usize,
        position: i64,
        frame_size: u32,
        sum: impl FnOnce() -> u64,
    ) -> bool {
        let mut state = self.lock();
        let lanes = state.lanes.iter_mut().enumerate().skip(lane);
        let opening = lanes.filter(|(_, lane)| !lane.is_dropped).find_map(|(number, lane)| {
            let behind = u64::try_from(position.checked_sub(lane.border)?).ok()?;
            let at = usize::try_from(behind / u64::from(frame_size.max(1))).ok()?;
            lane.opening.get_mut(at).map(|sums| (number, sums))
        });
        let Some((number, sums)) = opening else { return true };
        let (own, other) = if number == lane { (0, 1) } else { (1, 0) };
        sums[own] = Some(sum());
        sums[other].is_none() || sums[other] == sums[own]
    }

    /// Says that all is to begin anew, in another way.
    pub fn misfit(&self, misfit: Misfit) {
        self.lock().misfit.get_or_insert(misfit);
        self.fail(Failure::new(FailureCode::Internal, Stage::Encoding, misfit.0));
    }

    /// Why all is to begin anew, if it is.
    pub fn has_misfit(&self) -> Option<Misfit> {
        self.lock().misfit
    }
}

impl<T> State<T> {
    fn how_far(&self) -> Lanes {
        let lanes: Vec<_> = self.lanes.iter().filter(|lane| !lane.is_dropped).collect();
        let position = |lane: &Lane| lane.position.max(lane.border);
        let left = lanes.windows(2).filter(|pair| !pair[0].is_done).map(|pair| {
            u64::try_from(pair[1].border.saturating_sub(position(pair[0]))).unwrap_or(0)
        });
        let newest = lanes.last();
        Lanes {
            border: newest.map_or(0, |lane| lane.border),
            position: newest.map_or(0, |lane| position(lane)),
            left: left.sum(),
        }
    }
}
