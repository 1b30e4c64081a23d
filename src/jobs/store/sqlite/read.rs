//! Reading jobs.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::sqlite::SqliteConnection;
use sqlx::{FromRow, QueryBuilder};

use super::Store;
use crate::base::{ArtifactId, JobId, UserId, hex};
use crate::jobs::error::JobsError;
use crate::jobs::model::{Artifact, Job, Status};

/// Which jobs a list shows.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// Whose.
    pub owner: UserId,
    /// Only those in this state.
    pub status: Option<Status>,
    /// Only those older than this one.
    pub older_than: Option<JobId>,
    /// At most so many.
    pub limit: u32,
    /// After leaving out so many.
    pub offset: u32,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Newest first.
    pub jobs: Vec<Job>,
    /// How many the selection has in all, whatever the page.
    pub total: u64,
}

#[derive(FromRow)]
struct JobRow {
    id: String,
    owner_id: String,
    owner_email: String,
    status: String,
    created_at: i64,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    filename: Option<String>,
    bytes: Option<i64>,
    options: String,
    priority: i64,
    metadata: String,
    source: Option<String>,
    planned: Option<String>,
    output: Option<String>,
    warnings: String,
    error: Option<String>,
    attempt: i64,
    queue_position: Option<i64>,
    changed: i64,
    kept_since: Option<i64>,
}

#[derive(FromRow)]
struct ArtifactRow {
    job_id: String,
    id: String,
    kind: String,
    name: String,
    mime_type: String,
    bytes: i64,
    sha256: Vec<u8>,
    storage_key: String,
}

/// The columns of [`JobRow`], with the place in its owner's line where a job waits.
macro_rules! job_columns {
    ($place:literal) => {
        concat!(
            "SELECT j.id, j.owner_id, u.email AS owner_email, j.status, j.created_at, j.started_at, \
             j.completed_at, i.filename, b.bytes, j.options, j.priority, j.metadata, j.source, \
             j.planned, j.output, j.warnings, j.error, j.attempt, j.changed, j.kept_since, ",
            $place,
            " AS queue_position FROM jobs j JOIN users u ON u.id = j.owner_id \
             LEFT JOIN job_inputs i ON i.job_id = j.id AND i.position = 0 \
             LEFT JOIN blobs b ON b.id = i.blob_id "
        )
    };
}

/// One job's row: those before it in the line are counted.
const ONE: &str = concat!(
    job_columns!(
        "CASE j.status WHEN 'queued' THEN 1 + (SELECT count(*) FROM jobs q \
     WHERE q.owner_id = j.owner_id AND q.status = 'queued' AND (q.priority > j.priority OR \
     (q.priority = j.priority AND (q.created_at, q.id) < (j.created_at, j.id)))) END"
    ),
    "WHERE j.id = $1"
);

/// Many rows of one owner, `$1`: the line is numbered once.
macro_rules! many {
    () => {
        concat!(
    "WITH line AS MATERIALIZED (SELECT id, row_number() OVER (ORDER BY priority DESC, created_at, id) \
     AS place FROM jobs WHERE owner_id = $1 AND status = 'queued') ",
    job_columns!("(SELECT place FROM line WHERE line.id = j.id)")
        )
    };
}

/// How many jobs wait, whosever they are.
pub(super) const WAITING: &str =
    "SELECT coalesce(sum(jobs), 0) FROM job_counts WHERE status = 'queued' AND jobs > 0";

impl Store {
    /// The job, whoever owns it.
    ///
    /// # Errors
    /// `NotFound`, or what the database says.
    pub async fn get(&self, id: JobId) -> Result<Job, JobsError> {
        let mut connection = self.db.reader().acquire().await?;
        let row: Option<JobRow> =
            sqlx::query_as(ONE).bind(id.to_string()).fetch_optional(&mut *connection).await?;
        let row = row.ok_or(JobsError::NotFound)?;
        let mut jobs = complete_all(vec![row], &mut connection).await?;
        jobs.pop().ok_or(JobsError::NotFound)
    }

