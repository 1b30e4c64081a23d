//! What the threads of a run spend of CPU time.

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of a run, by what they were spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Reading, decoding and filtering for all encoders.
    pub reading: f64,
    /// Encoding; decoding too, where lanes read for themselves. In one, everything.
    pub encoding: f64,
    /// The most that one thread spent on that.
    pub longest: f64,
    /// Joining packets and writing.
    pub joining: f64,
    /// Summing up the sound.
    pub listening: f64,
    /// What of all that the conversion's own thread did.
    pub own: f64,
}

impl Spent {
    /// Of all threads.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.reading + self.encoding + self.joining + self.listening
    }

    /// Of one thread that did everything.
    #[must_use]
    pub fn alone(seconds: f64) -> Self {
        Self { encoding: seconds, longest: seconds, own: seconds, ..Self::default() }
    }

    /// Adds what one more thread has spent on encoding.
    pub fn encoded(&mut self, seconds: f64) {
        self.encoding += seconds;
        self.longest = self.longest.max(seconds);
    }
}

/// CPU seconds of this thread so far.
#[must_use]
pub fn thread_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "seconds of a thread")]
    let (seconds, nanoseconds) = (time.tv_sec as f64, time.tv_nsec as f64);
    seconds + nanoseconds / 1e9
}
