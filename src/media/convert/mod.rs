//! One conversion from source to sink: probe, plan, run, report.

mod carried;
mod warnings;

use std::io::SeekFrom;
use std::sync::Arc;

use ffmpeg_next::format::context::Input;

use self::warnings::{damage_warning, loudness_warning, priming_warning, tamed_warning};
use super::catalog::Catalog;
use super::cores::{Cores, Seat};
use super::failure::{Failure, FailureCode, Stage, Warning};
use super::ffi::log::CaptureGuard;
use super::io::{IoFault, Sink, Source, Watch};
use super::limits::Limits;
use super::loudness::{Adjustment, Loudness, Measured};
use super::metadata::Metadata;
use super::plan::{self, Plan};
use super::probe::{self, AudioStream, Opened, Probe};
use super::progress::Progress;
use super::request::{Format, Reencode, Request};
use super::run::Run;
use super::run::copy::{Copy, Copying};
use super::run::measure;
use super::run::segmented::Ended;
use super::run::serial::Ran;
use super::run::spent::Spent;
use super::stage::demux::Demux;
use crate::base::CancelToken;

/// Log lines a failure carries.
const DETAIL_LINES: usize = 10;

/// Everything one conversion needs, but for its source and sink.
#[derive(Clone)]
pub struct Conversion {
    /// What to make.
    pub request: Request,
    /// Gain that is known beforehand, where the request wants a loudness: that of an album.
    pub adjustment: Option<Adjustment>,
    /// Ceilings.
    pub limits: Limits,
    /// Its place among other conversions, with which it shares cores.
    pub seat: Seat,
    /// Stops it.
    pub cancel: CancelToken,
    /// Told how far it is.
    pub progress: Arc<Progress>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Facts of the source.
    pub probe: Probe,
    /// What was decided.
    pub plan: Plan,
    /// Samples per channel.
    pub samples: u64,
    /// Rate in Hz.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Length of the output.
    pub duration_seconds: f64,
    /// Where pieces that were encoded side by side meet, in samples.
    pub seams: Vec<u64>,
    /// Why it was encoded in one, where it was, in a word of the API.
    pub serial_because: Option<&'static str>,
    /// Mean bits per second of the coded sound, without the container.
    pub bit_rate: u64,
    /// Loudness before, and the gain that was applied, where that was asked for.
    pub loudness: Option<Adjustment>,
    /// Deviations, the plan's first.
    pub warnings: Vec<Warning>,
    /// CPU time of encoding.
    pub spent: Spent,
}

impl Output {
    /// Pieces that were encoded side by side.
    #[must_use]
    pub fn segments(&self) -> usize {
        self.seams.len() + 1
    }
}

/// Converts. Blocks the calling thread for as long as it takes; everything libav logs meanwhile
/// belongs to this conversion. `tell` is told the facts and the plan before work starts, and again
/// when it takes another plan.
///
/// The sink's content is whole only when this returns `Ok`.
///
/// # Errors
/// A [`Failure`] with the library's last log lines.
pub fn convert(
    conversion: &Conversion,
    source: Source,
    sink: Sink,
    tell: &mut dyn FnMut(&Probe, &Plan),
) -> Result<Output, Failure> {
    let log = CaptureGuard::start();
    let result = carry_out(conversion, source, sink, tell, &log);
    result.map_err(|mut failure| {
        // Those of other threads that worked on it are there already.
        failure.detail.extend(log.lines().iter().map(ToString::to_string));
        let beyond = failure.detail.len().saturating_sub(DETAIL_LINES);
        failure.detail.drain(..beyond);
        let position = conversion.progress.snapshot().position_seconds;
        failure.position_seconds = (position > 0.0).then_some(position);
        failure
    })
}

/// Opens a source and tells its facts.
///
/// # Errors
/// A [`Failure`] of stage `reading`.
pub fn examine(source: &Source, limits: &Limits, cancel: &CancelToken) -> Result<Probe, Failure> {
    initialise()?;
    let log = CaptureGuard::start();
    let watch = watch(cancel, &Arc::new(Progress::default()));
    probe::open(source.clone(), limits, &watch, &log).map(|opened| opened.probe)
}

