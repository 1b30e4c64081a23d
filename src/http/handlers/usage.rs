//! What the caller has used this month, against their plan.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::auth::AuthError;
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::response::body::{Body, json as answer};
use crate::http::service::{Call, Server};
use crate::ledger::UsageRow;

/// `GET /api/v1/usage`: sums of the month in UTC, limits, and rows, newest first.
pub(super) async fn show(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let query = call.head.uri.query().unwrap_or_default();
    let (limit, before) = form::limit_and_before(query, "the usage takes")?;
    let (user, usage) = (call.caller()?.user, server.jobs().usage());
    let month = usage.month(user, server.auth().now()).await.map_err(AuthError::from)?;
    let (plan, limits) = usage.limits(user).await.map_err(AuthError::from)?;
    let rows = usage.rows(user, before, limit).await.map_err(AuthError::from)?;
    let stored = server.jobs().stored_bytes(user).await?;
    let next = (rows.len() == limit as usize).then(|| rows.last().map(|row| row.seq)).flatten();
    let line = |used: Value, limit: Option<u64>| json!({"used": used, "limit": limit});
    let tenths = |number: f64| json!((number * 10.0).round() / 10.0);
    Ok(answer(
        StatusCode::OK,
        &json!({
            "plan": plan,
            "from": rfc3339(month.from),
            "until": rfc3339(month.until),
            "api_calls": line(json!(month.api_calls), limits.api_calls),
            "conversions": line(json!(month.conversions), limits.conversions),
            "audio_minutes": line(tenths(month.audio_seconds / 60.0), limits.audio_minutes),
            "storage_mb": line(
                tenths(stored as f64 / f64::from(1 << 20)),
                limits.storage_bytes.map(|bytes| bytes >> 20),
            ),
            "entries": rows.iter().map(object).collect::<Vec<_>>(),
            "next_before": next,
        }),
    ))
}

fn object(row: &UsageRow) -> Value {
    json!({
        "seq": row.seq,
        "timestamp": rfc3339(row.at),
        "service": row.service,
        "endpoint": row.endpoint,
        "job_id": row.job_id,
        "audio_duration_seconds": row.audio_duration_seconds,
        "tokens_used": row.tokens_used,
        "cost_usd": row.cost_usd,
    })
}
