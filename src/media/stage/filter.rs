//! Resampling and re-chunking: decoded frames in, frames the encoder takes out.

use ffmpeg_next::format::Sample;
use ffmpeg_next::format::sample::Type as SampleKind;
use ffmpeg_next::{Error, Rational, frame};

use super::super::ffi::graph::{AudioGraph, Chain, Shape, metered};
use super::super::loudness::{Loudness, Measured};
use super::super::plan::{Accepts, Lead, Plan, SMALL};

/// The conversion from the source's shape to the encoder's.
///
/// The main graph is built from the first frame and lives as long as the job. Where the source
/// changes its format in mid-stream, an adapter graph turns later frames into the first one's
/// shape. The adapter is drained before it is replaced, so nothing of the sound is lost at a seam.
pub struct Filter {
    main: AudioGraph,
    shape: Shape,
    /// Where the range starts and ends, in samples of the source.
    start: u64,
    end: Option<u64>,
    lead: Lead,
    samples_in: u64,
    adapter: Option<Adapter>,
    scratch: frame::Audio,
}

/// Where the sound of a part comes from, and what of it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Where the first frame handed in starts, in samples of the source.
    pub first: u64,
    /// Sample of the source from which on sound is converted.
    pub from: u64,
    /// Samples that come of it before the part starts.
    pub dropped: u64,
}

struct Adapter {
    graph: AudioGraph,
    from: Shape,
}

impl Filter {
    /// Builds the graph for frames like `first`: cut to the plan's range, in a shape it accepts.
    ///
    /// # Errors
    /// What libav says.
    pub fn build(first: &frame::Audio, plan: &Plan) -> Result<Self, Error> {
        let chain = Self::chain(first, plan);
        let lead = plan.lead(first.rate());
        let mut led = Self::with(first, plan, chain.clone(), lead)?;
        if led.output_shape().map(|shape| shape.sample_rate()) == Some(plan.sample_rate) {
            return Ok(led);
        }
        Self::with(first, plan, chain, Lead::default())
    }

    /// The same for a part of a recording that is converted whole.
    ///
    /// # Errors
    /// What libav says.
    pub fn build_part(first: &frame::Audio, plan: &Plan, start: Start) -> Result<Self, Error> {
        let shape = Shape::of_frame(first);
        let samples = (start.from.saturating_sub(start.first), None);
        let chain = Self::chain(first, plan);
        let chain = Chain { samples: Some(samples), dropped: start.dropped, ..chain };
        Ok(Self {
            main: AudioGraph::build(&shape, &chain)?,
            shape,
            start: 0,
            end: None,
            lead: Lead::default(),
            samples_in: start.first,
            adapter: None,
            scratch: frame::Audio::empty(),
        })
    }

    /// What is done to the sound, wherever it is cut.
    fn chain(first: &frame::Audio, plan: &Plan) -> Chain {
        let mut accepts = plan.accepts.clone();
        let first_shape = Shape::of_frame(first);
        let is_kept = first_shape.sample_rate() == plan.sample_rate
            && first_shape.channels() == plan.channels;
        if is_kept && plan.takes_small() && first_shape.format_name() == SMALL {
            accepts.sample_formats = vec![String::from(SMALL)];
        }
        Chain {
            gain_db: plan.gain_db,
            dither: plan.dither,
            format: accepts.filter_argument(),
            ..Chain::default()
        }
    }

    /// The chain, cut to the plan's range and what leads to it.
    fn with(first: &frame::Audio, plan: &Plan, chain: Chain, lead: Lead) -> Result<Self, Error> {
        let shape = Shape::of_frame(first);
        let (start, end) = plan.range.in_samples(shape.sample_rate());
        let end = end.into_iter().chain(plan.source_samples).min();
        let samples = (start > 0 || end.is_some())
            .then(|| (start - lead.source_before, end.map(|end| end + lead.source_behind)));
        let dropped = if lead.encoded.is_some() { 0 } else { lead.before };
        let main = AudioGraph::build(&shape, &Chain { samples, dropped, ..chain })?;
        Ok(Self {
            main,
            shape,
            start,
            end,
            lead,
            samples_in: 0,
            adapter: None,
            scratch: frame::Audio::empty(),
        })
    }

