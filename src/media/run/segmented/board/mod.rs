//! Where reader, lanes and splicer meet: who has what to do, and how much of it waits.

mod alone;
mod apart;
mod join;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ffmpeg_next::Packet;

pub use self::alone::Room;
pub use self::apart::{COMPARED, Lanes, Turn};
pub use self::join::{Coded, Next, Pair};
use crate::base::CancelToken;
use crate::media::failure::{Failure, Stage};
use crate::media::splice::Batch;
use crate::media::stage::stopped;

/// How often somebody who waits looks whether the conversion was stopped, or whether a core is idle.
const LOOK: Duration = Duration::from_millis(5);

/// The board of one run.
///
/// Each kind of thread waits for itself and is woken when there is something for it: to wake all of
/// them at every turn would take as long as several hundredths of the encoding.
pub struct Board<T> {
    state: Mutex<State<T>>,
    /// A lane can be taken.
    opened: Condvar,
    /// A lane that had nothing to do has, or has to stop.
    fed: Condvar,
    /// The splicer can go on.
    coded: Condvar,
    /// Who reads or opens lanes can go on, or a core may be idle.
    roomy: Condvar,
    /// Stops all who wait: who works may be in a call that does not return.
    cancel: CancelToken,
    /// Whether a lane goes on past its border until the splicer drops it.
    overlaps: bool,
}

struct State<T> {
    lanes: Vec<Lane>,
    /// Lanes that nobody works on yet, and what they are to be worked with.
    untaken: VecDeque<(usize, T)>,
    /// Whether no lane follows.
    is_complete: bool,
    /// Bytes of packets that the splicer has not taken.
    unwritten: usize,
    /// Whether the splicer waits for packets.
    is_splicer_idle: bool,
    /// Why it all stops.
    failure: Option<Failure>,
    /// Whether one of the lanes that read for themselves goes on to the end.
    has_last: bool,
    /// Whether that is because parts behind it would not be right.
    is_indivisible: bool,
    /// The lane whose packets are written.
    current: usize,
}

/// One encoder's way through the sound.
#[derive(Default)]
struct Lane {
    /// Where its sound starts, in samples.
    border: i64,
    input: VecDeque<Batch>,
    /// Samples per channel of `input`.
    backlog: u64,
    /// Whether nothing is added to `input`.
    is_fed: bool,
    output: Vec<Packet>,
    /// Whether nothing is added to `output`.
    is_done: bool,
    /// Whether nobody wants its packets any longer.
    is_dropped: bool,
    /// The sound behind the border, where lanes overlap.
    head: Vec<Batch>,
    /// How far a lane has read that reads for itself.
    position: i64,
    /// Up to where its sound was shown.
    shown: i64,
    /// Bytes of all its packets.
    given: usize,
    /// Where in the file its first frame stands: timestamp and byte.
    mark: Option<(i64, u64)>,
    /// Sums over the first frames behind the border, its own and those of the lane before.
    opening: [[Option<u64>; 2]; COMPARED],
}

/// What a lane is to do next.
pub enum Work {
    /// Encode these.
    Encode(Batch),
    /// Give what is left: nothing follows, in this lane or (`is_last`) in any.
    Finish { is_last: bool },
    /// Leave everything.
    Stop,
}

impl<T> Board<T> {
    /// A board without lanes, which overlap or not; whoever waits at it leaves when `cancel` is stopped.
    pub fn new(overlaps: bool, cancel: CancelToken) -> Self {
        let state = State {
            lanes: Vec::new(),
            untaken: VecDeque::new(),
            is_complete: false,
            unwritten: 0,
            is_splicer_idle: false,
            failure: None,
            has_last: false,
            is_indivisible: false,
            current: 0,
        };
        Self {
            state: Mutex::new(state),
            opened: Condvar::new(),
            fed: Condvar::new(),
            coded: Condvar::new(),
            roomy: Condvar::new(),
            cancel,
            overlaps,
        }
    }

    /// Adds a lane for the sound from `border` on, to be worked on with `tools`. What came before it
    /// is fed, unless lanes overlap.
    pub fn open_lane(&self, tools: T, border: i64) {
        let mut state = self.lock();
        if let Some(before) = state.lanes.last_mut() {
            before.is_fed |= !self.overlaps;
        }
        state.open(tools, border);
        self.opened.notify_one();
        self.fed.notify_all();
    }

