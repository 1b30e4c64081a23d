//! Rows of token families.

use sqlx::FromRow;

use super::accounts::{ACTOR, ActorRow, account};
use super::{Account, Store, Tx};
use crate::base::UserId;

/// What became of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::auth) enum Turn {
    /// It was the newest; another one is now.
    Turned,
    /// It has been used before: its family has ended.
    Reused,
    /// Its family has ended, or never was.
    Ended,
}

#[derive(FromRow)]
struct FamilyRow {
    refresh_id: String,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl Store {
    /// Begins a family, and forgets those that have ended.
    pub(in crate::auth) async fn add_family(
        tx: &mut Tx,
        id: &str,
        user: UserId,
        refresh_id: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM token_families WHERE expires_at < $1")
            .bind(now)
            .execute(&mut **tx)
            .await?;
        sqlx::query(
            "INSERT INTO token_families (id, user_id, created_at, expires_at, refresh_id) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(user.to_string())
        .bind(now)
        .bind(expires_at)
        .bind(refresh_id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// The account of a family that has not ended.
    pub(in crate::auth) async fn account_of_family(
        &self,
        family: &str,
        now: i64,
    ) -> Result<Option<Account>, sqlx::Error> {
        let query = format!(
            "SELECT {ACTOR} FROM token_families f JOIN users u ON u.id = f.user_id \
             WHERE f.id = $1 AND f.revoked_at IS NULL AND f.expires_at > $2 AND u.disabled_at IS NULL"
        );
        let row: Option<ActorRow> = sqlx::query_as(sqlx::AssertSqlSafe(query))
            .bind(family)
            .bind(now)
            .fetch_optional(self.db.reader())
            .await?;
        row.map(account).transpose()
    }

    /// Puts `new` in the place of the refresh token `old`. One that is not the newest ends the family.
    pub(in crate::auth) async fn turn_family(
        tx: &mut Tx,
        family: &str,
        old: &str,
        new: &str,
        now: i64,
        expires_at: i64,
    ) -> Result<Turn, sqlx::Error> {
        let row: Option<FamilyRow> = sqlx::query_as(
            "SELECT refresh_id, expires_at, revoked_at FROM token_families WHERE id = $1",
        )
        .bind(family)
        .fetch_optional(&mut **tx)
        .await?;
        let Some(row) = row.filter(|row| row.revoked_at.is_none() && row.expires_at > now) else {
            return Ok(Turn::Ended);
        };
        if row.refresh_id != old {
            Self::end_family(tx, family, now).await?;
            return Ok(Turn::Reused);
        }
        sqlx::query("UPDATE token_families SET refresh_id = $2, expires_at = $3 WHERE id = $1")
            .bind(family)
            .bind(new)
            .bind(expires_at)
            .execute(&mut **tx)
            .await?;
        Ok(Turn::Turned)
    }

    /// Ends a family for good.
    pub(in crate::auth) async fn end_family(
        tx: &mut Tx,
        family: &str,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE token_families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(family)
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Ends every family of an account.
    pub(in crate::auth) async fn end_families(
        tx: &mut Tx,
        user: UserId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE token_families SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
        )
        .bind(user.to_string())
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
