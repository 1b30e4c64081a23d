//! Changing: stop, try again, remove.

use super::error::JobsError;
use super::model::{Job, Status};
use super::service::Jobs;
use super::store::sqlite::{Ended, Kept};
use crate::base::{JobId, StopReason, UserId};
use crate::ledger::By;

impl Jobs {
    /// Stops a job that has not ended. A running conversion stops within a packet.
    ///
    /// # Errors
    /// `Conflict` when it has ended, and those of [`Self::get`].
    pub async fn cancel(&self, asker: UserId, by: By<'_>, id: JobId) -> Result<Job, JobsError> {
        self.get(asker, id).await?;
        match self.0.store.cancel(id, asker, by, self.now()).await? {
            Ended::Before => {
                return Err(JobsError::Conflict(
                    "It has ended already, so it cannot be cancelled.",
                ));
            }
            Ended::Now(None) => self.0.line_moved.notify_one(),
            Ended::Now(Some(lease)) => self.0.live.stop(&lease, StopReason::Cancelled),
        }
        self.get(asker, id).await
    }

    /// Puts a failed or cancelled job back into the line, from the source that is here.
    ///
    /// # Errors
    /// `Conflict` when it is neither, `SourceGone`, `QueueFull`, and those of [`Self::get`].
    pub async fn retry(&self, asker: UserId, by: By<'_>, id: JobId) -> Result<Job, JobsError> {
        let job = self.get(asker, id).await?;
        if !job.status.may_become(Status::Queued) || !job.status.is_final() {
            return Err(JobsError::Conflict("Only a failed or cancelled job can be tried again."));
        }
        if self.0.store.waiting().await? >= self.0.settings.queue_limit {
            return Err(JobsError::QueueFull(self.0.settings.queue_limit));
        }
        if self.0.store.has_set_aside(id, &self.0.engine).await? {
            return Err(JobsError::SetAside);
        }
        let limits = self.limits(asker).await?;
        if !self.0.store.retry(id, asker, &limits, by, self.now()).await? {
            return Err(JobsError::Conflict("Only a failed or cancelled job can be tried again."));
        }
        self.has_grown();
        self.get(asker, id).await
    }

    /// Stops a job if it runs, and removes it with its files.
    ///
    /// # Errors
    /// Those of [`Self::get`], or what the database or the file system says.
    pub async fn delete(&self, asker: UserId, by: By<'_>, id: JobId) -> Result<(), JobsError> {
        self.get(asker, id).await?;
        let (lease, keys) = self.0.store.delete(id, asker, None, by, self.now()).await?;
        match lease {
            Some(lease) => self.0.live.stop(&lease, StopReason::Cancelled),
            None => self.0.line_moved.notify_one(),
        }
        self.0.files.delete(keys).await
    }

    /// Removes a job whose time is over, if nobody has it tried again meanwhile.
    pub(super) async fn expire(&self, by: By<'_>, job: &Kept) -> Result<(), JobsError> {
        let Kept { id, owner, since } = *job;
        let (_, keys) = self.0.store.delete(id, owner, Some(since), by, self.now()).await?;
        self.0.files.delete(keys).await
    }
}
