//! How far a conversion is: written by its thread, read by anyone; counters without locks.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ffmpeg_next::frame;

use super::failure::Stage;
use super::waveform::Waveform;

/// Counters of one attempt. All are true counts of what the engine has done.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    stage: AtomicU8,
    /// Passes over the source that are over, and all there will be.
    passes_over: AtomicU8,
    passes: AtomicU8,
    /// When this pass began, since `started`.
    pass_began_us: AtomicU64,
    frames_decoded: AtomicU64,
    frames_encoded: AtomicU64,
    samples_decoded: AtomicU64,
    position_us: AtomicU64,
    duration_us: AtomicU64,
    source_bytes: AtomicU64,
    source_length: AtomicU64,
    /// Whether the position is that of what is written: what is decoded may be far ahead.
    follows_output: AtomicBool,
    output_bytes: AtomicU64,
    /// Encoders at work.
    lanes: AtomicU32,
    /// Reads, writes and frames, counted to see that something moves.
    moves: AtomicU64,
    /// Held for a frame's time at most.
    waveform: Mutex<Waveform>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Snapshot {
    /// What is being done.
    pub stage: Stage,
    /// Codec frames decoded.
    pub frames_decoded: u64,
    /// Codec frames encoded.
    pub frames_encoded: u64,
    /// Samples per channel decoded.
    pub samples_decoded: u64,
    /// Decoded length of the source so far.
    pub position_seconds: f64,
    /// Length of the source, when it is known.
    pub duration_seconds: Option<f64>,
    /// Bytes written to the output.
    pub output_bytes: u64,
    /// Share done, 0 up to 99.9 within an attempt; `None` while it cannot be known.
    pub percent: Option<f64>,
    /// Seconds of sound per second of wall clock; `None` in the first instants.
    pub speed: Option<f64>,
    /// Seconds to go at that speed.
    pub eta_seconds: Option<f64>,
    /// Cores it works on.
    pub cores: u32,
}

/// An encoder at work.
pub struct Lane<'a>(&'a Progress);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.lanes.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The highest percent a running conversion shows: 100 comes with "done" only.
const RUNNING_PERCENT_MAX: f64 = 99.9;

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            stage: AtomicU8::new(0),
            passes_over: AtomicU8::new(0),
            passes: AtomicU8::new(1),
            pass_began_us: AtomicU64::new(0),
            frames_decoded: AtomicU64::new(0),
            frames_encoded: AtomicU64::new(0),
            samples_decoded: AtomicU64::new(0),
            position_us: AtomicU64::new(0),
            duration_us: AtomicU64::new(0),
            source_bytes: AtomicU64::new(0),
            source_length: AtomicU64::new(0),
            follows_output: AtomicBool::new(false),
            output_bytes: AtomicU64::new(0),
            lanes: AtomicU32::new(0),
            moves: AtomicU64::new(0),
            waveform: Mutex::default(),
        }
    }
}

impl Progress {
    /// Says what is being done now.
    pub fn enter(&self, stage: Stage) {
        let code = match stage {
            Stage::Reading => 0,
            Stage::Decoding => 1,
            Stage::Encoding => 2,
            Stage::Writing => 3,
        };
        self.stage.store(code, Ordering::Relaxed);
    }

    /// Says over how many passes the percent spreads; 1 unless told.
    pub fn set_passes(&self, passes: u8) {
        self.passes.store(passes.max(1), Ordering::Relaxed);
    }

    /// Says that the next pass begins, at the start of the source.
    pub fn next_pass(&self) {
        self.pass_began_us
            .store(microseconds(self.started.elapsed().as_secs_f64()), Ordering::Relaxed);
        self.source_bytes.store(0, Ordering::Relaxed);
        // Counted before the position falls: a reader in between sees the higher percent.
        self.passes_over.fetch_add(1, Ordering::Relaxed);
        self.position_us.store(0, Ordering::Relaxed);
    }

