//! The board as the splicer sees it: packets, in the order of lanes.

use ffmpeg_next::Packet;

use super::{Batch, Board, Lane, State, wait};

/// Packets that are worth being written.
const MANY: usize = 32;

/// What the splicer gets.
pub enum Coded {
    /// These packets follow.
    Packets(Vec<Packet>),
    /// The lane has no more, and this one follows.
    NextLane(usize),
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

impl<T> Board<T> {
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
            if self.is_over(&mut state) {
                return Coded::Stop;
            }
            let is_complete = state.is_complete;
            let mut behind = state.lanes.iter().enumerate().skip(lane + 1);
            let next = behind.find(|(_, next)| !next.is_dropped).map(|(number, _)| number);
            if let Some(own) = state.lanes.get_mut(lane) {
                if !own.output.is_empty() {
                    let packets = std::mem::take(&mut own.output);
                    self.taken(&mut state, &[&packets]);
                    return Coded::Packets(packets);
                }
                if let Some(next) = next.filter(|_| own.is_done) {
                    return Coded::NextLane(next);
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
            if self.is_over(&mut state) {
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

    /// Ends a lane behind which another one goes on, if that one does.
    pub fn hand_over(&self, lane: usize, next: usize) -> bool {
        let mut state = self.lock();
        let goes_on = state.lanes.get(next).is_some_and(|next| !next.is_dropped);
        if goes_on {
            state.drop_lane(lane);
            state.current = next;
        }
        drop(state);
        self.fed.notify_all();
        self.roomy.notify_one();
        goes_on
    }

    /// Ends a lane whose packets nobody wants any longer.
    pub fn drop_lane(&self, lane: usize) {
        let mut state = self.lock();
        state.drop_lane(lane);
        self.fed.notify_all();
    }

    /// The splicer has taken packets, and writes them now.
    fn taken(&self, state: &mut State<T>, packets: &[&[Packet]]) {
        let bytes: usize = packets.iter().flat_map(|some| some.iter()).map(Packet::size).sum();
        state.unwritten = state.unwritten.saturating_sub(bytes);
        state.is_splicer_idle = false;
        self.roomy.notify_one();
    }
}
