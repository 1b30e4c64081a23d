//! Every core: one thread reads, decodes and cuts; lanes encode pieces; a splicer joins their packets.
//! Or lanes read for themselves, each a part of the recording: [`apart`].
//!
//! Where no core is idle, the newest lane simply goes on, and the result is the serial driver's. A
//! piece ends when another core can take the next one and it is long enough to pay.

pub mod apart;
mod board;
mod cutter;
mod lane;
mod listening;
mod splicer;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ffmpeg_next::frame;

use self::apart::Apart;
use self::board::{Board, Room};
use self::cutter::Cutter;
use self::lane::{Common, Kept, Tools};
use self::listening::{Listening, listening};
use self::splicer::{Joined, Splicer};
use super::super::cores::Share;
use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::crash::Watched;
use super::super::io::{Sink, Watch};
use super::super::plan::Plan;
use super::super::splice::{Batch, Grid, Listener, Misfit, SerialBecause, Splice};
use super::super::stage::encode::{Encode, Feed};
use super::super::stage::mux::Mux;
use super::super::stage::stopped;
use super::frames::{Frames, Heard};
use super::serial::{Ran, cannot_finish};
use super::spent::{Spent, thread_seconds};

/// Bytes of packets that may wait to be written, for each core: a slow disk slows the encoders down.
const UNWRITTEN_BYTES: usize = 2 << 20;

/// Carries a plan out on as many cores as its share gives.
pub struct Segmented<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// Stops it, and is told how far it is.
    pub watch: &'a Watch,
    /// Where the bytes go.
    pub sink: &'a Sink,
    /// Cores.
    pub share: &'a Share,
    /// Samples per channel that will come, as far as the source says.
    pub expected_samples: Option<u64>,
    /// What encoders are opened for.
    pub feed: &'a Feed,
    /// Set where lanes read for themselves.
    pub apart: Option<&'a Apart<'a>>,
}

/// How a run ended.
pub enum Ended {
    /// The output is whole.
    Done(Ran),
    /// The packets do not fit together; what was written is worth nothing.
    Misfit(Misfit),
}

