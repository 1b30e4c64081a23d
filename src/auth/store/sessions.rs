//! Rows of sessions, and of the links that open them.

use sqlx::FromRow;

use super::accounts::{ACTOR, ActorRow, account};
use super::{Account, Store, Tx};
use crate::base::UserId;

/// By what somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Origin {
    /// By the one-time link.
    Link,
    /// By the account's own password.
    Password,
    /// By the local form's password.
    Form,
}

impl Origin {
    pub(in crate::auth) const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Password => "password",
            Self::Form => "form",
        }
    }
}

/// A session that is about to exist.
pub(in crate::auth) struct NewSession<'a> {
    pub(in crate::auth) id: &'a str,
    pub(in crate::auth) id_hash: &'a [u8],
    pub(in crate::auth) origin: Origin,
    pub(in crate::auth) user_agent: Option<&'a str>,
    pub(in crate::auth) address: Option<&'a str>,
    pub(in crate::auth) now: i64,
    pub(in crate::auth) expires_at: i64,
}

/// A session that is good.
pub(in crate::auth) struct SessionFound {
    pub(in crate::auth) account: Account,
    pub(in crate::auth) id: String,
    pub(in crate::auth) last_seen_at: i64,
    pub(in crate::auth) is_by_form: bool,
    /// Whether it was found by the first of the hashes.
    pub(in crate::auth) is_current: bool,
}

/// A session as its owner sees it; times in epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SessionRow {
    /// Which.
    pub id: String,
    /// `link`, `password` or `form`.
    pub origin: String,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
    /// From where it was opened.
    pub address: Option<String>,
    /// When it was opened.
    pub created_at: i64,
    /// When it was used last, to a minute.
    pub last_seen_at: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    actor: ActorRow,
    session_id: String,
    last_seen_at: i64,
    origin: String,
    id_hash: Vec<u8>,
}

impl Store {
    /// Enters a sign-in link and removes every other one of the account that was not spent.
    pub(in crate::auth) async fn add_link(
        tx: &mut Tx,
        token_hash: &[u8],
        user: UserId,
        now: i64,
        expires_at: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM sign_in_links WHERE (user_id = $1 AND spent_at IS NULL) OR expires_at < $2")
            .bind(user.to_string())
            .bind(now)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO sign_in_links (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(token_hash)
        .bind(user.to_string())
        .bind(now)
        .bind(expires_at)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Spends a link. `None` when it is unknown, spent or too old, or its account disabled.
    pub(in crate::auth) async fn spend_link(
        tx: &mut Tx,
        token_hash: &[u8],
        now: i64,
    ) -> Result<Option<Account>, sqlx::Error> {
        let user: Option<String> = sqlx::query_scalar(
            "UPDATE sign_in_links SET spent_at = $2 WHERE token_hash = $1 AND spent_at IS NULL \
             AND expires_at > $2 AND (SELECT disabled_at FROM users WHERE id = user_id) IS NULL \
             RETURNING user_id",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(user) = user else { return Ok(None) };
        let query = format!("SELECT {ACTOR} FROM users u WHERE u.id = $1");
        let row: ActorRow =
            sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(user).fetch_one(&mut **tx).await?;
        account(row).map(Some)
    }

    /// Opens a session, and forgets those that have ended.
    pub(in crate::auth) async fn add_session(
        tx: &mut Tx,
        user: UserId,
        session: &NewSession<'_>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM sessions WHERE expires_at < $1")
            .bind(session.now)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO sessions (id_hash, id, user_id, origin, created_at, last_seen_at, expires_at, \
             user_agent, address) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8)",
        )
        .bind(session.id_hash)
        .bind(session.id)
        .bind(user.to_string())
        .bind(session.origin.as_str())
        .bind(session.now)
        .bind(session.expires_at)
        .bind(session.user_agent)
        .bind(session.address)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// The session of one of these hashes, if it is neither too old nor idle for too long.
    pub(in crate::auth) async fn session(
        &self,
        hashes: &[Vec<u8>],
        now: i64,
        idle_since: i64,
    ) -> Result<Option<SessionFound>, sqlx::Error> {
        let query = format!(
            "SELECT {ACTOR}, s.id AS session_id, s.last_seen_at, s.origin, s.id_hash FROM sessions s \
             JOIN users u ON u.id = s.user_id WHERE s.id_hash IN ($1, $2) AND s.expires_at > $3 \
             AND s.last_seen_at > $4 AND u.disabled_at IS NULL"
        );
        let row: Option<FoundRow> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(hashes.first())
            .bind(hashes.get(1))
            .bind(now)
            .bind(idle_since)
            .fetch_optional(self.db.reader())
            .await?;
        row.map(|row| {
            Ok(SessionFound {
                account: account(row.actor)?,
                id: row.session_id,
                last_seen_at: row.last_seen_at,
                is_by_form: row.origin == Origin::Form.as_str(),
                is_current: Some(&row.id_hash) == hashes.first(),
            })
        })
        .transpose()
    }

    /// Writes down that a session was used, and by which hash it is found from now on.
    pub(in crate::auth) async fn touch_session(
        &self,
        id: &str,
        id_hash: &[u8],
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query("UPDATE sessions SET last_seen_at = $3, id_hash = $2 WHERE id = $1")
            .bind(id)
            .bind(id_hash)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Sessions of an account that are good, the one used last first.
    pub(in crate::auth) async fn sessions(
        &self,
        user: UserId,
        now: i64,
        idle_since: i64,
    ) -> Result<Vec<SessionRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, origin, user_agent, address, created_at, last_seen_at, expires_at \
             FROM sessions WHERE user_id = $1 AND expires_at > $2 AND last_seen_at > $3 \
             ORDER BY last_seen_at DESC, id",
        )
        .bind(user.to_string())
        .bind(now)
        .bind(idle_since)
        .fetch_all(self.db.reader())
        .await
    }

    /// Ends a session of this account; whether there was it.
    pub(in crate::auth) async fn end_session(
        tx: &mut Tx,
        user: UserId,
        id: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query("DELETE FROM sessions WHERE id = $1 AND user_id = $2")
            .bind(id)
            .bind(user.to_string())
            .execute(&mut **tx)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Ends the session of this hash; its id and whose it was.
    pub(in crate::auth) async fn end_session_of(
        tx: &mut Tx,
        id_hash: &[u8],
    ) -> Result<Option<(String, String)>, sqlx::Error> {
        let ended: Option<(String, String)> =
            sqlx::query_as("DELETE FROM sessions WHERE id_hash = $1 RETURNING id, user_id")
                .bind(id_hash)
                .fetch_optional(&mut **tx)
                .await?;
        let Some((id, user)) = ended else { return Ok(None) };
        let email = sqlx::query_scalar("SELECT email FROM users WHERE id = $1")
            .bind(user)
            .fetch_one(&mut **tx)
            .await?;
        Ok(Some((id, email)))
    }

    /// Ends every session of this account but one; how many.
    pub(in crate::auth) async fn end_sessions(
        tx: &mut Tx,
        user: UserId,
        but: Option<&str>,
    ) -> Result<u64, sqlx::Error> {
        let done =
            sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND ($2 IS NULL OR id <> $2)")
                .bind(user.to_string())
                .bind(but)
                .execute(&mut **tx)
                .await?;
        Ok(done.rows_affected())
    }
}
