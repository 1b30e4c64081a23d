//! A long history out of nothing: for measuring alone.

use super::Store;
use crate::base::UserId;
use crate::jobs::error::JobsError;

/// Jobs in one transaction.
const BATCH: u64 = 20_000;

impl Store {
    /// Adds finished jobs of an owner, a second apart, as real ones lie here: each with its source, its
    /// result and its log. Their files are nowhere. `from` is the first second, since 1970.
    ///
    /// # Errors
    /// What the database says.
    pub async fn fill(&self, owner: UserId, jobs: u64, from: i64) -> Result<(), JobsError> {
        let mut done = 0;
        while done < jobs {
            let count = BATCH.min(jobs - done);
            let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let mut tx = self.db.begin().await?;
            sqlx::query("CREATE TEMP TABLE IF NOT EXISTS made (job TEXT, at INTEGER, n INTEGER)")
                .execute(&mut *tx)
                .await?;
            sqlx::query("DELETE FROM made").execute(&mut *tx).await?;
            // Identifiers of RFC 9562, version 7, whose random bits are counted.
            sqlx::query(
                "WITH RECURSIVE counted (n) AS (SELECT $1 UNION ALL SELECT n + 1 FROM counted \
                 WHERE n + 1 < $1 + $2) INSERT INTO made SELECT printf('%08x-%04x-7%03x-8%03x-%012x', \
                 ((($3 + n) * 1000) >> 16) & 4294967295, (($3 + n) * 1000) & 65535, n & 4095, \
                 abs(random()) & 4095, n), ($3 + n) * 1000, n FROM counted",
            )
            .bind(number(done))
            .bind(number(count))
            .bind(from)
            .execute(&mut *tx)
            .await?;
            for statement in [
                "INSERT INTO blobs (id, owner_id, storage_key, bytes, sha256, state, created_at) \
                 SELECT job || '-i', $1, 'users/' || $1 || '/jobs/' || job || '/input/original.wav', \
                 52920044, zeroblob(32), 'stored', at FROM made",
                "INSERT INTO blobs (id, owner_id, storage_key, bytes, sha256, state, created_at) \
                 SELECT job || '-o', $1, 'users/' || $1 || '/jobs/' || job || '/output/' || job || '.mp3', \
                 7200000, zeroblob(32), 'stored', at FROM made",
                "INSERT INTO jobs (id, owner_id, type, status, options, source, planned, output, \
                 created_at, started_at, completed_at, attempt, kept_since) SELECT job, $1, 'transcode', \
                 CASE n % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'done' END, \
                 '{\"format\":\"mp3\",\"bitrate\":\"192k\"}', \
                 '{\"container\":\"wav\",\"codec\":\"pcm_s16le\",\"sample_rate\":44100,\"channels\":2,\"duration_seconds\":300.0}', \
                 '{\"copied\":false}', '{\"codec\":\"mp3\",\"duration_seconds\":300.0}', at, at, at + 900, 1, at FROM made",
                "INSERT INTO job_inputs (job_id, position, blob_id, filename) \
                 SELECT job, 0, job || '-i', 'take ' || n || '.wav' FROM made WHERE $1 IS NOT NULL",
                "INSERT INTO artifacts (id, job_id, position, blob_id, kind, name, mime_type, created_at) \
                 SELECT job, job, 0, job || '-o', 'output', 'take ' || n || '.mp3', 'audio/mpeg', at \
                 FROM made WHERE $1 IS NOT NULL",
                "INSERT INTO job_logs (job_id, seq, at, level, message) SELECT job, seq, at, 'info', \
                 'A worker has begun.' FROM made, (SELECT 1 AS seq UNION SELECT 2 UNION SELECT 3) \
                 WHERE $1 IS NOT NULL",
            ] {
                sqlx::query(statement).bind(owner.to_string()).execute(&mut *tx).await?;
            }
            tx.commit().await?;
            done += count;
        }
        Ok(())
    }
}