    /// Says that the work begins again: what was counted does not count.
    pub fn restart(&self) {
        for counter in [
            &self.frames_decoded,
            &self.frames_encoded,
            &self.samples_decoded,
            &self.position_us,
            &self.source_bytes,
            &self.output_bytes,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        self.follows_output.store(false, Ordering::Relaxed);
        self.shape(|waveform| *waveform = Waveform::default());
    }

    /// Says how long the source is.
    pub fn set_duration(&self, seconds: f64) {
        self.duration_us.store(microseconds(seconds), Ordering::Relaxed);
    }

    /// Says how many bytes the source has.
    pub fn set_source_length(&self, bytes: u64) {
        self.source_length.store(bytes, Ordering::Relaxed);
    }

    /// Says how far into the source the demuxer has read; the farthest place stays.
    ///
    /// Ignored while the source is being opened: demuxers look at the end of a file for tags.
    pub fn source_reached(&self, byte: u64) {
        self.moved();
        if self.stage.load(Ordering::Relaxed) != 0 {
            self.source_bytes.fetch_max(byte, Ordering::Relaxed);
        }
    }

    /// Counts one decoded frame that ends at `position_seconds` of the source.
    pub fn decoded(&self, samples: u64, position_seconds: f64) {
        self.moved();
        self.frames_decoded.fetch_add(1, Ordering::Relaxed);
        self.samples_decoded.fetch_add(samples, Ordering::Relaxed);
        if !self.follows_output.load(Ordering::Relaxed) {
            self.position_us.fetch_max(microseconds(position_seconds), Ordering::Relaxed);
        }
    }

    /// Says that the position is that of what is written from now on.
    pub fn follow_output(&self) {
        self.follows_output.store(true, Ordering::Relaxed);
    }

    /// Says up to which place of the source the output is written.
    pub fn written(&self, position_seconds: f64) {
        if self.follows_output.load(Ordering::Relaxed) {
            self.position_us.fetch_max(microseconds(position_seconds), Ordering::Relaxed);
        }
    }

    /// Counts one encoded frame.
    pub fn encoded(&self) {
        self.moved();
        self.frames_encoded.fetch_add(1, Ordering::Relaxed);
    }

    /// Says how many bytes the output has; the highest number stays.
    pub fn output_reached(&self, byte: u64) {
        self.moved();
        self.output_bytes.fetch_max(byte, Ordering::Relaxed);
    }

    /// Adds the samples `from..to` of a frame, the first of which is heard at `position`, to the shape
    /// of the output's sound.
    pub fn heard(&self, frame: &frame::Audio, (from, to): (usize, usize), position: u64) {
        self.shape(|waveform| waveform.push(frame, (from, to), position));
    }

    /// Looks at the shape of the sound so far, or completes it.
    pub fn shape<R>(&self, act: impl FnOnce(&mut Waveform) -> R) -> R {
        act(&mut self.waveform.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says that something moves though no counter shows it.
    pub fn moved(&self) {
        self.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// How often anything has moved: a number that stays the same means a standstill.
    #[must_use]
    pub fn moves(&self) -> u64 {
        self.moves.load(Ordering::Relaxed)
    }

    /// Says that another encoder is at work, until what this gives is dropped.
    #[must_use]
    pub fn lane(&self) -> Lane<'_> {
        self.lanes.fetch_add(1, Ordering::Relaxed);
        Lane(self)
    }

    /// Everything at this moment. The counters are read one by one: they may be a frame apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let position_seconds = seconds(self.position_us.load(Ordering::Relaxed));
        let duration_seconds =
            Some(seconds(self.duration_us.load(Ordering::Relaxed))).filter(|&known| known > 0.0);
        let elapsed = self.started.elapsed().as_secs_f64();
        let in_pass = elapsed - seconds(self.pass_began_us.load(Ordering::Relaxed));
        let speed = (in_pass > 0.2 && position_seconds > 0.0).then(|| position_seconds / in_pass);
        let share_of_pass = match duration_seconds {
            Some(duration) => Some(position_seconds / duration),
            None => self.share_of_bytes(),
        };
        let passes = f64::from(self.passes.load(Ordering::Relaxed));
        let over = f64::from(self.passes_over.load(Ordering::Relaxed));
        let share = share_of_pass.map(|share| (over + share.min(1.0)) / passes);
        let eta_seconds = speed
            .zip(share)
            .and_then(|(_, share)| (share > 0.0).then(|| (elapsed / share - elapsed).max(0.0)));
        Snapshot {
            stage: match self.stage.load(Ordering::Relaxed) {
                0 => Stage::Reading,
                1 => Stage::Decoding,
                2 => Stage::Encoding,
                _ => Stage::Writing,
            },
            frames_decoded: self.frames_decoded.load(Ordering::Relaxed),
            frames_encoded: self.frames_encoded.load(Ordering::Relaxed),
            samples_decoded: self.samples_decoded.load(Ordering::Relaxed),
            position_seconds,
            duration_seconds,
            output_bytes: self.output_bytes.load(Ordering::Relaxed),
            percent: share.map(|share| (share * 100.0).clamp(0.0, RUNNING_PERCENT_MAX)),
            speed,
            eta_seconds,
            cores: self.lanes.load(Ordering::Relaxed).max(1),
        }
    }

    /// Without a duration, how much of the file was read is the best that is true.
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    fn share_of_bytes(&self) -> Option<f64> {
        let length = self.source_length.load(Ordering::Relaxed);
        let reached = self.source_bytes.load(Ordering::Relaxed);
        (length > 0).then(|| reached as f64 / length as f64)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to u64 by `as`"
)]
fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

#[expect(clippy::cast_precision_loss, reason = "2^53 µs are 285 years")]
fn seconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_follows_the_position_and_stays_below_100_while_running() {
        let progress = Progress::default();
        assert_eq!(progress.snapshot().percent, None);
        progress.set_duration(10.0);
        progress.decoded(44_100, 4.27);
        let snapshot = progress.snapshot();
        assert!((snapshot.percent.unwrap_or(0.0) - 42.7).abs() < 1e-9);
        progress.decoded(44_100, 12.0);
        assert_eq!(progress.snapshot().percent, Some(RUNNING_PERCENT_MAX));
        progress.decoded(44_100, 3.0);
        assert_eq!(progress.snapshot().percent, Some(RUNNING_PERCENT_MAX), "it never goes back");
    }

    #[test]
    fn without_a_duration_the_read_bytes_say_how_far_it_is() {
        let progress = Progress::default();
        progress.set_source_length(200);
        progress.source_reached(199);
        progress.enter(Stage::Decoding);
        progress.source_reached(50);
        assert_eq!(progress.snapshot().percent, Some(25.0));
    }
}
