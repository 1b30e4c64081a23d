//! Making jobs through the API.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::UserId;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::request::json as json_body;
use crate::http::request::upload::{Fields, announced_length, from_form, is_form};
use crate::http::response::body::{Body, json};
use crate::http::response::job::job_object;
use crate::http::service::{Call, Server};
use crate::jobs::admission::check_options;
use crate::jobs::hooks::Hook;
use crate::jobs::order::{KeyInUse, METADATA_BYTES, PRIORITIES};
use crate::jobs::store::sqlite::Entered;
use crate::jobs::{Given, JobsError, Order};

/// The longest that an answer waits for a job's end: proxies give up after half a minute.
const WAIT_MAX: u64 = 25;

/// Longest name of a request, in bytes.
const KEY_BYTES: usize = 255;

/// By which address these jobs are asked for.
const ENDPOINT: &str = "/api/v1/jobs";

/// Says that the job was made by an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What a JSON request asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "type")]
    kind: Option<String>,
    input: Input,
    #[serde(default)]
    options: Map<String, Value>,
    #[serde(default)]
    priority: Value,
    #[serde(default)]
    metadata: Value,
    #[serde(default)]
    webhook: Option<Told>,
}

/// Who is told of the job's end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    url: String,
    #[serde(default)]
    template: Option<Value>,
}

/// Where the source is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    job: Option<String>,
    #[serde(rename = "use")]
    which: Option<String>,
    upload: Option<Value>,
    url: Option<Value>,
}

/// `POST /api/v1/jobs`: a form with a file, or JSON that names another job's.
pub(super) async fn create(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let owner = call.caller()?.user;
    let closing = |error: JobsError| Problem::from(error).closing();
    let (wait, options) = query(call)?;
    let key = key(server, call)?;
    let (order, given) = if is_form(&call.head.headers) {
        let length = announced_length(&call.head.headers);
        admit(server, owner, key.as_ref(), length).await.map_err(closing)?;
        let mut fields = options;
        let headers = &call.head.headers;
        let check = |fields: &Fields| of_form(fields.clone(), None).map(drop);
        let (name, received) = from_form(server.jobs(), headers, body, &mut fields, check).await?;
        (of_form(fields, key)?, Given::File(received, name))
    } else {
        if !json_body::is_declared(&call.head.headers) {
            let detail = "This takes multipart/form-data with a file, or application/json.";
            return Err(Problem::new("not_json", detail).closing());
        }
        admit(server, owner, key.as_ref(), Some(0)).await.map_err(closing)?;
        of_json(options, json_body::read(call, body).await?, key)?
    };
    let (id, entered) = server.jobs().create(owner, call.by()?, order, given).await?;
    let (job, running) = match wait {
        Some(seconds) => server.jobs().ended(owner, id, Duration::from_secs(seconds)).await?,
        None => server.jobs().watch(owner, id).await?,
    };
    let status = match wait {
        None => StatusCode::CREATED,
        Some(_) if job.status.is_final() => StatusCode::OK,
        Some(_) => StatusCode::ACCEPTED,
    };
    let mut response = json(status, &job_object(&job, running.as_ref(), server.public_origin()));
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/jobs/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    if matches!(entered, Entered::Before(_)) {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// Whether it may come: what was asked for before under its key always may.
async fn admit(
    server: &Server,
    owner: UserId,
    key: Option<&KeyInUse>,
    length: Option<u64>,
) -> Result<(), JobsError> {
    if let Some(key) = key
        && server.jobs().admit_again(key, length).await?
    {
        return Ok(());
    }
    server.jobs().admit_job(owner, length).await
}

/// How long the answer is to wait, and the options that stand in the address.
fn query(call: &Call) -> Result<(Option<u64>, Fields), Problem> {
    let mut options = form::parse(call.head.uri.query().unwrap_or_default());
    let Some(at) = options.iter().position(|(name, _)| name == "wait") else {
        return Ok((None, options));
    };
    let (_, value) = options.remove(at);
    let wait = value.parse().ok().filter(|seconds| *seconds <= WAIT_MAX);
    let wait = wait.ok_or_else(|| {
        Problem::new("query_invalid", "\"wait\" in the address takes 0 to 25 seconds.").closing()
    })?;
    Ok((Some(wait), options))
}

/// What the client calls this request.
fn key(server: &Server, call: &Call) -> Result<Option<KeyInUse>, Problem> {
    let Some(value) = call.head.headers.get("idempotency-key") else { return Ok(None) };
    let is_fit = |key: &&str| {
        (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic())
    };
    let key = value.to_str().ok().filter(is_fit).ok_or_else(|| {
        let detail = "An Idempotency-Key has 1 to 255 visible ASCII characters.";
        Problem::new("bad_request", detail).closing()
    })?;
    let taken = server.jobs().take_key(call.caller()?.user, key);
    taken.map(Some).map_err(|error| Problem::from(error).closing())
}

/// An order out of a form's fields: what is none of ours is an option of the conversion.
fn of_form(fields: Fields, key: Option<KeyInUse>) -> Result<Order, Problem> {
    let mut order = Order { key, ..Order::of(Vec::new(), ENDPOINT) };
    for (name, value) in fields {
        match name.as_str() {
            "type" => check_type(&value)?,
            "priority" if value.is_empty() => {}
            "priority" => order.priority = priority(value.parse().ok())?,
            "webhook_url" if value.is_empty() => {}
            "webhook_url" => order.hook = Some(Hook { url: value, template: None }),
            "metadata" if value.is_empty() => {}
            "metadata" => {
                let notes = serde_json::from_str(&value).unwrap_or_default();
                order.metadata = metadata(notes)?;
            }
            _ => order.options.push((name, value)),
        }
    }
    check_options(&order.options)?;
    Ok(order)
}

/// An order out of a JSON document.
fn of_json(
    mut options: Fields,
    asked: Asked,
    key: Option<KeyInUse>,
) -> Result<(Order, Given), Problem> {
    if let Some(kind) = &asked.kind {
        check_type(kind)?;
    }
    for (name, value) in asked.options {
        let value = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                let detail = format!("\"{name}\" takes a text or a number.");
                return Err(Problem::new("option_invalid", detail));
            }
        };
        options.push((name, value));
    }
    let mut order = Order { key, ..Order::of(options, ENDPOINT) };
    if !asked.priority.is_null() {
        order.priority = priority(asked.priority.as_i64())?;
    }
    if !asked.metadata.is_null() {
        order.metadata = metadata(asked.metadata)?;
    }
    order.hook = asked.webhook.map(|Told { url, template }| Hook { url, template });
    check_options(&order.options)?;
    Ok((order, given(asked.input)?))
}

