//! Rows of the audit log.

use serde_json::Value;
use sqlx::{FromRow, Sqlite, SqliteConnection, Transaction};

use super::chain::{Link, START, link};
use crate::base::Clock;
use crate::db::Database;

/// The audit log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    db: Database,
    clock: Clock,
}

/// Something that somebody did, or tried to do.
#[derive(Clone, Debug, Default)]
pub struct Act<'a> {
    /// E-mail of who did it; none where nobody is known.
    pub actor: Option<&'a str>,
    /// By what they were known: `session`, `key`, `command_line` …
    pub method: &'a str,
    /// The client's address.
    pub address: Option<&'a str>,
    /// What: `key.create`, `session.revoke`, `sign_in` …
    pub action: &'a str,
    /// On what: an id, an e-mail.
    pub target: Option<&'a str>,
    /// More of it, never a secret.
    pub detail: Option<Value>,
}

/// Who does something that is written down.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Their e-mail.
    pub actor: &'a str,
    /// By what they are known.
    pub method: &'static str,
    /// Where they are.
    pub address: Option<&'a str>,
}

/// Somebody, for work that outlives their request.
#[derive(Clone, Debug)]
pub struct Author {
    actor: String,
    method: &'static str,
    address: Option<String>,
}

impl Author {
    /// Who does it.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By { actor: &self.actor, method: self.method, address: self.address.as_deref() }
    }
}

impl By<'static> {
    /// Whoever works on the database with our own commands.
    pub const COMMAND_LINE: Self = Self::nobody("command line");
    /// The server itself, when the time of what it keeps is over.
    pub const RETENTION: Self = Self { method: "server", ..Self::nobody("retention") };
    /// The server itself, before it serves.
    pub const START: Self = Self::nobody("start");

    const fn nobody(actor: &'static str) -> Self {
        Self { actor, method: "command_line", address: None }
    }
}

impl<'a> By<'a> {
    /// The same, for work that outlives the request.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            actor: self.actor.to_owned(),
            method: self.method,
            address: self.address.map(str::to_owned),
        }
    }

    /// What they do, and on what; `detail` never holds a secret.
    #[must_use]
    pub fn act(&self, action: &'a str, target: &'a str, detail: Value) -> Act<'a> {
        Act {
            actor: Some(self.actor),
            method: self.method,
            address: self.address,
            action,
            target: Some(target),
            detail: Some(detail),
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// They may not.
    Refused,
    /// It did not work.
    Failed,
}

impl Outcome {
    /// The word of the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Entry {
    /// Its number, from 1 without a gap.
    pub seq: i64,
    /// When, in epoch milliseconds.
    pub at: i64,
    /// E-mail of who did it.
    pub actor: Option<String>,
    /// By what they were known.
    pub method: String,
    /// The client's address.
    pub address: Option<String>,
    /// What.
    pub action: String,
    /// On what.
    pub target: Option<String>,
    /// How it ended.
    pub outcome: String,
    /// More of it, as JSON.
    pub detail: String,
    /// Covers this row and all before it.
    pub link_hash: Vec<u8>,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub struct Selection<'a> {
    /// Of this actor.
    pub actor: Option<&'a str>,
    /// Of this action.
    pub action: Option<&'a str>,
    /// Rows before this one.
    pub before: Option<i64>,
    /// So many at the most.
    pub limit: u32,
}

/// Whether the chain holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// It does, over so many rows.
    Whole(u64),
    /// It breaks at this row.
    Broken(i64),
}

/// The last row's number and link.
const LAST: &str = "SELECT seq, link_hash FROM audit ORDER BY seq DESC LIMIT 1";

/// Rows that are checked at a time.
const STEP: i64 = 1000;

impl Ledger {
    /// The log in this database.
    #[must_use]
    pub fn new(db: Database, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Writes an act down as part of `tx`: with the deed, or not at all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record(
        &self,
        tx: &mut Transaction<'static, Sqlite>,
        act: &Act<'_>,
        outcome: Outcome,
    ) -> Result<(), sqlx::Error> {
        Self::record_at(tx, act, outcome, self.clock.wall_ms()).await
    }

    /// As [`Self::record`], for whoever has a clock of their own (`now` in epoch milliseconds).
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_at(
        tx: &mut Transaction<'static, Sqlite>,
        act: &Act<'_>,
        outcome: Outcome,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        append(tx, act, outcome, now).await
    }

    /// Writes down what changed nothing else: a refusal, a failure.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note(&self, act: &Act<'_>, outcome: Outcome) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        self.record(&mut tx, act, outcome).await?;
        tx.commit().await
    }