/// What a conversion would do, without doing it.
///
/// # Errors
/// As the conversion would fail before its work starts.
pub fn plan_only(
    source: &Source,
    limits: &Limits,
    request: &Request,
    cancel: &CancelToken,
) -> Result<(Probe, Plan), Failure> {
    let probe = examine(source, limits, cancel)?;
    let plan = planned(&probe, request)?;
    Ok((probe, plan))
}

fn planned(probe: &Probe, request: &Request) -> Result<Plan, Failure> {
    let entry = Catalog::of_this_build().entry(request.format);
    let plan = plan::plan(probe, request, entry).map_err(|unsupported| {
        Failure::new(FailureCode::OptionUnsupported, Stage::Reading, unsupported.message)
    })?;
    let chosen = probe.audio.iter().find(|stream| stream.index == plan.stream);
    match chosen.and_then(AudioStream::undecodable) {
        Some(why) => Err(Failure::new(FailureCode::UnsupportedCodec, Stage::Reading, why)),
        None => Ok(plan),
    }
}

/// Measures the loudness of a source's default stream, as it is.
///
/// # Errors
/// As a conversion would fail.
pub fn measure_loudness(source: &Source, limits: &Limits) -> Result<Loudness, Failure> {
    let conversion = Conversion {
        // WAV takes any sound as it is.
        request: Request::new(Format::Wav),
        adjustment: None,
        limits: *limits,
        seat: Cores::new(1).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    measure(&conversion, source).map(|measured| measured.loudness)
}

/// Measures the loudness of what a conversion would encode. Several of them together, by
/// [`adjusted_together`](super::loudness::adjusted_together), give the gain of an album.
///
/// # Errors
/// As the conversion would fail.
pub fn measure(conversion: &Conversion, source: &Source) -> Result<Measured, Failure> {
    initialise()?;
    let log = CaptureGuard::start();
    let watch = watch(&conversion.cancel, &conversion.progress);
    let opened = probe::open(source.clone(), &conversion.limits, &watch, &log)?;
    let plan = planned(&opened.probe, &conversion.request)?;
    let demux = Demux::new(opened.input, plan.stream);
    measure::run(&plan, &conversion.limits, &watch, demux)
}

fn initialise() -> Result<(), Failure> {
    super::ffi::initialise().map_err(|error| {
        Failure::new(FailureCode::Internal, Stage::Reading, format!("libav cannot start: {error}"))
    })
}

fn watch(cancel: &CancelToken, progress: &Arc<Progress>) -> Watch {
    Watch {
        cancel: cancel.clone(),
        progress: Arc::clone(progress),
        source_fault: IoFault::default(),
        sink_fault: IoFault::default(),
    }
}

fn carry_out(
    conversion: &Conversion,
    source: Source,
    sink: Sink,
    tell: &mut dyn FnMut(&Probe, &Plan),
    log: &CaptureGuard,
) -> Result<Output, Failure> {
    initialise()?;
    let watch = watch(&conversion.cancel, &conversion.progress);
    let Opened { input, probe, source } = probe::open(source, &conversion.limits, &watch, log)?;
    let plan = planned(&probe, &conversion.request)?;
    tell(&probe, &plan);
    Work { conversion, source, sink, watch, log, probe }.carry_out(plan, input, tell)
}

/// A conversion whose source is open.
struct Work<'a> {
    conversion: &'a Conversion,
    source: Source,
    sink: Sink,
    watch: Watch,
    log: &'a CaptureGuard,
    probe: Probe,
}