    /// The shape of a finished job's sound, if it was decoded.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waveform(&self, id: JobId) -> Result<Option<Vec<u8>>, JobsError> {
        let peaks = sqlx::query_scalar("SELECT peaks FROM waveforms WHERE job_id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.reader())
            .await?;
        Ok(peaks)
    }

    /// One page of an owner's jobs, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, selection: Selection) -> Result<Page, JobsError> {
        let mut connection = self.db.reader().acquire().await?;
        let owner = selection.owner.to_string();
        let total: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(jobs), 0) FROM job_counts WHERE owner_id = $1 AND ($2 IS NULL OR status = $2)",
        )
        .bind(&owner)
        .bind(selection.status.map(Status::as_str))
        .fetch_one(&mut *connection)
        .await?;
        // Which rows, by an index alone: what is left out is not put together.
        let mut query = QueryBuilder::new(many!());
        query.push("WHERE j.id IN (SELECT id FROM jobs WHERE owner_id = ").push_bind(&owner);
        if let Some(status) = selection.status {
            query.push(" AND status = ").push_bind(status.as_str());
        }
        if let Some(id) = selection.older_than {
            query.push(" AND id < ").push_bind(id.to_string());
        }
        query.push(" ORDER BY id DESC LIMIT ").push_bind(selection.limit);
        query.push(" OFFSET ").push_bind(selection.offset);
        query.push(") ORDER BY j.id DESC");
        let rows: Vec<JobRow> = query.build_query_as().fetch_all(&mut *connection).await?;
        let jobs = complete_all(rows, &mut connection).await?;
        Ok(Page { jobs, total: u64::try_from(total).unwrap_or(0) })
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
        let mut connection = self.db.reader().acquire().await?;
        let rows: Vec<JobRow> = sqlx::query_as(concat!(
            many!(),
            "WHERE j.owner_id = $1 AND j.changed > $2 ORDER BY j.changed LIMIT $3"
        ))
        .bind(owner.to_string())
        .bind(change)
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
        complete_all(rows, &mut connection).await
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
        let mut connection = self.db.reader().acquire().await?;
        let rows: Vec<JobRow> = sqlx::query_as(concat!(
            many!(),
            "WHERE j.id IN (SELECT id FROM jobs WHERE owner_id = $1 \
             AND status IN ('receiving', 'queued', 'processing') AND ($2 IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3) ORDER BY j.id DESC"
        ))
        .bind(owner.to_string())
        .bind(older_than.map(|id| id.to_string()))
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
        complete_all(rows, &mut connection).await
    }

    /// The number of the last change of any job.
    ///
    /// # Errors
    /// What the database says.
    pub async fn last_change(&self) -> Result<i64, JobsError> {
        Ok(sqlx::query_scalar("SELECT last FROM changes").fetch_one(self.db.reader()).await?)
    }

    /// A result, the job it belongs to, and whose the job is. A file that lies where another
    /// owner's files lie is nobody's.
    ///
    /// # Errors
    /// `NotFound`, or what the database says.
    pub async fn artifact(&self, id: ArtifactId) -> Result<(Artifact, JobId, UserId), JobsError> {
        let mut connection = self.db.reader().acquire().await?;
        let job: Option<(String, String)> = sqlx::query_as(
            "SELECT j.id, j.owner_id FROM artifacts a JOIN jobs j ON j.id = a.job_id \
             JOIN blobs b ON b.id = a.blob_id WHERE a.id = $1 AND b.owner_id = j.owner_id",
        )
        .bind(id.to_string())
        .fetch_optional(&mut *connection)
        .await?;
        let (job, owner) = job.ok_or(JobsError::NotFound)?;
        let all = artifacts(&[&job], &mut connection).await?;
        let artifact = all.into_iter().map(|(_, artifact)| artifact).find(|one| one.id == id);
        let artifact = artifact.ok_or(JobsError::NotFound)?;
        let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
        Ok((artifact, job.parse().map_err(identifier)?, owner.parse().map_err(identifier)?))
    }

    /// How many jobs wait for a worker.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self) -> Result<u64, JobsError> {
        let count: i64 = sqlx::query_scalar(WAITING).fetch_one(self.db.reader()).await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Keys of every stored file.
    ///
    /// # Errors
    /// What the database says.
    pub async fn storage_keys(&self) -> Result<Vec<String>, JobsError> {
        Ok(sqlx::query_scalar("SELECT storage_key FROM blobs").fetch_all(self.db.reader()).await?)
    }
}

