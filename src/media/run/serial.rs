//! One thread: demux, decode, filter, encode, mux, packet by packet.

use ffmpeg_next::{Error, frame};

use super::super::catalog::Catalog;
use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::graph::shorten;
use super::super::ffi::output::StreamOrigin;
use super::super::io::{Sink, Watch};
use super::super::limits::Limits;
use super::super::metadata::Metadata;
use super::super::plan::Plan;
use super::super::request::Exactness;
use super::super::stage::demux::Demux;
use super::super::stage::encode::Encode;
use super::super::stage::filter::Filter;
use super::super::stage::mux::{self, Mux, Packets};
use super::super::stage::{failed, stopped};
use super::super::waveform::Waveform;
use super::reader::{Read, Reader};

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
    /// Samples before the start of the sound that readers of the output do not know to drop.
    pub priming_heard: u32,
    /// Samples that were no numbers or far beyond full scale.
    pub tamed: u64,
    /// What was read of the source.
    pub read: Read,
}

/// Everything behind the decoder, opened once the first frame is there.
struct Tail {
    filter: Filter,
    encode: Encode,
    mux: Mux,
    sample_rate: u32,
    channels: u32,
    /// How many samples the encoder gets at the most.
    limit: Option<u64>,
}

struct Serial<'a> {
    plan: &'a Plan,
    watch: &'a Watch,
    metadata: &'a Metadata,
    reader: Reader<'a>,
    sink: &'a Sink,
    tail: Option<Tail>,
    decoded: frame::Audio,
    filtered: frame::Audio,
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
    Serial {
        plan,
        watch,
        metadata,
        reader: Reader::open(plan, limits, watch, demux)?,
        sink,
        tail: None,
        decoded: frame::Audio::empty(),
        filtered: frame::Audio::empty(),
        coded_bytes: 0,
    }
    .carry_out()
}

impl Serial<'_> {
    fn carry_out(mut self) -> Result<Ran, Failure> {
        while self.reader.next(&mut self.decoded)? {
            self.pass_on()?;
        }
        self.finish()
    }

    fn pass_on(&mut self) -> Result<(), Failure> {
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
        let mut encode = Encode::open(
            self.plan,
            &shape,
            time_base,
            if keeps_bits { self.reader.bits_per_raw_sample() } else { 0 },
            prepared.wants_global_header(),
        )
        .map_err(|error| {
            cannot(&format!("The encoder \"{}\"", self.plan.encoder), error, self.watch)
        })?;
        let rate = shape.sample_rate();
        let mut limit = None;
        if self.plan.exactness == Exactness::Ordinary {
            encode.heed(filter.lead(), filter.heard_until(rate));
            limit = filter.limit(rate);
        }
        if let Some(samples) = encode.frame_size() {
            filter.set_frame_size(samples);
        }
        let origin = StreamOrigin { input: self.reader.demux().input(), index: self.plan.stream };
        let mux = prepared
            .start(self.plan, Packets::Encoded(&encode, origin), self.metadata)
            .map_err(|error| cannot("The container", error, self.watch))?;
        self.watch.progress.enter(Stage::Encoding);
        Ok(Tail { filter, encode, mux, sample_rate: rate, channels: shape.channels(), limit })
    }

    fn drain_filter(&mut self, tail: &mut Tail) -> Result<(), Failure> {
        let encoding = |error: Error, watch: &Watch| {
            if error == (Error::Other { errno: libc::ENOTSUP }) {
                let label = Catalog::of_this_build().entry(self.plan.format).spec.label;
                let message = format!("{label} cannot end with so few samples; flac and wv can.");
                return Failure::new(FailureCode::OptionUnsupported, Stage::Encoding, message);
            }
            let message = format!("Encoding failed: {error}.");
            failed(error, Failure::new(FailureCode::Internal, Stage::Encoding, message), watch)
        };
        while tail.filter.pull(&mut self.filtered).map_err(|error| encoding(error, self.watch))? {
            if let Some(limit) = tail.limit {
                let room = limit.saturating_sub(tail.encode.handed_over());
                if room == 0 {
                    continue;
                }
                shorten(&mut self.filtered, room);
            }
            let heard = tail.encode.heard_of(self.filtered.samples());
            self.watch.progress.heard(&self.filtered, heard);
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

    fn finish(mut self) -> Result<Ran, Failure> {
        let Some(mut tail) = self.tail.take() else {
            return Err(self.reader.nothing_came_out());
        };
        let ending = |error: Error, watch: &Watch| {
            let message = format!("The output cannot be finished: {error}.");
            failed(error, Failure::new(FailureCode::Internal, Stage::Writing, message), watch)
        };
        tail.filter.close().map_err(|error| ending(error, self.watch))?;
        if self.plan.exactness == Exactness::Ordinary {
            tail.limit = tail.filter.final_limit(tail.sample_rate);
        }
        self.drain_filter(&mut tail)?;
        tail.encode.close().map_err(|error| ending(error, self.watch))?;
        self.drain_encoder(&mut tail)?;
        if tail.encode.samples() == 0 {
            return Err(self.reader.nothing_came_out());
        }
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Writing));
        }
        self.watch.progress.enter(Stage::Writing);
        self.watch.progress.shape(Waveform::finish);
        let (samples_encoded, tamed) = (tail.encode.samples(), tail.encode.tamed());
        tail.mux.finish(self.sink, self.watch).map_err(|error| ending(error, self.watch))?;
        Ok(Ran {
            samples_encoded,
            coded_bytes: self.coded_bytes,
            sample_rate: tail.sample_rate,
            channels: tail.channels,
            priming_heard: 0,
            tamed,
            read: self.reader.read(),
        })
    }
}
