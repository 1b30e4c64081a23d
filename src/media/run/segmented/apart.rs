//! Lanes that read for themselves, each a part of the recording.
//!
//! One reader would hold many encoders up, and what it has read must wait in memory: pieces stay short.
//! Short pieces cost time where they overlap.
//!
//! A part is decoded from a place before its border on. Whether that gives the very sound that the lane
//! before would have gone on with is not taken on trust: both decode the first frames behind the
//! border, and must find them at the same place of the file. Where they differ, or where anything is
//! found that is not as it should be, the lane that has come there rightly goes on to the end, and
//! those behind it were for nothing.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::frame;

use super::super::super::cores::Share;
use super::super::super::failure::{Failure, Stage};
use super::super::super::ffi::input;
use super::super::super::io::Watch;
use super::super::super::limits::Limits;
use super::super::super::plan::Plan;
use super::super::super::request::Exactness;
use super::super::super::splice::{Batch, Grid, SerialBecause, Splice};
use super::super::super::stage::demux::Demux;
use super::super::super::stage::encode::{Encode, Feed};
use super::super::frames::{Frames, Heard};
use super::super::part::Part;
use super::super::reader::Reader;
use super::board::{Board, COMPARED, Lanes, Turn, Work};
use super::lane::Tools;
use crate::base::least_common_multiple;

/// Seconds of sound in a part at the least where parts overlap, and where they do not.
const PART_SECONDS: [u64; 2] = [8, 4];
/// How many times what is encoded twice a part has at the least.
const OVERLAPS: u64 = 5;
/// Bytes that a part becomes at the most, of lossy targets and of lossless ones: they wait until the lane
/// before is done.
const CODED_BYTES: [u64; 2] = [8 << 20, 4 << 20];
/// What is more than that waits to be encoded.
const AHEAD_BYTES: [usize; 2] = [10 << 20, 5 << 20];
/// Parts that are not written yet: so many more than there are cores.
const PARTS_BEYOND_CORES: usize = 2;
/// Bits per second of a lossy target where nothing is said of them.
const GUESSED_BIT_RATE: u64 = 220_000;
/// Samples of a batch at the least.
const BATCH_SAMPLES: u64 = 1 << 14;
/// libav's parser of bare FLAC tells a frame's place by what it has read ahead.
const FLAC_PLACE_BYTES: u64 = 1 << 16;
/// More cores than one reader keeps at work.
const CORES_OF_ONE_READER: usize = 8;

/// What is decoded in the same way from any place on, and told its place to the sample. Not Vorbis,
/// whose timestamps libav guesses within a page.
const DECODERS: [&str; 7] = ["flac", "alac", "mp3", "mp3float", "opus", "libopus", "wavpack"];
const CONTAINERS: [&str; 9] =
    ["wav", "w64", "aiff", "caf", "flac", "mp3", "ogg", "wv", "mov,mp4,m4a,3gp,3g2,mj2"];

/// Opens the source once more.
pub type Reopen<'a> = dyn Fn() -> Result<Input, Failure> + Sync + 'a;

/// What a part is opened with.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// Ceilings.
    pub limits: &'a Limits,
    /// Stops it.
    pub watch: &'a Watch,
    /// Opens the source once more.
    pub reopen: &'a Reopen<'a>,
}

/// What lanes have in common that read for themselves.
pub struct Apart<'a> {
    opening: Opening<'a>,
    feed: &'a Feed,
    /// Timestamp of the recording's first frame, in samples of the source.
    origin: i64,
    /// Rates of the source and of what is encoded, in Hz.
    rates: (u32, u32),
    /// Samples of a frame.
    frame_size: u32,
    /// Samples that travel together.
    batch: u64,
    /// Samples from one possible border to the next.
    unit: u64,
    /// Samples of a part, at the least and at the most.
    size: Range<u64>,
    /// Samples that will come.
    total: u64,
    /// Bytes of packets that a lane gives ahead of its turn at the most.
    ahead: usize,
    /// By how many bytes the places of a frame may differ as two readers see it; `None` where frames
    /// stand at other places from wherever it is read.
    place_bytes: Option<u64>,
    /// Whether a lane goes on past its border until the splicer drops it.
    overlaps: bool,
    /// Whether there was a place for another part and no core.
    was_refused: AtomicBool,
    /// Which samples behind a border the splicer wants to hear.
    heard: Range<u64>,
    /// What came out in the end.
    end: Mutex<Option<Heard>>,
}

