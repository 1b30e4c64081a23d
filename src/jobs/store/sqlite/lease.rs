//! Claiming jobs, and ending what was claimed. Every statement here matches the lease's token, so
//! that a worker whose job was cancelled, deleted or given to another changes nothing.

use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::Store;
use super::crashes::{self, CRASHES_MAX};
use super::log::{self, Level};
use super::write::{StoredFile, insert_blob};
use crate::base::{ArtifactId, JobId, UserId};
use crate::jobs::error::JobsError;
use crate::jobs::model::StoredError;
use crate::ledger::{Usage, Use};

/// The right to work on one job until a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// Proof of the right.
    pub token: String,
}

/// A claimed job: all that carrying it out needs.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The right to it.
    pub lease: Lease,
    /// Whose.
    pub owner: UserId,
    /// Options as JSON.
    pub options: String,
    /// Display name of the source.
    pub filename: String,
    /// Where the source lies.
    pub storage_key: String,
    /// How often a worker has begun it, this time included.
    pub attempt: u32,
    /// How often it ended in an error before.
    pub errors: u32,
}

/// A finished output that is to become visible.
#[derive(Clone, Debug)]
pub struct Published {
    /// The artifact.
    pub artifact: ArtifactId,
    /// Where it lies.
    pub storage_key: String,
    /// Its name for people.
    pub name: String,
    /// Its type.
    pub mime_type: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: [u8; 32],
    /// Length of its sound.
    pub seconds: f64,
    /// What was done, as JSON.
    pub output: String,
    /// Deviations, as JSON.
    pub warnings: String,
    /// The shape of the sound, where it was decoded.
    pub waveform: Option<Vec<u8>>,
}

/// What the start of a process found of the last one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Jobs put back into the line.
    pub queued_again: u64,
    /// Jobs set aside after their second crash.
    pub set_aside: u64,
}

/// Whose job a worker takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Anybody's.
    Anybody,
    /// Of an owner nothing of whose runs, and only while so many others run.
    Newcomer {
        /// Jobs that have to run.
        beside: usize,
    },
}

/// What the owner reads of a job that the end of a process cut short.
const HANDED_BACK: &str = "The server is restarting; it begins again afterwards.";

#[derive(FromRow)]
struct ClaimRow {
    id: String,
    owner_id: String,
    options: String,
    attempt: i64,
    errors: i64,
}

/// Which jobs can be claimed at the time `$1`. Of the jobs that were running when a process died
/// without a word, only one runs at a time.
macro_rules! is_ready {
    () => {
        "status = 'queued' AND run_after <= $1 AND (suspect = 0 OR NOT EXISTS \
         (SELECT 1 FROM jobs WHERE status = 'processing' AND suspect = 1))"
    };
}

