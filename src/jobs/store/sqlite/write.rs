//! Taking jobs in, stopping, retrying and deleting them.

use serde_json::{Value, json};
use sqlx::{Sqlite, Transaction};

use super::log::{self, Level};
use super::read::WAITING;
use super::{Lease, Store};
use crate::base::clock::rfc3339;
use crate::base::{BlobId, JobId, UserId};
use crate::jobs::error::JobsError;
use crate::ledger::{By, Ledger, Limits, Outcome, Usage};

/// Where the source of a new job is.
#[derive(Clone, Debug)]
pub enum Origin {
    /// In a file that has just been published.
    File {
        /// Where it lies.
        storage_key: String,
        /// Its size.
        bytes: u64,
        /// Its hash.
        sha256: [u8; 32],
        /// Its display name.
        filename: String,
        /// Facts of it known so far, as JSON.
        facts: String,
    },
    /// Where another job of the owner has its own.
    InputOf(JobId),
    /// The result of another job of the owner.
    OutputOf(JobId),
}

/// What a client gave its request as a name of its own: sent again, it is not done again.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The client's key.
    pub key: String,
    /// Hash of all that was asked for.
    pub request_hash: [u8; 32],
}

/// So long a key is remembered, in milliseconds.
pub(super) const REMEMBERED: i64 = 24 * 60 * 60 * 1000;

/// What became of an attempt to enter a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It is in the line.
    Now,
    /// The same request made this one before.
    Before(JobId),
}

/// A job whose source is stored.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub owner: UserId,
    /// Options as JSON.
    pub options: String,
    /// Where its source is.
    pub source: Origin,
    /// Larger runs earlier, among its owner's.
    pub priority: i64,
    /// The owner's own notes, as a JSON object.
    pub metadata: String,
    /// Who is told of its end, as JSON.
    pub hook: Option<String>,
    /// What the request is known by, if the client wants it done only once.
    pub replay: Option<Replay>,
    /// When.
    pub created_at: i64,
    /// By which address it was asked for.
    pub endpoint: &'static str,
}

/// Whether a plan has room for one more: what is done this month, and what is on its way. How long a
/// recording is, is not known before it is read: the one that crosses the limit of minutes is done.
async fn check_plan(
    tx: &mut Transaction<'static, Sqlite>,
    owner: &str,
    bytes: u64,
    limits: &Limits,
    now: i64,
) -> Result<(), JobsError> {
    if *limits == Limits::default() {
        return Ok(());
    }
    let (done, seconds) = Usage::conversions(tx, owner, now).await?;
    let (open, open_seconds, stored): (i64, f64, i64) = sqlx::query_as(
        "SELECT count(*), coalesce(sum(json_extract(source, '$.duration_seconds')), 0.0), \
         coalesce((SELECT bytes FROM stored_bytes WHERE owner_id = $1), 0) \
         FROM jobs WHERE owner_id = $1 AND status IN ('receiving', 'queued', 'processing')",
    )
    .bind(owner)
    .fetch_one(&mut **tx)
    .await?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    let month = &rfc3339(now)[..7];
    let over = |limit: Option<u64>, used: u64| limit.filter(|limit| used > *limit);
    let refusal = if let Some(limit) = over(limits.conversions, done + number(open) + 1) {
        format!("The plan's {limit} conversions of {month} are used up.")
    } else if let Some(refusal) = minutes_used_up(limits, seconds + open_seconds, now) {
        refusal
    } else if let Some(limit) = over(limits.storage_bytes, number(stored) + bytes) {
        format!("The plan's {} MB are full; deleting old jobs makes room.", limit >> 20)
    } else {
        return Ok(());
    };
    Err(JobsError::PlanLimit(refusal))
}

/// What is to be said where so many seconds of sound are all that a plan has.
fn minutes_used_up(limits: &Limits, seconds: f64, now: i64) -> Option<String> {
    let limit = limits.audio_minutes.filter(|limit| seconds >= *limit as f64 * 60.0)?;
    Some(format!("The plan's {limit} minutes of sound of {} are used up.", &rfc3339(now)[..7]))
}

