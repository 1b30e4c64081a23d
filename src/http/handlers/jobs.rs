//! The API's jobs.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::job_id;
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::response::body::{Body, bare, json, json_unless_known};
use crate::http::response::job::job_object;
use crate::http::service::{Call, Server};
use crate::jobs::Job;
use crate::jobs::live::Running;
use crate::jobs::store::sqlite::{LogLine, Selection};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 500;

/// `GET /api/v1/jobs`.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let selection = selection(call)?;
    let (page, running) = server.jobs().list(selection).await?;
    let next = (page.jobs.len() == selection.limit as usize)
        .then(|| page.jobs.last().map(|job| job.id.to_string()))
        .flatten();
    let answer = json!({
        "jobs": page.jobs.iter().map(|job| object(server, job, running.get(&job.id))).collect::<Vec<_>>(),
        "total": page.total,
        "limit": selection.limit,
        "offset": selection.offset,
        "next_cursor": next,
    });
    Ok(json_unless_known(&call.head.headers, &answer))
}

fn selection(call: &Call) -> Result<Selection, Problem> {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let mut selection = Selection {
        owner: call.caller()?.user,
        status: None,
        older_than: None,
        limit: LIMIT_DEFAULT,
        offset: 0,
    };
    for (name, value) in &query {
        let wrong = |allowed: &str| {
            Problem::new("query_invalid", format!("\"{name}\" in the address takes {allowed}."))
        };
        match name.as_str() {
            "status" => {
                selection.status = Some(value.parse().map_err(|_| wrong("a job's status"))?)
            }
            "type" if value == "transcode" => {}
            "type" => return Err(wrong("transcode, the only type that is built yet")),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                selection.limit = limit.ok_or_else(|| wrong("1 to 500"))?;
            }
            "offset" => selection.offset = value.parse().map_err(|_| wrong("a number from 0"))?,
            "cursor" => {
                selection.older_than = Some(value.parse().map_err(|_| wrong("a next_cursor"))?);
            }
            _ => {
                let detail = format!(
                    "There is no \"{name}\"; a list takes status, type, limit, offset, cursor."
                );
                return Err(Problem::new("query_invalid", detail));
            }
        }
    }
    Ok(selection)
}

/// `GET /api/v1/jobs/{id}`.
pub(super) async fn get(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let (job, running) = server.jobs().watch(call.caller()?.user, job_id(call)?).await?;
    Ok(json_unless_known(&call.head.headers, &object(server, &job, running.as_ref())))
}

/// `DELETE /api/v1/jobs/{id}`.
pub(super) async fn delete(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    server.jobs().delete(call.caller()?.user, call.by()?, job_id(call)?).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// `POST /api/v1/jobs/{id}/cancel`.
pub(super) async fn cancel(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let job = server.jobs().cancel(call.caller()?.user, call.by()?, job_id(call)?).await?;
    Ok(json(StatusCode::ACCEPTED, &object(server, &job, None)))
}

/// `POST /api/v1/jobs/{id}/retry`.
pub(super) async fn retry(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let job = server.jobs().retry(call.caller()?.user, call.by()?, job_id(call)?).await?;
    Ok(json(StatusCode::ACCEPTED, &object(server, &job, None)))
}

/// `GET /api/v1/jobs/{id}/logs`.
pub(super) async fn log(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let lines = server.jobs().log(call.caller()?.user, job_id(call)?).await?;
    let line = |line: &LogLine| {
        json!({
            "timestamp": rfc3339(line.at),
            "level": line.level,
            "message": line.message,
            "details": serde_json::from_str::<Value>(&line.details).unwrap_or_default(),
        })
    };
    let answer = json!({"logs": lines.iter().map(line).collect::<Vec<_>>()});
    Ok(json_unless_known(&call.head.headers, &answer))
}

fn object(server: &Server, job: &Job, running: Option<&Running>) -> Value {
    job_object(job, running, server.public_origin())
}
