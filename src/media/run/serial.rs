//! One thread: demux, decode, filter, encode, mux, packet by packet.

use ffmpeg_next::{Error, frame};

use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::output::StreamOrigin;
use super::super::io::{Sink, Watch};
use super::super::limits::Limits;
use super::super::metadata::Metadata;
use super::super::plan::Plan;
use super::super::request::Exactness;
use super::super::stage::decode::{Decode, Decoded};
use super::super::stage::demux::{Demux, Pulled};
use super::super::stage::encode::Encode;
use super::super::stage::filter::Filter;
use super::super::stage::mux::{self, Mux};
use super::super::stage::{failed, stopped};

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Samples per channel that were encoded.
    pub samples_encoded: u64,
    /// Bytes of the encoded packets, without the container.
    pub coded_bytes: u64,
    /// Rate of the output in Hz.
    pub sample_rate: u32,
    /// Channels of the output.
    pub channels: u32,
    /// Length of the sound that was decoded.
    pub decoded_seconds: f64,
    /// Packets that could not be decoded.
    pub damaged_packets: u64,
    /// Whether the container could not be read to its end.
    pub broken_off: bool,
}

/// Everything behind the decoder, opened once the first frame is there.
struct Tail {
    filter: Filter,
    encode: Encode,
    mux: Mux,
    sample_rate: u32,
    channels: u32,
}

struct Serial<'a> {
    plan: &'a Plan,
    limits: &'a Limits,
    watch: &'a Watch,
    metadata: &'a Metadata,
    demux: Demux,
    decode: Decode,
    sink: &'a Sink,
    tail: Option<Tail>,
    decoded: frame::Audio,
    filtered: frame::Audio,
    decoded_seconds: f64,
    damaged_packets: u64,
    coded_bytes: u64,
}

/// Carries the plan out. Blocks until done; cancel is seen at every packet and every read or write.
///
/// # Errors
/// A [`Failure`]; the caller attaches the log lines and throws the sink's content away.
pub fn run(
    plan: &Plan,
    limits: &Limits,
    watch: &Watch,
    demux: Demux,
    sink: &Sink,
    metadata: &Metadata,
) -> Result<Ran, Failure> {
    watch.progress.enter(Stage::Decoding);
    let decode = Decode::open(demux.input(), plan.stream, &plan.decoder).map_err(|error| {
        let message =
            format!("The decoder \"{}\" does not take this stream: {error}.", plan.decoder);
        failed(error, Failure::new(FailureCode::UnsupportedCodec, Stage::Decoding, message), watch)
    })?;
    Serial {
        plan,
        limits,
        watch,
        metadata,
        demux,
        decode,
        sink,
        tail: None,
        decoded: frame::Audio::empty(),
        filtered: frame::Audio::empty(),
        decoded_seconds: 0.0,
        damaged_packets: 0,
        coded_bytes: 0,
    }
    .carry_out()
}

