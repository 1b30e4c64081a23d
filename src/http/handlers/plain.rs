//! The plain routes: a phone's page, a shell script.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde_json::json;

use super::job_id;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::request::upload::{Fields, announced_length, from_form};
use crate::http::response::body::{Body, json};
use crate::http::response::download::{self, Download};
use crate::http::response::job::plain_status;
use crate::http::service::{Call, Server};
use crate::jobs::admission::check_options;
use crate::jobs::{Given, Order};

/// `POST /upload`: options and one file; the answer comes when both are safely stored.
pub(super) async fn upload(
    server: &Server,
    call: Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let owner = call.caller()?.user;
    let headers = &call.head.headers;
    let admitted = server.jobs().admit_job(owner, announced_length(headers)).await;
    admitted.map_err(|error| Problem::from(error).closing())?;
    let mut options = form::parse(call.head.uri.query().unwrap_or_default());
    let check = |options: &Fields| check_options(options).map(drop).map_err(Problem::from);
    let (name, received) = from_form(server.jobs(), headers, body, &mut options, check).await?;
    let (order, given) = (Order::of(options, "/upload"), Given::File(received, name));
    let (id, _) = server.jobs().create(owner, call.by()?, order, given).await?;
    Ok(json(StatusCode::OK, &json!({ "job_id": id.to_string() })))
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
    download::send(&Download::of(&artifact), file, &call.conditions()).await
}