impl Store {
    /// Whether the owner's plan still has minutes for a job that has come to its turn: how long those
    /// before it were was not known when it was let in.
    ///
    /// # Errors
    /// `PlanLimit`, or what the database says.
    pub async fn check_minutes(
        &self,
        owner: UserId,
        limits: &Limits,
        now: i64,
    ) -> Result<(), JobsError> {
        if limits.audio_minutes.is_none() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let (_, seconds) = Usage::conversions(&mut tx, &owner.to_string(), now).await?;
        tx.rollback().await?;
        minutes_used_up(limits, seconds, now).map_or(Ok(()), |why| Err(JobsError::PlanLimit(why)))
    }

    /// Whether the owner's plan has room for a source of so many bytes.
    ///
    /// # Errors
    /// `PlanLimit`, or what the database says.
    pub async fn check_plan(
        &self,
        owner: UserId,
        bytes: u64,
        limits: &Limits,
        now: i64,
    ) -> Result<(), JobsError> {
        if *limits == Limits::default() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        check_plan(&mut tx, &owner.to_string(), bytes, limits, now).await
    }

    /// Bytes of sources and results that an account has here.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stored_bytes(&self, owner: UserId) -> Result<u64, JobsError> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(bytes), 0) FROM stored_bytes WHERE owner_id = $1",
        )
        .bind(owner.to_string())
        .fetch_one(self.db.reader())
        .await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// The job that the same request made before.
    ///
    /// # Errors
    /// `KeyReused`, or what the database says.
    pub async fn made_before(
        &self,
        owner: UserId,
        replay: &Replay,
        now: i64,
    ) -> Result<Option<JobId>, JobsError> {
        let mut tx = self.db.begin().await?;
        let before = found_before(&mut tx, &owner.to_string(), replay, now).await?;
        tx.rollback().await?;
        Ok(before)
    }

    /// Whether a request has been made under this key.
    ///
    /// # Errors
    /// What the database says.
    pub async fn knows_key(&self, owner: UserId, key: &str) -> Result<bool, JobsError> {
        let known: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM idempotency_keys WHERE owner_id = $1 AND key = $2",
        )
        .bind(owner.to_string())
        .bind(key)
        .fetch_one(self.db.reader())
        .await?;
        Ok(known > 0)
    }

    /// Enters a job into the line, with its source, unless `queue_limit` jobs wait already. A request
    /// that was made before under the same key is not done again.
    ///
    /// # Errors
    /// `KeyReused`, `QueueFull`, `PlanLimit`, `SourceGone`, or what the database says. Nothing is
    /// entered then.
    pub async fn enqueue(
        &self,
        job: &NewJob,
        queue_limit: u64,
        limits: &Limits,
        by: By<'_>,
    ) -> Result<Entered, JobsError> {
        let mut tx = self.db.begin().await?;
        let (id, owner) = (job.id.to_string(), job.owner.to_string());
        if let Some(replay) = &job.replay
            && let Some(before) = found_before(&mut tx, &owner, replay, job.created_at).await?
        {
            return Ok(Entered::Before(before));
        }
        let new_bytes = match &job.source {
            Origin::File { bytes, .. } => *bytes,
            Origin::InputOf(_) | Origin::OutputOf(_) => 0,
        };
        check_plan(&mut tx, &owner, new_bytes, limits, job.created_at).await?;
        let waiting: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut *tx).await?;
        if u64::try_from(waiting).unwrap_or(0) >= queue_limit {
            return Err(JobsError::QueueFull(queue_limit));
        }
        let source = source_of(&mut tx, job, &owner).await?;
        sqlx::query(
            "INSERT INTO jobs (id, owner_id, type, status, options, source, priority, metadata, \
             created_at, endpoint, webhook) VALUES ($1, $2, 'transcode', 'queued', $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&id)
        .bind(&owner)
        .bind(&job.options)
        .bind(&source.facts)
        .bind(job.priority)
        .bind(&job.metadata)
        .bind(job.created_at)
        .bind(job.endpoint)
        .bind(&job.hook)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO job_inputs (job_id, position, blob_id, filename) VALUES ($1, 0, $2, $3)",
        )
        .bind(&id)
        .bind(&source.blob)
        .bind(&source.filename)
        .execute(&mut *tx)
        .await?;
        if let Some(Replay { key, request_hash }) = &job.replay {
            sqlx::query(
                "INSERT INTO idempotency_keys (owner_id, key, request_hash, job_id, created_at) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(&owner)
            .bind(key)
            .bind(request_hash.as_slice())
            .bind(&id)
            .bind(job.created_at)
            .execute(&mut *tx)
            .await?;
        }
        let detail = json!({"filename": source.filename, "bytes": source.bytes});
        log::write(&mut tx, &id, Level::Info, "It waits for a worker.", &detail, job.created_at)
            .await?;
        record(&mut tx, by, "job.create", job.id, detail, job.created_at).await?;
        self.commit(tx).await?;
        Ok(Entered::Now)
    }

    /// Ends a job that has not ended: `receiving`, `queued` or `processing` → `cancelled`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cancel(
        &self,
        id: JobId,
        owner: UserId,
        by: By<'_>,
        now: i64,
    ) -> Result<Ended, JobsError> {
        let mut tx = self.db.begin().await?;
        let lease = lease_of(&mut tx, id).await?;
        let changed = sqlx::query(
            "UPDATE jobs SET status = 'cancelled', completed_at = $2, suspect = 0, lease_owner = NULL, \
             lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE id = $1 AND owner_id = $3 AND status IN ('receiving', 'queued', 'processing')",
        )
        .bind(id.to_string())
        .bind(now)
        .bind(owner.to_string())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 0 {
            return Ok(Ended::Before);
        }
        let job = id.to_string();
        log::write(&mut tx, &job, Level::Warning, "It was cancelled.", &log::nothing(), now)
            .await?;
        record(&mut tx, by, "job.cancel", id, json!({}), now).await?;
        self.commit(tx).await?;
        Ok(Ended::Now(lease))
    }

    /// Puts an ended job back into the line: `failed` or `cancelled` → `queued`, with a clean
    /// record. Whether its state allowed it.
    ///
    /// # Errors
    /// `SourceGone`, or what the database says.
    pub async fn retry(
        &self,
        id: JobId,
        owner: UserId,
        limits: &Limits,
        by: By<'_>,
        now: i64,
    ) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        // Its source is stored already; what it makes counts like a new one's.
        check_plan(&mut tx, &owner.to_string(), 0, limits, now).await?;
        let stored: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job_inputs i JOIN blobs b ON b.id = i.blob_id \
             WHERE i.job_id = $1 AND b.state = 'stored'",
        )
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if stored == 0 {
            return Err(JobsError::SourceGone);
        }
        let changed = sqlx::query(
            "UPDATE jobs SET status = 'queued', started_at = NULL, completed_at = NULL, error = NULL, \
             planned = NULL, output = NULL, warnings = '[]', errors = 0, crashes = 0, suspect = 0, \
             run_after = 0, kept_since = NULL WHERE id = $1 AND owner_id = $2 AND status IN ('failed', 'cancelled')",
        )
        .bind(id.to_string())
        .bind(owner.to_string())
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 0 {
            return Ok(false);
        }
        let job = id.to_string();
        log::write(&mut tx, &job, Level::Info, "It waits for another try.", &log::nothing(), now)
            .await?;
        record(&mut tx, by, "job.retry", id, json!({}), now).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Removes a job, or only one that is kept since `kept_since`, and marks the files nothing else
    /// points to. The lease it was under and the
    /// files' keys come back: these are to be deleted, then [`Self::forget_blobs`] called. A crash
    /// in between is finished by [`Self::doomed_blobs`] at the next start.
    ///
    /// # Errors
    /// `NotFound` when it has gone meanwhile, or what the database says.
    pub async fn delete(
        &self,
        id: JobId,
        owner: UserId,
        kept_since: Option<i64>,
        by: By<'_>,
        now: i64,
    ) -> Result<(Option<Lease>, Vec<String>), JobsError> {
        let mut tx = self.db.begin().await?;
        let lease = lease_of(&mut tx, id).await?;
        let blobs: Vec<String> = sqlx::query_scalar(
            "SELECT blob_id FROM job_inputs WHERE job_id = $1 \
             UNION SELECT blob_id FROM artifacts WHERE job_id = $1",
        )
        .bind(id.to_string())
        .fetch_all(&mut *tx)
        .await?;
        let deleted = sqlx::query(
            "DELETE FROM jobs WHERE id = $1 AND owner_id = $2 AND ($3 IS NULL OR kept_since = $3)",
        )
        .bind(id.to_string())
        .bind(owner.to_string())
        .bind(kept_since)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if deleted == 0 {
            return Err(JobsError::NotFound);
        }
        record(&mut tx, by, "job.delete", id, json!({}), now).await?;
        let mut keys = Vec::new();
        for blob in blobs {
            keys.extend(release(&mut tx, &blob).await?);
        }
        self.commit(tx).await?;
        Ok((lease, keys))
    }

    /// Keys of files that are marked for deletion.
    ///
    /// # Errors
    /// What the database says.
    pub async fn doomed_blobs(&self) -> Result<Vec<String>, JobsError> {
        Ok(sqlx::query_scalar("SELECT storage_key FROM blobs WHERE state = 'deleting'")
            .fetch_all(self.db.reader())
            .await?)
    }

    /// Removes the rows of files that are gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_blobs(&self, keys: &[String]) -> Result<(), JobsError> {
        let mut tx = self.db.begin().await?;
        for key in keys {
            sqlx::query("DELETE FROM blobs WHERE storage_key = $1 AND state = 'deleting'")
                .bind(key)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// What became of an attempt to end a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was ended by this call; the lease it was under, if a worker had it.
    Now(Option<Lease>),
    /// It had ended before.
    Before,
}

