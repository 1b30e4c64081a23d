//! Rows of the usage log, and what they add up to in a month.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use sqlx::{FromRow, Sqlite, Transaction};

use super::audit::Whole;
use super::chain::{Link, START, link};
use super::plan::{Limits, Plans};
use crate::base::UserId;
use crate::base::clock::rfc3339;
use crate::db::Database;

/// Something that was done for somebody.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// For whom.
    pub user: &'a str,
    /// What: `transcode`.
    pub service: &'a str,
    /// By which address it was asked for.
    pub endpoint: &'a str,
    /// The job that did it.
    pub job: Option<&'a str>,
    /// Length of the sound.
    pub audio_duration_seconds: f64,
}

/// A row.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct UsageRow {
    /// Its number, from 1 without a gap.
    pub seq: i64,
    /// When, in epoch milliseconds.
    pub at: i64,
    /// For whom.
    pub user_id: String,
    /// What.
    pub service: String,
    /// By which address it was asked for.
    pub endpoint: String,
    /// The job that did it.
    pub job_id: Option<String>,
    /// Length of the sound.
    pub audio_duration_seconds: f64,
    /// Tokens of a language model.
    pub tokens_used: i64,
    /// What it cost us.
    pub cost_usd: f64,
    link_hash: Vec<u8>,
}

/// What an account has used since the month began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Month {
    /// When it began and when it ends, in epoch milliseconds.
    pub from: i64,
    /// As above.
    pub until: i64,
    /// Requests.
    pub api_calls: u64,
    /// Conversions that are done.
    pub conversions: u64,
    /// Sound of these.
    pub audio_seconds: f64,
}

/// The usage log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Usage {
    db: Database,
    plans: Arc<Plans>,
    calls: Arc<Mutex<HashMap<UserId, Calls>>>,
}

/// Requests of an account in a month.
#[derive(Clone, Debug)]
struct Calls {
    month: String,
    written: u64,
    fresh: u64,
    limit: Option<u64>,
    /// Epoch milliseconds of the last look at the database.
    settled_at: i64,
}

/// How long requests are counted in memory alone.
const STEP: Duration = Duration::from_secs(60);

/// Whether an account may ask once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// It may.
    Counted,
    /// The month's requests are used up: so many, until then (epoch milliseconds).
    UsedUp(u64, i64),
}

impl Usage {
    /// The log in this database, under these plans.
    #[must_use]
    pub fn new(db: Database, plans: Plans) -> Self {
        Self { db, plans: Arc::new(plans), calls: Arc::default() }
    }

    /// The plans.
    #[must_use]
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// Limits of an account.
    ///
    /// # Errors
    /// What the database says.
    pub async fn limits(&self, user: UserId) -> Result<(String, Limits), sqlx::Error> {
        let plan: Option<String> = sqlx::query_scalar("SELECT plan FROM users WHERE id = $1")
            .bind(user.to_string())
            .fetch_optional(self.db.reader())
            .await?;
        let plan = plan.unwrap_or_default();
        let limits = self.plans.limits(&plan);
        Ok((plan, limits))
    }

