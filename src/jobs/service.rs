//! What the outside asks of jobs: take in, show, stop, try again, delete.

use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::admission::{self, Admitted, OptionPairs};
use super::error::JobsError;
use super::exec;
use super::exec::Waveform;
use super::files::Files;
use super::intake::{Incoming, Received, blocking};
use super::live::{Live, Running};
use super::model::{Artifact, Job, Status, StoredError};
use super::news::Listener;
use super::order::{Given, KeyInUse, KeysInUse, Order};
use super::settings::Settings;
use super::store::Store;
use super::store::sqlite::{
    Age, Claimed, Ended, Entered, Kept, Lease, LogLine, NewJob, Origin, Page, Recovered, Replay,
    Selection, Turn,
};
use crate::base::{ArtifactId, CancelToken, Clock, JobId, StopReason, UserId};
use crate::ledger::{By, Limits, Usage};
use crate::storage::{Key, LocalStorage, Staged};

/// Files that are looked into at once: each takes a thread for some milliseconds.
const LOOKS: usize = 4;

/// How long a look waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// Stops what works on behalf of a caller who is gone.
struct StopOnDrop(CancelToken);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(StopReason::Cancelled);
    }
}

/// The jobs of this process. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    store: Store,
    files: Files,
    usage: Usage,
    live: Live,
    wake: Notify,
    line_moved: Notify,
    clock: Clock,
    settings: Settings,
    instance: Uuid,
    boot: String,
    draining: AtomicBool,
    /// Files that are looked into at once.
    looks: Arc<Semaphore>,
    /// Requests that clients have named.
    keys: KeysInUse,
    /// Ends when the process goes down.
    end: CancellationToken,
    /// More is stored than shall be.
    over_quota: Notify,
    /// The clock of what is kept, when it was last set.
    age: Mutex<Option<Age>>,
}

impl Jobs {
    /// Jobs of `store` with files in `storage`. `boot` names this boot of the machine.
    #[must_use]
    pub fn new(
        store: Store,
        storage: LocalStorage,
        usage: Usage,
        settings: Settings,
        clock: Clock,
        boot: String,
    ) -> Self {
        Self(Arc::new(Inner {
            files: Files::new(storage, store.clone()),
            store,
            usage,
            live: Live::default(),
            wake: Notify::new(),
            line_moved: Notify::new(),
            clock,
            settings,
            instance: Uuid::now_v7(),
            boot,
            draining: AtomicBool::new(false),
            looks: Arc::new(Semaphore::new(LOOKS)),
            keys: KeysInUse::default(),
            end: CancellationToken::new(),
            over_quota: Notify::new(),
            age: Mutex::new(None),
        }))
    }

    /// Puts the work of the process before this one in order: running jobs go back into the line,
    /// those that crashed twice are set aside, half-done deletions are finished. To be called once,
    /// before workers start and requests come.
    ///
    /// # Errors
    /// What the database or the file system says.
    pub async fn recover(&self, crashed: &[JobId]) -> Result<Recovered, JobsError> {
        let set_aside = StoredError {
            code: String::from("quarantined"),
            message: String::from("The decoder failed on this file twice; it is set aside."),
            stage: String::from("decoding"),
            detail: Vec::new(),
            position_seconds: None,
        };
        let recovered = self.0.store.recover(crashed, &set_aside, self.now()).await?;
        self.0.files.tidy().await?;
        Ok(recovered)
    }

