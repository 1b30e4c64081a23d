//! Sessions of the caller.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::auth::SessionRow;
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::response::body::{Body, bare, json as answer};
use crate::http::service::{Call, Server};

/// `GET /api/v1/sessions`.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let caller = call.caller()?;
    let sessions = server.auth().sessions(caller).await?;
    let sessions: Vec<Value> =
        sessions.iter().map(|session| object(session, caller.session.as_deref())).collect();
    Ok(answer(StatusCode::OK, &json!({ "sessions": sessions })))
}

/// `DELETE /api/v1/sessions/{id}`.
pub(super) async fn end(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    server.auth().end_session(call.by()?, call.caller()?, call.value("id")).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

/// `DELETE /api/v1/sessions`: all but the one that asks.
pub(super) async fn end_others(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let ended = server.auth().end_other_sessions(call.by()?, call.caller()?).await?;
    Ok(answer(StatusCode::OK, &json!({ "ended": ended })))
}

fn object(session: &SessionRow, own: Option<&str>) -> Value {
    json!({
        "id": session.id,
        "current": own == Some(session.id.as_str()),
        "origin": session.origin,
        "user_agent": session.user_agent,
        "address": session.address,
        "created_at": rfc3339(session.created_at),
        "last_seen_at": rfc3339(session.last_seen_at),
        "expires_at": rfc3339(session.expires_at),
    })
}
