//! Webhooks of the caller: who is told of their ended jobs.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::{form, json};
use crate::http::response::body::{Body, bare, json as answer};
use crate::http::service::{Call, Server};
use crate::jobs::hooks::Hook;
use crate::jobs::store::sqlite::{DeliveryRow, HookRow};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    url: String,
    /// Every end of a job where none is named.
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(default)]
    template: Option<Value>,
}

/// `GET /api/v1/webhooks`, with the secret by which everything of the account is signed.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let owner = call.caller()?.user;
    let hooks = server.jobs().hooks(owner).await?;
    let secret = server.jobs().hook_secret(owner).await?;
    let hooks: Vec<Value> = hooks.iter().map(object).collect();
    Ok(answer(StatusCode::OK, &json!({ "webhooks": hooks, "secret": secret })))
}

/// `POST /api/v1/webhooks`.
pub(super) async fn create(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Wanted { url, events, template } = json::read(call, body).await?;
    let hook = Hook { url, template };
    let made = server.jobs().add_hook(call.caller()?.user, call.by()?, hook, events).await?;
    Ok(answer(StatusCode::CREATED, &object(&made)))
}

/// `DELETE /api/v1/webhooks/{id}`.
pub(super) async fn remove(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let removed =
        server.jobs().remove_hook(call.caller()?.user, call.by()?, call.value("id")).await;
    match removed {
        Err(crate::jobs::JobsError::NotFound) => {
            Err(Problem::new("not_found", "There is no such webhook."))
        }
        removed => Ok(removed.map(|()| bare(StatusCode::NO_CONTENT))?),
    }
}

/// `GET /api/v1/webhooks/deliveries`: what was sent and what is still to be, newest first.
pub(super) async fn deliveries(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let query = call.head.uri.query().unwrap_or_default();
    let (limit, before) = form::limit_and_before(query, "deliveries take")?;
    let rows = server.jobs().deliveries(call.caller()?.user, before, limit).await?;
    let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.id)).flatten();
    let rows: Vec<Value> = rows.iter().map(delivery).collect();
    Ok(answer(StatusCode::OK, &json!({ "deliveries": rows, "next_before": next })))
}

fn object(hook: &HookRow) -> Value {
    json!({
        "id": hook.id,
        "url": hook.url,
        "events": hook.events.split(' ').collect::<Vec<_>>(),
        "template": hook.template.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok()),
        "created_at": rfc3339(hook.created_at),
        "disabled_at": hook.disabled_at.map(rfc3339),
    })
}

fn delivery(row: &DeliveryRow) -> Value {
    json!({
        "id": row.id,
        "webhook_id": row.webhook_id,
        "job_id": row.job_id,
        "event": format!("job.{}", row.event),
        "url": row.url,
        "status": row.status,
        "attempts": row.attempts,
        "next_attempt_at": (row.status == "pending").then(|| rfc3339(row.next_at)),
        "created_at": rfc3339(row.created_at),
        "ended_at": row.ended_at.map(rfc3339),
        "answer": row.answer,
        "problem": row.problem,
    })
}
