//! A stored file as an answer: whole, in part, not modified, or not satisfiable (RFC 9110).

use std::fs::File;
use std::io::SeekFrom;

use futures_util::TryStreamExt;
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::super::error::Problem;
use super::super::request::conditional::{self, Wanted};
use super::body::{Body, BodyError, bare};
use crate::jobs::model::Artifact;

/// Bytes read and sent at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// A file to send.
#[derive(Debug)]
pub struct Download<'a> {
    /// Its name for people, where it is to be kept and not shown.
    pub name: Option<&'a str>,
    /// Its type by our own table.
    pub mime_type: &'a str,
    /// Its size.
    pub bytes: u64,
    /// Changes whenever its content does: the strong validator.
    pub validator: &'a str,
}

impl<'a> Download<'a> {
    /// A result of a job, under its own name.
    #[must_use]
    pub fn of(artifact: &'a Artifact) -> Self {
        Self {
            name: Some(&artifact.name),
            mime_type: &artifact.mime_type,
            bytes: artifact.bytes,
            validator: &artifact.sha256,
        }
    }
}

/// The answer to a request for `file`.
///
/// # Errors
/// `range_not_satisfiable`, or `storage_failed` when the file cannot be read.
pub async fn send(
    download: &Download<'_>,
    file: File,
    request: &HeaderMap,
) -> Result<Response<Body>, Problem> {
    let etag = format!("\"{}\"", download.validator);
    let mut response = match conditional::wanted(request, &etag, download.bytes) {
        Wanted::NotModified => bare(StatusCode::NOT_MODIFIED),
        Wanted::Whole => body(file, 0, download.bytes, StatusCode::OK).await?,
        Wanted::Part { first, last } => {
            let mut response =
                body(file, first, last - first + 1, StatusCode::PARTIAL_CONTENT).await?;
            let range = format!("bytes {first}-{last}/{}", download.bytes);
            insert(response.headers_mut(), CONTENT_RANGE, &range);
            response
        }
        Wanted::Unsatisfiable => {
            let range = HeaderValue::from_str(&format!("bytes */{}", download.bytes));
            let problem = Problem::new(
                "range_not_satisfiable",
                format!("The file has {} bytes; the range lies outside.", download.bytes),
            );
            return Err(match range {
                Ok(range) => problem.with_header(CONTENT_RANGE, range),
                Err(_) => problem,
            });
        }
    };
    let headers = response.headers_mut();
    insert(headers, ETAG, &etag);
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    insert(headers, CONTENT_TYPE, download.mime_type);
    if let Some(name) = download.name {
        insert(headers, CONTENT_DISPOSITION, &disposition(name));
    }
    Ok(response)
}

async fn body(
    file: File,
    first: u64,
    length: u64,
    status: StatusCode,
) -> Result<Response<Body>, Problem> {
    let mut file = tokio::fs::File::from_std(file);
    file.seek(SeekFrom::Start(first)).await.map_err(|error| {
        tracing::error!(%error, "a result cannot be read");
        Problem::new("storage_failed", "The result cannot be read.")
    })?;
    let stream = ReaderStream::with_capacity(file.take(length), CHUNK_BYTES);
    let frames = stream.map_ok(Frame::data).map_err(BodyError::from);
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

fn insert(headers: &mut HeaderMap, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What RFC 8187 lets stand unescaped in an extended value.
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment` with the name twice: ASCII for old clients, UTF-8 for the rest (RFC 6266, 8187).
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' }
        })
        .collect();
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        utf8_percent_encode(name, ATTRIBUTE)
    )
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn names_travel_in_ascii_and_in_utf_8() {
        assert_eq!(
            disposition("naïve \"€\".mp3"),
            "attachment; filename=\"na_ve ___.mp3\"; filename*=UTF-8''na%C3%AFve%20%22%E2%82%AC%22.mp3"
        );
        assert!(disposition("a\r\nb").starts_with("attachment; filename=\"a__b\""));
    }
}
