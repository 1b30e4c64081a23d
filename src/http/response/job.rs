//! The job object of the API, and the short form of the plain status route.

use serde_json::{Map, Value, json};

use crate::base::clock::rfc3339;
use crate::jobs::live::Running;
use crate::jobs::{Job, Status};

/// The job object; `running` are the counters when this process is at it. `origin` goes before
/// links when it is known.
#[must_use]
pub fn job_object(job: &Job, running: Option<&Running>, origin: Option<&str>) -> Value {
    let time = |moment: Option<i64>| moment.map(rfc3339);
    json!({
        "id": job.id.to_string(),
        "type": "transcode",
        "status": job.status.as_str(),
        "owner": job.owner_email,
        "created_at": rfc3339(job.created_at),
        "started_at": time(job.started_at),
        "completed_at": time(job.completed_at),
        "expires_at": time(job.expires_at),
        "input_expires_at": time(job.expires_at),
        "input": input(job),
        "options": job.options,
        "priority": job.priority,
        "metadata": job.metadata,
        "queue_position": job.queue_position,
        "progress": progress_of(job, running),
        "planned": job.planned,
        "output": output(job, origin),
        "artifacts": artifact_objects(job),
        "warnings": job.warnings,
        "error": shown_error(job),
    })
}

/// The answer of `GET /status/{id}`.
#[must_use]
pub fn plain_status(job: &Job, running: Option<&Running>, origin: Option<&str>) -> Value {
    let status = match job.status {
        Status::Receiving | Status::Queued => "pending",
        Status::Processing => "processing",
        Status::Done => "done",
        Status::Failed | Status::Cancelled => "error",
    };
    let error = match job.status {
        Status::Cancelled => Some("Cancelled."),
        Status::Failed => job.error.as_ref().map(|error| error.message.as_str()),
        Status::Receiving | Status::Queued | Status::Processing | Status::Done => None,
    };
    json!({
        "status": status,
        "progress": percent(job, running).unwrap_or(0.0),
        "output_filename": job.artifacts.first().map(|artifact| &artifact.name),
        "error": error,
        "job": job_object(job, running, origin),
    })
}

fn input(job: &Job) -> Value {
    let mut input = Map::from_iter([
        (String::from("filename"), job.filename.clone().into()),
        (String::from("bytes"), job.bytes.into()),
    ]);
    if let Some(Value::Object(facts)) = &job.source {
        input.extend(facts.clone());
    }
    Value::Object(input)
}

/// The error of a job that failed; of one that waits for its next try, too.
fn shown_error(job: &Job) -> Value {
    match job.status {
        Status::Failed | Status::Queued => json!(job.error),
        Status::Receiving | Status::Processing | Status::Done | Status::Cancelled => Value::Null,
    }
}

fn percent(job: &Job, running: Option<&Running>) -> Option<f64> {
    match job.status {
        Status::Done => Some(100.0),
        Status::Processing => {
            running.and_then(|running| running.progress.snapshot().percent).map(one_decimal)
        }
        Status::Receiving | Status::Queued => Some(0.0),
        Status::Failed | Status::Cancelled => None,
    }
}

/// The counters of a running conversion, as a job's `progress` has them.
#[must_use]
pub fn progress(running: &Running) -> Value {
    let snapshot = running.progress.snapshot();
    json!({
        "percent": snapshot.percent.map(one_decimal),
        "stage": snapshot.stage.as_str(),
        "frames_decoded": snapshot.frames_decoded,
        "frames_encoded": snapshot.frames_encoded,
        "position_seconds": tenths(snapshot.position_seconds),
        "speed": snapshot.speed.map(tenths),
        "eta_seconds": snapshot.eta_seconds.map(tenths),
        "cores": snapshot.cores,
    })
}

fn progress_of(job: &Job, running: Option<&Running>) -> Value {
    let running = running.filter(|_| job.status == Status::Processing);
    // A finished job keeps its last counts with its output.
    let kept = |name: &str| job.output.as_ref().and_then(|output| output[name].as_f64());
    let frames =
        |name: &str| job.output.as_ref().and_then(|output| output[name].as_u64()).unwrap_or(0);
    let mut told = running.map_or_else(
        || {
            json!({
                "percent": percent(job, None),
                "stage": null,
                "frames_decoded": frames("frames_decoded"),
                "frames_encoded": frames("frames_encoded"),
                "position_seconds": kept("duration_seconds"),
                "speed": kept("speed").map(tenths),
                "eta_seconds": null,
                "cores": null,
            })
        },
        progress,
    );
    told["attempt"] = job.attempt.into();
    told["bytes_received"] = job.bytes.into();
    told["bytes_expected"] = job.bytes.into();
    told
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Rounded down: a hundred is done.
fn one_decimal(percent: f64) -> f64 {
    (percent * 10.0).floor() / 10.0
}

fn output(job: &Job, origin: Option<&str>) -> Value {
    match &job.output {
        Some(Value::Object(done)) if job.status == Status::Done => {
            let mut output = done.clone();
            let url = format!("{}/download/{}", origin.unwrap_or_default(), job.id);
            output.insert(String::from("download_url"), url.into());
            Value::Object(output)
        }
        _ => Value::Null,
    }
}

/// A job's results as the API shows them.
#[must_use]
pub fn artifact_objects(job: &Job) -> Vec<Value> {
    job.artifacts
        .iter()
        .map(|artifact| {
            json!({
                "id": artifact.id.to_string(),
                "job_id": job.id.to_string(),
                "kind": artifact.kind,
                "name": artifact.name,
                "bytes": artifact.bytes,
                "sha256": artifact.sha256,
                "storage_ref": artifact.storage_key,
            })
        })
        .collect()
}
