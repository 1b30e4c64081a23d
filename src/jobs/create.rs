//! Taking in: whether a file may come, and how it becomes a job.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::admission::{self, Admitted, OptionPairs};
use super::change::to_its_end;
use super::error::JobsError;
use super::exec;
use super::intake::{Incoming, Received, blocking};
use super::model::Status;
use super::order::{Given, KeyInUse, Order};
use super::service::Jobs;
use super::store::sqlite::{Entered, NewJob, Origin, Replay};
use crate::base::{CancelToken, JobId, StopReason, UserId};
use crate::ledger::{By, Limits};
use crate::storage::{Key, Staged};

/// How long a look waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// What a form may hold beside its file: options and boundaries.
const FORM_OVERHEAD: u64 = 64 * 1024;

/// Stops what works on behalf of a caller who is gone.
struct StopOnDrop(CancelToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(StopReason::Cancelled);
    }
}

impl Jobs {
    /// Whether a file may come now, before its first byte is read.
    ///
    /// # Errors
    /// `Draining`, `TooLarge` (when the length is told), `QueueFull`, `DiskFull`.
    pub async fn admit(&self, length: Option<u64>) -> Result<(), JobsError> {
        self.check_length(length)?;
        if self.0.store.waiting().await? >= self.0.settings.queue_limit {
            return Err(JobsError::QueueFull(self.0.settings.queue_limit));
        }
        let storage = self.0.files.storage().clone();
        let has_room = blocking(move || storage.has_room(length.unwrap_or(0))).await?;
        let fits = self.fits_quota(length.unwrap_or(0)).await?;
        if has_room && fits { Ok(()) } else { Err(JobsError::DiskFull) }
    }

    fn check_length(&self, length: Option<u64>) -> Result<(), JobsError> {
        if self.is_draining() {
            return Err(JobsError::Draining);
        }
        let limit = self.0.settings.max_upload;
        match length.is_some_and(|bytes| bytes > limit.0.saturating_add(FORM_OVERHEAD)) {
            true => Err(JobsError::TooLarge(limit)),
            false => Ok(()),
        }
    }

    /// Whether so many bytes more fit beside what waits and runs: ended jobs make room, others do not.
    async fn fits_quota(&self, bytes: u64) -> Result<bool, JobsError> {
        let Some(quota) = self.0.settings.quota else { return Ok(true) };
        Ok(self.0.store.open_bytes().await?.saturating_add(bytes) <= quota.0)
    }

    /// Whether a request that was made before under this key may come again: it makes nothing new.
    ///
    /// # Errors
    /// `Draining`, `TooLarge`, or what the database says.
    pub async fn admit_again(
        &self,
        key: &KeyInUse,
        length: Option<u64>,
    ) -> Result<bool, JobsError> {
        self.check_length(length)?;
        let (owner, key) = key.entry();
        self.0.store.knows_key(owner, key).await
    }

    /// Whether a file that becomes a job may come now: what [`Self::admit`] asks, and the owner's plan.
    ///
    /// # Errors
    /// `PlanLimit`, and those of [`Self::admit`].
    pub async fn admit_job(&self, owner: UserId, length: Option<u64>) -> Result<(), JobsError> {
        self.admit(length).await?;
        let limits = self.limits(owner).await?;
        self.0.store.check_plan(owner, length.unwrap_or(0), &limits, self.now()).await
    }

    /// What the owner's plan allows.
    pub(super) async fn limits(&self, owner: UserId) -> Result<Limits, JobsError> {
        let (_, limits) = self.0.usage.limits(owner).await.map_err(JobsError::from)?;
        Ok(limits)
    }

    /// Starts taking a file in.
    ///
    /// # Errors
    /// `DiskFull` or `Storage`.
    pub async fn receive(&self) -> Result<Incoming, JobsError> {
        Incoming::start(self.0.files.storage().clone(), self.0.settings.max_upload).await
    }

    /// Judges the beginning of a file: what is refused need not travel to its end.
    ///
    /// # Errors
    /// `NotAudio` or `NotAccepted`.
    pub fn judge(&self, head: &[u8]) -> Result<Admitted, JobsError> {
        admission::admit(head, &self.0.settings.allowed_types)
    }

    /// Takes the name that a client has given its request, so that no other one is carried out under
    /// it meanwhile.
    ///
    /// # Errors
    /// `KeyInUse`.
    pub fn take_key(&self, owner: UserId, key: &str) -> Result<KeyInUse, JobsError> {
        self.0.keys.take(owner, key)
    }

