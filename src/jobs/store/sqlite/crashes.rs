//! Content at which the process died: counted by its hash, whoever sends it under whatever name.

use sqlx::{Sqlite, Transaction};

use super::Store;
use crate::base::JobId;
use crate::jobs::error::JobsError;

/// This many crashes set content aside.
pub(super) const CRASHES_MAX: i64 = 2;

/// Counts a crash against the content of a job that ran.
pub(super) async fn count(
    tx: &mut Transaction<'static, Sqlite>,
    job: JobId,
    engine: &str,
    now: i64,
) -> Result<(), JobsError> {
    sqlx::query(
        "INSERT INTO crashes (sha256, engine, crashes, last_at) SELECT b.sha256, $2, 1, $3 FROM jobs j \
         JOIN job_inputs i ON i.job_id = j.id AND i.position = 0 JOIN blobs b ON b.id = i.blob_id \
         WHERE j.id = $1 AND j.status = 'processing' \
         ON CONFLICT (sha256, engine) DO UPDATE SET crashes = crashes + 1, last_at = excluded.last_at",
    )
    .bind(job.to_string())
    .bind(engine)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Store {
    /// Whether content is set aside: it has crashed this engine too often.
    ///
    /// # Errors
    /// What the database says.
    pub async fn is_set_aside(&self, sha256: &[u8; 32], engine: &str) -> Result<bool, JobsError> {
        let crashes: Option<i64> =
            sqlx::query_scalar("SELECT crashes FROM crashes WHERE sha256 = $1 AND engine = $2")
                .bind(sha256.as_slice())
                .bind(engine)
                .fetch_optional(self.db.reader())
                .await?;
        Ok(crashes >= Some(CRASHES_MAX))
    }

    /// Whether the content of a job's source is set aside.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_set_aside(&self, job: JobId, engine: &str) -> Result<bool, JobsError> {
        let crashes: Option<i64> = sqlx::query_scalar(
            "SELECT c.crashes FROM job_inputs i JOIN blobs b ON b.id = i.blob_id \
             JOIN crashes c ON c.sha256 = b.sha256 AND c.engine = $2 \
             WHERE i.job_id = $1 AND i.position = 0",
        )
        .bind(job.to_string())
        .bind(engine)
        .fetch_optional(self.db.reader())
        .await?;
        Ok(crashes >= Some(CRASHES_MAX))
    }
}
