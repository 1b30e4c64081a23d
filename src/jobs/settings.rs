//! What the jobs of a process are told when it starts.

use std::time::Duration;

use super::admission::AllowedTypes;
use super::hooks;
use crate::base::ByteSize;
use crate::media::Limits;

/// Limits of taking in and carrying out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Largest file.
    pub max_upload: ByteSize,
    /// Jobs that may wait.
    pub queue_limit: u64,
    /// Wall clock of one conversion.
    pub job_timeout: Duration,
    /// A conversion in which nothing moves for so long is given up.
    pub stuck_after: Duration,
    /// Ceilings of a conversion.
    pub limits: Limits,
    /// Ended jobs are kept for so long; for ever where there is none.
    pub retention: Option<Duration>,
    /// Sources and results together; the oldest ended jobs make room.
    pub quota: Option<ByteSize>,
    /// How others are told of ended jobs.
    pub hooks: hooks::Settings,
    /// Contents that are taken.
    pub allowed_types: AllowedTypes,
}