    /// Writes a use down as part of `tx`: with the deed, or not at all. A job is counted once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record(
        tx: &mut Transaction<'static, Sqlite>,
        what: &Use<'_>,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM usage WHERE job_id = $1")
            .bind(what.job)
            .fetch_one(&mut **tx)
            .await?;
        if counted > 0 {
            return Ok(());
        }
        let last: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT seq, link_hash FROM usage ORDER BY seq DESC LIMIT 1")
                .fetch_optional(&mut **tx)
                .await?;
        let (seq, before) = match last {
            Some((seq, hash)) => (seq, hash.try_into().unwrap_or(START)),
            None => (0, START),
        };
        let mut row = UsageRow {
            seq: seq + 1,
            at: now,
            user_id: what.user.to_owned(),
            service: what.service.to_owned(),
            endpoint: what.endpoint.to_owned(),
            job_id: what.job.map(str::to_owned),
            audio_duration_seconds: what.audio_duration_seconds,
            tokens_used: 0,
            cost_usd: 0.0,
            link_hash: Vec::new(),
        };
        row.link_hash = row.hash(&before).to_vec();
        sqlx::query(
            "INSERT INTO usage (seq, at, user_id, service, endpoint, job_id, audio_duration_seconds, \
             tokens_used, cost_usd, link_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(row.seq)
        .bind(row.at)
        .bind(row.user_id)
        .bind(row.service)
        .bind(row.endpoint)
        .bind(row.job_id)
        .bind(row.audio_duration_seconds)
        .bind(row.tokens_used)
        .bind(row.cost_usd)
        .bind(row.link_hash)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Conversions and their seconds of an account since the month of `now` began, as `tx` sees them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversions(
        tx: &mut Transaction<'static, Sqlite>,
        user: &str,
        now: i64,
    ) -> Result<(u64, f64), sqlx::Error> {
        let (conversions, seconds): (i64, f64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(audio_duration_seconds), 0.0) FROM usage \
             WHERE user_id = $1 AND at >= $2",
        )
        .bind(user)
        .bind(month_start(now, 0))
        .fetch_one(&mut **tx)
        .await?;
        Ok((count(conversions), seconds))
    }

    /// What an account has used in the month of `now`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn month(&self, user: UserId, now: i64) -> Result<Month, sqlx::Error> {
        self.settle_one(user).await?;
        let (from, until) = (month_start(now, 0), month_start(now, 1));
        let (conversions, audio_seconds): (i64, f64) = sqlx::query_as(
            "SELECT count(*), coalesce(sum(audio_duration_seconds), 0.0) FROM usage \
             WHERE user_id = $1 AND at >= $2",
        )
        .bind(user.to_string())
        .bind(from)
        .fetch_one(self.db.reader())
        .await?;
        let api_calls: Option<i64> =
            sqlx::query_scalar("SELECT calls FROM api_calls WHERE user_id = $1 AND month = $2")
                .bind(user.to_string())
                .bind(month_name(now))
                .fetch_optional(self.db.reader())
                .await?;
        Ok(Month {
            from,
            until,
            api_calls: count(api_calls.unwrap_or(0)),
            conversions: count(conversions),
            audio_seconds,
        })
    }

    /// An account's rows, newest first, from before row `before`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows(
        &self,
        user: UserId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<UsageRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT * FROM usage WHERE user_id = $1 AND ($2 IS NULL OR seq < $2) \
             ORDER BY seq DESC LIMIT $3",
        )
        .bind(user.to_string())
        .bind(before)
        .bind(i64::from(limit))
        .fetch_all(self.db.reader())
        .await
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    /// What the database says.
    pub async fn check(&self) -> Result<Whole, sqlx::Error> {
        let (mut before, mut seq) = (START, 0);
        loop {
            let rows: Vec<UsageRow> =
                sqlx::query_as("SELECT * FROM usage WHERE seq > $1 ORDER BY seq LIMIT 1000")
                    .bind(seq)
                    .fetch_all(self.db.reader())
                    .await?;
            if rows.is_empty() {
                return Ok(Whole::Whole(count(seq)));
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

    /// Counts a request of an account.
    ///
    /// # Errors
    /// What the database says.
    pub async fn call(&self, user: UserId, now: i64) -> Result<Called, sqlx::Error> {
        if let Some(called) = self.count(user, now) {
            return Ok(called);
        }
        self.settle_one(user).await?;
        let (_, limits) = self.limits(user).await?;
        let month = month_name(now);
        let written: Option<i64> =
            sqlx::query_scalar("SELECT calls FROM api_calls WHERE user_id = $1 AND month = $2")
                .bind(user.to_string())
                .bind(&month)
                .fetch_optional(self.db.reader())
                .await?;
        {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            // What was counted meanwhile stays.
            let fresh = calls.get(&user).filter(|known| known.month == month);
            let fresh = fresh.map_or(0, |known| known.fresh);
            let written = count(written.unwrap_or(0));
            let known = Calls { month, written, fresh, limit: limits.api_calls, settled_at: now };
            calls.insert(user, known);
        }
        Ok(self.count(user, now).unwrap_or(Called::Counted))
    }

    /// Counts in memory; `None` when what is known is too old.
    fn count(&self, user: UserId, now: i64) -> Option<Called> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let known = calls.get_mut(&user)?;
        let step = i64::try_from(STEP.as_millis()).unwrap_or(i64::MAX);
        if !(0..step).contains(&(now - known.settled_at)) || known.month != month_name(now) {
            return None;
        }
        match known.limit {
            Some(limit) if known.written + known.fresh >= limit => {
                Some(Called::UsedUp(limit, month_start(now, 1)))
            }
            Some(_) | None => {
                known.fresh += 1;
                Some(Called::Counted)
            }
        }
    }

    /// Writes down what was counted in memory: before the process ends.
    ///
    /// # Errors
    /// What the database says.
    pub async fn settle(&self) -> Result<(), sqlx::Error> {
        let users: Vec<UserId> = {
            let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.iter().filter(|(_, known)| known.fresh > 0).map(|(user, _)| *user).collect()
        };
        for user in users {
            self.settle_one(user).await?;
        }
        Ok(())
    }

    async fn settle_one(&self, user: UserId) -> Result<(), sqlx::Error> {
        let counted = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.get_mut(&user).filter(|known| known.fresh > 0).map(|known| {
                let fresh = std::mem::take(&mut known.fresh);
                known.written += fresh;
                (known.month.clone(), fresh)
            })
        };
        let Some((month, fresh)) = counted else { return Ok(()) };
        let written = self.add_calls(user, &month, fresh).await;
        if written.is_err() {
            // To be written down the next time.
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = calls.get_mut(&user).filter(|known| known.month == month) {
                known.written -= fresh;
                known.fresh += fresh;
            }
        }
        written
    }

    async fn add_calls(&self, user: UserId, month: &str, fresh: u64) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "INSERT INTO api_calls (user_id, month, calls) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id, month) DO UPDATE SET calls = calls + $3",
        )
        .bind(user.to_string())
        .bind(month)
        .bind(i64::try_from(fresh).unwrap_or(i64::MAX))
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}

