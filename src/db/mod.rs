//! The database: pools, pragmas, migrations, transactions.
//!
//! Owns: how SQLite is opened and written to. Never: a table's meaning.
//! Used by: the stores of `jobs` and `auth`, `app`.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};

/// Readers beside the one writer.
const READERS: u32 = 4;

/// How long a statement waits for another process's lock before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a failure of the database means for whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Somebody else holds its lock: to be asked again in a moment.
    Busy,
    /// Its disk is full.
    Full,
    /// A mistake of ours.
    Other,
}

impl Fault {
    /// What SQLite's result code says; extended ones carry it in their low byte (sqlite.org/rescode.html).
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Self {
        let code = match error {
            sqlx::Error::Database(inner) => inner.code().and_then(|code| code.parse::<u32>().ok()),
            sqlx::Error::PoolTimedOut => return Self::Busy,
            _ => None,
        };
        match code.map(|code| code & 0xff) {
            Some(5) => Self::Busy,
            Some(13) => Self::Full,
            _ => Self::Other,
        }
    }
}

/// How long a writer waits for its turn: an answer has to be made before its client leaves.
const TURN: Duration = Duration::from_secs(15);

/// A SQLite database: many readers, one writer.
///
/// A single writer connection makes "database is locked" impossible inside the process; every
/// write transaction takes its lock at its beginning, since a read that turns into a write fails
/// at once however long the busy timeout is.
#[derive(Clone, Debug)]
pub struct Database {
    readers: SqlitePool,
    writer: SqlitePool,
}

impl Database {
    /// Opens the database file (made when missing) and applies the migrations it lacks.
    ///
    /// WAL with `synchronous=FULL`: with NORMAL a committed transaction may be lost with the power.
    ///
    /// # Errors
    /// What SQLite says; a schema newer than this build is an error too.
    pub async fn open(file: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(TURN)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!("src/db/migrations/sqlite").run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(TURN)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self { readers, writer })
    }

    /// The pool to read from. A read never waits for the writer.
    #[must_use]
    pub fn reader(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a write transaction that holds the lock from its first statement. It is rolled back
    /// unless committed.
    ///
    /// When the disk is full SQLite rolls back by itself; the driver's own ROLLBACK then fails and
    /// its connection counts a transaction that is none for ever. Such a connection is thrown away.
    ///
    /// # Errors
    /// What SQLite says; a lock held by another process for longer than five seconds is one.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        match self.writer.begin_with("BEGIN IMMEDIATE").await {
            Err(error @ sqlx::Error::InvalidSavePointStatement) => {
                tracing::warn!(%error, "the writing connection is replaced");
                self.writer.acquire().await?.close().await?;
                self.writer.begin_with("BEGIN IMMEDIATE").await
            }
            begun => begun,
        }
    }

    /// Which database this is: a name given once, that goes with its file wherever it goes.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn identity(&self) -> Result<String, sqlx::Error> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO identity (id) SELECT $1 WHERE NOT EXISTS (SELECT 1 FROM identity)",
        )
        .bind(uuid::Uuid::new_v4().to_string())
        .execute(&mut *tx)
        .await?;
        let id = sqlx::query_scalar("SELECT id FROM identity").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Whether a write would pass: what readiness asks.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn check(&self) -> Result<(), sqlx::Error> {
        self.begin().await?.rollback().await
    }

    /// Closes both pools; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pragmas_hold_and_many_writers_never_meet_a_lock() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(db.reader()).await.expect("a mode");
        assert_eq!(journal, "wal");
        let mut tx = db.begin().await.expect("a transaction");
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&mut *tx).await.expect("a level");
        assert_eq!(synchronous, 2, "FULL");
        tx.rollback().await.expect("a rollback");

        let writers: Vec<_> = (0..32)
            .map(|number: i64| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut tx = db.begin().await?;
                    let count: i64 =
                        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut *tx).await?;
                    sqlx::query("INSERT INTO users (id, email, role, created_at) VALUES ($1, $2, 'user', 0)")
                        .bind(number.to_string())
                        .bind(format!("{count}@example.org"))
                        .execute(&mut *tx)
                        .await?;
                    tx.commit().await
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic").expect("no lock");
        }
        db.close().await;
    }
}