fn given(input: Input) -> Result<Given, Problem> {
    let Input { job, which, upload, url } = input;
    if upload.is_some() || url.is_some() {
        let detail = "Sources by address and uploads before their job are not built yet: send the \
                      file in a form, or name another job's.";
        return Err(Problem::new("unsupported_input", detail));
    }
    let Some(job) = job else {
        return Err(Problem::new("bad_request", "\"input\" takes {\"job\": id}."));
    };
    let job = job.parse().map_err(|_| Problem::from(JobsError::NotFound))?;
    match which.as_deref() {
        None | Some("input") => Ok(Given::InputOf(job)),
        Some("output") => Ok(Given::OutputOf(job)),
        Some(_) => Err(Problem::new("bad_request", "\"use\" takes \"input\" or \"output\".")),
    }
}

fn check_type(kind: &str) -> Result<(), Problem> {
    if kind == "transcode" {
        return Ok(());
    }
    let detail = "\"type\" takes transcode, the only one that is built yet.";
    Err(Problem::new("unsupported_type", detail))
}

fn priority(number: Option<i64>) -> Result<i64, Problem> {
    number.filter(|number| PRIORITIES.contains(number)).ok_or_else(|| {
        Problem::new("option_invalid", "\"priority\" takes a whole number from -10 to 10.")
    })
}

fn metadata(notes: Value) -> Result<Map<String, Value>, Problem> {
    match notes {
        Value::Object(notes) if json_bytes(&notes) <= METADATA_BYTES => Ok(notes),
        _ => {
            let detail =
                format!("\"metadata\" takes a JSON object of at most {METADATA_BYTES} bytes.");
            Err(Problem::new("option_invalid", detail))
        }
    }
}

fn json_bytes(notes: &Map<String, Value>) -> usize {
    serde_json::to_string(notes).map_or(usize::MAX, |text| text.len())
}