    /// Whether a file may come now, before its first byte is read.
    ///
    /// # Errors
    /// `Draining`, `TooLarge` (when the length is told), `QueueFull`, `DiskFull`.
    pub async fn admit(&self, length: Option<u64>) -> Result<(), JobsError> {
        if self.is_draining() {
            return Err(JobsError::Draining);
        }
        let limit = self.0.settings.max_upload;
        if length.is_some_and(|bytes| bytes > limit.0.saturating_add(FORM_OVERHEAD)) {
            return Err(JobsError::TooLarge(limit));
        }
        if self.0.store.waiting().await? >= self.0.settings.queue_limit {
            return Err(JobsError::QueueFull(self.0.settings.queue_limit));
        }
        let storage = self.0.files.storage().clone();
        let has_room = blocking(move || storage.has_room(length.unwrap_or(0))).await?;
        if has_room { Ok(()) } else { Err(JobsError::DiskFull) }
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
    async fn limits(&self, owner: UserId) -> Result<Limits, JobsError> {
        let (_, limits) = self.0.usage.limits(owner).await.map_err(JobsError::from)?;
        Ok(limits)
    }

    /// The usage log.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// Bytes of sources and results that an account has here.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stored_bytes(&self, owner: UserId) -> Result<u64, JobsError> {
        self.0.store.stored_bytes(owner).await
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
        let id = JobId::generate();
        let replay = order.key.as_ref().map(|key| Replay {
            key: key.as_str().to_owned(),
            request_hash: order.hash(&options, &given),
        });
        let (source, file) = match given {
            Given::File(received, filename) => {
                let admitted = self.judge(&received.head)?;
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
            replay,
            created_at: self.now(),
            endpoint: order.endpoint,
        };
        // From here on the file is published: a client that hangs up must not stop us half-way.
        let this = self.clone();
        let (actor, method) = (by.actor.to_owned(), by.method);
        let address = by.address.map(str::to_owned);
        let key = order.key;
        let entering = async move {
            let _key = key;
            let by = By { actor: &actor, method, address: address.as_deref() };
            this.enter(file, job, by).await
        };
        tokio::spawn(entering).await.map_err(|error| JobsError::Internal(error.to_string()))?
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

    async fn enter(
        &self,
        file: Option<(Staged, Key)>,
        job: NewJob,
        by: By<'_>,
    ) -> Result<(JobId, Entered), JobsError> {
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

    /// The job, if `asker` may see it.
    ///
    /// # Errors
    /// `NotFound`, `Foreign`, or what the database says.
    pub async fn get(&self, asker: UserId, id: JobId) -> Result<Job, JobsError> {
        let job = self.dated(self.0.store.get(id).await?);
        if job.owner == asker { Ok(job) } else { Err(JobsError::Foreign) }
    }

    /// The job and its counters, if this process runs it.
    ///
    /// The counters are fetched before the row: the other way round a job that ends in between
    /// would be running without counters, and its percent would fall.
    ///
    /// # Errors
    /// Those of [`Self::get`].
    pub async fn watch(
        &self,
        asker: UserId,
        id: JobId,
    ) -> Result<(Job, Option<Running>), JobsError> {
        let before = self.0.live.get(id);
        let job = self.get(asker, id).await?;
        Ok((job, before.or_else(|| self.0.live.get(id))))
    }

    /// The job once it has ended, or as it is when that takes longer than `within`.
    ///
    /// # Errors
    /// Those of [`Self::get`].
    pub async fn ended(
        &self,
        asker: UserId,
        id: JobId,
        within: Duration,
    ) -> Result<(Job, Option<Running>), JobsError> {
        let deadline = Instant::now() + within;
        // Before looking: an end in between is not slept through.
        let mut news = self.news();
        loop {
            let (job, running) = self.watch(asker, id).await?;
            if job.status.is_final() || self.is_draining() {
                return Ok((job, running));
            }
            let woken = async {
                tokio::select! {
                    () = news.changed() => {}
                    () = self.0.end.cancelled() => {}
                }
            };
            if timeout_at(deadline, woken).await.is_err() {
                return Ok((job, running));
            }
        }
    }

    /// Hears of every change of a job's state.
    #[must_use]
    pub fn news(&self) -> Listener {
        self.0.store.news().listen()
    }

    /// Ends when the process goes down: what would go on for ever has to end.
    #[must_use]
    pub fn end(&self) -> &CancellationToken {
        &self.0.end
    }

    /// Jobs of an owner whose state has changed after the change of this number, in that order.
    ///
    /// # Errors
    /// What the database says.
    pub async fn changed_after(
        &self,
        owner: UserId,
        change: i64,
        limit: u32,
    ) -> Result<Vec<Job>, JobsError> {
        let jobs = self.0.store.changed_after(owner, change, limit).await?;
        Ok(jobs.into_iter().map(|job| self.dated(job)).collect())
    }

    /// The job with the time at which it goes; a minute more or less, so that asking twice gives the
    /// same.
    fn dated(&self, mut job: Job) -> Job {
        const MINUTE: i64 = 60_000;
        let ended = job.completed_at.filter(|_| job.status.is_final());
        let set = *self.0.age.lock().unwrap_or_else(PoisonError::into_inner);
        let since = job.kept_since.zip(set).map(|(since, set)| set.wall - (set.age - since));
        job.expires_at = self.0.settings.retention.and_then(|retention| {
            let at = since.or(ended)? + i64::try_from(retention.as_millis()).ok()?;
            Some(at - at.rem_euclid(MINUTE))
        });
        job
    }

    /// Sets the clock of what is kept.
    pub(super) async fn grow_older(&self) -> Result<Age, JobsError> {
        let clock = &self.0.clock;
        let (wall, monotonic) = (clock.wall_ms(), clock.monotonic_ms());
        let age = self.0.store.grow_older(&self.0.boot, wall, monotonic).await?;
        *self.0.age.lock().unwrap_or_else(PoisonError::into_inner) = Some(age);
        Ok(age)
    }

    /// Removes a job whose time is over, if nobody has it tried again meanwhile.
    pub(super) async fn expire(&self, by: By<'_>, job: &Kept) -> Result<(), JobsError> {
        let Kept { id, owner, since } = *job;
        let (_, keys) = self.0.store.delete(id, owner, Some(since), by, self.now()).await?;
        self.0.files.delete(keys).await
    }

    /// Removes files of this process that no job knows.
    pub(super) async fn sweep(&self, age: Duration) -> Result<(), JobsError> {
        self.0.files.sweep(age).await
    }

    /// More is stored than shall be.
    pub(super) fn is_over_quota(&self) -> &Notify {
        &self.0.over_quota
    }

    /// The number of the last change of any job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_change(&self) -> Result<i64, JobsError> {
        self.0.store.last_change().await
    }

    /// What happened to a job, oldest first.
    ///
    /// # Errors
    /// Those of [`Self::get`].
    pub async fn log(&self, asker: UserId, id: JobId) -> Result<Vec<LogLine>, JobsError> {
        self.get(asker, id).await?;
        self.0.store.log(id).await
    }

    /// A result, and the job it belongs to, if `asker` may see it.
    ///
    /// # Errors
    /// `NotFound`, `Foreign`, or what the database says.
    pub async fn artifact(
        &self,
        asker: UserId,
        id: ArtifactId,
    ) -> Result<(Artifact, JobId), JobsError> {
        let (artifact, job, owner) = self.0.store.artifact(id).await?;
        if owner == asker { Ok((artifact, job)) } else { Err(JobsError::Foreign) }
    }

    /// A result, opened for whoever holds a link to it, and whose it is.
    ///
    /// # Errors
    /// `NotFound`, `NotReady` when its file is gone, or what the database or the file system says.
    pub async fn open_artifact(
        &self,
        id: ArtifactId,
    ) -> Result<(Artifact, UserId, File), JobsError> {
        let (artifact, _, owner) = self.0.store.artifact(id).await?;
        let file = self.0.files.open(&artifact).await?;
        Ok((artifact, owner, file))
    }

    /// The shape of a job's sound in at most `points` pixels: as far as it is decoded while it runs,
    /// the whole afterwards.
    ///
    /// # Errors
    /// `NotReady` when there is none, and those of [`Self::get`].
    pub async fn waveform(
        &self,
        asker: UserId,
        id: JobId,
        points: usize,
    ) -> Result<Waveform, JobsError> {
        let (job, running) = self.watch(asker, id).await?;
        let running = running.filter(|_| job.status == Status::Processing);
        if let Some(progress) = running.map(|running| running.progress) {
            let seconds = progress.snapshot().duration_seconds;
            return Ok(progress.shape(|waveform| waveform.scaled(points, seconds)));
        }
        let stored = self.0.store.waveform(id).await?;
        match stored.as_deref().and_then(Waveform::from_bytes) {
            Some(waveform) => Ok(waveform.scaled(points, None)),
            None if job.status == Status::Done => {
                Err(JobsError::NotReady("The sound was copied, not decoded: it has no waveform."))
            }
            None => Err(JobsError::NotReady("There is no waveform yet.")),
        }
    }

    /// One page of jobs, and the counters of those that run.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(
        &self,
        selection: Selection,
    ) -> Result<(Page, HashMap<JobId, Running>), JobsError> {
        let mut running = self.0.live.all();
        let mut page = self.0.store.list(selection).await?;
        page.jobs = page.jobs.into_iter().map(|job| self.dated(job)).collect();
        for (job, now) in self.0.live.all() {
            running.entry(job).or_insert(now);
        }
        Ok((page, running))
    }

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

    /// The first result of a job, opened.
    ///
    /// # Errors
    /// `NotReady` when there is none, and those of [`Self::get`].
    pub async fn open_result(
        &self,
        asker: UserId,
        id: JobId,
    ) -> Result<(Artifact, File), JobsError> {
        let job = self.get(asker, id).await?;
        let artifact = job
            .artifacts
            .into_iter()
            .next()
            .ok_or(JobsError::NotReady("There is no result yet."))?;
        let file = self.0.files.open(&artifact).await?;
        Ok((artifact, file))
    }

    /// Checks that the disk can be used: what readiness asks.
    ///
    /// # Errors
    /// `Storage` or `DiskFull`.
    pub async fn check_storage(&self) -> Result<(), JobsError> {
        let storage = self.0.files.storage().clone();
        let has_room =
            blocking(move || storage.stage_input().and_then(|_| storage.has_room(0))).await?;
        if has_room { Ok(()) } else { Err(JobsError::DiskFull) }
    }

    /// Whether the space that has to stay free is not reached. What cannot be asked is not: writing
    /// fails by itself then.
    pub(super) async fn has_room(&self) -> bool {
        let storage = self.0.files.storage().clone();
        blocking(move || storage.has_room(0)).await.unwrap_or(true)
    }

    /// Says that the process is going down: nothing new is taken in.
    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
        self.0.end.cancel();
    }

