//! What is in a file, and what would be made of it.

use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming as RequestBody;

use super::plain::{announced_length, form_file};
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::request::pace::{self, Paced};
use crate::http::response::body::{Body, json};
use crate::http::service::{Call, Server};
use crate::jobs::Received;

/// `POST /api/v1/probe`: a form with a file, or the file itself as the body. With `format` or any
/// other option, the plan too. Nothing is kept.
pub(super) async fn look(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let closing = |error| Problem::from(error).closing();
    server.jobs().admit(announced_length(call)).await.map_err(closing)?;
    let mut options = form::parse(call.head.uri.query().unwrap_or_default());
    let declared = call.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = declared.is_some_and(|kind| kind.starts_with("multipart/"));
    let received = if is_form {
        form_file(server, call, body, &mut options).await?.1
    } else {
        whole_body(server, body).await?
    };
    let told = server.jobs().examine(received, &options).await?;
    Ok(json(StatusCode::OK, &told))
}

async fn whole_body(server: &Server, body: RequestBody) -> Result<Received, Problem> {
    let mut body = Paced::new(body);
    let closing = |error| Problem::from(error).closing();
    let mut incoming = server.jobs().receive().await.map_err(closing)?;
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