impl<'a> Apart<'a> {
    /// `None` where one reader serves better, or where the source cannot be read so.
    pub fn of(
        opening: Opening<'a>,
        frames: &Frames<'_>,
        (feed, encode): (&'a Feed, &Encode),
        splice: &Splice,
        (cores, expected): (usize, Option<u64>),
    ) -> Option<Self> {
        let plan = opening.plan;
        let frame_size = encode.frame_size()?;
        let grid: Option<Grid> = splice.grid(Some(frame_size));
        let is_pcm = plan.decoder.starts_with("pcm_");
        let pays = grid.is_some() || !is_pcm || cores > CORES_OF_ONE_READER;
        let has_parts = splice.has_parts() && pays;
        let is_plain = plan.range.is_whole()
            && plan.source_samples.is_none()
            && !plan.dither
            && plan.exactness == Exactness::Ordinary;
        let source = frames.reader();
        let container = input::container(source.demux().input());
        let is_known = (is_pcm || DECODERS.contains(&plan.decoder.as_str()))
            && CONTAINERS.contains(&container.as_str());
        let total =
            expected.filter(|_| has_parts && is_plain && is_known && frames.is_regular())?;
        let rates = (frames.source_rate(), feed.shape.sample_rate());
        let rate = u64::from(rates.1);
        let frame = u64::from(frame_size);
        let of_grid = grid.as_ref().map_or(frame, |grid| grid.borders);
        let unit = least_common_multiple(of_grid, Part::step(rates));
        let settled = grid.as_ref().map_or(0, |grid| grid.settled);
        let least = rate * PART_SECONDS[usize::from(grid.is_none())];
        // The first frames of two parts must not touch.
        let least = least.max(settled * OVERLAPS).max(2 * COMPARED as u64 * frame);
        let is_lossless = plan.is_lossless();
        let bit_rate = match plan.bit_rate {
            Some(bit_rate) => u64::from(bit_rate.bits_per_second()),
            None if is_lossless => rate * feed.shape.bytes_per_sample() as u64 * 8,
            None => GUESSED_BIT_RATE,
        };
        let coded_bytes = CODED_BYTES[usize::from(is_lossless)];
        let most = (coded_bytes * 8 * rate / bit_rate.max(1)).max(least);
        let batch = grid.as_ref().map_or(frame, |grid| grid.batch);
        (total / 2 > least).then(|| Self {
            opening,
            feed,
            origin: frames.origin(),
            rates,
            frame_size,
            batch: BATCH_SAMPLES.next_multiple_of(batch),
            unit,
            size: least..most,
            total,
            ahead: AHEAD_BYTES[usize::from(is_lossless)],
            place_bytes: (!is_pcm).then_some(if container == "flac" {
                FLAC_PLACE_BYTES
            } else {
                0
            }),
            overlaps: grid.is_some(),
            was_refused: AtomicBool::new(false),
            heard: grid.map_or(0..0, |grid| grid.heard),
            end: Mutex::default(),
        })
    }

    /// Opens lanes for the parts one after the other, whenever a core is idle, but not before `from`.
    pub fn share_out(
        &self,
        board: &Board<Tools<'_>>,
        (share, from): (&Share, Instant),
        work: &mut dyn FnMut(),
    ) {
        let mut next = |lanes: Lanes| match self.next_border(lanes, share.most()) {
            None => Some(None),
            Some(_) if Instant::now() < from => None,
            Some(border) => {
                let core = share.core();
                self.was_refused.fetch_or(core.is_none(), Ordering::Relaxed);
                core.map(|core| Some((Tools::of(core), border)))
            }
        };
        while board.open_part(share.most() + PARTS_BEYOND_CORES, &mut next) {
            work();
        }
    }

    /// Why there is one part alone, in a word of the API.
    pub fn alone_because(&self) -> SerialBecause {
        if self.was_refused.load(Ordering::Relaxed) { "busy" } else { "short" }
    }

    /// Where the next part may start; `None` when what is left is not worth another one.
    ///
    /// The newest lane goes on up to there. It is to have as much left to do as each core has, so that
    /// all of them end at about the same time.
    fn next_border(&self, lanes: Lanes, cores: usize) -> Option<i64> {
        let start = u64::try_from(lanes.border).unwrap_or(0);
        let position = u64::try_from(lanes.position).unwrap_or(0);
        let left = self.total.saturating_sub(position) + lanes.left;
        let fair = position + left / cores.max(1) as u64;
        let border = fair.clamp(start + self.size.start, start + self.size.end);
        let border = border.max(position + 2 * self.batch).next_multiple_of(self.unit);
        (border + self.size.start <= self.total).then_some(border)?.try_into().ok()
    }

    /// Reads up to a border, if need be with a demuxer of its own; `None` when the source does not
    /// lead there.
    pub fn open<T>(
        &self,
        board: &Board<T>,
        number: usize,
        demux: Option<Demux>,
    ) -> Result<Option<Frames<'a>>, Failure> {
        let border = board.border(number);
        let Opening { plan, limits, watch, reopen } = self.opening;
        let demux = match demux {
            Some(demux) => demux,
            None => Demux::new(reopen()?, plan.stream),
        };
        let reader = Reader::open(plan, limits, watch, demux)?;
        watch.progress.enter(Stage::Encoding);
        let border = u64::try_from(border).unwrap_or(0);
        let part = Part { border, origin: self.origin, rates: self.rates };
        let Some(mut frames) = Frames::open_part(plan, watch, reader, &part)? else {
            return Ok(None);
        };
        board.mark(number, frames.mark().filter(|_| self.place_bytes.is_some()));
        let shape = frames.filter().output_shape();
        frames.filter().set_frame_size(self.frame_size);
        Ok((shape.as_ref() == Some(&self.feed.shape)).then_some(frames))
    }