    /// Samples before the range that come out all the same, for the encoder alone.
    fn lead_in(&self) -> u64 {
        self.lead.encoded.map_or(0, |_| self.lead.before)
    }

    /// What comes out with the range, for the encoder alone.
    #[must_use]
    pub fn lead(&self) -> Lead {
        self.lead
    }

    /// How many samples of the range come out at `sample_rate` if the source is as long as that, where
    /// more come behind them, for the encoder alone.
    #[must_use]
    pub fn heard_until(&self, sample_rate: u32) -> Option<u64> {
        self.range_samples(sample_rate).filter(|_| self.has_more())
    }

    /// How many samples the encoder may be given at the most, as far as that is known yet.
    #[must_use]
    pub fn limit(&self, sample_rate: u32) -> Option<u64> {
        self.range_samples(sample_rate).filter(|_| !self.has_more())
    }

    /// The same when everything is handed over: what that comes to, nearest. The resampler gives up
    /// to two samples more.
    #[must_use]
    pub fn final_limit(&self, sample_rate: u32) -> Option<u64> {
        let has_more = self.has_more() && self.end.is_some_and(|end| end <= self.samples_in);
        let end = self.end.map_or(self.samples_in, |end| end.min(self.samples_in));
        (!has_more).then(|| self.lead_in() + self.scaled(end, sample_rate))
    }

    /// Whether the encoder gets more than the range at its end.
    fn has_more(&self) -> bool {
        self.lead.encoded.is_some() && self.lead.source_behind > 0
    }

    fn range_samples(&self, sample_rate: u32) -> Option<u64> {
        self.end.map(|end| self.scaled(end, sample_rate))
    }

    /// The samples from the start of the range to `end`, which counts the source's, at another rate.
    fn scaled(&self, end: u64, sample_rate: u32) -> u64 {
        let rate = u128::from(self.shape.sample_rate().max(1));
        let scaled = u128::from(end.saturating_sub(self.start)) * u128::from(sample_rate);
        u64::try_from((scaled + rate / 2) / rate).unwrap_or(u64::MAX)
    }

    /// Shape of the frames that come out.
    #[must_use]
    pub fn output_shape(&mut self) -> Option<Shape> {
        self.main.output_shape()
    }

    /// Whether frames go through as they are, only cut to size.
    #[must_use]
    pub fn is_transparent(&mut self) -> bool {
        self.main.output_shape().is_some_and(|shape| shape == self.shape)
    }

    /// Time base of the frames that come out.
    #[must_use]
    pub fn output_time_base(&mut self) -> Option<Rational> {
        self.main.output_time_base()
    }

    /// Makes every frame but the last hold exactly `samples` samples.
    pub fn set_frame_size(&mut self, samples: u32) {
        self.main.set_frame_size(samples);
    }

    /// Samples of the source that were handed in, or lie before the first that was.
    #[must_use]
    pub fn samples_in(&self) -> u64 {
        self.samples_in
    }

    /// Rate of the first frame, in Hz.
    #[must_use]
    pub fn source_rate(&self) -> u32 {
        self.shape.sample_rate()
    }

    /// Whether frames have not always been like the first.
    #[must_use]
    pub fn is_adapted(&self) -> bool {
        self.adapter.is_some()
    }

    /// Hands a decoded frame over; it is empty afterwards.
    ///
    /// # Errors
    /// What libav says.
    pub fn push(&mut self, frame: &mut frame::Audio) -> Result<(), Error> {
        let shape = Shape::of_frame(frame);
        if self.adapter.as_ref().is_some_and(|adapter| adapter.from != shape) {
            self.retire_adapter()?;
        }
        if shape == self.shape {
            self.samples_in += frame.samples() as u64;
            return self.main.push(frame);
        }
        let adapter = match &mut self.adapter {
            Some(adapter) => adapter,
            empty => {
                let target = Chain { format: exactly(&self.shape), ..Chain::default() };
                empty.insert(Adapter { graph: AudioGraph::build(&shape, &target)?, from: shape })
            }
        };
        adapter.graph.push(frame)?;
        self.samples_in += drain(&mut adapter.graph, &mut self.main, &mut self.scratch)?;
        Ok(())
    }