/// The source of a new job, as it lies in the store.
struct Source {
    blob: String,
    filename: String,
    bytes: i64,
    facts: Option<String>,
}

/// Enters the file of a new job, or finds the one of another job; of the owner's jobs alone.
async fn source_of(
    tx: &mut Transaction<'static, Sqlite>,
    job: &NewJob,
    owner: &str,
) -> Result<Source, JobsError> {
    let (statement, other) = match &job.source {
        Origin::File { storage_key, bytes, sha256, filename, facts } => {
            let stored = StoredFile { owner, storage_key, bytes: *bytes, sha256 };
            let blob = insert_blob(tx, &stored, job.created_at).await?;
            let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
            let facts = Some(facts.clone());
            return Ok(Source { blob, filename: filename.clone(), bytes, facts });
        }
        Origin::InputOf(other) => (
            "SELECT b.id, i.filename, b.bytes, j.source FROM jobs j \
             JOIN job_inputs i ON i.job_id = j.id AND i.position = 0 \
             JOIN blobs b ON b.id = i.blob_id AND b.state = 'stored' \
             WHERE j.id = $1 AND j.owner_id = $2",
            other,
        ),
        Origin::OutputOf(other) => (
            "SELECT b.id, a.name, b.bytes, NULL FROM jobs j \
             JOIN artifacts a ON a.job_id = j.id AND a.position = 0 \
             JOIN blobs b ON b.id = a.blob_id AND b.state = 'stored' \
             WHERE j.id = $1 AND j.owner_id = $2 AND j.status = 'done'",
            other,
        ),
    };
    let found: Option<(String, String, i64, Option<String>)> = sqlx::query_as(statement)
        .bind(other.to_string())
        .bind(owner)
        .fetch_optional(&mut **tx)
        .await?;
    let (blob, filename, bytes, facts) = found.ok_or(JobsError::SourceGone)?;
    Ok(Source { blob, filename, bytes, facts })
}

