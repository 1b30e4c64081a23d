//! Webhooks and what is sent by them.

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::Store;
use crate::base::{JobId, UserId};
use crate::jobs::error::JobsError;
use crate::jobs::hooks::{HOOKS, Hook};
use crate::ledger::{By, Ledger, Outcome as Recorded};

/// Deliveries of an account that are kept to be looked at.
const KEPT: i64 = 1000;

/// An address of an account.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct HookRow {
    /// Which.
    pub id: String,
    /// The address.
    pub url: String,
    /// Words of a job's end, separated by spaces.
    pub events: String,
    /// What is sent, as JSON.
    pub template: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When the other side said that it wants nothing more.
    pub disabled_at: Option<i64>,
}

/// Something that is to be sent.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Which; a receiver knows it again by it.
    pub id: i64,
    /// Whose.
    pub owner: UserId,
    /// By which address of the account; none for a job's own.
    pub hook: Option<String>,
    /// Of which job.
    pub job: JobId,
    /// How it ended.
    pub event: String,
    /// To whom.
    pub url: String,
    /// What, as JSON.
    pub template: Option<String>,
    /// How often it was tried.
    pub attempts: i64,
}

/// A delivery as its owner sees it.
#[derive(Clone, Debug, FromRow)]
pub struct DeliveryRow {
    /// Which.
    pub id: i64,
    /// By which address of the account.
    pub webhook_id: Option<String>,
    /// Of which job.
    pub job_id: String,
    /// How it ended.
    pub event: String,
    /// To whom.
    pub url: String,
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried again.
    pub next_at: i64,
    /// When the job ended.
    pub created_at: i64,
    /// When it was delivered or given up.
    pub ended_at: Option<i64>,
    /// The last answer's status.
    pub answer: Option<i64>,
    /// What went wrong.
    pub problem: Option<String>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Delivered(u16),
    /// The other side wants to be told nothing more.
    Unwanted(u16),
    /// To be tried again at this time.
    Later(i64, Option<u16>, String),
    /// Not to be tried again.
    GivenUp(Option<u16>, String),
}

#[derive(FromRow)]
struct DueRow {
    id: i64,
    owner_id: String,
    webhook_id: Option<String>,
    job_id: String,
    event: String,
    url: String,
    template: Option<String>,
    attempts: i64,
}

