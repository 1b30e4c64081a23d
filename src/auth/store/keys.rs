//! Rows of API keys.

use sqlx::FromRow;

use super::accounts::{ACTOR, ActorRow, account};
use super::{Account, Store, Tx};
use crate::base::{KeyId, UserId};

/// A key that is about to exist.
pub(in crate::auth) struct NewRow<'a> {
    pub(in crate::auth) id: KeyId,
    pub(in crate::auth) user: UserId,
    pub(in crate::auth) prefix: &'a str,
    pub(in crate::auth) hash: &'a [u8],
    pub(in crate::auth) name: &'a str,
    pub(in crate::auth) scopes: &'a str,
    pub(in crate::auth) now: i64,
    pub(in crate::auth) expires_at: Option<i64>,
    /// The key that made it.
    pub(in crate::auth) made_by: Option<&'a str>,
}

/// A key as its owner sees it; times in epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct KeyRow {
    /// Which.
    pub id: String,
    /// What it begins with.
    pub prefix: String,
    /// What its owner calls it.
    pub name: String,
    /// What it may, as words.
    pub scopes: String,
    /// Since when there is it.
    pub created_at: i64,
    /// Until when it is good.
    pub expires_at: Option<i64>,
    /// Since when it is no longer.
    pub revoked_at: Option<i64>,
    /// When it was used last, to a minute.
    pub last_used_at: Option<i64>,
    /// How often it was used.
    pub uses: i64,
}

#[derive(FromRow)]
struct FoundRow {
    #[sqlx(flatten)]
    actor: ActorRow,
    key_id: String,
    scopes: String,
}

/// A key that is good, and whose it is.
pub(in crate::auth) struct Found {
    pub(in crate::auth) account: Account,
    pub(in crate::auth) key: String,
    pub(in crate::auth) scopes: String,
}

impl Store {
    /// Enters a key as part of a transaction.
    pub(in crate::auth) async fn add_key(
        &self,
        tx: &mut Tx,
        key: &NewRow<'_>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO api_keys (id, user_id, prefix, key_hash, name, scopes, created_at, expires_at, made_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key.id.to_string())
        .bind(key.user.to_string())
        .bind(key.prefix)
        .bind(key.hash)
        .bind(key.name)
        .bind(key.scopes)
        .bind(key.now)
        .bind(key.expires_at)
        .bind(key.made_by)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// The key of this hash, if it is good at this moment.
    pub(in crate::auth) async fn key(
        &self,
        hash: &[u8],
        now: i64,
    ) -> Result<Option<Found>, sqlx::Error> {
        let query = format!(
            "SELECT {ACTOR}, k.id AS key_id, k.scopes FROM api_keys k \
             JOIN users u ON u.id = k.user_id WHERE k.key_hash = $1 AND k.revoked_at IS NULL \
             AND (k.expires_at IS NULL OR k.expires_at > $2) AND u.disabled_at IS NULL"
        );
        let row: Option<FoundRow> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(hash)
            .bind(now)
            .fetch_optional(self.db.reader())
            .await?;
        row.map(|row| {
            let FoundRow { actor, key_id, scopes } = row;
            Ok(Found { account: account(actor)?, key: key_id, scopes })
        })
        .transpose()
    }

    /// Keys of an account, newest first.
    pub(in crate::auth) async fn keys(&self, user: UserId) -> Result<Vec<KeyRow>, sqlx::Error> {
        sqlx::query_as(
            "SELECT id, prefix, name, scopes, created_at, expires_at, revoked_at, last_used_at, uses \
             FROM api_keys WHERE user_id = $1 ORDER BY created_at DESC, id DESC",
        )
        .bind(user.to_string())
        .fetch_all(self.db.reader())
        .await
    }

    /// Keys of an account that are not revoked.
    pub(in crate::auth) async fn open_keys(tx: &mut Tx, user: UserId) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT count(*) FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL",
        )
        .bind(user.to_string())
        .fetch_one(&mut **tx)
        .await
    }

    /// Until when a key is good; none when it never ends.
    pub(in crate::auth) async fn end_of_key(
        tx: &mut Tx,
        id: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        sqlx::query_scalar("SELECT expires_at FROM api_keys WHERE id = $1")
            .bind(id)
            .fetch_one(&mut **tx)
            .await
    }

    /// Ends a key of this account, and every one made with it; its name, unless there is none such or it has ended before.
    pub(in crate::auth) async fn revoke_key(
        &self,
        tx: &mut Tx,
        user: UserId,
        id: KeyId,
        now: i64,
    ) -> Result<Option<String>, sqlx::Error> {
        let id = id.to_string();
        let name: Option<String> = sqlx::query_scalar(
            "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL \
             RETURNING name",
        )
        .bind(&id)
        .bind(user.to_string())
        .bind(now)
        .fetch_optional(&mut **tx)
        .await?;
        if name.is_some() {
            sqlx::query(
                "WITH RECURSIVE made (id) AS (SELECT $1 UNION \
                 SELECT k.id FROM api_keys k JOIN made m ON k.made_by = m.id) \
                 UPDATE api_keys SET revoked_at = $2 WHERE id IN made AND revoked_at IS NULL",
            )
            .bind(&id)
            .bind(now)
            .execute(&mut **tx)
            .await?;
        }
        Ok(name)
    }

    /// Whose key it is.
    pub(in crate::auth) async fn owner_of_key(
        &self,
        id: KeyId,
    ) -> Result<Option<UserId>, sqlx::Error> {
        let user: Option<String> = sqlx::query_scalar("SELECT user_id FROM api_keys WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(self.db.reader())
            .await?;
        user.map(|id| id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
    }

    /// Counts uses of a key.
    pub(in crate::auth) async fn count_uses(
        &self,
        key: &str,
        uses: u32,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query("UPDATE api_keys SET uses = uses + $2, last_used_at = $3 WHERE id = $1")
            .bind(key)
            .bind(i64::from(uses))
            .bind(now)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}
