//! The one body type.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use ring::digest;
use serde::Serialize;

use super::super::request::conditional::any_matches;
use crate::base::hex;

/// What goes wrong while a body is sent.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// Any body.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// A body of these bytes.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
#[must_use]
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A JSON answer.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    with_type(status, "application/json", text_of(value))
}

/// A JSON answer with a validator over its bytes; "not modified" when the client has just these.
/// What polls pays for what changed only.
pub fn json_unless_known(request: &HeaderMap, value: &impl Serialize) -> Response<Body> {
    let text = text_of(value);
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let etag = format!("\"{}\"", hex(&hash.as_ref()[..12]));
    let known = request.get(IF_NONE_MATCH).and_then(|list| list.to_str().ok());
    let mut response = if known.is_some_and(|list| any_matches(list, &etag)) {
        bare(StatusCode::NOT_MODIFIED)
    } else {
        with_type(StatusCode::OK, "application/json", text)
    };
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value)
        .unwrap_or_else(|error| unreachable!("our own values have string keys: {error}"))
}

/// An HTML answer.
#[must_use]
pub fn html(status: StatusCode, text: String) -> Response<Body> {
    with_type(status, "text/html; charset=utf-8", text)
}

/// An answer of this type.
pub fn with_type(
    status: StatusCode,
    mime_type: &'static str,
    bytes: impl Into<Bytes>,
) -> Response<Body> {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(mime_type));
    response
}

/// An answer without a body.
#[must_use]
pub fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(empty());
    *response.status_mut() = status;
    response
}

/// Sends the client elsewhere; an address that no header can say leads home.
#[must_use]
pub fn redirect(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = bare(status);
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, location);
    response
}
