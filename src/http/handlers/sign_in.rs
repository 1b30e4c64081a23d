//! Signing in, by the one-time link or by a password, and out.

use std::time::Duration;

use http::header::{ACCEPT, HeaderMap, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming as RequestBody;

use crate::auth::{AuthError, Credentials, Method};
use crate::http::assets;
use crate::http::endpoint::Endpoint;
use crate::http::error::Problem;
use crate::http::request::credentials::{credentials, names_access, session_cookie};
use crate::http::request::form;
use crate::http::response::body::{Body, html, redirect};
use crate::http::response::headers::Scheme;
use crate::http::service::{Call, Server};

/// A form of two short fields arrives within this time.
const FORM_TIME: Duration = Duration::from_secs(10);

/// Which part of the sign-in page is shown.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// The button that spends the link.
    Link,
    /// The link has been used or is too old.
    Used,
    /// E-mail and password.
    Form,
    /// As above, after a wrong password for this e-mail.
    Wrong(&'a str),
    /// Cloudflare Access is in front, its settings are missing.
    Access,
    /// Seconds until the next try.
    Wait(u64),
    /// Somebody who is known, and why they may not come in.
    NotAllowed(&'a str),
    /// Something of ours does not work; what.
    Failed(&'a str),
}

/// `GET /login`: shows a button; looking at it spends nothing, so a link preview cannot either.
pub(super) fn page(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let query = form::parse(call.head.uri.query().unwrap_or_default());
    let token = form::value(&query, "token").unwrap_or_default();
    let next = local_or_home(form::value(&query, "next"));
    let shown = if !token.is_empty() {
        Shown::Link
    } else if names_access(&call.head.headers) && !server.auth().is_behind_access() {
        server.explain_access(&call.head.headers);
        Shown::Access
    } else {
        Shown::Form
    };
    document(StatusCode::OK, shown, token, next)
}

/// `POST /login`: spends the link, or looks at e-mail and password, and opens a session.
pub(super) async fn spend(
    server: &Server,
    call: &Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    let fields = read_form(body).await?;
    let field = |name: &str| form::value(&fields, name);
    let next = local_or_home(field("next"));
    let (signed_in, refused) = match (field("token"), field("email"), field("password")) {
        (Some(token), None, None) => {
            (server.auth().sign_in(token, &call.from()).await, Shown::Used)
        }
        (None, Some(email), Some(password)) => {
            let signed_in = server.auth().sign_in_by_password(email, password, &call.from()).await;
            (signed_in, Shown::Wrong(email))
        }
        _ => {
            let detail = "The form takes \"email\" and \"password\", or \"token\".";
            return Err(Problem::new("bad_request", detail));
        }
    };
    match signed_in {
        Ok(session) => {
            // The one this browser had before is nobody's now.
            let before = credentials(&call.head.headers, call.scheme).session;
            if let Some(before) = before
                && let Err(error) = server.auth().sign_out(before, call.client.as_deref()).await
            {
                tracing::warn!(%error, "the session before this sign-in has not ended");
            }
            let mut response = redirect(StatusCode::SEE_OTHER, next);
            set_cookie(&mut response, call.scheme, &session, "");
            Ok(response)
        }
        Err(error) if !wants_page(&call.head.headers) => Err(match error {
            AuthError::Unknown => Problem::new("unauthenticated", "Invalid credentials"),
            error => error.into(),
        }),
        Err(AuthError::Unknown) => document(StatusCode::UNAUTHORIZED, refused, "", next),
        Err(AuthError::NotAllowed(why)) => not_allowed(&why),
        Err(AuthError::TooMany(seconds)) => {
            let mut response =
                document(StatusCode::TOO_MANY_REQUESTS, Shown::Wait(seconds), "", next)?;
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            Ok(response)
        }
        Err(error) => {
            let problem = Problem::from(error);
            document(problem.status(), Shown::Failed(problem.detail()), "", next)
        }
    }
}

/// A page for somebody who is known and may not come in.
pub(super) fn not_allowed(why: &str) -> Result<Response<Body>, Problem> {
    document(StatusCode::FORBIDDEN, Shown::NotAllowed(why), "", "/")
}

/// `POST /logout`: ends the session.
pub(super) async fn out(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let credentials = credentials(&call.head.headers, call.scheme);
    if let Some(session) = credentials.session {
        server.auth().sign_out(session, call.client.as_deref()).await?;
    }
    let assertion = Credentials { session: None, api_key: None, bearer: None, ..credentials };
    let caller = server.auth().authenticate(assertion).await.ok();
    // Behind Access, who is signed in there is signed in here.
    let is_by_access = caller.is_some_and(|caller| caller.method == Method::Access);
    let to = if is_by_access { "/cdn-cgi/access/logout" } else { "/login" };
    let mut response = redirect(StatusCode::SEE_OTHER, to);
    set_cookie(&mut response, call.scheme, "", "; Max-Age=0");
    Ok(response)
}

fn document(
    status: StatusCode,
    shown: Shown<'_>,
    token: &str,
    next: &str,
) -> Result<Response<Body>, Problem> {
    let state = match shown {
        Shown::Link => "link",
        Shown::Used => "used",
        Shown::Form => "form",
        Shown::Wrong(_) => "wrong",
        Shown::Access => "access",
        Shown::Wait(_) => "wait",
        Shown::NotAllowed(_) => "not_allowed",
        Shown::Failed(_) => "failed",
    };
    let title = match shown {
        Shown::Link | Shown::Form | Shown::Access => "Sign in",
        Shown::Used => "This link no longer works",
        Shown::Wrong(_) => "Invalid credentials",
        Shown::Wait(_) => "Too many tries",
        Shown::NotAllowed(_) => "You may not come in",
        Shown::Failed(_) => "Nobody can sign in just now",
    };
    let email = if let Shown::Wrong(email) = shown { email } else { "" };
    let (focus_email, focus_password) =
        if email.is_empty() { ("autofocus", "") } else { ("", "autofocus") };
    let wait = if let Shown::Wait(seconds) = shown { seconds.to_string() } else { String::new() };
    let why = if let Shown::NotAllowed(why) | Shown::Failed(why) = shown { why } else { "" };
    let values = [
        ("state", state),
        ("title", title),
        ("token", token),
        ("next", next),
        ("wait", &wait),
        ("why", why),
        ("email", email),
        ("focus_email", focus_email),
        ("focus_password", focus_password),
    ];
    let page = assets::document("login.html", &values)
        .ok_or_else(|| Problem::new("internal", "The page is missing from this build."))?;
    Ok(html(status, page))
}

/// Whether a person is looking at the answer: a script that posts the form gets a problem document.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
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
