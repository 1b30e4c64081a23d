//! The caller's account: who it is, what it says of itself, its password.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{AccountRow, Principal, Role, Scope};
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::json;
use crate::http::response::body::{Body, bare, json as answer};
use crate::http::service::{Call, Server};

/// What somebody says of themselves; what is not given stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    first_name: Option<String>,
    last_name: Option<String>,
    company: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    /// The one there is; none where there is none.
    #[serde(default)]
    current: Option<String>,
    new: String,
}

/// `GET /api/v1/me`.
pub(super) async fn show(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let caller = call.caller()?;
    let row = server.auth().shown(caller.user).await?;
    let csrf_token = caller.method.is_ambient().then(|| server.auth().csrf_token(caller));
    let mut document = object(&row, caller);
    document["csrf_token"] = json!(csrf_token);
    document["session"] = json!(caller.session);
    Ok(answer(StatusCode::OK, &document))
}

/// `PATCH /api/v1/me`.
pub(super) async fn change(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Profile { first_name, last_name, company } = json::read(call, body).await?;
    let said = [first_name.as_deref(), last_name.as_deref(), company.as_deref()];
    server.auth().set_profile(call.by()?, call.caller()?, said).await?;
    show(server, call).await
}

/// `POST /api/v1/me/password`: every other session of the account ends with the old one.
pub(super) async fn change_password(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Passwords { current, new } = json::read(call, body).await?;
    let caller = call.caller()?;
    let current = current.as_deref().unwrap_or_default();
    if !server.auth().may_change_password(caller, current, &call.from()).await? {
        return Err(Problem::new("forbidden", "The current password is wrong."));
    }
    server.auth().set_password(call.by()?, caller, &new).await?;
    Ok(bare(StatusCode::NO_CONTENT))
}

fn object(row: &AccountRow, caller: &Principal) -> Value {
    let role = if caller.scopes.contains(Scope::Admin) { Role::Admin } else { Role::User };
    json!({
        "id": row.id,
        "email": row.email,
        "role": role.as_str(),
        "plan": row.plan,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "company": row.company,
        "has_password": row.has_password,
        "created_at": rfc3339(row.created_at),
        "method": caller.method.as_str(),
        "scopes": caller.scopes.words(),
    })
}
