//! Seeing what goes on: the log, and the ids that tie its lines together.
//!
//! Owns: the subscriber, request ids, metrics. Never: what is worth saying.
//! Used by: `http`, `app`, `cli`.

mod metrics;

use std::fmt;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing_subscriber::EnvFilter;

pub use metrics::Metrics;

/// How the log is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is said: a level or a filter of `tracing` (`info`, `audiomill::jobs=debug,warn`).
    pub level: String,
    /// In which shape; `None`: text on a terminal, JSON elsewhere.
    pub format: Option<Format>,
}

/// Shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For eyes.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log level does not parse.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLevel(String);

/// Starts logging to stderr, once per process; a second call changes nothing.
///
/// # Errors
/// [`InvalidLevel`].
pub fn start(settings: &Settings) -> Result<(), InvalidLevel> {
    let filter =
        EnvFilter::try_new(&settings.level).map_err(|error| InvalidLevel(error.to_string()))?;
    let format = settings.format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() { Format::Text } else { Format::Json }
    });
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // The only failure is a subscriber that is there already: tests share one process.
    let _ = match format {
        Format::Text => builder.with_ansi(std::io::stderr().is_terminal()).try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// The name of one request, in the answer's `x-request-id` and in every log line about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// A name no other request of this process or a recent one has.
    #[must_use]
    pub fn next() -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let millis = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
        Self(format!("{millis:x}-{:x}", COUNTER.fetch_add(1, Ordering::Relaxed)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