    /// Rows, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, selection: &Selection<'_>) -> Result<Vec<Entry>, sqlx::Error> {
        sqlx::query_as(
            "SELECT * FROM audit WHERE ($1 IS NULL OR actor = $1) AND ($2 IS NULL OR action = $2) \
             AND ($3 IS NULL OR seq < $3) ORDER BY seq DESC LIMIT $4",
        )
        .bind(selection.actor)
        .bind(selection.action)
        .bind(selection.before)
        .bind(i64::from(selection.limit))
        .fetch_all(self.db.reader())
        .await
    }

    /// The last row's number and its link, which covers all before it. Whoever keeps it elsewhere can
    /// tell a log whose end was cut off, or that was written anew from its start.
    ///
    /// # Errors
    /// What the database says.
    pub async fn head(&self) -> Result<Option<(i64, Vec<u8>)>, sqlx::Error> {
        sqlx::query_as(LAST).fetch_optional(self.db.reader()).await
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    /// What the database says.
    pub async fn check(&self) -> Result<Whole, sqlx::Error> {
        let (mut before, mut seq) = (START, 0);
        loop {
            let rows: Vec<Entry> =
                sqlx::query_as("SELECT * FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
                    .bind(seq)
                    .bind(STEP)
                    .fetch_all(self.db.reader())
                    .await?;
            if rows.is_empty() {
                return Ok(Whole::Whole(u64::try_from(seq).unwrap_or(0)));
            }
            for row in rows {
                let hash = row.hash(&before);
                if row.seq != seq + 1 || row.link_hash != hash {
                    return Ok(Whole::Broken(seq + 1));
                }
                (before, seq) = (hash, row.seq);
            }
        }
    }
}

impl Entry {
    fn hash(&self, before: &Link) -> Link {
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        link(
            before,
            &[
                Some(&seq),
                Some(&at),
                self.actor.as_deref(),
                Some(&self.method),
                self.address.as_deref(),
                Some(&self.action),
                self.target.as_deref(),
                Some(&self.outcome),
                Some(&self.detail),
            ],
        )
    }
}

async fn append(
    connection: &mut SqliteConnection,
    act: &Act<'_>,
    outcome: Outcome,
    now: i64,
) -> Result<(), sqlx::Error> {
    let last: Option<(i64, Vec<u8>)> =
        sqlx::query_as(LAST).fetch_optional(&mut *connection).await?;
    let (seq, before) = match last {
        Some((seq, hash)) => (seq, hash.try_into().unwrap_or(START)),
        None => (0, START),
    };
    let mut row = Entry {
        seq: seq + 1,
        at: now,
        actor: act.actor.map(str::to_owned),
        method: act.method.to_owned(),
        address: act.address.map(str::to_owned),
        action: act.action.to_owned(),
        target: act.target.map(str::to_owned),
        outcome: outcome.as_str().to_owned(),
        detail: act.detail.as_ref().map_or_else(|| String::from("{}"), Value::to_string),
        link_hash: Vec::new(),
    };
    row.link_hash = row.hash(&before).to_vec();
    sqlx::query(
        "INSERT INTO audit (seq, at, actor, method, address, action, target, outcome, detail, link_hash) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(row.seq)
    .bind(row.at)
    .bind(row.actor)
    .bind(row.method)
    .bind(row.address)
    .bind(row.action)
    .bind(row.target)
    .bind(row.outcome)
    .bind(row.detail)
    .bind(row.link_hash)
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ledger() -> (tempfile::TempDir, Database, Ledger) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let (clock, _) = Clock::manual(1_000_000);
        (folder, db.clone(), Ledger::new(db, clock))
    }

    fn act(target: &str) -> Act<'_> {
        Act { method: "key", action: "key.create", target: Some(target), ..Act::default() }
    }

    #[tokio::test]
    async fn what_is_written_stays_and_a_change_is_found() {
        let (folder, db, ledger) = ledger().await;
        assert_eq!(ledger.check().await.expect("checked"), Whole::Whole(0));
        for target in ["a", "b", "c"] {
            ledger.note(&act(target), Outcome::Done).await.expect("noted");
        }
        assert_eq!(ledger.check().await.expect("checked"), Whole::Whole(3));
        let mut tx = db.begin().await.expect("a transaction");
        for statement in ["DELETE FROM audit WHERE seq = 2", "UPDATE audit SET target = 'x'"] {
            let refused = sqlx::query(statement).execute(&mut *tx).await;
            assert!(refused.is_err(), "{statement}");
        }
        drop(tx);
        // Somebody with the file in their hands.
        for (statement, broken) in [
            ("UPDATE audit SET target = 'x' WHERE seq = 3", 3),
            ("DELETE FROM audit WHERE seq = 2", 2),
        ] {
            let mut tx = db.begin().await.expect("a transaction");
            for trigger in ["audit_is_not_changed", "audit_is_not_deleted"] {
                let dropped = format!("DROP TRIGGER IF EXISTS {trigger}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(dropped)).execute(&mut *tx).await.expect("gone");
            }
            sqlx::raw_sql(statement).execute(&mut *tx).await.expect("changed");
            tx.commit().await.expect("committed");
            assert_eq!(
                ledger.check().await.expect("checked"),
                Whole::Broken(broken),
                "{statement}"
            );
        }
        drop(folder);
    }

    #[tokio::test]
    async fn an_act_is_written_with_the_deed_or_not_at_all() {
        let (_folder, db, ledger) = ledger().await;
        let mut tx = db.begin().await.expect("a transaction");
        ledger.record(&mut tx, &act("a"), Outcome::Done).await.expect("written");
        drop(tx);
        assert!(
            ledger
                .list(&Selection { limit: 9, ..Selection::default() })
                .await
                .expect("rows")
                .is_empty()
        );
        let mut tx = db.begin().await.expect("a transaction");
        ledger.record(&mut tx, &act("b"), Outcome::Done).await.expect("written");
        tx.commit().await.expect("committed");
        let rows =
            ledger.list(&Selection { limit: 9, ..Selection::default() }).await.expect("rows");
        assert_eq!((rows.len(), rows[0].seq, rows[0].target.as_deref()), (1, 1, Some("b")));
    }
}
