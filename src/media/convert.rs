//! One conversion from source to sink: probe, plan, run, report.

use std::sync::Arc;

use super::catalog::Catalog;
use super::failure::{Failure, FailureCode, Stage, Warning};
use super::ffi::log::CaptureGuard;
use super::io::{IoFault, Sink, Source, Watch};
use super::limits::Limits;
use super::loudness::{Adjustment, CEILING_DBTP, Loudness};
use super::metadata::{Metadata, ilst, read};
use super::plan::{self, Plan};
use super::probe::{self, AudioStream, Probe};
use super::progress::Progress;
use super::request::{Carry, Format, Request};
use super::run::measure;
use super::run::serial::{self, Ran};
use super::stage::demux::Demux;
use crate::base::CancelToken;

/// Log lines a failure carries.
const DETAIL_LINES: usize = 10;

/// Everything one conversion needs, but for its source and sink.
#[derive(Clone)]
pub struct Conversion {
    /// What to make.
    pub request: Request,
    /// Ceilings.
    pub limits: Limits,
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
    /// Mean bits per second of the coded sound, without the container.
    pub bit_rate: u64,
    /// Loudness before, and the gain that was applied, where that was asked for.
    pub loudness: Option<Adjustment>,
    /// Deviations, the plan's first.
    pub warnings: Vec<Warning>,
}

/// Converts. Blocks the calling thread for as long as it takes; everything libav logs meanwhile
/// belongs to this conversion. `tell` is told the facts and the plan before work starts.
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
        let lines = log.lines();
        failure.detail = lines
            .iter()
            .skip(lines.len().saturating_sub(DETAIL_LINES))
            .map(|line| format!("[{}] {}", line.component, line.text))
            .collect();
        let position = conversion.progress.snapshot().position_seconds;
        failure.position_seconds = (position > 0.0).then_some(position);
        failure
    })
}

/// Opens a source and tells its facts.
///
/// # Errors
/// A [`Failure`] of stage `reading`.
pub fn examine(source: &Source, limits: &Limits) -> Result<Probe, Failure> {
    initialise()?;
    let log = CaptureGuard::start();
    let watch = watch(&CancelToken::default(), &Arc::new(Progress::default()));
    probe::open(source, limits, &watch, &log).map(|opened| opened.probe)
}

/// What a conversion would do, without doing it.
///
/// # Errors
/// As the conversion would fail before its work starts.
pub fn plan_only(
    source: &Source,
    limits: &Limits,
    request: &Request,
) -> Result<(Probe, Plan), Failure> {
    let probe = examine(source, limits)?;
    let plan = planned(&probe, request)?;
    Ok((probe, plan))
}

fn planned(probe: &Probe, request: &Request) -> Result<Plan, Failure> {
    let entry = Catalog::of_this_build().entry(request.format);
    plan::plan(probe, request, entry).map_err(|unsupported| {
        Failure::new(FailureCode::OptionUnsupported, Stage::Reading, unsupported.message)
    })
}

/// Measures the loudness of a source's default stream, as it is.
///
/// # Errors
/// As a conversion would fail.
pub fn measure_loudness(source: &Source, limits: &Limits) -> Result<Loudness, Failure> {
    initialise()?;
    let log = CaptureGuard::start();
    let watch = watch(&CancelToken::default(), &Arc::new(Progress::default()));
    let opened = probe::open(source, limits, &watch, &log)?;
    // WAV takes any sound as it is.
    let plan = planned(&opened.probe, &Request::new(Format::Wav))?;
    let demux = Demux::new(opened.input, plan.stream);
    measure::run(&plan, limits, &watch, demux)
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
    let Conversion { request, limits, .. } = conversion;
    let watch = watch(&conversion.cancel, &conversion.progress);
    let opened = probe::open(&source, limits, &watch, log)?;
    let probe = opened.probe;
    let mut plan = planned(&probe, request)?;
    let Some(stream) = probe.audio.iter().find(|stream| stream.index == plan.stream) else {
        unreachable!("the plan picks one of the probe's streams");
    };
    // What lies behind the end of the range is not read.
    let declared = length(&probe, stream)
        .map(|seconds| plan.range.end_seconds.map_or(seconds, |end| seconds.min(end)));
    if let Some(seconds) = declared {
        conversion.progress.set_duration(seconds);
    }
    tell(&probe, &plan);
    let mut metadata = carried_metadata(&plan, &probe, stream);
    plan.warnings.extend(limit_warning(metadata.limit()));
    if matches!(plan.format, Format::M4a | Format::M4b | Format::Alac) {
        let before = metadata.pictures.len();
        metadata.pictures.retain(ilst::takes);
        if metadata.pictures.len() < before {
            plan.warnings.push(Warning::new(
                "cover_dropped",
                "MP4 takes JPEG, PNG, GIF and BMP pictures: others are left out.",
            ));
        }
    }
    let mut input = opened.input;
    let adjustment = match plan.loudness {
        None => None,
        Some(target) => {
            conversion.progress.set_passes(2);
            let demux = Demux::new(input, plan.stream);
            let adjustment = measure::run(&plan, limits, &watch, demux)?.adjusted_to(target);
            plan.gain_db = Some(adjustment.gain_db - plan.encoder_gain_db);
            plan.warnings.extend(loudness_warning(&adjustment));
            input = probe::reopen(&source, limits, &watch, log)?;
            conversion.progress.next_pass();
            Some(adjustment)
        }
    };
    let noise_before = log.error_count();
    let demux = Demux::new(input, plan.stream);
    let ran = serial::run(&plan, limits, &watch, demux, &sink, &metadata)?;
    // Errors while closing an output have nowhere to go but here.
    if let Some(fault) = watch.sink_fault.get() {
        return Err(super::stage::sink_failed(&fault));
    }
    let mut warnings = plan.warnings.clone();
    warnings.extend(damage_warning(&ran, declared, log.error_count() - noise_before));
    #[expect(clippy::cast_precision_loss, reason = "a duration for people")]
    let duration_seconds = ran.samples_encoded as f64 / f64::from(ran.sample_rate.max(1));
    Ok(Output {
        samples: ran.samples_encoded,
        sample_rate: ran.sample_rate,
        channels: ran.channels,
        duration_seconds,
        bit_rate: mean_bit_rate(ran.coded_bytes, duration_seconds),
        loudness: adjustment,
        warnings,
        probe,
        plan,
    })
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a mean for people, of positive numbers"
)]
fn mean_bit_rate(bytes: u64, seconds: f64) -> u64 {
    (bytes as f64 * 8.0 / seconds.max(1e-3)) as u64
}

