//! What is in a file, and what would be made of it.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;

use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::request::upload::{Fields, announced_length, from_form, is_form, whole_body};
use crate::http::response::body::{Body, json};
use crate::http::service::{Call, Server};
use crate::jobs::admission::check_options;

/// `POST /api/v1/probe`: a form with a file, or the file itself as the body. With `format` or any
/// other option, the plan too. Nothing is kept.
pub(super) async fn look(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let closing = |error| Problem::from(error).closing();
    let headers = &call.head.headers;
    server.jobs().admit(announced_length(headers)).await.map_err(closing)?;
    let mut options = form::parse(call.head.uri.query().unwrap_or_default());
    let received = if is_form(headers) {
        let check = |options: &Fields| check_options(options).map(drop).map_err(Problem::from);
        from_form(server.jobs(), headers, body, &mut options, check).await?.1
    } else {
        whole_body(server.jobs(), body).await?
    };
    let told = server.jobs().examine(received, &options).await?;
    Ok(json(StatusCode::OK, &told))
}
