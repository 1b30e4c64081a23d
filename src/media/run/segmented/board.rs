//! Where reader, lanes and splicer meet: who has what to do, and how much of it waits.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ffmpeg_next::{Packet, frame};

use crate::media::failure::Failure;

/// How often somebody who waits looks whether it is to stop, or whether a core is idle.
const LOOK: Duration = Duration::from_millis(5);

/// Frames that travel together: handing each over alone would cost more than it takes to encode it.
pub type Batch = Arc<Vec<frame::Audio>>;

/// The board of one run.
pub struct Board<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    lanes: Vec<Lane>,
    /// Lanes that nobody works on yet, and what they are to be worked with.
    untaken: VecDeque<(usize, T)>,
    /// Whether no lane follows.
    is_complete: bool,
    /// Why it all stops.
    failure: Option<Failure>,
}

/// One encoder's way through the sound.
#[derive(Default)]
struct Lane {
    input: VecDeque<Batch>,
    /// Samples per channel of `input`.
    backlog: u64,
    /// Whether nothing is added to `input`.
    is_fed: bool,
    output: Vec<Packet>,
    /// Whether nothing is added to `output`.
    is_done: bool,
}

/// What a lane is to do next.
pub enum Work {
    /// Encode these.
    Encode(Batch),
    /// Give what is left: nothing follows.
    Finish,
    /// Leave everything.
    Stop,
}

/// What the splicer gets.
pub enum Coded {
    /// These packets follow.
    Packets(Vec<Packet>),
    /// The lane has no more, and another follows.
    NextLane,
    /// There is no more.
    End,
    /// Leave everything.
    Stop,
}

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
    /// A board without lanes.
    pub fn new() -> Self {
        let state = State {
            lanes: Vec::new(),
            untaken: VecDeque::new(),
            is_complete: false,
            failure: None,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Adds a lane, to be worked on with `tools`. What came before it is fed.
    pub fn open_lane(&self, tools: T) {
        let mut state = self.lock();
        if let Some(before) = state.lanes.last_mut() {
            before.is_fed = true;
        }
        let number = state.lanes.len();
        state.lanes.push(Lane::default());
        state.untaken.push_back((number, tools));
        self.changed.notify_all();
    }

    /// The next lane that nobody works on, with its tools. Waits for it; `None` when there will be
    /// no more.
    pub fn take_lane(&self) -> Option<(usize, T)> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(lane) = state.untaken.pop_front() {
                return Some(lane);
            }
            if state.is_complete {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// How many lanes there have been.
    pub fn lanes(&self) -> usize {
        self.lock().lanes.len()
    }

    /// Hands frames to the newest lane.
    pub fn feed(&self, batch: Batch) {
        let samples: usize = batch.iter().map(frame::Audio::samples).sum();
        let mut state = self.lock();
        if let Some(lane) = state.lanes.last_mut() {
            lane.backlog += samples as u64;
            lane.input.push_back(batch);
        }
        self.changed.notify_all();
    }

    /// Says that no frame follows.
    pub fn complete(&self) {
        let mut state = self.lock();
        state.is_complete = true;
        if let Some(lane) = state.lanes.last_mut() {
            lane.is_fed = true;
        }
        self.changed.notify_all();
    }

    /// Waits until fewer than `most` samples wait in the newest lane, or `idle` gives something.
    pub fn room<C>(&self, most: u64, mut idle: impl FnMut() -> Option<C>) -> Room<C> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return Room::Stop;
            }
            if let Some(found) = idle() {
                return Room::Idle(found);
            }
            if state.lanes.last().is_none_or(|lane| lane.backlog < most) {
                return Room::Free;
            }
            state = self.wait(state);
        }
    }

    /// The next work of a lane. Waits for it.
    pub fn work(&self, lane: usize) -> Work {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return Work::Stop;
            }
            let Some(own) = state.lanes.get_mut(lane) else { return Work::Stop };
            if let Some(batch) = own.input.pop_front() {
                let samples: usize = batch.iter().map(frame::Audio::samples).sum();
                own.backlog = own.backlog.saturating_sub(samples as u64);
                self.changed.notify_all();
                return Work::Encode(batch);
            }
            if own.is_fed {
                return Work::Finish;
            }
            state = self.wait(state);
        }
    }

    /// Takes a lane's packets; with `is_done` the last ones.
    pub fn give(&self, lane: usize, mut packets: Vec<Packet>, is_done: bool) {
        let mut state = self.lock();
        if let Some(own) = state.lanes.get_mut(lane) {
            own.output.append(&mut packets);
            own.is_done |= is_done;
        }
        self.changed.notify_all();
    }

    /// The next packets of a lane. Waits for them.
    pub fn coded(&self, lane: usize) -> Coded {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return Coded::Stop;
            }
            let lanes = state.lanes.len();
            let is_complete = state.is_complete;
            if let Some(own) = state.lanes.get_mut(lane) {
                if !own.output.is_empty() {
                    return Coded::Packets(std::mem::take(&mut own.output));
                }
                if own.is_done && lane + 1 < lanes {
                    return Coded::NextLane;
                }
                if own.is_done && is_complete {
                    return Coded::End;
                }
            }
            state = self.wait(state);
        }
    }

    /// Stops everything; the first failure is the one that counts.
    pub fn fail(&self, failure: Failure) {
        self.lock().failure.get_or_insert(failure);
        self.changed.notify_all();
    }

    /// Why it stopped, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.lock().failure.take()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        let waited = self.changed.wait_timeout(state, LOOK);
        waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state)
    }
}
