//! API keys of the caller.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{KeyRequest, KeyRow, Scopes};
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::json;
use crate::http::response::body::{Body, bare, json as answer};
use crate::http::service::{Call, Server};

/// What a key is made of.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    /// Words in one text, or a list of them.
    #[serde(default)]
    scopes: Option<Words>,
    /// Never ends when not given.
    #[serde(default)]
    expires_in_days: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

/// `GET /api/v1/keys`.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let keys = server.auth().keys(call.caller()?.user).await?;
    let keys: Vec<Value> = keys.iter().map(object).collect();
    Ok(answer(StatusCode::OK, &json!({ "keys": keys })))
}

/// `POST /api/v1/keys`.
pub(super) async fn create(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Wanted { name, scopes, expires_in_days } = json::read(call, body).await?;
    let words = match scopes {
        None => Scopes::JOBS.to_string(),
        Some(Words::Text(text)) => text,
        Some(Words::List(list)) => list.join(" "),
    };
    let scopes: Scopes =
        words.parse().map_err(|error| Problem::new("option_invalid", format!("{error}.")))?;
    let request = KeyRequest { name, scopes, days: expires_in_days };
    let made = server.auth().create_key(call.by()?, call.caller()?, &request).await?;
    Ok(answer(
        StatusCode::CREATED,
        &json!({
            "id": made.id.to_string(),
            "key": made.key,
            "prefix": made.prefix,
            "name": request.name.trim(),
            "scopes": scopes.words(),
            "expires_at": made.expires_at.map(rfc3339),
        }),
    ))
}

/// `DELETE /api/v1/keys/{id}`.
pub(super) async fn revoke(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let unknown = || Problem::new("not_found", "There is no such key.");
    let id = call.value("id").parse().map_err(|_| unknown())?;
    server.auth().revoke_key(call.by()?, call.caller()?.user, id).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

fn object(key: &KeyRow) -> Value {
    json!({
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "scopes": key.scopes.parse::<Scopes>().unwrap_or_default().words(),
        "created_at": rfc3339(key.created_at),
        "expires_at": key.expires_at.map(rfc3339),
        "revoked_at": key.revoked_at.map(rfc3339),
        "last_used_at": key.last_used_at.map(rfc3339),
        "uses": key.uses,
    })
}