/// What the plan carries over, with the texts that were asked for.
fn carried_metadata(plan: &Plan, probe: &Probe, stream: &AudioStream) -> Metadata {
    let dictionaries = read::of_dictionaries(&probe.tags, &stream.tags);
    let mut metadata = probe.metadata.clone().or(dictionaries);
    if plan.carried.tags == Carry::Drop {
        metadata.items.clear();
    }
    if plan.carried.cover == Carry::Drop {
        metadata.pictures.clear();
    }
    if plan.carried.chapters == Carry::Drop {
        metadata.chapters.clear();
    }
    if plan.loudness.is_some() {
        metadata.forget_gain();
    } else if plan.format == Format::Opus {
        metadata.gain_for_opus();
    } else {
        metadata.gain_for_others();
    }
    metadata.cut_chapters(plan.range.start_seconds, plan.range.end_seconds);
    metadata.overridden(&plan.overrides)
}

fn limit_warning((texts, pictures): (usize, usize)) -> Option<Warning> {
    let what = match (texts, pictures) {
        (0, 0) => return None,
        (texts, 0) => format!("{texts} tags"),
        (0, pictures) => format!("{pictures} pictures"),
        (texts, pictures) => format!("{texts} tags and {pictures} pictures"),
    };
    Some(Warning::new("metadata_limited", format!("{what} are too much to carry over: left out.")))
}

fn loudness_warning(adjustment: &Adjustment) -> Option<Warning> {
    let target = adjustment.target_lufs;
    match adjustment.output_lufs {
        None if adjustment.measured.true_peak_dbtp.is_none() => {
            Some(Warning::new("silent", "The recording is silent: its loudness stays."))
        }
        None => Some(Warning::new(
            "too_short_to_measure",
            "The recording is too short or too quiet to be measured: its loudness stays.",
        )),
        Some(reached) if adjustment.limited_by_peak => Some(Warning::new(
            "loudness_limited",
            format!(
                "{target} LUFS would lift peaks above {CEILING_DBTP} dBTP: it is {reached:.1} LUFS."
            ),
        )),
        Some(_) => None,
    }
}

/// The stream's own length where the container says it, else the container's.
fn length(probe: &Probe, stream: &AudioStream) -> Option<f64> {
    stream.duration_seconds.or(probe.duration_seconds)
}

fn damage_warning(ran: &Ran, declared: Option<f64>, errors_logged: usize) -> Option<Warning> {
    let missing = declared.map_or(0.0, |declared| declared - ran.read.decoded_seconds);
    let ended_early = declared.is_some_and(|declared| missing > 1.0 && missing > declared / 10.0);
    if ended_early || ran.read.broken_off {
        return Some(Warning::new(
            "ended_early",
            format!(
                "The sound breaks off at {}{}; everything up to there was converted.",
                clock(ran.read.decoded_seconds),
                declared
                    .filter(|_| ended_early)
                    .map(|declared| format!(", though the file promises {}", clock(declared)))
                    .unwrap_or_default(),
            ),
        ));
    }
    if ran.read.damaged_packets > 0 || errors_logged > 0 {
        let places = ran.read.damaged_packets.max(errors_logged as u64);
        return Some(Warning::new(
            "damaged",
            format!(
                "The file is damaged in {places} {}; the rest was converted.",
                if places == 1 { "place" } else { "places" }
            ),
        ));
    }
    None
}

/// Seconds as people read them: `2:09`, `1:02:09`.
fn clock(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped by `as`")]
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::clock;

    #[test]
    fn lengths_are_said_as_people_read_them() {
        assert_eq!([clock(0.4), clock(129.9), clock(3729.0)], ["0:00", "2:09", "1:02:09"]);
    }
}
