//! Every core: one thread reads, decodes and cuts; lanes encode pieces; a splicer joins their packets.
//!
//! Where no core is idle, the newest lane simply goes on, and the result is the serial driver's. A
//! piece ends when another core can take the next one and it is long enough to pay.

mod board;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ffmpeg_next::{Error, frame};

use self::board::{Batch, Board, Coded, Room, Work};
use super::super::cores::{Core, Share};
use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::crash::Watched;
use super::super::ffi::log::CaptureGuard;
use super::super::io::{Sink, Watch};
use super::super::plan::Plan;
use super::super::splice::{Listener, Misfit, Splice};
use super::super::stage::encode::{Encode, Feed};
use super::super::stage::mux::Mux;
use super::super::stage::{failed, stopped};
use super::super::waveform::Waveform;
use super::frames::Frames;
use super::opening::Opened;
use super::serial::{Ran, cannot_encode, cannot_finish};

/// Bytes of samples in a piece at the most: what may wait for each core.
const PIECE_BYTES: u64 = 1 << 20;
/// Seconds of sound in a piece at the least: less does not pay for a new encoder.
const PIECE_SECONDS_MIN: u64 = 4;
/// Bytes of samples that travel together.
const BATCH_BYTES: usize = 1 << 17;

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
}

/// How a run ended.
pub enum Ended {
    /// The output is whole.
    Done(Ran),
    /// The packets do not fit together; what was written is worth nothing.
    Misfit(Misfit),
}

/// What a lane works with.
struct Tools {
    /// Goes back when the lane is done.
    _core: Option<Core>,
    /// The encoder that the muxer knows, for the first lane; the others open their own.
    encode: Option<Encode>,
}

/// Joins what the lanes give.
struct Splicer<'a> {
    watch: &'a Watch,
    board: &'a Board<Tools>,
    splice: Splice,
    mux: Mux,
    /// Where in the source the sound starts.
    start_seconds: f64,
    sample_rate: u32,
    coded_bytes: u64,
    coded_samples: u64,
    misfit: Option<Misfit>,
}