impl Store {
    /// Adds an address to an account; its id.
    ///
    /// # Errors
    /// `Hook` when it has enough, or what the database says.
    pub async fn add_hook(
        &self,
        owner: UserId,
        hook: &Hook,
        events: &str,
        by: By<'_>,
        now: i64,
    ) -> Result<String, JobsError> {
        let mut tx = self.db.begin().await?;
        let owner = owner.to_string();
        let own: i64 = sqlx::query_scalar("SELECT count(*) FROM webhooks WHERE owner_id = $1")
            .bind(&owner)
            .fetch_one(&mut *tx)
            .await?;
        if usize::try_from(own).unwrap_or(HOOKS) >= HOOKS {
            return Err(JobsError::Hook(format!("An account has at most {HOOKS} webhooks.")));
        }
        let id = Uuid::now_v7().to_string();
        sqlx::query(
            "INSERT INTO webhooks (id, owner_id, url, events, template, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(&id)
        .bind(&owner)
        .bind(&hook.url)
        .bind(events)
        .bind(hook.template.as_ref().map(Value::to_string))
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let detail = serde_json::json!({"events": events});
        let act = by.act("webhook.create", &id, detail);
        Ledger::record_at(&mut tx, &act, Recorded::Done, now).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// An account's addresses, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hooks(&self, owner: UserId) -> Result<Vec<HookRow>, JobsError> {
        let rows = sqlx::query_as("SELECT * FROM webhooks WHERE owner_id = $1 ORDER BY id")
            .bind(owner.to_string())
            .fetch_all(self.db.reader())
            .await?;
        Ok(rows)
    }

    /// Removes an address of an account, with what was to be sent to it.
    ///
    /// # Errors
    /// `NotFound`, or what the database says.
    pub async fn remove_hook(
        &self,
        owner: UserId,
        id: &str,
        by: By<'_>,
        now: i64,
    ) -> Result<(), JobsError> {
        let mut tx = self.db.begin().await?;
        let removed = sqlx::query("DELETE FROM webhooks WHERE id = $1 AND owner_id = $2")
            .bind(id)
            .bind(owner.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if removed == 0 {
            return Err(JobsError::NotFound);
        }
        let act = by.act("webhook.delete", id, serde_json::json!({}));
        Ledger::record_at(&mut tx, &act, Recorded::Done, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The secret by which everything of an account is signed; made when it is first asked for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn hook_secret(&self, owner: UserId) -> Result<Vec<u8>, JobsError> {
        const KNOWN: &str = "SELECT secret FROM webhook_secrets WHERE owner_id = $1";
        let owner = owner.to_string();
        let known = sqlx::query_scalar(KNOWN).bind(&owner).fetch_optional(self.db.reader()).await?;
        if let Some(secret) = known {
            return Ok(secret);
        }
        let mut secret = [0; 32];
        let random = SystemRandom::new().fill(&mut secret);
        random.map_err(|_| JobsError::Internal(String::from("no random bytes")))?;
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "INSERT INTO webhook_secrets (owner_id, secret) VALUES ($1, $2) \
             ON CONFLICT (owner_id) DO NOTHING",
        )
        .bind(&owner)
        .bind(secret.as_slice())
        .execute(&mut *tx)
        .await?;
        // Another request may have been faster.
        let kept = sqlx::query_scalar(KNOWN).bind(&owner).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// What is to be sent now, what has waited longest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn due(&self, now: i64, limit: u32) -> Result<Vec<Delivery>, JobsError> {
        let rows: Vec<DueRow> = sqlx::query_as(
            "SELECT id, owner_id, webhook_id, job_id, event, url, template, attempts FROM deliveries \
             WHERE status = 'pending' AND (next_at <= $1 OR next_at > $1 + $3) ORDER BY next_at LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        // Further off than any pause: the clock was set back.
        .bind(2 * 24 * 60 * 60 * 1000_i64)
        .fetch_all(self.db.reader())
        .await?;
        let identifier = |error: crate::base::id::NotAnId| JobsError::Internal(error.to_string());
        rows.into_iter()
            .map(|row| {
                Ok(Delivery {
                    id: row.id,
                    owner: row.owner_id.parse().map_err(identifier)?,
                    hook: row.webhook_id,
                    job: row.job_id.parse().map_err(identifier)?,
                    event: row.event,
                    url: row.url,
                    template: row.template,
                    attempts: row.attempts,
                })
            })
            .collect()
    }

    /// Writes down what came of a try.
    ///
    /// # Errors
    /// What the database says.
    pub async fn told(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        now: i64,
    ) -> Result<(), JobsError> {
        let (status, next_at, answer, problem) = match outcome {
            Outcome::Delivered(answer) => ("delivered", now, Some(*answer), None),
            Outcome::Unwanted(answer) => {
                ("failed", now, Some(*answer), Some("It wants to be told nothing more."))
            }
            Outcome::Later(at, answer, why) => ("pending", *at, *answer, Some(why.as_str())),
            Outcome::GivenUp(answer, why) => ("failed", now, *answer, Some(why.as_str())),
        };
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "UPDATE deliveries SET status = $2, attempts = attempts + 1, next_at = $3, answer = $4, \
             problem = $5, ended_at = CASE WHEN $2 = 'pending' THEN NULL ELSE $6 END WHERE id = $1",
        )
        .bind(delivery.id)
        .bind(status)
        .bind(next_at)
        .bind(answer.map(i64::from))
        .bind(problem)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM deliveries WHERE owner_id = $1 AND status <> 'pending' AND id < \
             (SELECT id FROM deliveries WHERE owner_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
        )
        .bind(delivery.owner.to_string())
        .bind(KEPT)
        .execute(&mut *tx)
        .await?;
        if let (Outcome::Unwanted(_), Some(hook)) = (outcome, &delivery.hook) {
            sqlx::query("UPDATE webhooks SET disabled_at = $2 WHERE id = $1")
                .bind(hook)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// An account's deliveries, newest first, older than this one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn deliveries(
        &self,
        owner: UserId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, JobsError> {
        let rows = sqlx::query_as(
            "SELECT id, webhook_id, job_id, event, url, status, attempts, next_at, created_at, ended_at, \
             answer, problem FROM deliveries WHERE owner_id = $1 AND ($2 IS NULL OR id < $2) \
             ORDER BY id DESC LIMIT $3",
        )
        .bind(owner.to_string())
        .bind(before)
        .bind(limit)
        .fetch_all(self.db.reader())
        .await?;
        Ok(rows)
    }
}