impl Work<'_> {
    fn carry_out(
        self,
        mut plan: Plan,
        mut input: Input,
        tell: &mut dyn FnMut(&Probe, &Plan),
    ) -> Result<Output, Failure> {
        let stream = self.stream(&plan);
        // What lies behind the end of the range is not read.
        let mut declared = length(&self.probe, stream);
        if let Some(length) = &mut declared {
            length.seconds =
                plan.range.end_seconds.map_or(length.seconds, |end| length.seconds.min(end));
            self.conversion.progress.set_duration(length.seconds);
        }
        let (metadata, warnings) =
            carried::metadata(&plan, &self.probe, stream, &self.conversion.limits.metadata);
        plan.warnings.extend(warnings);
        let noise_before = self.errors(&plan);
        if plan.copied.is_some() {
            match self.copy(&plan, input, &metadata)? {
                Copy::Done(ran) => return self.finish(plan, &ran, None, declared, noise_before),
                Copy::Impossible(reason) => {
                    plan = self.planned_anew(&plan, &reason)?;
                    tell(&self.probe, &plan);
                    input = self.reopen()?;
                }
            }
        }
        let adjustment = match plan.loudness {
            None => None,
            Some(target) => {
                let adjustment = match self.conversion.adjustment {
                    Some(adjustment) => adjustment,
                    None => {
                        let measured = self.measure(&plan, input)?;
                        input = self.reopen()?;
                        self.watch.progress.next_pass();
                        measured.loudness.adjusted_to(target)
                    }
                };
                plan.gain_db = Some(adjustment.gain_db - plan.encoder_gain_db);
                plan.warnings.extend(loudness_warning(&adjustment));
                Some(adjustment)
            }
        };
        let noise_before = self.errors(&plan);
        let expected = declared.map(|length| length.seconds);
        let ran = self.encode(&plan, input, &metadata, expected)?;
        self.finish(plan, &ran, adjustment, declared, noise_before)
    }

    /// Errors that were logged of the source.
    fn errors(&self, plan: &Plan) -> usize {
        self.log.error_count(plan.component_besides_source())
    }

    fn stream(&self, plan: &Plan) -> &AudioStream {
        let found = self.probe.audio.iter().find(|stream| stream.index == plan.stream);
        found.unwrap_or_else(|| unreachable!("the plan picks one of the probe's streams"))
    }

    fn reopen(&self) -> Result<Input, Failure> {
        probe::reopen(&self.source, &self.conversion.limits, &self.watch, self.log)
    }

    fn copy(&self, plan: &Plan, input: Input, metadata: &Metadata) -> Result<Copy, Failure> {
        let copying = Copying {
            plan,
            limits: &self.conversion.limits,
            watch: &self.watch,
            sink: &self.sink,
            metadata,
            declared_samples: declared_samples(&self.probe, self.stream(plan)),
            container: &self.probe.container,
        };
        copying.run(Demux::new(input, plan.stream))
    }

    /// Encodes on every core it gets; once more on one alone where the pieces do not fit together.
    fn encode(
        &self,
        plan: &Plan,
        input: Input,
        metadata: &Metadata,
        expected_seconds: Option<f64>,
    ) -> Result<Ran, Failure> {
        let reopen = || self.reopen();
        let run = |most: usize, input: Input| {
            let run = Run {
                reopen: &reopen,
                plan,
                limits: &self.conversion.limits,
                watch: &self.watch,
                sink: &self.sink,
                metadata,
                share: self.conversion.seat.share(most),
                expected_seconds,
            };
            run.carry_out(Demux::new(input, plan.stream))
        };
        match run(plan.threads, input)? {
            Ended::Done(ran) => Ok(ran),
            Ended::Misfit(misfit) => {
                tracing::warn!(why = misfit.0, "pieces do not fit together: encoding in one");
                self.start_again()?;
                match run(1, self.reopen()?)? {
                    Ended::Done(ran) => Ok(Ran { serial_because: Some("misfit"), ..ran }),
                    Ended::Misfit(misfit) => {
                        Err(Failure::new(FailureCode::Internal, Stage::Encoding, misfit.0))
                    }
                }
            }
        }
    }

    /// Empties the sink: what was written is worth nothing.
    fn start_again(&self) -> Result<(), Failure> {
        self.conversion.progress.restart();
        let emptied = self.sink.with(&self.watch, |place| {
            place.truncate(0)?;
            place.seek(SeekFrom::Start(0))
        });
        emptied.map(drop).map_err(|error| {
            let message = format!("The output cannot be written: {error}.");
            Failure::new(FailureCode::StorageFailed, Stage::Writing, message)
        })
    }

    /// The plan for packets that cannot be copied, on an empty sink.
    fn planned_anew(&self, before: &Plan, reason: &str) -> Result<Plan, Failure> {
        self.start_again()?;
        let request = Request { reencode: Reencode::Always, ..self.conversion.request.clone() };
        let mut plan = planned(&self.probe, &request)?;
        let known = before.warnings.iter().filter(|known| !plan.warnings.contains(known));
        let known: Vec<Warning> = known.cloned().collect();
        plan.warnings.extend(known);
        plan.warnings.push(Warning::new(
            "not_copied",
            format!("The sound could not be copied, {reason}: it was encoded anew."),
        ));
        Ok(plan)
    }

    fn measure(&self, plan: &Plan, input: Input) -> Result<Measured, Failure> {
        self.watch.progress.set_passes(2);
        let demux = Demux::new(input, plan.stream);
        measure::run(plan, &self.conversion.limits, &self.watch, demux)
    }

    fn finish(
        self,
        plan: Plan,
        ran: &Ran,
        loudness: Option<Adjustment>,
        declared: Option<Length>,
        noise_before: usize,
    ) -> Result<Output, Failure> {
        // Errors while closing an output have nowhere to go but here.
        if let Some(fault) = self.watch.sink_fault.get() {
            return Err(super::stage::sink_failed(&fault));
        }
        let mut warnings = plan.warnings.clone();
        warnings.extend(priming_warning(&plan, ran));
        warnings.extend(tamed_warning(ran));
        let noise = self.errors(&plan).saturating_sub(noise_before) + ran.complaints;
        // The size of a file says nothing on what is missing of it.
        let declared = declared.filter(|_| !self.probe.is_length_guessed);
        warnings.extend(damage_warning(ran, declared, noise));
        #[expect(clippy::cast_precision_loss, reason = "a duration for people")]
        let duration_seconds = ran.samples_encoded as f64 / f64::from(ran.sample_rate.max(1));
        Ok(Output {
            samples: ran.samples_encoded,
            sample_rate: ran.sample_rate,
            channels: ran.channels,
            duration_seconds,
            seams: ran.seams.clone(),
            serial_because: ran.serial_because.filter(|_| plan.copied.is_none()),
            bit_rate: mean_bit_rate(ran.coded_bytes, ran.coded_samples, ran.sample_rate),
            loudness,
            warnings,
            spent: ran.spent,
            probe: self.probe,
            plan,
        })
    }
}

