//! Changing: stop, try again, remove. What was begun is done to its end, whoever hangs up meanwhile.

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
        let (this, author) = (self.clone(), by.author());
        to_its_end(async move {
            match this.0.store.cancel(id, asker, author.by(), this.now()).await? {
                Ended::Before => {
                    return Err(JobsError::Conflict(
                        "It has ended already, so it cannot be cancelled.",
                    ));
                }
                Ended::Now(None) => this.0.line_moved.notify_one(),
                Ended::Now(Some(lease)) => this.0.live.stop(&lease, StopReason::Cancelled),
            }
            this.get(asker, id).await
        })
        .await
    }

    /// Puts a failed or cancelled job back into the line, from the source that is here.
    ///
    /// # Errors
    /// `Conflict` when it is neither, `SourceGone`, `SetAside`, `QueueFull`, and those of
    /// [`Self::get`].
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
        let (this, author) = (self.clone(), by.author());
        to_its_end(async move {
            if !this.0.store.retry(id, asker, &limits, author.by(), this.now()).await? {
                let why = "Only a failed or cancelled job can be tried again.";
                return Err(JobsError::Conflict(why));
            }
            this.has_grown();
            this.get(asker, id).await
        })
        .await
    }

    /// Stops a job if it runs, and removes it with its files.
    ///
    /// # Errors
    /// Those of [`Self::get`], or what the database or the file system says.
    pub async fn delete(&self, asker: UserId, by: By<'_>, id: JobId) -> Result<(), JobsError> {
        self.get(asker, id).await?;
        let (this, author) = (self.clone(), by.author());
        to_its_end(async move {
            let (lease, keys) =
                this.0.store.delete(id, asker, None, author.by(), this.now()).await?;
            match lease {
                Some(lease) => this.0.live.stop(&lease, StopReason::Cancelled),
                None => this.0.line_moved.notify_one(),
            }
            this.0.files.delete(keys).await
        })
        .await
    }

    /// Removes a job whose time is over, if nobody has it tried again meanwhile.
    pub(super) async fn expire(&self, by: By<'_>, job: &Kept) -> Result<(), JobsError> {
        let Kept { id, owner, since } = *job;
        let (_, keys) = self.0.store.delete(id, owner, Some(since), by, self.now()).await?;
        self.0.files.delete(keys).await
    }
}

/// Does what a request has begun on a task of its own: the request's ends with its connection.
pub(super) async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, JobsError>> + Send + 'static,
) -> Result<T, JobsError> {
    tokio::spawn(work).await.map_err(|error| JobsError::Internal(error.to_string()))?
}
