//! The plain routes: a phone's page, a shell script.

use http::header::CONTENT_LENGTH;
use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde_json::json;

use super::job_id;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::request::multipart::{FileField, Form, Part};
use crate::http::response::body::{Body, json};
use crate::http::response::download::{self, Download};
use crate::http::response::job::plain_status;
use crate::http::service::{Call, Server};
use crate::jobs::Received;
use crate::jobs::admission::check_options;

/// `POST /upload`: options and one file; the answer comes when both are safely stored.
pub(super) async fn upload(
    server: &Server,
    call: Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let owner = call.caller()?.user;
    let length = announced_length(&call);
    server
        .jobs()
        .admit_job(call.caller()?.user, length)
        .await
        .map_err(|error| Problem::from(error).closing())?;
    let mut options = form::parse(call.head.uri.query().unwrap_or_default());
    let (name, received) = form_file(server, &call, body, &mut options).await?;
    let id = server.jobs().submit(owner, call.by()?, received, &name, &options).await?;
    Ok(json(StatusCode::OK, &json!({ "job_id": id.to_string() })))
}

/// The length that a request announces for its body.
pub(super) fn announced_length(call: &Call) -> Option<u64> {
    let length = call.head.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.parse().ok())
}

/// The one file of a form and its name; the form's other parts join `options`, which are checked
/// before the file has travelled.
pub(super) async fn form_file(
    server: &Server,
    call: &Call,
    body: RequestBody,
    options: &mut Vec<(String, String)>,
) -> Result<(String, Received), Problem> {
    check_options(options).map_err(|error| Problem::from(error).closing())?;
    let mut form = Form::open(&call.head.headers, body)?;
    let mut file: Option<(String, Received)> = None;
    loop {
        match form.next().await? {
            Part::Value(name, value) => options.push((name, value)),
            Part::File(..) if file.is_some() => {
                let detail = "The form has two files; send one request for each.";
                return Err(Problem::new("two_files", detail).closing());
            }
            Part::File(name, field) => {
                check_options(options).map_err(|error| Problem::from(error).closing())?;
                file = Some((name, receive(server, *field).await?));
            }
            Part::End => break,
        }
    }
    file.ok_or_else(|| Problem::new("no_file", "No file"))
}

async fn receive(server: &Server, mut field: FileField) -> Result<Received, Problem> {
    let closing = |error| Problem::from(error).closing();
    let mut incoming = server.jobs().receive().await.map_err(closing)?;
    let mut is_judged = false;
    while let Some(chunk) = field.chunk().await? {
        incoming.write(&chunk).await.map_err(closing)?;
        if let (false, Some(head)) = (is_judged, incoming.head()) {
            server.jobs().judge(head).map_err(closing)?;
            is_judged = true;
        }
    }
    if incoming.is_empty() && !field.is_named() {
        return Err(Problem::new("no_file", "No file"));
    }
    incoming.finish().await.map_err(closing)
}

/// `GET /status/{id}`.
pub(super) async fn status(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let found = match job_id(call) {
        Ok(id) => server.jobs().watch(call.caller()?.user, id).await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    let (job, running) = found.map_err(Problem::as_unknown_job)?;
    Ok(json(StatusCode::OK, &plain_status(&job, running.as_ref(), server.public_origin())))
}

/// `GET /download/{id}`: the first result.
pub(super) async fn download(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let (artifact, file) = server.jobs().open_result(call.caller()?.user, job_id(call)?).await?;
    let download = Download {
        name: Some(&artifact.name),
        mime_type: &artifact.mime_type,
        bytes: artifact.bytes,
        validator: &artifact.sha256,
    };
    download::send(&download, file, &call.conditions()).await
}
