//! Rows of accounts, sessions and sign-in links.

mod keys;

use sqlx::{FromRow, Sqlite, Transaction};

pub use self::keys::KeyRow;
pub(in crate::auth) use self::keys::{Found, NewRow};
use super::scope::Scopes;
use crate::base::UserId;
use crate::db::Database;

/// Rows of `auth`.
#[derive(Clone, Debug)]
pub(super) struct Store {
    db: Database,
}

/// An account that may act.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user: UserId,
    pub(super) email: String,
    pub(super) role: Role,
}

/// What an account is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Has jobs.
    User,
    /// Sees to the server too.
    Admin,
}

impl Role {
    /// What it may at the most.
    #[must_use]
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::User => Scopes::JOBS,
            Self::Admin => Scopes::ALL,
        }
    }
}

#[derive(FromRow)]
struct AccountRow {
    id: String,
    email: String,
    role: String,
}

fn account(row: AccountRow) -> Result<Account, sqlx::Error> {
    let user = row.id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let role = if row.role == "admin" { Role::Admin } else { Role::User };
    Ok(Account { user, email: row.email, role })
}

impl Store {
    pub(super) fn new(db: Database) -> Self {
        Self { db }
    }

    /// Begins a transaction of rows that belong together.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.db.begin().await
    }

    /// The account of `email`, made as an admin when there is none.
    pub(super) async fn ensure_admin(&self, email: &str, now: i64) -> Result<Account, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "INSERT INTO users (id, email, role, created_at) VALUES ($1, $2, 'admin', $3) \
             ON CONFLICT (email) DO UPDATE SET role = 'admin'",
        )
        .bind(UserId::generate().to_string())
        .bind(email)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let row: AccountRow = sqlx::query_as("SELECT id, email, role FROM users WHERE email = $1")
            .bind(email)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        account(row)
    }

    /// The account of this e-mail, unless it is disabled.
    pub(super) async fn account(&self, email: &str) -> Result<Option<Account>, sqlx::Error> {
        let row: Option<AccountRow> = sqlx::query_as(
            "SELECT id, email, role FROM users WHERE email = $1 AND disabled_at IS NULL",
        )
        .bind(email)
        .fetch_optional(self.db.reader())
        .await?;
        row.map(account).transpose()
    }

    /// Enters a sign-in link and removes every other one of the account that was not spent.
    pub(super) async fn add_link(
        &self,
        token_hash: &[u8],
        user: UserId,
        now: i64,
        expires_at: i64,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query("DELETE FROM sign_in_links WHERE (user_id = $1 AND spent_at IS NULL) OR expires_at < $2")
            .bind(user.to_string())
            .bind(now)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(token_hash)
        .bind(user.to_string())
        .bind(now)
        .bind(expires_at)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Spends a link and opens a session for its account, in one step. `None` when the link is
    /// unknown, spent or too old, or its account disabled.
    pub(super) async fn spend_link(
        &self,
        token_hash: &[u8],
        session: &NewSession<'_>,
    ) -> Result<Option<UserId>, sqlx::Error> {
        let mut tx = self.db.begin().await?;
        let user: Option<String> = sqlx::query_scalar(
            "UPDATE sign_in_links SET spent_at = $2 WHERE token_hash = $1 AND spent_at IS NULL \
             AND expires_at > $2 AND (SELECT disabled_at FROM users WHERE id = user_id) IS NULL \
             RETURNING user_id",
        )
        .bind(token_hash)
        .bind(session.now)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(user) = user else { return Ok(None) };
        sqlx::query("DELETE FROM sessions WHERE expires_at < $1")
            .bind(session.now)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (id_hash, user_id, created_at, last_seen_at, expires_at, user_agent) \
             VALUES ($1, $2, $3, $3, $4, $5)",
        )
        .bind(session.id_hash)
        .bind(&user)
        .bind(session.now)
        .bind(session.expires_at)
        .bind(session.user_agent)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        user.parse().map(Some).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    /// The account of a session that is neither too old nor idle for too long, and when it was
    /// last seen.
    pub(super) async fn session(
        &self,
        id_hash: &[u8],
        now: i64,
        idle_since: i64,
    ) -> Result<Option<(Account, i64)>, sqlx::Error> {
        let row: Option<(String, String, String, i64)> = sqlx::query_as(
            "SELECT u.id, u.email, u.role, s.last_seen_at FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.id_hash = $1 AND s.expires_at > $2 AND s.last_seen_at > $3 AND u.disabled_at IS NULL",
        )
        .bind(id_hash)
        .bind(now)
        .bind(idle_since)
        .fetch_optional(self.db.reader())
        .await?;
        row.map(|(id, email, role, seen)| Ok((account(AccountRow { id, email, role })?, seen)))
            .transpose()
    }

    pub(super) async fn touch_session(&self, id_hash: &[u8], now: i64) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query("UPDATE sessions SET last_seen_at = $2 WHERE id_hash = $1")
            .bind(id_hash)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    pub(super) async fn end_session(&self, id_hash: &[u8]) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query("DELETE FROM sessions WHERE id_hash = $1")
            .bind(id_hash)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

/// A session that is about to exist.
pub(super) struct NewSession<'a> {
    pub(super) id_hash: &'a [u8],
    pub(super) user_agent: Option<&'a str>,
    pub(super) now: i64,
    pub(super) expires_at: i64,
}