impl Serial<'_> {
    fn carry_out(mut self) -> Result<Ran, Failure> {
        let broken_off = loop {
            self.check_stop(Stage::Decoding)?;
            match self.demux.pull() {
                Pulled::Packet(packet) => {
                    if self.decode.push(&packet) == Decoded::Damaged {
                        self.damaged_packets += 1;
                    }
                    self.take_decoded()?;
                    if self.plan.range.end_seconds.is_some_and(|end| self.decoded_seconds > end) {
                        break false;
                    }
                }
                Pulled::End => break false,
                Pulled::Broken(error) => {
                    self.check_source(error)?;
                    break true;
                }
            }
        };
        self.decode.close();
        self.take_decoded()?;
        self.finish(broken_off)
    }

    fn check_stop(&self, stage: Stage) -> Result<(), Failure> {
        self.watch.cancel.reason().map_or(Ok(()), |reason| Err(stopped(reason, stage)))
    }

    /// A container that cannot be read on ends there, unless it was our own reading that failed.
    fn check_source(&self, error: Error) -> Result<(), Failure> {
        let ours = self.watch.cancel.is_stopped() || self.watch.source_fault.get().is_some();
        if !ours {
            return Ok(());
        }
        let otherwise =
            Failure::new(FailureCode::InputGone, Stage::Reading, "The source cannot be read.");
        Err(failed(error, otherwise, self.watch))
    }

    fn take_decoded(&mut self) -> Result<(), Failure> {
        loop {
            match self.decode.pull(&mut self.decoded) {
                Decoded::Frame => self.pass_on()?,
                Decoded::Damaged => {
                    self.damaged_packets += 1;
                    return Ok(());
                }
                Decoded::More | Decoded::End => return Ok(()),
            }
        }
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
        let (rate, samples) = (self.decoded.rate(), self.decoded.samples() as u64);
        self.limits.check_shape(rate, u32::from(self.decoded.channels()))?;
        #[expect(clippy::cast_precision_loss, reason = "a frame has far fewer than 2^52 samples")]
        let seconds = samples as f64 / f64::from(rate.max(1));
        self.decoded_seconds += seconds;
        self.limits.check_length(self.decoded_seconds)?;
        self.watch.progress.decoded(samples, self.decoded_seconds);
        let mut tail = match self.tail.take() {
            Some(tail) => tail,
            None => self.open_tail()?,
        };
        let pushed = tail.filter.push(&mut self.decoded).map_err(|error| {
            let otherwise = Failure::new(
                FailureCode::Internal,
                Stage::Encoding,
                format!("Resampling failed: {error}."),
            );
            failed(error, otherwise, self.watch)
        });
        let passed = pushed.and_then(|()| self.drain_filter(&mut tail));
        self.tail = Some(tail);
        passed
    }

    /// The order is fixed: graph from the first decoded frame, encoder from what the graph gives,
    /// the graph's frame size from the encoder, the muxer's header last.
    fn open_tail(&mut self) -> Result<Tail, Failure> {
        let cannot = |what: &str, error: Error, watch: &Watch| {
            let message = format!("{what} cannot be opened for this sound: {error}.");
            failed(
                error,
                Failure::new(FailureCode::OptionUnsupported, Stage::Encoding, message),
                watch,
            )
        };
        let mut filter = Filter::build(&self.decoded, self.plan)
            .map_err(|error| cannot("The resampler", error, self.watch))?;
        let prepared = mux::prepare(self.plan, self.sink, self.metadata, self.watch)
            .map_err(|error| cannot("The container", error, self.watch))?;
        let (Some(shape), Some(time_base)) = (filter.output_shape(), filter.output_time_base())
        else {
            return Err(cannot("The resampler", Error::FilterNotFound, self.watch));
        };
        // The command forgets the source's bits in any conversion; a lossless target needs them.
        let keeps_bits = filter.is_transparent()
            || (self.plan.is_lossless() && self.plan.exactness == Exactness::Ordinary);
        let encode = Encode::open(
            self.plan,
            &shape,
            time_base,
            if keeps_bits { self.decode.bits_per_raw_sample() } else { 0 },
            prepared.wants_global_header(),
        )
        .map_err(|error| {
            cannot(&format!("The encoder \"{}\"", self.plan.encoder), error, self.watch)
        })?;
        if let Some(samples) = encode.frame_size() {
            filter.set_frame_size(samples);
        }
        let origin = StreamOrigin { input: self.demux.input(), index: self.plan.stream };
        let mux = prepared
            .start(self.plan, &encode, origin, self.metadata)
            .map_err(|error| cannot("The container", error, self.watch))?;
        self.watch.progress.enter(Stage::Encoding);
        Ok(Tail {
            filter,
            encode,
            mux,
            sample_rate: shape.sample_rate(),
            channels: shape.channels(),
        })
    }

    fn drain_filter(&mut self, tail: &mut Tail) -> Result<(), Failure> {
        let encoding = |error: Error, watch: &Watch| {
            let message = format!("Encoding failed: {error}.");
            failed(error, Failure::new(FailureCode::Internal, Stage::Encoding, message), watch)
        };
        while tail.filter.pull(&mut self.filtered).map_err(|error| encoding(error, self.watch))? {
            tail.encode.push(&mut self.filtered).map_err(|error| encoding(error, self.watch))?;
            self.drain_encoder(tail)?;
        }
        Ok(())
    }

    fn drain_encoder(&mut self, tail: &mut Tail) -> Result<(), Failure> {
        let watch = self.watch;
        let packets = |error: Error, stage: Stage| {
            let message = format!("The output cannot be made: {error}.");
            failed(error, Failure::new(FailureCode::Internal, stage, message), watch)
        };
        while let Some(packet) =
            tail.encode.pull().map_err(|error| packets(error, Stage::Encoding))?
        {
            watch.progress.encoded();
            self.coded_bytes += packet.size() as u64;
            tail.mux.push(packet).map_err(|error| packets(error, Stage::Writing))?;
        }
        Ok(())
    }

    fn finish(mut self, broken_off: bool) -> Result<Ran, Failure> {
        let Some(mut tail) = self.tail.take() else {
            return Err(self.nothing_came_out(broken_off));
        };
        let ending = |error: Error, watch: &Watch| {
            let message = format!("The output cannot be finished: {error}.");
            failed(error, Failure::new(FailureCode::Internal, Stage::Writing, message), watch)
        };
        tail.filter.close().map_err(|error| ending(error, self.watch))?;
        self.drain_filter(&mut tail)?;
        tail.encode.close().map_err(|error| ending(error, self.watch))?;
        self.drain_encoder(&mut tail)?;
        if tail.encode.samples() == 0 {
            return Err(self.nothing_came_out(broken_off));
        }
        self.check_stop(Stage::Writing)?;
        self.watch.progress.enter(Stage::Writing);
        let samples_encoded = tail.encode.samples();
        tail.mux.finish(self.sink, self.watch).map_err(|error| ending(error, self.watch))?;
        Ok(Ran {
            samples_encoded,
            coded_bytes: self.coded_bytes,
            sample_rate: tail.sample_rate,
            channels: tail.channels,
            decoded_seconds: self.decoded_seconds,
            damaged_packets: self.damaged_packets,
            broken_off,
        })
    }

    fn nothing_came_out(&self, broken_off: bool) -> Failure {
        if self.damaged_packets > 0 || broken_off {
            Failure::new(
                FailureCode::CorruptInput,
                Stage::Decoding,
                "The file is damaged: its sound cannot be decoded.",
            )
        } else if self.plan.range.start_seconds > 0.0 && self.decoded_seconds > 0.0 {
            Failure::new(
                FailureCode::EmptyOutput,
                Stage::Decoding,
                format!(
                    "The recording is {:.3} s long: nothing lies behind the start at {:.3} s.",
                    self.decoded_seconds, self.plan.range.start_seconds
                ),
            )
        } else {
            Failure::new(
                FailureCode::EmptyOutput,
                Stage::Decoding,
                "The file was read to its end and no sound came out.",
            )
        }
    }
}