impl Store {
    /// Takes the next job, if there is one this moment. Owners take turns: the one of whose the
    /// fewest run comes first, then the one whose turn was longest ago. Within an owner's line the
    /// highest priority comes first, then the oldest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(
        &self,
        process: Uuid,
        boot: &str,
        turn: Turn,
        now: i64,
        until: i64,
    ) -> Result<Option<Claimed>, JobsError> {
        let token = Uuid::new_v4().to_string();
        let mut tx = self.db.begin().await?;
        let row: Option<ClaimRow> = sqlx::query_as(concat!(
            "UPDATE jobs SET status = 'processing', attempt = attempt + 1, started_at = $1, \
             lease_owner = $2, lease_token = $3, lease_until = $4, lease_boot = $5 \
             WHERE id = (SELECT next FROM (SELECT \
             (SELECT id FROM jobs WHERE owner_id = line.owner_id AND ",
            is_ready!(),
            " ORDER BY priority DESC, created_at, id LIMIT 1) AS next, \
             coalesce((SELECT jobs FROM job_counts busy WHERE busy.owner_id = line.owner_id \
             AND busy.status = 'processing'), 0) AS running, \
             coalesce((SELECT turn FROM turns WHERE turns.owner_id = line.owner_id), 0) AS turn \
             FROM job_counts line WHERE line.status = 'queued' AND line.jobs > 0) \
             WHERE next IS NOT NULL AND ($6 IS NULL OR (running = 0 AND $6 <= \
             (SELECT sum(jobs) FROM job_counts WHERE status = 'processing'))) \
             ORDER BY running, turn, next LIMIT 1) \
             RETURNING id, owner_id, options, attempt, errors",
        ))
        .bind(now)
        .bind(process.to_string())
        .bind(&token)
        .bind(until)
        .bind(boot)
        .bind(match turn {
            Turn::Anybody => None,
            Turn::Newcomer { beside } => Some(i64::try_from(beside).unwrap_or(i64::MAX)),
        })
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (filename, storage_key): (String, String) = sqlx::query_as(
            "SELECT i.filename, b.storage_key FROM job_inputs i JOIN blobs b ON b.id = i.blob_id \
             WHERE i.job_id = $1 AND i.position = 0",
        )
        .bind(&row.id)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO turns (owner_id, turn) VALUES ($1, (SELECT last FROM changes)) \
             ON CONFLICT (owner_id) DO UPDATE SET turn = excluded.turn",
        )
        .bind(&row.owner_id)
        .execute(&mut *tx)
        .await?;
        let details = json!({"attempt": row.attempt});
        log::write(&mut tx, &row.id, Level::Info, "A worker has begun.", &details, now).await?;
        self.commit(tx).await?;
        let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
        Ok(Some(Claimed {
            lease: Lease { job: row.id.parse().map_err(identifier)?, token },
            owner: row.owner_id.parse().map_err(identifier)?,
            options: row.options,
            filename,
            storage_key,
            attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            errors: u32::try_from(row.errors).unwrap_or(u32::MAX),
        }))
    }

    /// How many jobs are ready to be claimed, counted up to `most`; of suspects, which run one at a time,
    /// all or none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn ready(&self, now: i64, most: usize) -> Result<usize, JobsError> {
        let count: i64 = sqlx::query_scalar(concat!(
            "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE ",
            is_ready!(),
            " LIMIT $2) ready",
        ))
        .bind(now)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_one(self.db.reader())
        .await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Prolongs a lease. Whether it still holds.
    ///
    /// # Errors
    /// What the database says.
    pub async fn renew(&self, lease: &Lease, until: i64) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        let changed = sqlx::query(
            "UPDATE jobs SET lease_until = $3 WHERE id = $1 AND lease_token = $2 AND status = 'processing'",
        )
        .bind(lease.job.to_string())
        .bind(&lease.token)
        .bind(until)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(changed == 1)
    }

    /// Keeps what was found out and decided, while the work goes on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_plan(
        &self,
        lease: &Lease,
        source: &str,
        planned: &str,
    ) -> Result<(), JobsError> {
        let mut tx = self.db.begin().await?;
        sqlx::query("UPDATE jobs SET source = $3, planned = $4 WHERE id = $1 AND lease_token = $2")
            .bind(lease.job.to_string())
            .bind(&lease.token)
            .bind(source)
            .bind(planned)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The one step that makes a result visible: `processing` → `done` with its artifact. Whether
    /// the lease still held; if not, nothing changed and the file is nobody's.
    ///
    /// # Errors
    /// What the database says.
    pub async fn publish(
        &self,
        lease: &Lease,
        result: &Published,
        now: i64,
    ) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        let done: Option<(String, String)> = sqlx::query_as(
            "UPDATE jobs SET status = 'done', completed_at = $3, output = $4, warnings = $5, \
             error = NULL, suspect = 0, lease_owner = NULL, lease_token = NULL, lease_until = NULL, \
             lease_boot = NULL WHERE id = $1 AND lease_token = $2 AND status = 'processing' \
             RETURNING owner_id, endpoint",
        )
        .bind(lease.job.to_string())
        .bind(&lease.token)
        .bind(now)
        .bind(&result.output)
        .bind(&result.warnings)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((owner, endpoint)) = done else {
            // A commit whose answer was lost: the result is there already.
            let published: i64 = sqlx::query_scalar("SELECT count(*) FROM artifacts WHERE id = $1")
                .bind(result.artifact.to_string())
                .fetch_one(&mut *tx)
                .await?;
            return Ok(published == 1);
        };
        let stored = StoredFile {
            owner: &owner,
            storage_key: &result.storage_key,
            bytes: result.bytes,
            sha256: &result.sha256,
        };
        let blob = insert_blob(&mut tx, &stored, now).await?;
        if let Some(waveform) = &result.waveform {
            sqlx::query("INSERT OR REPLACE INTO waveforms (job_id, peaks) VALUES ($1, $2)")
                .bind(lease.job.to_string())
                .bind(waveform)
                .execute(&mut *tx)
                .await?;
        }
        sqlx::query(
            "INSERT INTO artifacts (id, job_id, position, blob_id, kind, name, mime_type, created_at) \
             VALUES ($1, $2, 0, $3, 'output', $4, $5, $6)",
        )
        .bind(result.artifact.to_string())
        .bind(lease.job.to_string())
        .bind(&blob)
        .bind(&result.name)
        .bind(result.mime_type)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let used = Use {
            user: &owner,
            service: "transcode",
            endpoint: &endpoint,
            job: Some(&lease.job.to_string()),
            audio_duration_seconds: result.seconds,
        };
        Usage::record(&mut tx, &used, now).await?;
        let details = json!({"filename": result.name, "bytes": result.bytes});
        let job = lease.job.to_string();
        log::write(&mut tx, &job, Level::Info, "The result is ready.", &details, now).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Ends a claimed job for good: `processing` → `failed`. Whether the lease still held.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fail(
        &self,
        lease: &Lease,
        error: &StoredError,
        now: i64,
    ) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        let changed = sqlx::query(
            "UPDATE jobs SET status = 'failed', completed_at = $3, error = $4, errors = errors + 1, \
             suspect = 0, lease_owner = NULL, lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE id = $1 AND lease_token = $2 AND status = 'processing'",
        )
        .bind(lease.job.to_string())
        .bind(&lease.token)
        .bind(now)
        .bind(serde_json::to_string(error)?)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            let job = lease.job.to_string();
            log::write(&mut tx, &job, Level::Error, &error.message, &json!(error), now).await?;
        }
        self.commit(tx).await?;
        Ok(changed == 1)
    }

    /// Puts a claimed job back for another try after an error that may pass, not before
    /// `run_after`. Whether the lease still held.
    ///
    /// # Errors
    /// What the database says.
    pub async fn postpone(
        &self,
        lease: &Lease,
        error: &StoredError,
        run_after: i64,
        now: i64,
    ) -> Result<bool, JobsError> {
        self.put_back(lease, Some(error), run_after, now).await
    }

    /// Hands a claimed job back untouched: the process is going down. Whether the lease still held.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hand_back(&self, lease: &Lease, now: i64) -> Result<bool, JobsError> {
        self.put_back(lease, None, 0, now).await
    }

    async fn put_back(
        &self,
        lease: &Lease,
        error: Option<&StoredError>,
        run_after: i64,
        now: i64,
    ) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        let job = lease.job.to_string();
        let changed = sqlx::query(
            "UPDATE jobs SET status = 'queued', error = $3, run_after = $4, \
             errors = errors + ($3 IS NOT NULL), interruptions = interruptions + ($3 IS NULL), \
             lease_owner = NULL, lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE id = $1 AND lease_token = $2 AND status = 'processing'",
        )
        .bind(&job)
        .bind(&lease.token)
        .bind(error.map(serde_json::to_string).transpose()?)
        .bind(run_after)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if changed == 1 {
            match error {
                Some(error) => {
                    let message = format!("It will be tried again: {}", error.message);
                    log::write(&mut tx, &job, Level::Warning, &message, &json!(error), now).await?;
                }
                None => {
                    log::write(&mut tx, &job, Level::Info, HANDED_BACK, &json!({}), now).await?
                }
            }
        }
        self.commit(tx).await?;
        Ok(changed == 1)
    }

    /// Leases of this boot that ran out before `now` on its monotonic clock.
    ///
    /// # Errors
    /// What the database says.
    pub async fn expired(&self, boot: &str, now: i64) -> Result<Vec<Lease>, JobsError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT id, lease_token FROM jobs WHERE status = 'processing' AND lease_boot = $1 \
             AND lease_until < $2",
        )
        .bind(boot)
        .bind(now)
        .fetch_all(self.db.reader())
        .await?;
        let lease = |(id, token): (String, String)| Some(Lease { job: id.parse().ok()?, token });
        Ok(rows.into_iter().filter_map(lease).collect())
    }

    /// Hands back every job that the process `owner` holds. How many there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hand_all_back(&self, process: Uuid, now: i64) -> Result<u64, JobsError> {
        let mut tx = self.db.begin().await?;
        let jobs: Vec<String> = sqlx::query_scalar(
            "UPDATE jobs SET status = 'queued', interruptions = interruptions + 1, lease_owner = NULL, \
             lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE lease_owner = $1 AND status = 'processing' RETURNING id",
        )
        .bind(process.to_string())
        .fetch_all(&mut *tx)
        .await?;
        for job in &jobs {
            log::write(&mut tx, job, Level::Info, HANDED_BACK, &json!({}), now).await?;
        }
        self.commit(tx).await?;
        Ok(jobs.len() as u64)
    }

    /// Puts every running job of the process before this one back into the line. `crashed` are
    /// the jobs whose own thread was hit by a fatal signal: for their content alone it counts, and the
    /// second time sets it aside with `set_aside` as the error. The others were interrupted;
    /// since nobody knows by what, they go one at a time from now on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover(
        &self,
        crashed: &[JobId],
        engine: &str,
        set_aside: &StoredError,
        now: i64,
    ) -> Result<Recovered, JobsError> {
        let mut tx = self.db.begin().await?;
        for job in crashed {
            crashes::count(&mut tx, *job, engine, now).await?;
        }
        let aside: Vec<String> = sqlx::query_scalar(
            "UPDATE jobs SET status = 'failed', completed_at = $1, error = $2, suspect = 0, \
             lease_owner = NULL, lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE status = 'processing' AND EXISTS (SELECT 1 FROM job_inputs i \
             JOIN blobs b ON b.id = i.blob_id JOIN crashes c ON c.sha256 = b.sha256 \
             WHERE i.job_id = jobs.id AND i.position = 0 AND c.engine = $4 AND c.crashes >= $3) \
             RETURNING id",
        )
        .bind(now)
        .bind(serde_json::to_string(set_aside)?)
        .bind(CRASHES_MAX)
        .bind(engine)
        .fetch_all(&mut *tx)
        .await?;
        let again: Vec<String> = sqlx::query_scalar(
            "UPDATE jobs SET status = 'queued', suspect = 1, interruptions = interruptions + 1, \
             lease_owner = NULL, lease_token = NULL, lease_until = NULL, lease_boot = NULL \
             WHERE status = 'processing' RETURNING id",
        )
        .fetch_all(&mut *tx)
        .await?;
        for job in &aside {
            let details = json!(set_aside);
            log::write(&mut tx, job, Level::Error, &set_aside.message, &details, now).await?;
        }
        for job in &again {
            let message = "The server died while it was at work; it begins again.";
            log::write(&mut tx, job, Level::Warning, message, &json!({}), now).await?;
        }
        self.commit(tx).await?;
        Ok(Recovered { queued_again: again.len() as u64, set_aside: aside.len() as u64 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Database;

    #[tokio::test]
    async fn ready_are_those_that_a_worker_could_claim_now() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let mut tx = db.begin().await.expect("a transaction");
        sqlx::query(
            "INSERT INTO users (id, email, role, created_at) VALUES ('u', 'ann', 'user', 0)",
        )
        .execute(&mut *tx)
        .await
        .expect("an account");
        let rows = [
            ("a", "queued", 0, 0),
            ("b", "queued", 0, 0),
            ("later", "queued", 500, 0),
            ("suspect", "queued", 0, 1),
            ("running", "processing", 0, 0),
            ("done", "done", 0, 0),
        ];
        for (id, status, run_after, suspect) in rows {
            sqlx::query(
                "INSERT INTO jobs (id, owner_id, type, status, options, created_at, run_after, suspect) \
                 VALUES ($1, 'u', 'transcode', $2, '{}', 0, $3, $4)",
            )
            .bind(id)
            .bind(status)
            .bind(run_after)
            .bind(suspect)
            .execute(&mut *tx)
            .await
            .expect("a job");
        }
        tx.commit().await.expect("committed");
        let store = Store::new(db.clone());
        assert_eq!(store.ready(100, 9).await.expect("a count"), 3);
        assert_eq!(store.ready(500, 9).await.expect("a count"), 4, "its time has come");
        assert_eq!(store.ready(500, 2).await.expect("a count"), 2, "no more are counted");
        let mut tx = db.begin().await.expect("a transaction");
        sqlx::query("UPDATE jobs SET suspect = 1 WHERE id = 'running'")
            .execute(&mut *tx)
            .await
            .expect("another suspect");
        tx.commit().await.expect("committed");
        assert_eq!(store.ready(100, 9).await.expect("a count"), 2, "suspects run one at a time");
    }
}
