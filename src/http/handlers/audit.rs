//! The audit log, for admins.

use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::auth::AuthError;
use crate::base::clock::rfc3339;
use crate::base::hex;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::response::body::{Body, json as answer};
use crate::http::service::{Call, Server};
use crate::ledger::{Entry, Selection, Whole};

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 500;

/// `GET /api/v1/audit`: newest first, the chain's head, and with `check=true` whether the chains of
/// this log and of the usage log hold.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let mut selection = Selection { limit: LIMIT_DEFAULT, ..Selection::default() };
    let mut checks = false;
    for (name, value) in &query {
        let wrong = |allowed: &str| {
            Problem::new("query_invalid", format!("\"{name}\" in the address takes {allowed}."))
        };
        match name.as_str() {
            "actor" => selection.actor = Some(value),
            "action" => selection.action = Some(value),
            "before" => selection.before = Some(value.parse().map_err(|_| wrong("a number"))?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                selection.limit = limit.ok_or_else(|| wrong("1 to 500"))?;
            }
            "check" => checks = value.parse().map_err(|_| wrong("true or false"))?,
            _ => {
                let detail = format!(
                    "There is no \"{name}\"; the log takes actor, action, before, limit, check."
                );
                return Err(Problem::new("query_invalid", detail));
            }
        }
    }
    let ledger = server.auth().ledger();
    let entries = ledger.list(&selection).await.map_err(AuthError::from)?;
    let head = ledger.head().await.map_err(AuthError::from)?;
    let (chain, usage_chain) = match checks {
        true => {
            let usage = server.jobs().usage().check().await.map_err(AuthError::from)?;
            (Some(ledger.check().await.map_err(AuthError::from)?), Some(usage))
        }
        false => (None, None),
    };
    let next =
        (entries.len() == selection.limit as usize).then(|| entries.last().map(|entry| entry.seq));
    Ok(answer(
        StatusCode::OK,
        &json!({
            "entries": entries.iter().map(object).collect::<Vec<_>>(),
            "next_before": next.flatten(),
            "head": head.map(|(seq, link)| json!({"seq": seq, "hash": hex(&link)})),
            "chain": chain.map(whole),
            "usage_chain": usage_chain.map(whole),
        }),
    ))
}

fn whole(chain: Whole) -> Value {
    match chain {
        Whole::Whole(entries) => json!({"whole": true, "entries": entries}),
        Whole::Broken(seq) => json!({"whole": false, "broken_at": seq}),
    }
}

fn object(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq,
        "timestamp": rfc3339(entry.at),
        "actor": entry.actor,
        "method": entry.method,
        "address": entry.address,
        "action": entry.action,
        "target": entry.target,
        "outcome": entry.outcome,
        "detail": serde_json::from_str::<Value>(&entry.detail).unwrap_or(Value::Null),
    })
}