    /// Whether the process is going down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// The conversions running in this process.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// Limits in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> &Files {
        &self.0.files
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// A job may be claimed.
    pub(super) fn wake(&self) -> &Notify {
        &self.0.wake
    }

    /// The line of those that wait for a worker is another.
    pub(super) fn line_moved(&self) -> &Notify {
        &self.0.line_moved
    }

    fn has_grown(&self) {
        self.0.wake.notify_one();
        self.0.line_moved.notify_one();
    }

    pub(super) fn now(&self) -> i64 {
        self.0.clock.wall_ms()
    }

    /// The next job to run. One whose owner's plan was used up while it waited fails here.
    pub(super) async fn claim(
        &self,
        turn: Turn,
        lease: Duration,
    ) -> Result<Option<Claimed>, JobsError> {
        let store = &self.0.store;
        loop {
            let (now, until) = (self.now(), self.until(lease));
            let claimed = store.claim(self.0.instance, &self.0.boot, turn, now, until).await?;
            let Some(claimed) = claimed else { return Ok(None) };
            let checked = match self.limits(claimed.owner).await {
                Ok(limits) => store.check_minutes(claimed.owner, &limits, now).await,
                Err(error) => Err(error),
            };
            match checked {
                Ok(()) => return Ok(Some(claimed)),
                Err(JobsError::PlanLimit(message)) => {
                    let error = StoredError {
                        code: String::from("plan_limit"),
                        message,
                        stage: String::from("waiting"),
                        detail: Vec::new(),
                        position_seconds: None,
                    };
                    store.fail(&claimed.lease, &error, now).await?;
                    self.0.line_moved.notify_one();
                }
                Err(error) => {
                    store.hand_back(&claimed.lease, now).await?;
                    return Err(error);
                }
            }
        }
    }

    pub(super) async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, JobsError> {
        self.0.store.renew(lease, self.until(time)).await
    }

    /// Puts jobs back whose lease ran out and which nobody here is at. How many there were.
    pub(super) async fn reclaim(&self) -> Result<u64, JobsError> {
        let mut reclaimed = 0;
        for lease in self.0.store.expired(&self.0.boot, self.0.clock.monotonic_ms()).await? {
            if self.0.live.get(lease.job).is_none()
                && self.0.store.hand_back(&lease, self.now()).await?
            {
                reclaimed += 1;
            }
        }
        Ok(reclaimed)
    }

    pub(super) async fn hand_all_back(&self) -> Result<u64, JobsError> {
        self.0.store.hand_all_back(self.0.instance, self.now()).await
    }

    fn until(&self, lease: Duration) -> i64 {
        self.0.clock.monotonic_ms() + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 2)
    }
}

/// What a form may hold beside its file: options and boundaries.
const FORM_OVERHEAD: u64 = 64 * 1024;
