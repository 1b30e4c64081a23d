//! What will be done and what was done, as the API and the command line say it.

use serde_json::{Value, json};

use super::catalog::Catalog;
use super::convert::Output;
use super::plan::Plan;
use super::probe::Probe;
use super::request::Carry;

/// The source as far as it matters for the plan: `container codec sample_rate channels
/// bits_per_sample duration_seconds`.
#[must_use]
pub fn source(probe: &Probe, plan: &Plan) -> Value {
    let stream = probe.audio.iter().find(|stream| stream.index == plan.stream);
    json!({
        "container": probe.container,
        "codec": stream.map(|stream| &stream.codec),
        "sample_rate": stream.map(|stream| stream.sample_rate),
        "channels": stream.map(|stream| stream.channels),
        "bits_per_sample": stream.map(|stream| stream.bits_per_sample).filter(|&bits| bits > 0),
        "bitrate_bps": stream.map(|stream| stream.bit_rate).filter(|&rate| rate > 0),
        "duration_seconds":
            stream.and_then(|stream| stream.duration_seconds).or(probe.duration_seconds),
    })
}

/// What will be done.
#[must_use]
pub fn planned(plan: &Plan) -> Value {
    let spec = Catalog::of_this_build().entry(plan.format).spec;
    let carried = |carry| carry == Carry::Keep;
    let known = |number: u32| (number > 0).then_some(number);
    let mut planned = json!({
        "format": plan.format.as_str(),
        "container": spec.container,
        "codec": spec.codec_of(plan.encoder),
        "encoder": plan.encoder,
        "bitrate_bps": plan.bit_rate.map(|rate| rate.bits_per_second()),
        "quality": plan.vbr_quality,
        "compression_level": plan.compression_level,
        "sample_rate": known(plan.sample_rate),
        "channels": known(plan.channels),
        "copied": plan.copied.is_some(),
        "dither": plan.dither,
        "loudness_lufs": plan.loudness,
        "start_seconds": plan.range.start_seconds,
        "end_seconds": plan.range.end_seconds,
        "tags": carried(plan.carried.tags),
        "cover": carried(plan.carried.cover),
        "chapters": carried(plan.carried.chapters),
        "warnings": plan.warnings,
    });
    if let Some(copied) = &plan.copied {
        planned["codec"] = json!(copied.codec);
        planned["encoder"] = Value::Null;
        planned["bitrate_bps"] = json!(Some(copied.bit_rate).filter(|&rate| rate > 0));
        planned["quality"] = Value::Null;
        planned["compression_level"] = Value::Null;
        planned["dither"] = json!(false);
    }
    planned
}

/// What was done; the jobs add what they call it and where it lies.
#[must_use]
pub fn output(done: &Output) -> Value {
    let spec = Catalog::of_this_build().entry(done.plan.format).spec;
    let copied = done.plan.copied.as_ref();
    json!({
        "container": spec.container,
        "codec": copied.map_or(spec.codec_of(done.plan.encoder), |copied| &copied.codec),
        "encoder": copied.is_none().then_some(done.plan.encoder),
        "bitrate_bps": done.bit_rate,
        "sample_rate": done.sample_rate,
        "channels": done.channels,
        "duration_seconds": done.duration_seconds,
        "copied": copied.is_some(),
        "loudness": done.loudness,
        "segments": done.segments(),
        "seams": done.seams.len(),
        "serial_because": done.serial_because,
    })
}
