//! The drivers: they own the order of work, its threads, progress and stopping.
//!
//! Owns: the loop. Never: what a stage does inside.
//! Used by: `media::convert`.

pub mod copy;
pub mod frames;
pub mod measure;
pub mod opening;
pub mod part;
pub mod reader;
pub mod segmented;
pub mod serial;
pub mod spent;

use self::frames::Frames;
use self::opening::Opened;
use self::reader::Reader;
use self::segmented::apart::{Apart, Opening, Reopen};
use self::segmented::{Ended, Segmented};
use super::cores::Share;
use super::failure::Failure;
use super::io::{Sink, Watch};
use super::limits::Limits;
use super::metadata::Metadata;
use super::plan::Plan;
use super::splice::Splice;
use super::stage::demux::Demux;

/// Everything that an encoding run works with.
pub struct Run<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// Ceilings.
    pub limits: &'a Limits,
    /// Stops it, and is told how far it is.
    pub watch: &'a Watch,
    /// Where the bytes go.
    pub sink: &'a Sink,
    /// What stands beside the sound.
    pub metadata: &'a Metadata,
    /// Cores to encode on.
    pub share: Share,
    /// Seconds of sound that will come, as far as the source says.
    pub expected_seconds: Option<f64>,
    /// Opens the source once more, for parts that are read apart.
    pub reopen: &'a Reopen<'a>,
}

impl Run<'_> {
    /// Carries the plan out, on every idle core where its codec allows that. Blocks until done; cancel
    /// is seen at every packet and every read or write.
    ///
    /// # Errors
    /// A [`Failure`]; the caller attaches the log lines and throws the sink's content away.
    pub fn carry_out(&self, demux: Demux) -> Result<Ended, Failure> {
        let reader = Reader::open(self.plan, self.limits, self.watch, demux)?;
        let mut frames = Frames::open(self.plan, self.watch, reader)?;
        let opened = opening::open(self.plan, self.watch, &mut frames, self.sink, self.metadata)?;
        let splice = if self.share.most() > 1 {
            Splice::of(self.plan, opened.encode.encoder(), &opened.feed.shape)
        } else {
            Err("one_core")
        };
        let expected_samples = self.expected_samples(&opened);
        let serial = |frames, opened, because| {
            let ran = serial::run(self.plan, self.watch, frames, opened, self.sink)?;
            Ok(Ended::Done(serial::Ran { serial_because: Some(because), ..ran }))
        };
        let splice = match splice {
            Ok(splice) => splice,
            Err(because) => return serial(frames, opened, because),
        };
        let amount = (self.share.most(), expected_samples);
        let Opened { feed, encode, mux } = opened;
        let Self { plan, limits, watch, reopen, .. } = *self;
        let opening = Opening { plan, limits, watch, reopen };
        let apart = Apart::of(opening, &frames, (&feed, &encode), &splice, amount);
        if apart.is_none() && splice.is_too_much(&feed.shape) {
            return serial(frames, Opened { feed, encode, mux }, "memory");
        }
        let segmented = Segmented {
            plan: self.plan,
            watch: self.watch,
            sink: self.sink,
            share: &self.share,
            expected_samples,
            feed: &feed,
            apart: apart.as_ref(),
        };
        segmented.run(frames, encode, mux, splice)
    }

    fn expected_samples(&self, opened: &Opened) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` clamps")]
        self.expected_seconds.map(|seconds| {
            let seconds = seconds - self.plan.range.start_seconds;
            (seconds * f64::from(opened.feed.shape.sample_rate())) as u64
        })
    }
}