impl UsageRow {
    fn hash(&self, before: &Link) -> Link {
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        let (seconds, cost) = (self.audio_duration_seconds.to_string(), self.cost_usd.to_string());
        let tokens = self.tokens_used.to_string();
        link(
            before,
            &[
                Some(&seq),
                Some(&at),
                Some(&self.user_id),
                Some(&self.service),
                Some(&self.endpoint),
                self.job_id.as_deref(),
                Some(&seconds),
                Some(&tokens),
                Some(&cost),
            ],
        )
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The month of a moment in UTC: `2026-11`.
fn month_name(now: i64) -> String {
    let mut name = rfc3339(now);
    name.truncate(7);
    name
}

/// When the month of `now` began, or the one so many after it, in epoch milliseconds.
fn month_start(now: i64, later: u32) -> i64 {
    let name = month_name(now);
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    let (year, month) = (number(name.get(..4)), number(name.get(5..)));
    let months = year * 12 + month - 1 + later;
    let first = format!("{:04}-{:02}-01T00:00:00Z", months / 12, months % 12 + 1);
    let start = humantime::parse_rfc3339(&first).unwrap_or(UNIX_EPOCH);
    let since = start.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// 2026-12-31T23:59:59.000Z.
    const LAST_SECOND: i64 = 1_798_761_599_000;

    async fn usage(plans: Plans) -> (tempfile::TempDir, Database, Usage, UserId) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let user = UserId::generate();
        let mut tx = db.begin().await.expect("a transaction");
        sqlx::query(
            "INSERT INTO users (id, email, role, created_at) VALUES ($1, 'ann', 'user', 0)",
        )
        .bind(user.to_string())
        .execute(&mut *tx)
        .await
        .expect("an account");
        tx.commit().await.expect("committed");
        (folder, db.clone(), Usage::new(db, plans), user)
    }

    #[test]
    fn months_begin_at_midnight_utc_and_years_turn() {
        assert_eq!(month_name(LAST_SECOND), "2026-12");
        assert_eq!(rfc3339(month_start(LAST_SECOND, 0)), "2026-12-01T00:00:00.000Z");
        assert_eq!(rfc3339(month_start(LAST_SECOND, 1)), "2027-01-01T00:00:00.000Z");
    }

    #[tokio::test]
    async fn requests_are_counted_up_to_the_plans_limit_and_anew_next_month() {
        let limits = Limits { api_calls: Some(3), ..Limits::default() };
        let plans = Plans::new(BTreeMap::from([(String::from("free"), limits)]));
        let (_folder, db, usage, user) = usage(plans.clone()).await;
        for _ in 0..3 {
            assert_eq!(usage.call(user, LAST_SECOND).await.expect("counted"), Called::Counted);
        }
        let over = usage.call(user, LAST_SECOND).await.expect("counted");
        assert_eq!(over, Called::UsedUp(3, LAST_SECOND + 1000));
        usage.settle().await.expect("written");
        // Another process.
        let again = Usage::new(db, plans);
        assert_eq!(again.month(user, LAST_SECOND).await.expect("a month").api_calls, 3);
        assert!(matches!(again.call(user, LAST_SECOND).await, Ok(Called::UsedUp(3, _))));
        assert!(matches!(again.call(user, LAST_SECOND + 1000).await, Ok(Called::Counted)));
    }

    #[tokio::test]
    async fn what_could_not_be_written_down_is_counted_later() {
        let (_folder, db, usage, user) = usage(Plans::default()).await;
        for _ in 0..5 {
            assert_eq!(usage.call(user, LAST_SECOND).await.expect("counted"), Called::Counted);
        }
        let change = async |statement: &'static str| {
            let mut tx = db.begin().await.expect("a transaction");
            sqlx::query(statement).execute(&mut *tx).await.expect("changed");
            tx.commit().await.expect("committed");
        };
        change("ALTER TABLE api_calls RENAME TO away").await;
        assert!(usage.settle().await.is_err());
        change("ALTER TABLE away RENAME TO api_calls").await;
        usage.settle().await.expect("written");
        usage.settle().await.expect("once");
        let again = Usage::new(db.clone(), Plans::default());
        assert_eq!(again.month(user, LAST_SECOND).await.expect("a month").api_calls, 5);
    }