impl<'a> Segmented<'a> {
    /// Blocks until done; cancel is seen at every packet and every read or write.
    ///
    /// # Errors
    /// As the serial driver.
    pub fn run(
        &self,
        frames: Frames<'a>,
        encode: Encode,
        mux: Mux,
        mut splice: Splice,
    ) -> Result<Ended, Failure> {
        let grid = splice.grid(encode.frame_size());
        let board = Board::new(grid.is_some(), self.watch.cancel.clone());
        let (listener, sound) = listening(splice.listener());
        self.watch.progress.follow_output();
        let splicer = Splicer {
            watch: self.watch,
            board: &board,
            splice,
            mux,
            start_seconds: self.plan.range.start_seconds,
            sample_rate: self.feed.shape.sample_rate(),
            joined: Joined::default(),
        };
        let common = Common {
            heard_until: frames.heard_until(),
            keeps_encoder: splicer.splice.keeps_encoder(),
            is_summed: sound.is_some(),
        };
        let cores = self.share.most();
        // Files that come together are better converted beside one another.
        let is_costly =
            grid.as_ref().is_some_and(|grid| grid.is_costly(self.feed.shape.sample_rate()));
        let patience = if is_costly { self.share.patience() } else { Duration::ZERO };
        let until = Instant::now() + patience;
        let pieces = (grid.as_ref(), common.keeps_encoder);
        let mut cutter = Cutter::new(self.feed, pieces, self.expected_samples, cores);
        let watched = Watched::of_this_thread();
        let mut frames = Some(frames);
        if let (Some(_), Some(frames)) = (self.apart, &mut frames) {
            frames.hide();
        }
        let spent = Mutex::new(Spent::default());
        let spend = |add: &dyn Fn(&mut Spent, f64)| {
            add(&mut spent.lock().unwrap_or_else(PoisonError::into_inner), thread_seconds());
        };
        let (splicer, listener) = std::thread::scope(|scope| {
            let listener = scope.spawn(|| {
                let _at_work = watched.enter();
                let listener = listener.map(Listening::carry_out);
                spend(&|spent, seconds| spent.listening = seconds);
                listener
            });
            let splicer = scope.spawn(|| {
                let _at_work = watched.enter();
                let splicer = splicer.carry_out();
                spend(&|spent, seconds| spent.joining = seconds);
                splicer
            });
            // Threads stay: each new one would bring memory of its own.
            let mut threads = 0;
            let mut work = || {
                if threads < self.share.most() {
                    threads += 1;
                    scope.spawn(|| {
                        let _at_work = watched.enter();
                        let mut kept = Kept::default();
                        while let Some((number, tools)) = board.take_lane() {
                            self.lane(&board, number, tools, (&common, &mut kept));
                            board.stir();
                        }
                        spend(&Spent::encoded);
                    });
                }
            };
            let whole = if self.apart.is_some() { frames.take() } else { None };
            let first = Tools { core: self.share.core(), encode: Some(encode), frames: whole };
            board.open_lane(first, i64::MIN);
            work();
            let began = thread_seconds();
            let read = caught(Stage::Decoding, || match (self.apart, &mut frames) {
                (Some(apart), _) => {
                    apart.share_out(&board, (self.share, until), &mut work);
                    Ok(())
                }
                (None, Some(frames)) => {
                    self.read(frames, &board, sound, (&mut cutter, until, grid), &mut work)
                }
                (None, None) => Ok(()),
            });
            spend(&|spent, seconds| {
                spent.reading = seconds - began;
                spent.own = spent.reading;
            });
            match read {
                Ok(()) => board.complete(),
                Err(failure) => board.fail(failure),
            }
            (splicer.join(), listener.join())
        });
        let unexpected = || {
            let message = "Joining the output failed unexpectedly.";
            Failure::new(FailureCode::Internal, Stage::Writing, message)
        };
        let (Ok(splicer), Ok(listener)) = (splicer, listener) else { return Err(unexpected()) };
        if let Some(misfit) = splicer.joined.misfit {
            return Ok(Ended::Misfit(misfit));
        }
        if let Some(failure) = board.failure() {
            return Err(failure);
        }
        if !splicer.joined.is_whole {
            return Err(unexpected());
        }
        let alone_because = match self.apart {
            Some(_) if board.is_indivisible() => "source",
            Some(apart) => apart.alone_because(),
            None => cutter.alone_because(),
        };
        let heard = match (self.apart, frames) {
            (Some(apart), _) => apart.heard().ok_or_else(unexpected)?,
            (None, Some(frames)) => Self::heard(&frames)?,
            (None, None) => return Err(unexpected()),
        };
        let ran = self.finish(heard, splicer, listener, alone_because)?;
        let spent = spent.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Ended::Done(Ran { spent, ..ran }))
    }

    fn heard(frames: &Frames<'_>) -> Result<Heard, Failure> {
        let heard = frames.summary();
        if heard.samples == 0 { Err(frames.reader().nothing_came_out()) } else { Ok(heard) }
    }

    fn read(
        &self,
        frames: &mut Frames<'_>,
        board: &Board<Tools<'a>>,
        sound: Option<SyncSender<Batch>>,
        (cutter, until, grid): (&mut Cutter, Instant, Option<Grid>),
        work: &mut dyn FnMut(),
    ) -> Result<(), Failure> {
        let heard = grid.map_or(0..0, |grid| grid.heard);
        loop {
            let mut batch = Vec::new();
            let mut samples = 0;
            while samples < cutter.batch {
                let mut frame = frame::Audio::empty();
                if !frames.next(&mut frame)? {
                    break;
                }
                samples += frame.samples() as u64;
                batch.push(frame);
            }
            let Some(border) = batch.first().map(|frame| frame.pts().unwrap_or(0)) else {
                return Ok(());
            };
            // Where no other lane could start there is no waiting for one.
            let most = if cutter.is_border() { cutter.most } else { u64::MAX };
            let ceiling = most.saturating_mul(self.share.most() as u64);
            let idle = || {
                let is_early = Instant::now() < until;
                (cutter.pays() && !is_early).then(|| self.share.core()).flatten()
            };
            match board.room(most, ceiling, UNWRITTEN_BYTES * self.share.most(), idle) {
                Room::Stop => return Ok(()),
                Room::Free => {}
                Room::Idle(core) => {
                    board.open_lane(Tools::of(core), border);
                    work();
                    cutter.begin();
                }
            }
            cutter.add(samples);
            let batch = Batch::new(batch);
            if let Some(sound) = &sound {
                // Who hears it ends last, unless it panicked: then all is found out at the end.
                let _ = sound.send(Batch::clone(&batch));
            }
            board.feed(&batch, &heard);
        }
    }

    fn finish(
        &self,
        heard: Heard,
        splicer: Splicer<'_, Tools<'a>>,
        listener: Option<Listener>,
        alone_because: SerialBecause,
    ) -> Result<Ran, Failure> {
        let Splicer { splice, mut mux, joined, .. } = splicer;
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Writing));
        }
        if let Some(last) = splice.end(listener) {
            mux.push(last).map_err(|error| cannot_finish(error, self.watch))?;
        }
        self.watch.progress.enter(Stage::Writing);
        mux.finish(self.sink, self.watch).map_err(|error| cannot_finish(error, self.watch))?;
        Ok(Ran {
            samples_encoded: heard.samples,
            coded_bytes: joined.bytes,
            coded_samples: joined.samples,
            sample_rate: self.feed.shape.sample_rate(),
            channels: self.feed.shape.channels(),
            priming_heard: 0,
            tamed: heard.tamed,
            serial_because: joined.seams.is_empty().then_some(match joined.has_tried {
                true if alone_because != "source" => "no_seam",
                _ => alone_because,
            }),
            seams: joined.seams,
            read: heard.read,
            complaints: heard.complaints,
            spent: Spent::default(),
        })
    }
}

/// Makes a panic a failure: everybody else would wait for a thread that is gone.
fn caught(stage: Stage, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message = format!("Something failed unexpectedly while {}.", stage.as_str());
        Err(Failure::new(FailureCode::Internal, stage, message))
    })
}