async fn complete_all(
    rows: Vec<JobRow>,
    connection: &mut SqliteConnection,
) -> Result<Vec<Job>, JobsError> {
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut results: HashMap<String, Vec<Artifact>> = HashMap::new();
    for (job, artifact) in artifacts(&ids, connection).await? {
        results.entry(job).or_default().push(artifact);
    }
    rows.into_iter()
        .map(|row| {
            let results = results.remove(&row.id).unwrap_or_default();
            complete(row, results)
        })
        .collect()
}

fn complete(row: JobRow, results: Vec<Artifact>) -> Result<Job, JobsError> {
    let status: Status = row
        .status
        .parse()
        .map_err(|error| JobsError::Internal(format!("{}: {error}", row.status)))?;
    // Those of an attempt before are no results of a job that is tried again.
    let artifacts = if status == Status::Done { results } else { Vec::new() };
    let value =
        |text: Option<String>| text.map(|text| serde_json::from_str::<Value>(&text)).transpose();
    let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
    Ok(Job {
        id: row.id.parse().map_err(identifier)?,
        owner: row.owner_id.parse().map_err(identifier)?,
        owner_email: row.owner_email,
        status,
        created_at: row.created_at,
        started_at: row.started_at,
        completed_at: row.completed_at,
        filename: row.filename.unwrap_or_default(),
        bytes: u64::try_from(row.bytes.unwrap_or(0)).unwrap_or(0),
        options: serde_json::from_str(&row.options)?,
        priority: row.priority,
        metadata: serde_json::from_str(&row.metadata)?,
        source: value(row.source)?,
        planned: value(row.planned)?,
        output: value(row.output)?,
        warnings: serde_json::from_str(&row.warnings)?,
        error: row.error.map(|text| serde_json::from_str(&text)).transpose()?,
        attempt: u32::try_from(row.attempt).unwrap_or(0),
        artifacts,
        queue_position: row.queue_position.and_then(|place| u64::try_from(place).ok()),
        changed: row.changed,
        kept_since: row.kept_since,
        expires_at: None,
    })
}

/// The results of these jobs, each with its job, first ones first.
async fn artifacts(
    jobs: &[&str],
    connection: &mut SqliteConnection,
) -> Result<Vec<(String, Artifact)>, JobsError> {
    let rows: Vec<ArtifactRow> = sqlx::query_as(
        "SELECT a.job_id, a.id, a.kind, a.name, a.mime_type, b.bytes, b.sha256, b.storage_key \
         FROM artifacts a JOIN blobs b ON b.id = a.blob_id \
         WHERE a.job_id IN (SELECT value FROM json_each($1)) ORDER BY a.job_id, a.position",
    )
    .bind(serde_json::to_string(jobs)?)
    .fetch_all(connection)
    .await?;
    let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
    rows.into_iter()
        .map(|row| {
            let artifact = Artifact {
                id: row.id.parse().map_err(identifier)?,
                kind: row.kind,
                name: row.name,
                mime_type: row.mime_type,
                bytes: u64::try_from(row.bytes).unwrap_or(0),
                sha256: hex(&row.sha256),
                storage_key: row.storage_key,
            };
            Ok((row.job_id, artifact))
        })
        .collect()
}