/// The job that the same request made before; a key that has grown too old is forgotten.
async fn found_before(
    tx: &mut Transaction<'static, Sqlite>,
    owner: &str,
    replay: &Replay,
    now: i64,
) -> Result<Option<JobId>, JobsError> {
    // A clock that was set back must not keep one for ever.
    sqlx::query(
        "DELETE FROM idempotency_keys WHERE owner_id = $1 AND key = $2 AND abs($3 - created_at) > $4",
    )
    .bind(owner)
    .bind(&replay.key)
    .bind(now)
    .bind(REMEMBERED)
    .execute(&mut **tx)
    .await?;
    let before: Option<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT request_hash, job_id FROM idempotency_keys WHERE owner_id = $1 AND key = $2",
    )
    .bind(owner)
    .bind(&replay.key)
    .fetch_optional(&mut **tx)
    .await?;
    let Some((hash, job)) = before else { return Ok(None) };
    if hash != replay.request_hash {
        return Err(JobsError::KeyReused);
    }
    let job = job.parse().map_err(|_| JobsError::Internal(format!("{job} is no job")))?;
    Ok(Some(job))
}

/// A file that has just been published.
pub(super) struct StoredFile<'a> {
    pub(super) owner: &'a str,
    pub(super) storage_key: &'a str,
    pub(super) bytes: u64,
    pub(super) sha256: &'a [u8; 32],
}

