//! Signing in by the one-time link, and out.

use std::time::Duration;

use http::header::{HeaderMap, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as RequestBody;

use crate::auth::AuthError;
use crate::http::assets;
use crate::http::endpoint::Endpoint;
use crate::http::error::Problem;
use crate::http::request::credentials::{credentials, session_cookie};
use crate::http::request::form;
use crate::http::response::body::{Body, html, redirect};
use crate::http::response::headers::Scheme;
use crate::http::service::{Call, Server};

/// A form of two short fields arrives within this time.
const FORM_TIME: Duration = Duration::from_secs(10);

/// Which part of the sign-in page is shown.
#[derive(Clone, Copy)]
enum Shown {
    /// The button that spends the link.
    Link,
    /// The link has been used or is too old.
    Used,
    /// How to get a link.
    Closed,
    /// Cloudflare Access is in front, its settings are missing.
    Access,
}

/// `GET /login`: shows a button; looking at it spends nothing, so a link preview cannot either.
pub(super) fn page(call: &Call) -> Result<Response<Body>, Problem> {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let token = form::value(&query, "token").unwrap_or_default();
    let next = local_or_home(form::value(&query, "next"));
    let shown = if !token.is_empty() {
        Shown::Link
    } else if names_access(&call.head.headers) {
        tracing::warn!(
            "Cloudflare Access is in front; set CF_TEAM_DOMAIN and CF_AUDIENCE to sign in by it"
        );
        Shown::Access
    } else {
        Shown::Closed
    };
    document(StatusCode::OK, shown, token, next)
}

/// `POST /login`: spends the link and opens a session.
pub(super) async fn spend(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let fields = read_form(body).await?;
    let token = form::value(&fields, "token").unwrap_or_default();
    let next = local_or_home(form::value(&fields, "next"));
    let user_agent = call.head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    match server.auth().sign_in(token, user_agent).await {
        Ok(session) => {
            let mut response = redirect(StatusCode::SEE_OTHER, next);
            set_cookie(&mut response, call.scheme, &session, "");
            Ok(response)
        }
        Err(AuthError::Unknown) => document(StatusCode::UNAUTHORIZED, Shown::Used, "", next),
        Err(error) => Err(error.into()),
    }
}

/// `POST /logout`: ends the session.
pub(super) async fn out(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    if let Some(session) = credentials(&call.head.headers, call.scheme).session {
        server.auth().sign_out(session).await?;
    }
    let mut response = redirect(StatusCode::SEE_OTHER, "/login");
    set_cookie(&mut response, call.scheme, "", "; Max-Age=0");
    Ok(response)
}

fn document(
    status: StatusCode,
    shown: Shown,
    token: &str,
    next: &str,
) -> Result<Response<Body>, Problem> {
    let state = match shown {
        Shown::Link => "link",
        Shown::Used => "used",
        Shown::Closed => "closed",
        Shown::Access => "access",
    };
    let values = [("state", state), ("token", token), ("next", next), ("wait", "")];
    let page = assets::document("login.html", &values)
        .ok_or_else(|| Problem::new("internal", "The page is missing from this build."))?;
    Ok(html(status, page))
}

async fn read_form(body: RequestBody) -> Result<Vec<(String, String)>, Problem> {
    let limit =
        Endpoint::Login.body_limit().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    let collected = tokio::time::timeout(FORM_TIME, Limited::new(body, limit).collect()).await;
    let bytes = collected
        .map_err(|_| Problem::new("client_too_slow", "The form did not arrive in time.").closing())?
        .map_err(|_| Problem::new("bad_request", "The form is cut off or too long.").closing())?
        .to_bytes();
    Ok(form::parse(&String::from_utf8_lossy(&bytes)))
}

fn local_or_home(next: Option<&str>) -> &str {
    next.filter(|next| form::is_local_path(next)).unwrap_or("/")
}

/// Whether Cloudflare Access stands in front. Its header proves nothing here; it only explains.
fn names_access(headers: &HeaderMap) -> bool {
    headers.contains_key("cf-access-authenticated-user-email")
        || headers.contains_key("cf-access-jwt-assertion")
}

fn set_cookie(response: &mut Response<Body>, scheme: Scheme, value: &str, more: &str) {
    let secure = match scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    let name = session_cookie(scheme);
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{more}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
}
