//! The board where lanes read for themselves.

use std::ops::Range;

use ffmpeg_next::{Packet, frame};

use super::{Batch, Board, Lane, State, wait};

/// Frames at the start of a part that the lane before must have decoded alike, where lanes read for
/// themselves.
pub const COMPARED: usize = 8;

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
    /// Opens a lane with what `next` gives: tools, and a border that no lane has come to. Waits for it,
    /// and until fewer than `most` lanes are not written; whether there was one.
    pub fn open_part(
        &self,
        most: usize,
        mut next: impl FnMut(Lanes) -> Option<Option<(T, i64)>>,
    ) -> bool {
        let mut state = self.lock();
        loop {
            if self.is_over(&mut state) || state.has_last {
                return false;
            }
            let unwritten = state.lanes.iter().skip(state.current);
            if unwritten.filter(|lane| !lane.is_dropped).count() >= most {
                state = wait(&self.roomy, state);
                continue;
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
    /// before it have caught up, and what is there is written; where it ends, until it is known how the
    /// next one starts.
    ///
    /// It may have given `ahead` bytes of packets before that.
    pub fn turn(&self, lane: usize, position: i64, ahead: usize) -> Turn {
        let mut state = self.lock();
        loop {
            if self.is_over(&mut state) {
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
            let given = if is_current { untaken() } else { own.given };
            let next = after.iter().find(|lane| !lane.is_dropped);
            let has_started =
                |next: &Lane| next.is_done || next.opening.iter().all(|sums| sums[0].is_some());
            let ends = |next: &Lane| !self.overlaps && position >= next.border;
            if given < ahead && next.is_none_or(|next| !ends(next) || has_started(next)) {
                return Turn::Go { end: next.map(|lane| lane.border) };
            }
            state = wait(&self.fed, state);
        }
    }

    /// Keeps of the sound that a lane has read for itself what lies in `head` behind its border, and
    /// has it shown, unless the lane was dropped meanwhile.
    pub fn keep(&self, lane: usize, batch: &Batch, head: &Range<u64>, show: impl FnOnce()) {
        let mut state = self.lock();
        if let Some(own) = state.lanes.get_mut(lane).filter(|lane| !lane.is_dropped) {
            own.keep(batch, head);
            own.shown = batch.last().map_or(own.shown, end);
            show();
        }
    }

    /// Takes the sum of a frame that a lane has read for itself, if it is one of the first behind a
    /// border, which two lanes read. Where they did not find the same, it is the lane behind the border
    /// that is given back.
    pub fn compare(
        &self,
        lane: usize,
        position: i64,
        frame_size: u32,
        sum: impl FnOnce() -> u64,
    ) -> Option<usize> {
        let mut state = self.lock();
        let mut lanes = state.lanes.iter_mut().enumerate().skip(lane);
        let (number, sums) = lanes.find_map(|(number, lane)| {
            let behind = u64::try_from(position.checked_sub(lane.border)?).ok()?;
            let at = usize::try_from(behind / u64::from(frame_size.max(1))).ok()?;
            let sums = lane.opening.get_mut(at).filter(|_| !lane.is_dropped)?;
            Some((number, sums))
        })?;
        let (own, other) = if number == lane { (0, 1) } else { (1, 0) };
        sums[own] = Some(sum());
        (sums[other].is_some() && sums[other] != sums[own]).then_some(number)
    }

    /// Leaves a lane's part, and all behind it, to the lane before.
    pub fn leave(&self, lane: usize, forget_behind: impl FnOnce(i64)) {
        let before = {
            let state = self.lock();
            let mut lanes = state.lanes.iter().take(lane);
            lanes.rposition(|lane| !lane.is_dropped)
        };
        if let Some(before) = before {
            self.read_in_one(before, forget_behind);
        }
    }

    /// Says where in the file the first frame of a lane stands: its timestamp, and its byte.
    pub fn mark(&self, lane: usize, mark: Option<(i64, u64)>) {
        if let Some(own) = self.lock().lanes.get_mut(lane) {
            own.mark = mark;
        }
    }

    /// Whether the first frame of the lane behind one stands where that one has found it, once it is
    /// known where it starts.
    pub fn is_marked(&self, lane: usize, stands_at: impl FnOnce(i64, u64) -> bool) -> bool {
        let state = self.lock();
        let next = state.lanes.iter().skip(lane + 1).find(|lane| !lane.is_dropped);
        let mark = next.and_then(|next| next.mark);
        mark.is_none_or(|(timestamp, byte)| stands_at(timestamp, byte))
    }

    /// Says that from here on the recording is to be read in one: by `lane`, which goes on to its end.
    /// What those behind it have shown is forgotten.
    pub fn read_in_one(&self, lane: usize, forget_behind: impl FnOnce(i64)) {
        let mut state = self.lock();
        if let Some(shown) = state.end_behind(lane) {
            state.is_indivisible = true;
            forget_behind(shown);
        }
        drop(state);
        self.wake_all();
    }

    /// Says that a lane has come to the end of the recording.
    pub fn end(&self, lane: usize) {
        self.lock().end_behind(lane);
        self.wake_all();
    }

    /// Whether parts of the recording were not read because they would not have been right.
    pub fn is_indivisible(&self) -> bool {
        self.lock().is_indivisible
    }
}

impl<T> State<T> {
    /// Drops all lanes behind one, which is the last then; up to where its sound was shown, unless it is
    /// dropped itself.
    fn end_behind(&mut self, lane: usize) -> Option<i64> {
        let shown = self.lanes.get(lane).filter(|lane| !lane.is_dropped)?.shown;
        self.has_last = true;
        (lane + 1..self.lanes.len()).for_each(|behind| self.drop_lane(behind));
        Some(shown)
    }

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

/// Where a frame ends, in samples.
fn end(frame: &frame::Audio) -> i64 {
    let samples = i64::try_from(frame.samples()).unwrap_or(0);
    frame.pts().unwrap_or(0).saturating_add(samples)
}