    /// What a lane is to do next. `complaints` are how many errors its decoder has logged.
    pub fn next<T>(
        &self,
        board: &Board<T>,
        number: usize,
        frames: &mut Frames<'_>,
        complaints: &dyn Fn() -> usize,
    ) -> Result<Work, Failure> {
        let Turn::Go { end } = board.turn(number, frames.position(), self.ahead) else {
            return Ok(Work::Stop);
        };
        let has_passed = |position: i64| end.is_some_and(|end| position >= end);
        // What follows is the next lane's then, and only compared.
        let is_over = !self.overlaps && has_passed(frames.position());
        // Once, with the first frames behind the border.
        let batch_before = i64::try_from(self.batch).unwrap_or(0);
        let comes_to_next = has_passed(frames.position())
            && !has_passed(frames.position().saturating_sub(batch_before));
        let compared = COMPARED as u64 * u64::from(self.frame_size);
        let count = if is_over { compared } else { self.batch };
        let is_enough = |position: i64| !self.overlaps && !is_over && has_passed(position);
        let mut batch = Vec::new();
        let mut samples = 0;
        let mut is_same = true;
        while samples < count && !is_enough(frames.position()) {
            let mut frame = frame::Audio::empty();
            if !frames.next(&mut frame)? {
                break;
            }
            samples += frame.samples() as u64;
            let position = frame.pts().unwrap_or(0);
            match board.compare(number, position, self.frame_size, || sum(&frame)) {
                Some(wrong) if wrong == number => return Ok(self.given_up(board, number)),
                Some(_) => is_same = false,
                None => {}
            }
            batch.push(frame);
        }
        let has_ended = batch.is_empty();
        let stands_at = |timestamp: i64, byte: u64| {
            let stands = frames.stands(timestamp);
            stands.is_some_and(|stands| Some(stands.abs_diff(byte)) <= self.place_bytes)
        };
        is_same &= !comes_to_next || board.is_marked(number, stands_at);
        let is_regular = is_same && frames.is_regular() && complaints() == 0;
        if !is_regular {
            board.read_in_one(number, |position| self.forget_behind(position));
        } else if has_ended && !is_over {
            board.end(number);
        }
        if is_over && is_regular {
            return Ok(Work::Finish { is_last: false });
        }
        if has_ended {
            let heard = Heard { complaints: complaints(), ..frames.summary() };
            *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(heard);
            return Ok(Work::Finish { is_last: true });
        }
        let batch = Arc::new(batch);
        board.keep(number, &batch, &self.heard, || self.show(&batch));
        Ok(Work::Encode(batch))
    }

    /// Leaves a lane's part to the one before it.
    pub fn given_up<T>(&self, board: &Board<T>, number: usize) -> Work {
        board.leave(number, |position| self.forget_behind(position));
        Work::Stop
    }

    /// Shows frames to who draws the sound.
    fn show(&self, batch: &Batch) {
        for frame in batch.iter() {
            let position = u64::try_from(frame.pts().unwrap_or(0)).unwrap_or(0);
            self.opening.watch.progress.heard(frame, (0, frame.samples()), position);
        }
    }

    /// What lanes have shown behind a place was not right.
    fn forget_behind(&self, position: i64) {
        let position = u64::try_from(position).unwrap_or(0);
        self.opening.watch.progress.shape(|waveform| waveform.forget_behind(position));
    }

    /// What came out, once the last lane is done.
    pub fn heard(&self) -> Option<Heard> {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sum over a frame's samples.
fn sum(frame: &frame::Audio) -> u64 {
    let channels = if frame.is_planar() { 1 } else { usize::from(frame.channels()) };
    let bytes = frame.samples() * frame.format().bytes() * channels;
    let mut sum = DefaultHasher::new();
    for plane in 0..frame.planes() {
        sum.write(&frame.data(plane)[..bytes]);
    }
    sum.finish()
}
