//! Telling: jobs, their results, logs and changes, for those who may see them.

use std::collections::HashMap;
use std::fs::File;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::error::JobsError;
use super::exec::Waveform;
use super::live::Running;
use super::model::{Artifact, Job, Status};
use super::service::Jobs;
use super::store::sqlite::{LogLine, Page, Selection};
use crate::base::{ArtifactId, JobId, UserId};

impl Jobs {
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

    /// Jobs of an owner that have not ended, older than this one, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_jobs(
        &self,
        owner: UserId,
        older_than: Option<JobId>,
        limit: u32,
    ) -> Result<Vec<Job>, JobsError> {
        self.0.store.open_jobs(owner, older_than, limit).await
    }

    /// The number of the last change of any job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_change(&self) -> Result<i64, JobsError> {
        self.0.store.last_change().await
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
}