    /// Makes a job of an order; the same order under the same key makes one once. When this returns,
    /// the source and the job survive a power loss: content flushed, renamed, folder flushed, then the
    /// row committed.
    ///
    /// # Errors
    /// What the options, the content, the line or the disk object to, and for another job's file those
    /// of [`Self::get`]; nothing stays behind.
    pub async fn create(
        &self,
        owner: UserId,
        by: By<'_>,
        order: Order,
        given: Given,
    ) -> Result<(JobId, Entered), JobsError> {
        let options = admission::options_json(&order.options)?;
        let hook = order.hook.clone().map(|hook| hook.checked(self.settings().hooks.reach));
        let hook = hook.transpose()?;
        let id = JobId::generate();
        let replay = order.key.as_ref().map(|key| Replay {
            key: key.as_str().to_owned(),
            request_hash: order.hash(&options, &given),
        });
        // Before anything else is looked at: it may be over since, and the plan used up by it.
        if let Some(replay) = &replay
            && let Some(before) = self.0.store.made_before(owner, replay, self.now()).await?
        {
            return Ok((before, Entered::Before(before)));
        }
        let (source, file) = match given {
            Given::File(received, filename) => {
                let admitted = self.judge(&received.head)?;
                if self.0.store.is_set_aside(&received.sha256, &self.0.engine).await? {
                    return Err(JobsError::SetAside);
                }
                let key = Key::input(owner, id, admitted.extension)
                    .map_err(|error| JobsError::Internal(error.to_string()))?;
                let source = Origin::File {
                    storage_key: key.to_string(),
                    bytes: received.bytes,
                    sha256: received.sha256,
                    filename,
                    facts: admitted.source,
                };
                (source, Some((received.staged, key)))
            }
            Given::InputOf(other) => {
                self.get(owner, other).await?;
                if self.0.store.has_set_aside(other, &self.0.engine).await? {
                    return Err(JobsError::SetAside);
                }
                (Origin::InputOf(other), None)
            }
            Given::OutputOf(other) => {
                if self.get(owner, other).await?.status != Status::Done {
                    return Err(JobsError::NotReady("That job has no result yet."));
                }
                (Origin::OutputOf(other), None)
            }
        };
        let job = NewJob {
            id,
            owner,
            options: options.to_string(),
            source,
            priority: order.priority,
            metadata: Value::Object(order.metadata).to_string(),
            hook: hook.map(|hook| hook.to_json().to_string()),
            replay,
            created_at: self.now(),
            endpoint: order.endpoint,
        };
        // From here on the file is published: a client that hangs up must not stop us half-way.
        let this = self.clone();
        let (author, key) = (by.author(), order.key);
        to_its_end(async move {
            let _key = key;
            this.enter(file, job, author.by()).await
        })
        .await
    }

    async fn enter(
        &self,
        file: Option<(Staged, Key)>,
        job: NewJob,
        by: By<'_>,
    ) -> Result<(JobId, Entered), JobsError> {
        let bytes = match &job.source {
            Origin::File { bytes, .. } => *bytes,
            Origin::InputOf(_) | Origin::OutputOf(_) => 0,
        };
        if !self.fits_quota(bytes).await? {
            return Err(JobsError::DiskFull);
        }
        let mut published = None;
        if let Some((staged, key)) = file {
            let (storage, target) = (self.0.files.storage().clone(), key.clone());
            blocking(move || storage.publish(staged, &target)).await?;
            published = Some(key);
        }
        let entered = match self.limits(job.owner).await {
            Ok(limits) => {
                self.0.store.enqueue(&job, self.0.settings.queue_limit, &limits, by).await
            }
            Err(error) => Err(error),
        };
        if let (Some(key), Err(_) | Ok(Entered::Before(_))) = (published, &entered) {
            let storage = self.0.files.storage().clone();
            if let Err(left) = blocking(move || storage.delete(&key)).await {
                tracing::warn!(error = %left, "a file of no job stays until the next start");
            }
        }
        Ok(match entered? {
            Entered::Before(before) => (before, Entered::Before(before)),
            Entered::Now => {
                tracing::info!(job = %job.id, "taken in");
                self.has_grown();
                self.look_at_quota().await;
                (job.id, Entered::Now)
            }
        })
    }

    /// Says so where more is stored than shall be.
    async fn look_at_quota(&self) {
        let Some(quota) = self.0.settings.quota else { return };
        // Where it cannot be told now, the next round tells.
        if self.0.store.all_stored_bytes().await.is_ok_and(|bytes| bytes > quota.0) {
            self.0.over_quota.notify_one();
        }
    }

    /// What is in a file and, when options are given, what would be made of it. The file goes.
    ///
    /// # Errors
    /// What the options or the content object to.
    pub async fn examine(
        &self,
        received: Received,
        options: &OptionPairs,
    ) -> Result<Value, JobsError> {
        let request = admission::check_options(options)?;
        let request = options.iter().any(|(_, value)| !value.is_empty()).then_some(request);
        self.judge(&received.head)?;
        let turn = Arc::clone(&self.0.looks).acquire_owned();
        let turn = tokio::time::timeout(TURN, turn).await.map_err(|_| JobsError::Busy)?;
        let turn = turn.map_err(|_| JobsError::Draining)?;
        let limits = self.0.settings.limits;
        // A caller who leaves, or waits too long, stops the look; its turn ends with its thread.
        let stop = StopOnDrop(CancelToken::default());
        let cancel = stop.0.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            exec::examine(&received.staged, received.bytes, request.as_ref(), &limits, &cancel)
        });
        match tokio::time::timeout(self.0.settings.stuck_after, looking).await {
            Ok(Ok(told)) => Ok(told?),
            Ok(Err(panic)) => Err(JobsError::Internal(panic.to_string())),
            Err(_) => Err(exec::took_too_long().into()),
        }
    }
}
