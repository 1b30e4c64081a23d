//! How long ended jobs have been kept, on a clock that goes by what has passed and not by what the
//! system's clock says.

use super::Store;
use crate::base::{JobId, UserId};
use crate::jobs::error::JobsError;

/// Jobs that are marked in one transaction: others write in between.
const BATCH: u32 = 1000;

/// Of the time between two boots only so much counts: the system's clock is all that is known of it.
const BETWEEN_BOOTS: i64 = 24 * 60 * 60 * 1000;

/// A moment on the clock of what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Milliseconds that have passed.
    pub age: i64,
    /// The system's clock at that moment, in epoch milliseconds.
    pub wall: i64,
}

/// An ended job that may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which.
    pub id: JobId,
    /// Whose.
    pub owner: UserId,
    /// Since when it is kept.
    pub since: i64,
}

impl Store {
    /// Sets the clock of what is kept forward by what has passed since it was last set: within a boot
    /// by the monotonic clock, else by the system's, but by a day at the most and never back.
    ///
    /// # Errors
    /// What the database says.
    pub async fn grow_older(
        &self,
        boot: &str,
        wall: i64,
        monotonic: i64,
    ) -> Result<Age, JobsError> {
        let mut tx = self.db.begin().await?;
        let last: Option<(i64, i64, String, i64)> =
            sqlx::query_as("SELECT age, wall_at, boot, monotonic_at FROM ageing")
                .fetch_optional(&mut *tx)
                .await?;
        let age = last.map_or(0, |(age, wall_at, last_boot, monotonic_at)| {
            let passed = match last_boot == boot {
                true => monotonic.saturating_sub(monotonic_at).max(0),
                false => wall.saturating_sub(wall_at).clamp(0, BETWEEN_BOOTS),
            };
            age.saturating_add(passed)
        });
        sqlx::query("DELETE FROM ageing").execute(&mut *tx).await?;
        sqlx::query(
            "INSERT INTO ageing (age, wall_at, boot, monotonic_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(age)
        .bind(wall)
        .bind(boot)
        .bind(monotonic)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Age { age, wall })
    }

    /// Marks jobs that have ended since the last call. Whether there may be more of them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn mark_ended(&self, age: Age) -> Result<bool, JobsError> {
        let mut tx = self.db.begin().await?;
        let marked = sqlx::query(
            "UPDATE jobs SET kept_since = $1 WHERE id IN (SELECT id FROM jobs WHERE kept_since IS NULL \
             AND status IN ('done', 'failed', 'cancelled') LIMIT $2)",
        )
        .bind(age.age)
        .bind(BATCH)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(marked == u64::from(BATCH))
    }

    /// Ended jobs that are kept since `until` or longer, those first that are kept longest.
    ///
    /// # Errors
    /// What the database says.
    pub async fn kept_until(&self, until: i64, limit: u32) -> Result<Vec<Kept>, JobsError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT id, owner_id, kept_since FROM jobs WHERE kept_since <= $1 \
             ORDER BY kept_since, id LIMIT $2",
        )
        .bind(until)
        .bind(limit)
        .fetch_all(self.db.reader())
        .await?;
        let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
        rows.into_iter()
            .map(|(id, owner, since)| {
                let (id, owner) = (id.parse().map_err(identifier)?, owner.parse());
                Ok(Kept { id, owner: owner.map_err(identifier)?, since })
            })
            .collect()
    }

    /// Bytes of every owner's sources and results.
    ///
    /// # Errors
    /// What the database says.
    pub async fn all_stored_bytes(&self) -> Result<u64, JobsError> {
        let bytes: i64 = sqlx::query_scalar("SELECT coalesce(sum(bytes), 0) FROM stored_bytes")
            .fetch_one(self.db.reader())
            .await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Bytes of the sources of jobs that have not ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open_bytes(&self) -> Result<u64, JobsError> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(b.bytes), 0) FROM (SELECT DISTINCT i.blob_id FROM jobs j \
             JOIN job_inputs i ON i.job_id = j.id WHERE j.status IN ('receiving', 'queued', 'processing') \
             AND j.owner_id IN (SELECT owner_id FROM job_counts WHERE jobs > 0 \
             AND status IN ('receiving', 'queued', 'processing'))) open JOIN blobs b ON b.id = open.blob_id",
        )
        .fetch_one(self.db.reader())
        .await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Forgets what clients called their requests more than a day ago; a clock that was set back
    /// keeps none for ever.
    ///
    /// # Errors
    /// What the database says.
    pub async fn forget_old_keys(&self, now: i64) -> Result<(), JobsError> {
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "DELETE FROM idempotency_keys WHERE created_at < $1 - $2 OR created_at > $1 + $2",
        )
        .bind(now)
        .bind(super::write::REMEMBERED)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a row names the file under this key.
    ///
    /// # Errors
    /// What the database says.
    pub async fn knows_file(&self, key: &str) -> Result<bool, JobsError> {
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM blobs WHERE storage_key = $1")
            .bind(key)
            .fetch_one(self.db.reader())
            .await?;
        Ok(known > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Database;

    const HOUR: i64 = 60 * 60 * 1000;

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        (folder, Store::new(db))
    }

    #[tokio::test]
    async fn what_is_kept_ages_by_what_has_passed_and_not_by_what_the_clock_says() {
        const YEAR: i64 = 365 * 24 * HOUR;
        let (_folder, store) = store().await;
        let mut wall = 50 * YEAR;
        let grow = async |boot: &str, wall: i64, monotonic: i64| {
            store.grow_older(boot, wall, monotonic).await.expect("an age").age
        };
        assert_eq!(grow("one", wall, 0).await, 0);
        assert_eq!(grow("one", wall + HOUR, HOUR).await, HOUR);
        // Jumps of the system's clock within a boot.
        for jump in [24 * HOUR, -24 * HOUR, 10 * YEAR, -10 * YEAR] {
            wall += jump;
            let before = grow("one", wall, 2 * HOUR).await;
            assert_eq!(before, 2 * HOUR, "{jump}");
        }
        // The machine was off: of that a day counts, and nothing when the clock went back.
        assert_eq!(grow("two", wall + 3 * HOUR, 0).await, 5 * HOUR);
        assert_eq!(grow("three", wall + YEAR, 0).await, 29 * HOUR);
        assert_eq!(grow("four", wall - YEAR, 0).await, 29 * HOUR);
        assert_eq!(grow("four", wall - YEAR + HOUR, HOUR).await, 30 * HOUR);
    }
}
