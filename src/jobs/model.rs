//! The job as a value, and which state may follow which.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{ArtifactId, JobId, UserId};
use crate::media::failure::Failure;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its source is still arriving.
    Receiving,
    /// Waiting for a worker.
    Queued,
    /// A worker has it.
    Processing,
    /// Its result is there.
    Done,
    /// It will not be tried again unless somebody asks.
    Failed,
    /// Its owner stopped it.
    Cancelled,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Receiving,
        Self::Queued,
        Self::Processing,
        Self::Done,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word of the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether `next` may follow. The stores' guarded updates name the same edges.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Receiving => matches!(next, Self::Queued | Self::Failed | Self::Cancelled),
            Self::Queued => matches!(next, Self::Processing | Self::Failed | Self::Cancelled),
            Self::Processing => {
                matches!(next, Self::Queued | Self::Done | Self::Failed | Self::Cancelled)
            }
            Self::Failed | Self::Cancelled => matches!(next, Self::Queued),
            Self::Done => false,
        }
    }

    /// Whether nothing happens any more by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Receiving | Self::Queued | Self::Processing => false,
        }
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(UnknownStatus)
    }
}

/// The word is no status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status; they are receiving, queued, processing, done, failed and cancelled")]
pub struct UnknownStatus;

/// A job as it lies in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub owner: UserId,
    /// The owner's e-mail, for people.
    pub owner_email: String,
    /// Where it stands.
    pub status: Status,
    /// When it was taken in.
    pub created_at: i64,
    /// When the last attempt began.
    pub started_at: Option<i64>,
    /// When it reached a final state.
    pub completed_at: Option<i64>,
    /// The source's display name.
    pub filename: String,
    /// The source's bytes.
    pub bytes: u64,
    /// The options as they were given.
    pub options: Value,
    /// Larger runs earlier.
    pub priority: i64,
    /// The owner's own notes.
    pub metadata: Value,
    /// Facts of the source, once it was opened.
    pub source: Option<Value>,
    /// What was decided.
    pub planned: Option<Value>,
    /// What was done.
    pub output: Option<Value>,
    /// Deviations.
    pub warnings: Value,
    /// Why it failed.
    pub error: Option<StoredError>,
    /// How often a worker has begun it.
    pub attempt: u32,
    /// Results, first one first.
    pub artifacts: Vec<Artifact>,
    /// Its place in its owner's line from 1, while it waits.
    pub queue_position: Option<u64>,
    /// The number of its last change of state: larger than those of changes before it, whosever.
    pub changed: i64,
    /// Since when it is kept, on the clock of what is kept.
    pub kept_since: Option<i64>,
    /// When it will be removed with its files, as far as is known: told by the service.
    pub expires_at: Option<i64>,
}

/// One result of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Which.
    pub id: ArtifactId,
    /// What it is: `output`.
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// Its type.
    pub mime_type: String,
    /// Its size.
    pub bytes: u64,
    /// Hash of its content, hexadecimal.
    pub sha256: String,
    /// Where it lies.
    pub storage_key: String,
}

/// A failure as the row keeps it and the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredError {
    /// Stable word.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Where it happened.
    pub stage: String,
    /// The library's own last lines.
    pub detail: Vec<String>,
    /// How far the source was decoded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position_seconds: Option<f64>,
}

impl StoredError {
    /// A failure that libav said nothing about.
    #[must_use]
    pub fn without_detail(code: &str, message: &str, stage: &str) -> Self {
        Self {
            code: code.to_owned(),
            message: message.to_owned(),
            stage: stage.to_owned(),
            detail: Vec::new(),
            position_seconds: None,
        }
    }
}

impl From<&Failure> for StoredError {
    fn from(failure: &Failure) -> Self {
        Self {
            code: failure.code.as_str().to_owned(),
            message: failure.message.clone(),
            stage: failure.stage.as_str().to_owned(),
            detail: failure.detail.clone(),
            position_seconds: failure.position_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_done_job_stays_done_and_every_other_state_can_be_left() {
        for status in Status::ALL {
            let leaves = Status::ALL.into_iter().any(|next| status.may_become(next));
            assert_eq!(leaves, status != Status::Done, "{status:?}");
            assert_eq!(status.as_str().parse(), Ok(status));
            assert!(!status.may_become(status));
        }
        assert!(Status::Failed.may_become(Status::Queued), "a retry");
        assert!(!Status::Queued.may_become(Status::Done), "nothing is done without a worker");
    }
}