    /// Where the sound of a lane starts, in samples.
    pub fn border(&self, lane: usize) -> i64 {
        self.lock().lanes.get(lane).map_or(0, |lane| lane.border)
    }

    /// The next lane that nobody works on, with its tools. Waits for it; `None` when there will be
    /// no more.
    pub fn take_lane(&self) -> Option<(usize, T)> {
        let mut state = self.lock();
        loop {
            if self.is_over(&mut state) {
                return None;
            }
            if let Some(lane) = state.untaken.pop_front() {
                return Some(lane);
            }
            if state.is_complete {
                return None;
            }
            state = wait(&self.opened, state);
        }
    }

    /// Says that no frame follows.
    pub fn complete(&self) {
        let mut state = self.lock();
        state.is_complete = true;
        state.lanes.iter_mut().for_each(|lane| lane.is_fed = true);
        drop(state);
        self.wake_all();
    }

    /// Says that a core may be idle.
    pub fn stir(&self) {
        self.roomy.notify_one();
    }

    /// Stops everything; the first failure is the one that counts.
    pub fn fail(&self, failure: Failure) {
        self.lock().failure.get_or_insert(failure);
        self.wake_all();
    }

    /// Why it stopped, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.lock().failure.take()
    }

    /// Whether all is to stop.
    fn is_over(&self, state: &mut State<T>) -> bool {
        if let Some(reason) = self.cancel.reason() {
            state.failure.get_or_insert_with(|| stopped(reason, Stage::Encoding));
        }
        state.failure.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_all(&self) {
        for all in [&self.opened, &self.fed, &self.coded, &self.roomy] {
            all.notify_all();
        }
    }
}

impl<T> State<T> {
    fn open(&mut self, tools: T, border: i64) {
        let number = self.lanes.len();
        self.lanes.push(Lane { border, shown: border, ..Lane::default() });
        self.untaken.push_back((number, tools));
    }

    fn drop_lane(&mut self, lane: usize) {
        if let Some(own) = self.lanes.get_mut(lane) {
            let border = own.border;
            let bytes: usize = own.output.iter().map(Packet::size).sum();
            *own =
                Lane { border, is_fed: true, is_done: true, is_dropped: true, ..Lane::default() };
            self.unwritten = self.unwritten.saturating_sub(bytes);
        }
    }
}

impl Lane {
    /// Keeps the sound of a batch that ends in `head` behind the border.
    fn keep(&mut self, batch: &Batch, head: &Range<u64>) {
        let ends = batch.last().and_then(|frame| frame.pts()).unwrap_or(i64::MAX);
        let behind = u64::try_from(ends.saturating_sub(self.border)).unwrap_or(u64::MAX);
        if head.contains(&behind) {
            self.head.push(Arc::clone(batch));
        }
    }
}

fn wait<'a, T>(until: &Condvar, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
    let waited = until.wait_timeout(state, LOOK);
    waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::StopReason;
    use crate::media::failure::FailureCode;

    #[test]
    fn whoever_waits_leaves_when_it_is_cancelled() {
        let cancel = CancelToken::default();
        let board = Board::<()>::new(false, cancel.clone());
        board.open_lane((), 0);
        let (lane, ()) = board.take_lane().expect("the first");
        std::thread::scope(|scope| {
            // Whoever should feed the lane is in a call that does not return.
            let all = [
                scope.spawn(|| matches!(board.work(lane), Work::Stop)),
                scope.spawn(|| matches!(board.coded(lane), Coded::Stop)),
                scope.spawn(|| matches!(board.turn(lane, 0, 0), Turn::Stop)),
                scope.spawn(|| board.take_lane().is_none()),
                scope.spawn(|| !board.open_part(1, |_| None)),
                scope.spawn(|| matches!(board.room(0, 0, 0, || None::<()>), Room::Stop)),
            ];
            cancel.stop(StopReason::Cancelled);
            assert!(all.into_iter().all(|one| one.join().expect("no panic")));
        });
        let failure = board.failure().expect("why it stopped");
        assert_eq!(failure.code, FailureCode::Cancelled);
    }
}
