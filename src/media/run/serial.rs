//! One thread: demux, decode, filter, encode, mux, packet by packet.

use ffmpeg_next::{Error, frame};

use super::super::catalog::Catalog;
use super::super::failure::{Failure, FailureCode, Stage};
use super::super::io::{Sink, Watch};
use super::super::plan::Plan;
use super::super::stage::encode::Encode;
use super::super::stage::mux::Mux;
use super::super::stage::{failed, stopped};
use super::frames::Frames;
use super::opening::Opened;
use super::reader::Read;
use super::spent::{Spent, thread_seconds};

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Samples per channel that were encoded.
    pub samples_encoded: u64,
    /// Bytes of the encoded packets, without the container.
    pub coded_bytes: u64,
    /// Samples per channel in those packets, heard or not.
    pub coded_samples: u64,
    /// Rate of the output in Hz.
    pub sample_rate: u32,
    /// Channels of the output.
    pub channels: u32,
    /// Samples before the start of the sound that readers of the output do not know to drop.
    pub priming_heard: u32,
    /// Samples that were no numbers or far beyond full scale.
    pub tamed: u64,
    /// Where pieces that were encoded side by side meet, in samples.
    pub seams: Vec<u64>,
    /// Why it was encoded in one, where it was, in a word of the API.
    pub serial_because: Option<&'static str>,
    /// What was read of the source.
    pub read: Read,
    /// Errors that decoders have logged on other threads.
    pub complaints: usize,
    /// CPU time.
    pub spent: Spent,
}

/// Carries the plan out. Blocks until done; cancel is seen at every packet and every read or write.
///
/// # Errors
/// A [`Failure`]; the caller attaches the log lines and throws the sink's content away.
pub fn run(
    plan: &Plan,
    watch: &Watch,
    mut frames: Frames<'_>,
    opened: Opened,
    sink: &Sink,
) -> Result<Ran, Failure> {
    let began = thread_seconds();
    let Opened { feed, mut encode, mut mux } = opened;
    let mut coded = Coded::default();
    let mut frame = frame::Audio::empty();
    while frames.next(&mut frame)? {
        encode.push(&frame).map_err(|error| cannot_encode(plan, error, watch))?;
        coded.drain(&mut encode, &mut mux, watch)?;
    }
    encode.close().map_err(|error| cannot_finish(error, watch))?;
    coded.drain(&mut encode, &mut mux, watch)?;
    let heard = frames.summary();
    if heard.samples == 0 {
        return Err(frames.reader().nothing_came_out());
    }
    if let Some(reason) = watch.cancel.reason() {
        return Err(stopped(reason, Stage::Writing));
    }
    watch.progress.enter(Stage::Writing);
    mux.finish(sink, watch).map_err(|error| cannot_finish(error, watch))?;
    Ok(Ran {
        samples_encoded: heard.samples,
        coded_bytes: coded.bytes,
        coded_samples: coded.samples,
        sample_rate: feed.shape.sample_rate(),
        channels: feed.shape.channels(),
        priming_heard: 0,
        tamed: heard.tamed,
        seams: Vec::new(),
        serial_because: None,
        read: heard.read,
        complaints: heard.complaints,
        spent: Spent::alone(thread_seconds() - began),
    })
}

/// What was written.
#[derive(Default)]
struct Coded {
    bytes: u64,
    samples: u64,
}

impl Coded {
    /// Writes what the encoder has ready.
    fn drain(&mut self, encode: &mut Encode, mux: &mut Mux, watch: &Watch) -> Result<(), Failure> {
        let cannot = |error: Error, stage: Stage| {
            let message = format!("The output cannot be made: {error}.");
            failed(error, Failure::new(FailureCode::Internal, stage, message), watch)
        };
        while let Some(packet) = encode.pull().map_err(|error| cannot(error, Stage::Encoding))? {
            watch.progress.encoded();
            self.bytes += packet.size() as u64;
            self.samples += u64::try_from(packet.duration()).unwrap_or(0);
            mux.push(packet).map_err(|error| cannot(error, Stage::Writing))?;
        }
        Ok(())
    }
}

/// Why an encoder does not take a frame.
pub(super) fn cannot_encode(plan: &Plan, error: Error, watch: &Watch) -> Failure {
    if error == (Error::Other { errno: libc::ENOTSUP }) {
        let label = Catalog::of_this_build().entry(plan.format).spec.label;
        let message = format!("{label} cannot end with so few samples; flac and wv can.");
        return Failure::new(FailureCode::OptionUnsupported, Stage::Encoding, message);
    }
    let message = format!("Encoding failed: {error}.");
    failed(error, Failure::new(FailureCode::Internal, Stage::Encoding, message), watch)
}

/// Why an output cannot be completed.
pub(super) fn cannot_finish(error: Error, watch: &Watch) -> Failure {
    let message = format!("The output cannot be finished: {error}.");
    failed(error, Failure::new(FailureCode::Internal, Stage::Writing, message), watch)
}
