//! Own tokens of scripts, and the accounts of strangers: `/api/v1/auth/…`.

use http::{Response, StatusCode};
use hyper::body::Incoming as RequestBody;
use serde::Deserialize;
use serde_json::json;

use crate::auth::{AccountRequest, AuthError, TokenPair};
use crate::http::error::Problem;
use crate::http::request::credentials::credentials;
use crate::http::request::json;
use crate::http::response::body::{Body, bare, json as answer};
use crate::http::service::{Call, Server};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    email: String,
    password: String,
    #[serde(default)]
    first_name: String,
    #[serde(default)]
    last_name: String,
    #[serde(default)]
    company: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    email: String,
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    refresh_token: String,
}

/// `POST /api/v1/auth/register`.
pub(super) async fn register(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Wanted { email, password, first_name, last_name, company } = json::read(call, body).await?;
    let request =
        AccountRequest { email, password: Some(password), first_name, last_name, company };
    server.auth().register(&request, &call.from()).await?;
    let email = request.email.trim().to_ascii_lowercase();
    Ok(answer(StatusCode::CREATED, &json!({ "email": email })))
}

/// `POST /api/v1/auth/login`.
pub(super) async fn issue(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let SignIn { email, password } = json::read(call, body).await?;
    match server.auth().issue_tokens(&email, &password, &call.from()).await {
        Ok(pair) => Ok(told(&pair)),
        Err(AuthError::Unknown) => {
            Err(Problem::new("unauthenticated", "E-mail or password is wrong."))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /api/v1/auth/refresh`.
pub(super) async fn refresh(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let Refresh { refresh_token } = json::read(call, body).await?;
    match server.auth().refresh_tokens(&refresh_token, &call.from()).await {
        Ok(pair) => Ok(told(&pair)),
        Err(AuthError::Unknown) => Err(Problem::new(
            "unauthenticated",
            "This refresh token is not good: it has ended or was used before. Sign in again.",
        )),
        Err(error) => Err(error.into()),
    }
}

/// `POST /api/v1/auth/logout`: by the access token, by the refresh token in the body, or by both.
pub(super) async fn end(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let bearer = credentials(&call.head.headers, call.scheme).bearer;
    if let Some(access) = bearer {
        server.auth().end_tokens(access, &call.from()).await?;
    }
    match (json::read(call, body).await, bearer) {
        (Ok(Refresh { refresh_token }), _) => {
            server.auth().end_tokens(&refresh_token, &call.from()).await?;
        }
        // The header alone is enough.
        (Err(_), Some(_)) => {}
        (Err(problem), None) => return Err(problem),
    }
    Ok(bare(StatusCode::NO_CONTENT))
}

fn told(pair: &TokenPair) -> Response<Body> {
    answer(
        StatusCode::OK,
        &json!({
            "access_token": pair.access,
            "refresh_token": pair.refresh,
            "token_type": "Bearer",
            "expires_in": pair.expires_in.as_secs(),
        }),
    )
}