/// How many samples are heard, where the file says it to the sample: FLAC, and MP4 by its edit list
/// or, as iTunes does, by a text of four numbers, the last of which it is.
fn declared_samples(probe: &Probe, stream: &AudioStream) -> Option<u64> {
    if !matches!(probe.container.as_str(), "mp4" | "flac") {
        return probe.samples;
    }
    let by_text = probe.tags.iter().find(|(name, _)| name == "iTunSMPB");
    let by_text = by_text
        .and_then(|(_, text)| text.split_whitespace().nth(3))
        .and_then(|number| u64::from_str_radix(number, 16).ok())
        .filter(|&samples| samples > 0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
    let by_duration = stream
        .duration_seconds
        .map(|seconds| (seconds * f64::from(stream.sample_rate)).round() as u64);
    by_text.or(by_duration)
}

/// Bits per second of sound that takes so many bytes.
fn mean_bit_rate(bytes: u64, samples: u64, sample_rate: u32) -> u64 {
    let bits = u128::from(bytes) * 8 * u128::from(sample_rate);
    u64::try_from(bits / u128::from(samples.max(1))).unwrap_or(u64::MAX)
}

/// How long a source says it is.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Length {
    seconds: f64,
    /// Whether the container counts it; else it is what the bit rate suggests.
    is_counted: bool,
}

/// The stream's own length where the container says it, else the container's.
fn length(probe: &Probe, stream: &AudioStream) -> Option<Length> {
    const COUNTING: [&str; 12] =
        ["aiff", "ape", "asf", "caf", "flac", "mp4", "ogg", "tak", "tta", "w64", "wav", "wv"];
    let is_counted =
        stream.duration_seconds.is_some() && COUNTING.contains(&probe.container.as_str());
    let seconds = stream.duration_seconds.or(probe.duration_seconds)?;
    Some(Length { seconds, is_counted })
}
