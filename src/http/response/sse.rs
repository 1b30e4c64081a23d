//! Server-sent events (WHATWG HTML, section 9.2).

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;

use super::body::{Body, BodyError};

/// A client whose stream has ended comes again after this time.
const RETRY_MS: u32 = 2000;

/// An answer that goes on as long as `events` does.
pub fn answer(events: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    let frames = events.map(|bytes| Ok::<_, BodyError>(Frame::data(bytes)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // nginx would keep it back until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// What a stream begins with: its head goes out at once, and tells when to come again.
#[must_use]
pub fn opening() -> Bytes {
    format!("retry: {RETRY_MS}\n\n").into()
}

/// One event. `id` is what a client that comes again has seen.
#[must_use]
pub fn event(name: &str, id: Option<i64>, data: &Value) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    // JSON has no line break outside its strings, and escapes those inside.
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}

/// What a client has seen now, without an event.
#[must_use]
pub fn mark(id: i64) -> Bytes {
    format!("id: {id}\n\n").into()
}

/// A comment: nothing has happened.
#[must_use]
pub fn heartbeat() -> Bytes {
    Bytes::from_static(b":\n\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_block_whatever_its_data_says() {
        let event = event("done", Some(7), &json!({"name": "a\n\nevent: x"}));
        let text = String::from_utf8_lossy(&event).into_owned();
        assert_eq!(text.matches("\n\n").count(), 1);
        assert!(text.starts_with("id: 7\nevent: done\ndata: {"));
    }
}
