//! The one place where errors get a status: domain errors in, problem documents out (RFC 9457).

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::response::body::{Body, full};
use crate::auth::AuthError;
use crate::jobs::JobsError;
use crate::observe::RequestId;

/// Everything a request can be refused for: stable code, status, title.
pub const CODES: [(&str, StatusCode, &str); 52] = [
    ("bad_request", StatusCode::BAD_REQUEST, "Malformed request"),
    ("no_file", StatusCode::BAD_REQUEST, "No file"),
    ("two_files", StatusCode::BAD_REQUEST, "More than one file"),
    ("empty_file", StatusCode::BAD_REQUEST, "Empty file"),
    ("malformed_form", StatusCode::BAD_REQUEST, "Malformed form"),
    ("body_cut_off", StatusCode::BAD_REQUEST, "Body cut off"),
    ("unauthenticated", StatusCode::UNAUTHORIZED, "Not signed in"),
    ("plan_limit", StatusCode::PAYMENT_REQUIRED, "Beyond the plan"),
    ("forbidden", StatusCode::FORBIDDEN, "Not allowed"),
    ("csrf_failed", StatusCode::FORBIDDEN, "From another site"),
    ("not_found", StatusCode::NOT_FOUND, "Not found"),
    ("not_ready", StatusCode::NOT_FOUND, "No result"),
    ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
    ("client_too_slow", StatusCode::REQUEST_TIMEOUT, "Too slow"),
    ("taken", StatusCode::CONFLICT, "There is one already"),
    ("conflict", StatusCode::CONFLICT, "Not in this state"),
    ("input_gone", StatusCode::CONFLICT, "Source deleted"),
    ("idempotency_key_in_use", StatusCode::CONFLICT, "In flight"),
    ("idempotency_key_reused", StatusCode::UNPROCESSABLE_ENTITY, "Key used before"),
    ("quarantined", StatusCode::UNPROCESSABLE_ENTITY, "Set aside"),
    ("unsupported_input", StatusCode::BAD_REQUEST, "Not built yet"),
    ("unsupported_type", StatusCode::BAD_REQUEST, "Not built yet"),
    ("link_invalid", StatusCode::FORBIDDEN, "No such link"),
    ("too_large", StatusCode::PAYLOAD_TOO_LARGE, "Too large"),
    ("uri_too_long", StatusCode::URI_TOO_LONG, "Address too long"),
    ("not_audio", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not audio"),
    ("type_not_accepted", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Type not accepted"),
    ("not_json", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not JSON"),
    ("not_a_form", StatusCode::UNSUPPORTED_MEDIA_TYPE, "Not a form"),
    ("range_not_satisfiable", StatusCode::RANGE_NOT_SATISFIABLE, "Range not satisfiable"),
    ("format_unknown", StatusCode::UNPROCESSABLE_ENTITY, "Unknown format"),
    ("option_unknown", StatusCode::UNPROCESSABLE_ENTITY, "Unknown option"),
    ("option_invalid", StatusCode::UNPROCESSABLE_ENTITY, "Invalid option"),
    ("option_unsupported", StatusCode::UNPROCESSABLE_ENTITY, "Option not supported"),
    ("unsupported_format", StatusCode::UNPROCESSABLE_ENTITY, "Unsupported format"),
    ("unsupported_codec", StatusCode::UNPROCESSABLE_ENTITY, "Unsupported codec"),
    ("no_audio_stream", StatusCode::UNPROCESSABLE_ENTITY, "No sound"),
    ("encrypted", StatusCode::UNPROCESSABLE_ENTITY, "Encrypted"),
    ("corrupt_input", StatusCode::UNPROCESSABLE_ENTITY, "Damaged"),
    ("limit_exceeded", StatusCode::UNPROCESSABLE_ENTITY, "Beyond a limit"),
    ("timed_out", StatusCode::UNPROCESSABLE_ENTITY, "Took too long"),
    ("too_many", StatusCode::TOO_MANY_REQUESTS, "Too many"),
    ("query_invalid", StatusCode::BAD_REQUEST, "Invalid query"),
    ("headers_too_large", StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large"),
    ("storage_failed", StatusCode::INTERNAL_SERVER_ERROR, "Storage failed"),
    (INTERNAL, StatusCode::INTERNAL_SERVER_ERROR, "Internal error"),
    ("queue_full", StatusCode::SERVICE_UNAVAILABLE, "Full of work"),
    ("draining", StatusCode::SERVICE_UNAVAILABLE, "Restarting"),
    ("database_busy", StatusCode::SERVICE_UNAVAILABLE, "Busy"),
    ("provider_unreachable", StatusCode::SERVICE_UNAVAILABLE, "No identity provider"),
    ("not_usable", StatusCode::SERVICE_UNAVAILABLE, "Not usable"),
    ("disk_full", StatusCode::INSUFFICIENT_STORAGE, "Disk full"),
];

/// A mistake of ours.
const INTERNAL: &str = "internal";

/// A refusal on its way to becoming an answer.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    shape: Shape,
}

/// Which document the answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Problem,
    /// The plain status route's own 404.
    UnknownJob,
}

/// Seconds after which a full server is worth asking again.
const RETRY_SOON: HeaderValue = HeaderValue::from_static("5");

/// Seconds after which a request under way may be answered.
const RETRY_AT_ONCE: HeaderValue = HeaderValue::from_static("1");

/// Seconds after which a full disk is worth asking again.
const RETRY_LATER: HeaderValue = HeaderValue::from_static("30");

impl Problem {
    /// A refusal with a code of [`CODES`] and one sentence.
    #[must_use]
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        debug_assert!(CODES.iter().any(|row| row.0 == code), "{code} is not in the table");
        Self { code, detail: detail.into(), headers: Vec::new(), shape: Shape::Problem }
    }

    /// The path is known, the method is not.
    #[must_use]
    pub fn method_not_allowed(allowed: &[Method]) -> Self {
        let methods: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let methods = methods.join(", ");
        let mut problem = Self::new("method_not_allowed", format!("This address takes {methods}."));
        if let Ok(value) = HeaderValue::from_str(&methods) {
            problem.headers.push((ALLOW, value));
        }
        problem
    }

    /// Makes the connection end with this answer: the rest of the request's body is not read.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.headers.push((CONNECTION, HeaderValue::from_static("close")));
        self
    }

    /// A header of the answer.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// An unknown job in the words of the plain status route.
    #[must_use]
    pub fn as_unknown_job(mut self) -> Self {
        if self.code == "not_found" {
            self.shape = Shape::UnknownJob;
        }
        self
    }

    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What it says to a person.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        row_of(self.code).1
    }

    /// The answer.
    #[must_use]
    pub fn into_response(self, request_id: &RequestId) -> Response<Body> {
        let (_, status, title) = row_of(self.code);
        let document = match self.shape {
            Shape::Problem => json!({
                "type": format!("urn:audiomill:problem:{}", self.code),
                "title": title,
                "status": status.as_u16(),
                "detail": self.detail,
                "code": self.code,
                "request_id": request_id.as_str(),
                "error": self.detail,
            }),
            Shape::UnknownJob => json!({
                "status": "not_found",
                "error": self.detail,
                "code": self.code,
                "request_id": request_id.as_str(),
            }),
        };
        let mut response = Response::new(full(document.to_string()));
        *response.status_mut() = status;
        response.headers_mut().extend(self.headers);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static(match self.shape {
                Shape::Problem => "application/problem+json",
                Shape::UnknownJob => "application/json",
            }),
        );
        response
    }
}