/// Enters a file; the id of its row.
pub(super) async fn insert_blob(
    tx: &mut Transaction<'_, Sqlite>,
    file: &StoredFile<'_>,
    now: i64,
) -> Result<String, JobsError> {
    let id = BlobId::generate().to_string();
    sqlx::query(
        "INSERT INTO blobs (id, owner_id, storage_key, bytes, sha256, state, created_at) \
         VALUES ($1, $2, $3, $4, $5, 'stored', $6)",
    )
    .bind(&id)
    .bind(file.owner)
    .bind(file.storage_key)
    .bind(i64::try_from(file.bytes).unwrap_or(i64::MAX))
    .bind(file.sha256.as_slice())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

/// Writes down what somebody did to a job.
async fn record(
    tx: &mut Transaction<'static, Sqlite>,
    by: By<'_>,
    action: &'static str,
    job: JobId,
    detail: Value,
    now: i64,
) -> Result<(), JobsError> {
    let target = job.to_string();
    Ledger::record_at(tx, &by.act(action, &target, detail), Outcome::Done, now).await?;
    Ok(())
}

async fn lease_of(
    tx: &mut Transaction<'_, Sqlite>,
    job: JobId,
) -> Result<Option<Lease>, JobsError> {
    let token: Option<Option<String>> =
        sqlx::query_scalar("SELECT lease_token FROM jobs WHERE id = $1")
            .bind(job.to_string())
            .fetch_optional(&mut **tx)
            .await?;
    Ok(token.flatten().map(|token| Lease { job, token }))
}

/// Marks a blob for deletion when nothing points to it; its key then.
async fn release(
    tx: &mut Transaction<'_, Sqlite>,
    blob: &str,
) -> Result<Option<String>, JobsError> {
    Ok(sqlx::query_scalar(
        "UPDATE blobs SET state = 'deleting' WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM job_inputs WHERE blob_id = $1) \
         AND NOT EXISTS (SELECT 1 FROM artifacts WHERE blob_id = $1) RETURNING storage_key",
    )
    .bind(blob)
    .fetch_optional(&mut **tx)
    .await?)
}
