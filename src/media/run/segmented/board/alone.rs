//! The board where one reader alone feeds all lanes.

use std::ops::Range;
use std::sync::Arc;

use ffmpeg_next::frame;

use super::{Batch, Board, Work, wait};

/// Why the reader need not wait any longer.
pub enum Room<C> {
    /// The newest lane takes more.
    Free,
    /// Another lane can be opened, with this.
    Idle(C),
    /// Leave everything.
    Stop,
}

impl<T> Board<T> {
    /// Hands frames to the newest lane, and to those before it that go on. Of the samples in `head`
    /// behind its border a lane keeps the sound.
    pub fn feed(&self, batch: &Batch, head: &Range<u64>) {
        let samples: usize = batch.iter().map(frame::Audio::samples).sum();
        let mut state = self.lock();
        let mut was_idle = false;
        for lane in state.lanes.iter_mut().filter(|lane| !lane.is_fed) {
            was_idle |= lane.input.is_empty();
            lane.backlog += samples as u64;
            lane.input.push_back(Arc::clone(batch));
            lane.keep(batch, head);
        }
        if was_idle {
            self.fed.notify_all();
        }
    }

    /// Waits until fewer than `most` samples wait in the newest lane, and fewer than `ceiling` in any,
    /// or until `idle` gives something; and until fewer than `unwritten` bytes wait to be written,
    /// unless the splicer needs more sound to go on.
    pub fn room<C>(
        &self,
        most: u64,
        ceiling: u64,
        unwritten: usize,
        mut idle: impl FnMut() -> Option<C>,
    ) -> Room<C> {
        let mut state = self.lock();
        let mut goal = most;
        loop {
            if self.is_over(&mut state) {
                return Room::Stop;
            }
            let is_needed = self.overlaps && state.is_splicer_idle;
            if state.unwritten >= unwritten && !is_needed {
                state = wait(&self.roomy, state);
                continue;
            }
            if let Some(found) = idle() {
                return Room::Idle(found);
            }
            let has_room = state.lanes.last().is_none_or(|lane| lane.backlog < goal);
            if has_room && state.lanes.iter().all(|lane| lane.backlog < ceiling) {
                return Room::Free;
            }
            // Once it is full a good deal is read at a time.
            goal = most - most / 8;
            state = wait(&self.roomy, state);
        }
    }

    /// The next work of a lane. Waits for it.
    pub fn work(&self, lane: usize) -> Work {
        let mut state = self.lock();
        loop {
            if self.is_over(&mut state) {
                return Work::Stop;
            }
            let is_last = state.is_complete && lane + 1 == state.lanes.len();
            let own = state.lanes.get_mut(lane).filter(|lane| !lane.is_dropped);
            let Some(own) = own else { return Work::Stop };
            if let Some(batch) = own.input.pop_front() {
                let samples: usize = batch.iter().map(frame::Audio::samples).sum();
                own.backlog = own.backlog.saturating_sub(samples as u64);
                return Work::Encode(batch);
            }
            if own.is_fed {
                return Work::Finish { is_last };
            }
            // Whoever reads may be waiting for a core though there is nothing to do.
            self.roomy.notify_one();
            state = wait(&self.fed, state);
        }
    }
}
