//! Why something asked of jobs was refused.

use crate::base::ByteSize;
use crate::db::Fault;
use crate::media::failure::Failure;
use crate::media::options::OptionError;
use crate::media::plan::Unsupported;

/// What is said of content at which the decoder crashes.
pub(super) const SET_ASIDE: &str = "The decoder failed on this file twice; it is set aside.";

/// A refusal, by meaning. `http` gives each its status.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// There is no such job.
    #[error("There is no such job; it may have been deleted.")]
    NotFound,
    /// The job is somebody else's.
    #[error("This job belongs to someone else.")]
    Foreign,
    /// The job's state does not allow it.
    #[error("{0}")]
    Conflict(&'static str),
    /// The result is not there (yet).
    #[error("{0}")]
    NotReady(&'static str),
    /// The source is gone, so there is nothing to try again with.
    #[error("The uploaded file has been deleted; send it again.")]
    SourceGone,
    /// The content has crashed the decoder too often.
    #[error("{SET_ASIDE}")]
    SetAside,
    /// A webhook that cannot be; why.
    #[error("{0}")]
    Hook(String),
    /// The client's key for its request names another request.
    #[error("This Idempotency-Key was used for another request; take a new one.")]
    KeyReused,
    /// A request with the same key is being carried out.
    #[error("A request with this Idempotency-Key is being carried out; ask again in a moment.")]
    KeyInUse,
    /// The line is full.
    #[error("The server is full of work: {0} jobs are waiting. Try again in a moment.")]
    QueueFull(u64),
    /// The account's plan allows no more; what, and until when.
    #[error("{0}")]
    PlanLimit(String),
    /// Too many others ask the same at once.
    #[error("The server is looking into other files; try again in a moment.")]
    Busy,
    /// The process is going down.
    #[error("The server is restarting; try again in a moment.")]
    Draining,
    /// The file is larger than is taken.
    #[error("The file is larger than this server takes ({} MB).", .0.0 >> 20)]
    TooLarge(ByteSize),
    /// The file has no byte.
    #[error("The file is empty.")]
    EmptyFile,
    /// The content proves to be something that is not taken.
    #[error("{0}")]
    NotAccepted(String),
    /// The content proves to be something else than sound.
    #[error("This is {0}, not audio.")]
    NotAudio(&'static str),
    /// An option was refused.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The format cannot take the options.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// The engine cannot read the file.
    #[error(transparent)]
    Engine(#[from] Failure),
    /// The disk is full.
    #[error("The server's disk is full. Deleting old results makes room.")]
    DiskFull,
    /// A file could not be written or read.
    #[error("The server could not store the file.")]
    Storage(#[source] std::io::Error),
    /// The database is locked by somebody else.
    #[error("The server's database is busy; try again in a moment.")]
    DatabaseBusy,
    /// A mistake of ours.
    #[error("The server made a mistake.")]
    Database(#[source] sqlx::Error),
    /// A mistake of ours.
    #[error("The server made a mistake.")]
    Internal(String),
}

impl From<sqlx::Error> for JobsError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Busy => Self::DatabaseBusy,
            Fault::Full => Self::DiskFull,
            Fault::Other => Self::Database(error),
        }
    }
}

impl From<std::io::Error> for JobsError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Storage(error),
        }
    }
}

impl From<serde_json::Error> for JobsError {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