    /// Says that no frame follows.
    ///
    /// # Errors
    /// What libav says.
    pub fn close(&mut self) -> Result<(), Error> {
        self.retire_adapter()?;
        self.main.close()
    }

    /// Takes the next frame for the encoder: `Ok(false)` when there is none yet, or no more.
    ///
    /// # Errors
    /// What libav says.
    pub fn pull(&mut self, frame: &mut frame::Audio) -> Result<bool, Error> {
        self.main.pull(frame)
    }

    fn retire_adapter(&mut self) -> Result<(), Error> {
        let Some(mut adapter) = self.adapter.take() else { return Ok(()) };
        adapter.graph.close()?;
        self.samples_in += drain(&mut adapter.graph, &mut self.main, &mut self.scratch)?;
        Ok(())
    }
}

/// Hands everything over; how many samples that were.
fn drain(
    from: &mut AudioGraph,
    to: &mut AudioGraph,
    scratch: &mut frame::Audio,
) -> Result<u64, Error> {
    let mut samples = 0;
    while from.pull(scratch)? {
        samples += scratch.samples() as u64;
        to.push(scratch)?;
    }
    Ok(samples)
}

/// Measures the sound that a plan's conversion encodes.
pub struct Meter {
    filter: Filter,
    measured: Measured,
    peak: f64,
    scratch: frame::Audio,
}

impl Meter {
    /// Builds the graph for frames like `first`: the plan's range, mixed and resampled as planned.
    ///
    /// # Errors
    /// What libav says.
    pub fn build(first: &frame::Audio, plan: &Plan) -> Result<Self, Error> {
        let accepts = Accepts { sample_formats: Vec::new(), ..plan.accepts.clone() };
        let format = accepts.filter_argument();
        let chain = Chain { format, is_measured: true, ..Chain::default() };
        let filter = Filter::with(first, plan, chain, Lead::default())?;
        Ok(Self {
            filter,
            measured: Measured::default(),
            peak: 0.0,
            scratch: frame::Audio::empty(),
        })
    }

    /// Hands a decoded frame over; it is empty afterwards.
    ///
    /// # Errors
    /// What libav says.
    pub fn push(&mut self, frame: &mut frame::Audio) -> Result<(), Error> {
        self.filter.push(frame)?;
        self.drain()
    }

    /// What was measured of everything handed over.
    ///
    /// # Errors
    /// What libav says.
    pub fn finish(mut self) -> Result<Measured, Error> {
        self.filter.close()?;
        self.drain()?;
        let loudness = self.measured.loudness.with_peak(self.peak);
        Ok(Measured { loudness, ..self.measured })
    }

    fn drain(&mut self) -> Result<(), Error> {
        while self.filter.pull(&mut self.scratch)? {
            self.peak = self.peak.max(sample_peak(&self.scratch));
            if let Some(metered) = metered(&self.scratch) {
                let measured = &mut self.measured;
                measured.loudness =
                    Loudness::of_meter(metered.integrated, metered.range, metered.true_peak);
                measured.momentary.count(metered.momentary);
                measured.short_term.count(metered.short_term);
            }
        }
        Ok(())
    }
}

/// The largest amplitude of a frame of interleaved doubles, as the meter gives them. The meter
/// itself says nothing of the last tenth of a second.
fn sample_peak(frame: &frame::Audio) -> f64 {
    if frame.format() != Sample::F64(SampleKind::Packed) {
        return 0.0;
    }
    let bytes = frame.samples() * usize::from(frame.channels()) * size_of::<f64>();
    let (samples, _) = frame.data(0).get(..bytes).unwrap_or_default().as_chunks::<8>();
    samples.iter().fold(0.0, |peak, bytes| f64::from_ne_bytes(*bytes).abs().max(peak))
}

/// The format filter's argument for one shape and no other.
fn exactly(shape: &Shape) -> String {
    let layout =
        shape.layout_name().map(|name| format!(":channel_layouts={name}")).unwrap_or_default();
    format!("sample_fmts={}:sample_rates={}{layout}", shape.format_name(), shape.sample_rate())
}
