//! A file as it comes in a request: in a form, or as the body itself.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::Incoming as RequestBody;

use super::super::error::Problem;
use super::multipart::{FileField, Form, Part};
use super::pace::{self, Paced};
use crate::jobs::{Jobs, Received};

/// Names and values of a form's parts beside its file, in their order.
pub type Fields = Vec<(String, String)>;

/// The length that a request announces for its body.
#[must_use]
pub fn announced_length(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|value| value.parse().ok())
}

/// Whether the body is a form.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/"))
}

/// The one file of a form and its name; the form's other parts join `fields`, which `check` looks at
/// before the file has travelled.
///
/// # Errors
/// `not_a_form`, `two_files`, `no_file`, what `check` refuses, and what taking the file in objects to.
pub async fn from_form(
    jobs: &Jobs,
    headers: &HeaderMap,
    body: RequestBody,
    fields: &mut Fields,
    check: impl Fn(&Fields) -> Result<(), Problem>,
) -> Result<(String, Received), Problem> {
    let checked = |fields: &Fields| check(fields).map_err(Problem::closing);
    checked(fields)?;
    let mut form = Form::open(headers, body)?;
    let mut file: Option<(String, Received)> = None;
    loop {
        match form.next().await? {
            Part::Value(name, value) => fields.push((name, value)),
            Part::File(..) if file.is_some() => {
                let detail = "The form has two files; send one request for each.";
                return Err(Problem::new("two_files", detail).closing());
            }
            Part::File(name, field) => {
                checked(fields)?;
                file = Some((name, receive(jobs, *field).await?));
            }
            Part::End => break,
        }
    }
    file.ok_or_else(|| Problem::new("no_file", "No file"))
}

/// The file that a body is.
///
/// # Errors
/// `client_too_slow`, `body_cut_off`, and what taking the file in objects to.
pub async fn whole_body(jobs: &Jobs, body: RequestBody) -> Result<Received, Problem> {
    let mut body = Paced::new(body);
    let mut incoming = jobs.receive().await.map_err(closing)?;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match pace::is_too_slow(&error) {
            true => Problem::new("client_too_slow", pace::sentence()).closing(),
            false => Problem::new("body_cut_off", "The upload broke off before its end.").closing(),
        })?;
        if let Ok(data) = frame.into_data() {
            incoming.write(&data).await.map_err(closing)?;
        }
    }
    incoming.finish().await.map_err(closing)
}

async fn receive(jobs: &Jobs, mut field: FileField) -> Result<Received, Problem> {
    let mut incoming = jobs.receive().await.map_err(closing)?;
    let mut is_judged = false;
    while let Some(chunk) = field.chunk().await? {
        incoming.write(&chunk).await.map_err(closing)?;
        if let (false, Some(head)) = (is_judged, incoming.head()) {
            jobs.judge(head).map_err(closing)?;
            is_judged = true;
        }
    }
    if incoming.is_empty() && !field.is_named() {
        return Err(Problem::new("no_file", "No file"));
    }
    incoming.finish().await.map_err(closing)
}

fn closing(error: crate::jobs::JobsError) -> Problem {
    Problem::from(error).closing()
}