    #[tokio::test]
    async fn a_use_counts_once_a_job_and_stays_as_it_was() {
        let (_folder, db, usage, user) = usage(Plans::default()).await;
        let user_text = user.to_string();
        let record = async |job: &str| {
            let mut tx = db.begin().await?;
            let what = Use {
                user: &user_text,
                service: "transcode",
                endpoint: "/upload",
                job: Some(job),
                audio_duration_seconds: 90.5,
            };
            Usage::record(&mut tx, &what, LAST_SECOND).await?;
            tx.commit().await
        };
        record("a").await.expect("written");
        record("b").await.expect("written");
        record("a").await.expect("once");
        let month = usage.month(user, LAST_SECOND).await.expect("a month");
        assert_eq!((month.conversions, month.audio_seconds), (2, 181.0));
        assert_eq!(usage.rows(user, None, 9).await.expect("rows").len(), 2);
        assert_eq!(usage.check().await.expect("checked"), Whole::Whole(2));
        let mut tx = db.begin().await.expect("a transaction");
        for statement in ["DELETE FROM usage", "UPDATE usage SET audio_duration_seconds = 0"] {
            assert!(sqlx::query(statement).execute(&mut *tx).await.is_err(), "{statement}");
        }
        for statement in [
            "DROP TRIGGER usage_is_not_changed",
            "UPDATE usage SET audio_duration_seconds = 0 WHERE seq = 2",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.expect("by force");
        }
        tx.commit().await.expect("committed");
        assert_eq!(usage.check().await.expect("checked"), Whole::Broken(2));
    }
}
