//! Accounts, for admins.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::{AccountChange, AccountRow, Role};
use crate::base::clock::rfc3339;
use crate::http::error::Problem;
use crate::http::request::json;
use crate::http::response::body::{Body, json as answer};
use crate::http::service::{Call, Server};

/// What is to be different; what is not given stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    role: Option<String>,
    plan: Option<String>,
    disabled: Option<bool>,
}

/// `GET /api/v1/users`.
pub(super) async fn list(server: &Server) -> Result<Response<Body>, Problem> {
    let users: Vec<Value> = server.auth().accounts().await?.iter().map(object).collect();
    let plans: Vec<&str> = server.jobs().usage().plans().names().collect();
    Ok(answer(StatusCode::OK, &json!({ "users": users, "plans": plans })))
}

/// `PATCH /api/v1/users/{id}`.
pub(super) async fn change(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Wanted { role, plan, disabled } = json::read(call, body).await?;
    let role = role.map(|word| {
        let wrong = || Problem::new("option_invalid", "\"role\" takes user or admin.");
        Role::of(&word).ok_or_else(wrong)
    });
    let plans = server.jobs().usage().plans();
    if let Some(plan) = plan.as_deref().filter(|plan| !plans.has(plan)) {
        let names: Vec<&str> = plans.names().collect();
        let detail = format!("There is no plan \"{plan}\"; there are {}.", names.join(", "));
        return Err(Problem::new("option_invalid", detail));
    }
    let change = AccountChange { disabled, role: role.transpose()?, plan };
    let email = server.auth().email_of(call.value("id")).await?;
    server.auth().change_account(call.by()?, &email, &change).await?;
    let users = server.auth().accounts().await?;
    let row = users.iter().find(|row| row.id == call.value("id"));
    Ok(answer(StatusCode::OK, &row.map_or(Value::Null, object)))
}

fn object(row: &AccountRow) -> Value {
    json!({
        "id": row.id,
        "email": row.email,
        "role": row.role,
        "plan": row.plan,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "company": row.company,
        "created_at": rfc3339(row.created_at),
        "proven": row.proven,
        "disabled_at": row.disabled_at.map(rfc3339),
    })
}
