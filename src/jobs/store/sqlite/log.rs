//! What happened to a job, for its owner: written with the change it tells of.

use serde_json::{Value, json};
use sqlx::{FromRow, Sqlite, Transaction};

use super::Store;
use crate::base::JobId;
use crate::jobs::error::JobsError;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It went on.
    Info,
    /// It went on, but otherwise than was meant.
    Warning,
    /// It ended.
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A line as it lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct LogLine {
    /// When, in epoch milliseconds.
    pub at: i64,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// One sentence.
    pub message: String,
    /// More of it, as JSON.
    pub details: String,
}

/// A job that fails and is tried again for ever must not fill the disk with its lines.
const LINES: i64 = 500;

/// Adds a line to a job's log.
pub(super) async fn write(
    tx: &mut Transaction<'static, Sqlite>,
    job: &str,
    level: Level,
    message: &str,
    details: &Value,
    at: i64,
) -> Result<(), JobsError> {
    sqlx::query(
        "INSERT INTO job_logs (job_id, seq, at, level, message, details) \
         SELECT $1, next, $2, $3, $4, $5 FROM (SELECT coalesce(max(seq), 0) + 1 AS next \
         FROM job_logs WHERE job_id = $1) WHERE next <= $6",
    )
    .bind(job)
    .bind(at)
    .bind(level.as_str())
    .bind(message)
    .bind(details.to_string())
    .bind(LINES)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Nothing more to say.
pub(super) fn nothing() -> Value {
    json!({})
}

impl Store {
    /// A job's log, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn log(&self, job: JobId) -> Result<Vec<LogLine>, JobsError> {
        let lines = sqlx::query_as(
            "SELECT at, level, message, details FROM job_logs WHERE job_id = $1 ORDER BY seq",
        )
        .bind(job.to_string())
        .fetch_all(self.db.reader())
        .await?;
        Ok(lines)
    }
}
