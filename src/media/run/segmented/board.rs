//! Where reader, lanes and splicer meet: who has what to do, and how much of it waits.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ffmpeg_next::{Packet, frame};

use crate::media::failure::{Failure, FailureCode, Stage};
use crate::media::splice::{Batch, Misfit};

/// How often somebody who waits looks whether it is to stop, or whether a core is idle.
const LOOK: Duration = Duration::from_millis(5);

/// Packets that are worth being written.
const MANY: usize = 32;

/// Frames at the start of a part that the lane before must have decoded alike, where lanes read for
/// themselves.
pub const COMPARED: usize = 8;
/// Bytes of packets that a lane gives ahead of its turn at the most, where lanes read for themselves.
const AHEAD_BYTES: usize = 10 << 20;

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
    /// The reader can go on, or a core may be idle.
    roomy: Condvar,
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
    /// Set when it is to begin anew, in another way.
    misfit: Option<Misfit>,
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
    /// Bytes of all its packets.
    given: usize,
    /// Sums over the first frames behind the border, its own and those of the lane before.
    opening: [[Option<u64>; 2]; COMPARED],
}

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

/// What a lane is to do next.
pub enum Work {
    /// Encode these.
    Encode(Batch),
    /// Give what is left: nothing follows, in this lane or (`is_last`) in any.
    Finish { is_last: bool },
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

/// What the splicer gets where lanes overlap.
pub enum Pair {
    /// What is new.
    News(News),
    /// Leave everything.
    Stop,
}

/// What has come of a lane and of the one behind it.
pub struct News {
    /// Packets of the lane.
    pub packets: Vec<Packet>,
    /// Whether those were its last: the sound ends with it.
    pub is_done: bool,
    /// The lane behind it.
    pub next: Option<Next>,
}

/// What has come of the lane that is to follow.
pub struct Next {
    /// Which one it is.
    pub lane: usize,
    /// Where its sound starts, in samples.
    pub border: i64,
    /// Packets of it.
    pub packets: Vec<Packet>,
    /// The sound behind its border, as much as is kept and was not given yet.
    pub sound: Vec<Batch>,
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
    /// A board without lanes, which overlap or not.
    pub fn new(overlaps: bool) -> Self {
        let state = State {
            lanes: Vec::new(),
            untaken: VecDeque::new(),
            is_complete: false,
            unwritten: 0,
            is_splicer_idle: false,
            failure: None,
            misfit: None,
            current: 0,
        };
        Self {
            state: Mutex::new(state),
            opened: Condvar::new(),
            fed: Condvar::new(),
            coded: Condvar::new(),
            roomy: Condvar::new(),
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
        let number = state.lanes.len();
        state.lanes.push(Lane { border, ..Lane::default() });
        state.untaken.push_back((number, tools));
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
            if state.failure.is_some() {
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

    /// Says that no frame follows.
    pub fn complete(&self) {
        let mut state = self.lock();
        state.is_complete = true;
        state.lanes.iter_mut().for_each(|lane| lane.is_fed = true);
        drop(state);
        self.wake_all();
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
            if state.failure.is_some() {
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

    /// Waits until `found` gives something; `None` when all is to stop.
    pub fn wait_for<F>(&self, mut found: impl FnMut(Lanes) -> Option<F>) -> Option<F> {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
                return None;
            }
            if let Some(found) = found(state.how_far()) {
                return Some(found);
            }
            state = wait(&self.roomy, state);
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

    /// Says that a core may be idle.
    pub fn stir(&self) {
        self.roomy.notify_one();
    }

    /// The next work of a lane. Waits for it.
    pub fn work(&self, lane: usize) -> Work {
        let mut state = self.lock();
        loop {
            if state.failure.is_some() {
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

    /// Takes a lane's packets; with `is_done` the last ones.
    pub fn give(&self, lane: usize, mut packets: Vec<Packet>, is_done: bool) {
        let mut state = self.lock();
        let Some((own, after)) = state.lanes.get_mut(lane..).and_then(<[_]>::split_first_mut)
        else {
            return;
        };
        if own.is_dropped {
            return;
        }
        let bytes: usize = packets.iter().map(Packet::size).sum();
        own.output.append(&mut packets);
        own.given += bytes;
        own.is_done |= is_done;
        // Past its border a lane works for nothing as soon as there is a seam.
        let ends = own.output.last().and_then(Packet::pts).unwrap_or(i64::MIN);
        let is_past = self.overlaps && after.iter().any(|lane| lane.border < ends);
        if is_done || is_past || own.output.len() >= MANY {
            self.coded.notify_one();
        }
        state.unwritten += bytes;
    }

    /// The next packets of a lane. Waits for them.
    pub fn coded(&self, lane: usize) -> Coded {
        let mut state = self.lock();
        state.current = lane;
        loop {
            if state.failure.is_some() {
                return Coded::Stop;
            }
            let lanes = state.lanes.len();
            let is_complete = state.is_complete;
            if let Some(own) = state.lanes.get_mut(lane) {
                if !own.output.is_empty() {
                    let packets = std::mem::take(&mut own.output);
                    self.taken(&mut state, &[&packets]);
                    return Coded::Packets(packets);
                }
                if own.is_done && lane + 1 < lanes {
                    return Coded::NextLane;
                }
                if own.is_done && is_complete {
                    return Coded::End;
                }
            }
            state = wait(&self.coded, state);
        }
    }

    /// What is new of a lane and of the one that is to follow it. Waits for it.
    pub fn pair(&self, lane: usize) -> Pair {
        let mut state = self.lock();
        state.current = lane;
        loop {
            if state.failure.is_some() {
                return Pair::Stop;
            }
            let Some((own, after)) = state.lanes.get_mut(lane..).and_then(<[_]>::split_first_mut)
            else {
                state = wait(&self.coded, state);
                continue;
            };
            let next = after.iter_mut().enumerate().find(|(_, lane)| !lane.is_dropped);
            let is_new = |lane: &Lane| !lane.output.is_empty();
            if is_new(own) || own.is_done || next.as_ref().is_some_and(|(_, next)| is_new(next)) {
                let news = News {
                    packets: std::mem::take(&mut own.output),
                    is_done: own.is_done,
                    next: next.map(|(at, next)| Next {
                        lane: lane + 1 + at,
                        border: next.border,
                        packets: std::mem::take(&mut next.output),
                        sound: std::mem::take(&mut next.head),
                    }),
                };
                let of_next = news.next.as_ref().map_or(&[][..], |next| &next.packets);
                self.taken(&mut state, &[&news.packets, of_next]);
                return Pair::News(news);
            }
            state.is_splicer_idle = true;
            state = wait(&self.coded, state);
        }
    }

    /// Ends a lane whose packets nobody wants any longer.
    pub fn drop_lane(&self, lane: usize) {
        let mut state = self.lock();
        if let Some(own) = state.lanes.get_mut(lane) {
            let border = own.border;
            let bytes: usize = own.output.iter().map(Packet::size).sum();
            *own =
                Lane { border, is_fed: true, is_done: true, is_dropped: true, ..Lane::default() };
            state.unwritten = state.unwritten.saturating_sub(bytes);
        }
        self.fed.notify_all();
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

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The splicer has taken packets, and writes them now.
    fn taken(&self, state: &mut State<T>, packets: &[&[Packet]]) {
        let bytes: usize = packets.iter().flat_map(|some| some.iter()).map(Packet::size).sum();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        state.is_splicer_idle = false;
        self.roomy.notify_one();
    }

    fn wake_all(&self) {
        for all in [&self.opened, &self.fed, &self.coded, &self.roomy] {
            all.notify_all();
        }
    }
}

impl<T> State<T> {
    fn how_far(&self) -> Lanes {
        let newest = self.lanes.last();
        let left = self.lanes.windows(2).filter(|pair| !pair[0].is_done).map(|pair| {
            let position = pair[0].position.max(pair[0].border);
            u64::try_from(pair[1].border.saturating_sub(position)).unwrap_or(0)
        });
        Lanes {
            border: newest.map_or(0, |lane| lane.border),
            position: newest.map_or(0, |lane| lane.position.max(lane.border)),
            left: left.sum(),
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