impl Segmented<'_> {
    /// Blocks until done; cancel is seen at every packet and every read or write.
    ///
    /// # Errors
    /// As the serial driver.
    pub fn run(
        &self,
        mut frames: Frames<'_>,
        opened: Opened,
        splice: Splice,
    ) -> Result<Ended, Failure> {
        let Opened { feed, encode, mux } = opened;
        let board = Board::new();
        let mut listener = splice.listener();
        self.watch.progress.follow_output();
        let splicer = Splicer {
            watch: self.watch,
            board: &board,
            splice,
            mux,
            start_seconds: self.plan.range.start_seconds,
            sample_rate: feed.shape.sample_rate(),
            coded_bytes: 0,
            coded_samples: 0,
            misfit: None,
        };
        let watched = Watched::of_this_thread();
        let splicer = std::thread::scope(|scope| {
            let splicer = scope.spawn(|| {
                let _at_work = watched.enter();
                splicer.carry_out()
            });
            // Threads stay: each new one would bring memory of its own.
            let mut threads = 0;
            let mut open = |tools: Tools| {
                board.open_lane(tools);
                if threads < self.share.most() {
                    threads += 1;
                    scope.spawn(|| {
                        let _at_work = watched.enter();
                        while let Some((number, tools)) = board.take_lane() {
                            self.lane(&board, number, tools, &feed);
                        }
                    });
                }
            };
            open(Tools { _core: self.share.core(), encode: Some(encode) });
            let mut cutter = Cutter::new(&feed, self.expected_samples, self.share.most());
            let read = caught(Stage::Decoding, || {
                self.read(&mut frames, &board, listener.as_mut(), &mut cutter, &mut open)
            });
            match read {
                Ok(()) => board.complete(),
                Err(failure) => board.fail(failure),
            }
            splicer.join()
        });
        let Ok(splicer) = splicer else {
            let message = "Joining the output failed unexpectedly.";
            return Err(Failure::new(FailureCode::Internal, Stage::Writing, message));
        };
        if let Some(misfit) = splicer.misfit {
            return Ok(Ended::Misfit(misfit));
        }
        if let Some(failure) = board.failure() {
            return Err(failure);
        }
        self.finish(frames, &feed, splicer, listener, board.lanes()).map(Ended::Done)
    }

    fn read(
        &self,
        frames: &mut Frames<'_>,
        board: &Board<Tools>,
        mut listener: Option<&mut Listener>,
        cutter: &mut Cutter,
        open: &mut dyn FnMut(Tools),
    ) -> Result<(), Failure> {
        loop {
            let mut batch = Vec::new();
            let mut samples = 0;
            while samples < cutter.batch {
                let mut frame = frame::Audio::empty();
                if !frames.next(&mut frame)? {
                    break;
                }
                if let Some(listener) = &mut listener {
                    listener.hear(&frame);
                }
                samples += frame.samples() as u64;
                batch.push(frame);
            }
            if batch.is_empty() {
                return Ok(());
            }
            let most = cutter.most;
            match board.room(most, || cutter.pays().then(|| self.share.core()).flatten()) {
                Room::Stop => return Ok(()),
                Room::Free => {}
                Room::Idle(core) => {
                    open(Tools { _core: Some(core), encode: None });
                    cutter.begin();
                }
            }
            cutter.add(samples);
            board.feed(Batch::new(batch));
        }
    }

    /// One encoder's work, on a thread of its own.
    fn lane(&self, board: &Board<Tools>, number: usize, tools: Tools, feed: &Feed) {
        let log = CaptureGuard::start();
        let encoded = caught(Stage::Encoding, || self.encode(board, number, tools, feed));
        if let Err(mut failure) = encoded {
            failure.detail = log.lines().iter().map(ToString::to_string).collect();
            board.fail(failure);
        }
    }

    fn encode(
        &self,
        board: &Board<Tools>,
        number: usize,
        tools: Tools,
        feed: &Feed,
    ) -> Result<(), Failure> {
        let cannot = |error: Error| cannot_encode(self.plan, error, self.watch);
        let mut encode = match tools.encode {
            Some(encode) => encode,
            None => Encode::open(self.plan, feed).map_err(cannot)?,
        };
        loop {
            let batch = match board.work(number) {
                Work::Stop => return Ok(()),
                Work::Encode(batch) => Some(batch),
                Work::Finish => None,
            };
            let mut packets = Vec::new();
            for frame in batch.iter().flat_map(|batch| batch.iter()) {
                if let Some(reason) = self.watch.cancel.reason() {
                    return Err(stopped(reason, Stage::Encoding));
                }
                encode.push(frame).map_err(cannot)?;
                while let Some(packet) = encode.pull().map_err(cannot)? {
                    packets.push(packet);
                }
            }
            if batch.is_none() {
                encode.close().map_err(cannot)?;
                while let Some(packet) = encode.pull().map_err(cannot)? {
                    packets.push(packet);
                }
            }
            board.give(number, packets, batch.is_none());
            if batch.is_none() {
                return Ok(());
            }
        }
    }

    fn finish(
        &self,
        frames: Frames<'_>,
        feed: &Feed,
        splicer: Splicer<'_>,
        listener: Option<Listener>,
        lanes: usize,
    ) -> Result<Ran, Failure> {
        let Splicer { splice, mut mux, coded_bytes, coded_samples, .. } = splicer;
        if frames.heard() == 0 {
            return Err(frames.reader().nothing_came_out());
        }
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Writing));
        }
        if let Some(last) = splice.end(listener) {
            mux.push(last).map_err(|error| cannot_finish(error, self.watch))?;
        }
        self.watch.progress.enter(Stage::Writing);
        self.watch.progress.shape(Waveform::finish);
        mux.finish(self.sink, self.watch).map_err(|error| cannot_finish(error, self.watch))?;
        Ok(Ran {
            samples_encoded: frames.heard(),
            coded_bytes,
            coded_samples,
            sample_rate: feed.shape.sample_rate(),
            channels: feed.shape.channels(),
            priming_heard: 0,
            tamed: frames.tamed(),
            segments: u32::try_from(lanes).unwrap_or(u32::MAX),
            serial_because: None,
            read: frames.reader().read(),
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

impl Splicer<'_> {
    fn carry_out(mut self) -> Self {
        let log = CaptureGuard::start();
        if let Err(mut failure) = caught(Stage::Writing, || self.join()) {
            failure.detail = log.lines().iter().map(ToString::to_string).collect();
            self.board.fail(failure);
        }
        self
    }

    fn join(&mut self) -> Result<(), Failure> {
        let mut lane = 0;
        loop {
            let packets = match self.board.coded(lane) {
                Coded::Stop | Coded::End => return Ok(()),
                Coded::NextLane => {
                    lane += 1;
                    continue;
                }
                Coded::Packets(packets) => packets,
            };
            for packet in packets {
                match self.splice.pass(packet) {
                    Ok(Some(packet)) => self.write(packet)?,
                    Ok(None) => {}
                    Err(misfit) => {
                        self.misfit = Some(misfit);
                        let stop = Failure::new(FailureCode::Internal, Stage::Encoding, misfit.0);
                        return Err(stop);
                    }
                }
            }
        }
    }

    fn write(&mut self, packet: ffmpeg_next::Packet) -> Result<(), Failure> {
        self.watch.progress.encoded();
        self.coded_bytes += packet.size() as u64;
        self.coded_samples += u64::try_from(packet.duration()).unwrap_or(0);
        self.mux.push(packet).map_err(|error| {
            let message = format!("The output cannot be made: {error}.");
            let otherwise = Failure::new(FailureCode::Internal, Stage::Writing, message);
            failed(error, otherwise, self.watch)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "a position for people")]
        let seconds = self.coded_samples as f64 / f64::from(self.sample_rate.max(1));
        self.watch.progress.written(self.start_seconds + seconds);
        Ok(())
    }
}

/// Decides where pieces end.
struct Cutter {
    /// Samples that travel together.
    batch: u64,
    /// Samples of a piece at the most and at the least.
    most: u64,
    least: u64,
    /// Samples that are still to come, when that is known.
    left: Option<u64>,
    cores: u64,
    /// Samples of the newest piece.
    piece: u64,
}

impl Cutter {
    fn new(feed: &Feed, expected: Option<u64>, cores: usize) -> Self {
        let bytes = feed.shape.bytes_per_sample().max(1);
        let least = u64::from(feed.shape.sample_rate()) * PIECE_SECONDS_MIN;
        Self {
            batch: (BATCH_BYTES / bytes) as u64,
            most: (PIECE_BYTES / bytes as u64).max(least),
            least,
            left: expected,
            cores: cores as u64,
            piece: 0,
        }
    }

    /// Whether the newest piece is long enough, and what follows is worth another one. Towards the
    /// end pieces become shorter, so that all cores end at about the same time.
    fn pays(&self) -> bool {
        let fair = self.left.map_or(self.most, |left| left / (2 * self.cores));
        let is_worth_it = self.left.is_none_or(|left| left > self.least);
        is_worth_it && self.piece >= fair.clamp(self.least, self.most)
    }

    fn begin(&mut self) {
        self.piece = 0;
    }

    fn add(&mut self, samples: u64) {
        self.piece += samples;
        self.left = self.left.map(|left| left.saturating_sub(samples));
    }
}