/// The table's row of a code; one that is missing there is a mistake of ours.
fn row_of(code: &str) -> (&'static str, StatusCode, &'static str) {
    let unlisted = (INTERNAL, StatusCode::INTERNAL_SERVER_ERROR, "Internal error");
    CODES.into_iter().find(|row| row.0 == code).unwrap_or(unlisted)
}

impl From<JobsError> for Problem {
    fn from(error: JobsError) -> Self {
        let text = error.to_string();
        match &error {
            JobsError::NotFound => Self::new("not_found", text),
            JobsError::Foreign => Self::new("forbidden", text),
            JobsError::Conflict(_) => Self::new("conflict", text),
            JobsError::NotReady(_) => Self::new("not_ready", text),
            JobsError::SourceGone => Self::new("input_gone", text),
            JobsError::SetAside => Self::new("quarantined", text),
            JobsError::Hook(_) => Self::new("option_invalid", text),
            JobsError::KeyReused => Self::new("idempotency_key_reused", text),
            JobsError::KeyInUse => {
                Self::new("idempotency_key_in_use", text).with_header(RETRY_AFTER, RETRY_AT_ONCE)
            }
            JobsError::QueueFull(_) => {
                Self::new("queue_full", text).with_header(RETRY_AFTER, RETRY_SOON)
            }
            JobsError::PlanLimit(_) => Self::new("plan_limit", text),
            JobsError::Busy => Self::new("queue_full", text).with_header(RETRY_AFTER, RETRY_SOON),
            JobsError::Draining => Self::new("draining", text).with_header(RETRY_AFTER, RETRY_SOON),
            JobsError::TooLarge(_) => Self::new("too_large", text),
            JobsError::EmptyFile => Self::new("empty_file", text),
            JobsError::NotAccepted(_) => Self::new("type_not_accepted", text),
            JobsError::NotAudio(_) => Self::new("not_audio", text),
            JobsError::Option(option) => Self::new(option.code(), text),
            JobsError::Unsupported(_) => Self::new("option_unsupported", text),
            JobsError::Engine(failure) => Self::new(row_of(failure.code.as_str()).0, text),
            JobsError::DiskFull => {
                Self::new("disk_full", text).with_header(RETRY_AFTER, RETRY_LATER)
            }
            JobsError::DatabaseBusy => {
                Self::new("database_busy", text).with_header(RETRY_AFTER, RETRY_SOON)
            }
            JobsError::Storage(inner) => {
                tracing::error!(error = %inner, "storage failed");
                Self::new("storage_failed", text)
            }
            JobsError::Database(inner) => {
                tracing::error!(error = %inner, "the database failed");
                Self::new("internal", text)
            }
            JobsError::Internal(inner) => {
                tracing::error!(error = inner, "a mistake of ours");
                Self::new("internal", text)
            }
        }
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unknown => Self::new("unauthenticated", "Not signed in.")
                .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            AuthError::NotAllowed(detail) => Self::new("forbidden", detail),
            AuthError::TooMany(seconds) => {
                Self::new("too_many", error.to_string()).with_header(RETRY_AFTER, seconds.into())
            }
            AuthError::Invalid(detail) => Self::new("option_invalid", detail),
            AuthError::Busy => {
                Self::new("queue_full", error.to_string()).with_header(RETRY_AFTER, RETRY_SOON)
            }
            AuthError::Taken(detail) => Self::new("taken", detail),
            AuthError::ProviderUnreachable => Self::new("provider_unreachable", error.to_string())
                .with_header(RETRY_AFTER, RETRY_SOON),
            AuthError::NoSuch => Self::new("not_found", error.to_string()),
            AuthError::DiskFull => {
                Self::new("disk_full", error.to_string()).with_header(RETRY_AFTER, RETRY_LATER)
            }
            AuthError::DatabaseBusy => {
                Self::new("database_busy", error.to_string()).with_header(RETRY_AFTER, RETRY_SOON)
            }
            AuthError::Database(_) | AuthError::NoRandomness | AuthError::Outbound(_) => {
                tracing::error!(%error, "signing in failed");
                Self::new("internal", error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_listed_once() {
        for (place, row) in CODES.iter().enumerate() {
            assert!(CODES[..place].iter().all(|other| other.0 != row.0), "{}", row.0);
        }
    }
}
