//! JSON bodies.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming as RequestBody;
use serde::de::DeserializeOwned;

use super::super::error::Problem;
use super::super::service::Call;

/// A few fields arrive within this time.
const TIME: Duration = Duration::from_secs(10);

/// The most that a document has where a file may come in its place.
const BYTES: usize = 64 * 1024;

/// Whether the body is said to be JSON.
#[must_use]
pub fn is_declared(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// Reads a body that is one JSON object; one field too many is an error, not ignored.
///
/// # Errors
/// `not_json` for another type, `bad_request` for what cannot be read, `client_too_slow`.
pub async fn read<T: DeserializeOwned>(call: &Call, body: RequestBody) -> Result<T, Problem> {
    if !is_declared(&call.head.headers) {
        let detail = "This takes JSON: send it with \"Content-Type: application/json\".";
        return Err(Problem::new("not_json", detail).closing());
    }
    let limit = call.endpoint.body_limit().and_then(|bytes| usize::try_from(bytes).ok());
    let limit = limit.unwrap_or(BYTES);
    let collected = tokio::time::timeout(TIME, Limited::new(body, limit).collect()).await;
    let bytes = collected
        .map_err(|_| Problem::new("client_too_slow", "The body did not arrive in time.").closing())?
        .map_err(|error| match error.is::<LengthLimitError>() {
            true => Problem::new("too_large", format!("This takes at most {limit} bytes.")),
            false => Problem::new("body_cut_off", "The body broke off before its end."),
        })
        .map_err(Problem::closing)?
        .to_bytes();
    // A list would be taken for the fields in their order.
    let object: serde_json::Result<serde_json::Map<_, _>> = serde_json::from_slice(&bytes);
    object
        .and_then(|object| serde_json::from_value(object.into()))
        .map_err(|error| Problem::new("bad_request", format!("The JSON cannot be read: {error}.")))
}
