//! Rows of accounts, and of the identities that lead to them.

use sqlx::FromRow;

use super::{Store, Tx};
use crate::auth::scope::Scopes;
use crate::base::UserId;

/// An account.
#[derive(Clone, Debug)]
pub(in crate::auth) struct Account {
    pub(in crate::auth) user: UserId,
    pub(in crate::auth) email: String,
    pub(in crate::auth) role: Role,
    /// Whether somebody has shown that the e-mail is theirs.
    pub(in crate::auth) proven: bool,
    pub(in crate::auth) disabled: bool,
    /// Whether some issuer has sent somebody to it.
    pub(in crate::auth) has_identity: bool,
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

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// The role of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::User, Self::Admin].into_iter().find(|role| role.as_str() == word)
    }
}

/// An account as its owner and the admins see it; times in epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AccountRow {
    /// Which.
    pub id: String,
    /// Its e-mail.
    pub email: String,
    /// `user` or `admin`, as it is written down.
    pub role: String,
    /// Which limits it has.
    pub plan: String,
    /// What its owner says of themselves.
    pub first_name: String,
    /// As above.
    pub last_name: String,
    /// As above.
    pub company: String,
    /// Since when there is it.
    pub created_at: i64,
    /// Since when it may do nothing.
    pub disabled_at: Option<i64>,
    /// Whether somebody has shown that the e-mail is theirs.
    pub proven: bool,
    /// Whether it has a password of its own.
    pub has_password: bool,
}

/// An account that is about to exist.
pub(in crate::auth) struct NewAccount<'a> {
    pub(in crate::auth) email: &'a str,
    pub(in crate::auth) role: Role,
    pub(in crate::auth) proven: bool,
    pub(in crate::auth) password_hash: Option<&'a str>,
    pub(in crate::auth) profile: Profile<'a>,
    pub(in crate::auth) now: i64,
}

impl<'a> NewAccount<'a> {
    /// The account of somebody whose e-mail is shown to be theirs, without a password.
    pub(in crate::auth) fn proven(email: &'a str, now: i64) -> Self {
        let (role, profile) = (Role::User, Profile::default());
        Self { email, role, proven: true, password_hash: None, profile, now }
    }
}

/// What somebody says of themselves.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::auth) struct Profile<'a> {
    pub(in crate::auth) first_name: &'a str,
    pub(in crate::auth) last_name: &'a str,
    pub(in crate::auth) company: &'a str,
}

#[derive(FromRow)]
pub(super) struct ActorRow {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) role: String,
    pub(super) proven: bool,
    pub(super) disabled: bool,
    pub(super) has_identity: bool,
}

/// The columns of [`ActorRow`], of the table `u`.
pub(super) const ACTOR: &str = "u.id, u.email, u.role, u.proven, u.disabled_at IS NOT NULL AS disabled, \
     EXISTS (SELECT 1 FROM identities WHERE user_id = u.id) AS has_identity";

/// The columns of [`AccountRow`].
const ACCOUNT: &str = "id, email, role, plan, first_name, last_name, company, created_at, disabled_at, proven, \
     password_hash IS NOT NULL AS has_password";

pub(super) fn account(row: ActorRow) -> Result<Account, sqlx::Error> {
    let user = row.id.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    // The table allows no third word.
    let role = Role::of(&row.role).unwrap_or(Role::User);
    Ok(Account {
        user,
        email: row.email,
        role,
        proven: row.proven,
        disabled: row.disabled,
        has_identity: row.has_identity,
    })
}

fn sql(text: String) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(text)
}

impl Store {
    /// The owner's account, made when there is none. One that a stranger registered under this e-mail
    /// before it was the owner's is theirs no longer; whether that was so.
    pub(in crate::auth) async fn ensure_owner(
        &self,
        email: &str,
        now: i64,
    ) -> Result<(Account, bool), sqlx::Error> {
        let mut tx = self.db.begin().await?;
        sqlx::query(
            "INSERT INTO users (id, email, role, created_at) VALUES ($1, $2, 'user', $3) \
             ON CONFLICT (email) DO NOTHING",
        )
        .bind(UserId::generate().to_string())
        .bind(email)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        let found = Self::account_in(&mut tx, email).await?.ok_or(sqlx::Error::RowNotFound)?;
        if !found.proven {
            Self::take_over(&mut tx, found.user, now).await?;
        }
        tx.commit().await?;
        let is_taken_over = !found.proven;
        Ok((Account { proven: true, ..found }, is_taken_over))
    }

    /// The account of this e-mail.
    pub(in crate::auth) async fn account(
        &self,
        email: &str,
    ) -> Result<Option<Account>, sqlx::Error> {
        let query = format!("SELECT {ACTOR} FROM users u WHERE u.email = $1");
        let row: Option<ActorRow> =
            sqlx::query_as(sql(query)).bind(email).fetch_optional(self.db.reader()).await?;
        row.map(account).transpose()
    }

    /// As [`Self::account`], within a transaction.
    pub(in crate::auth) async fn account_in(
        tx: &mut Tx,
        email: &str,
    ) -> Result<Option<Account>, sqlx::Error> {
        let query = format!("SELECT {ACTOR} FROM users u WHERE u.email = $1");
        let row: Option<ActorRow> =
            sqlx::query_as(sql(query)).bind(email).fetch_optional(&mut **tx).await?;
        row.map(account).transpose()
    }

    /// The account that an issuer's subject leads to.
    pub(in crate::auth) async fn account_of_identity(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Account>, sqlx::Error> {
        let query = format!(
            "SELECT {ACTOR} FROM identities i JOIN users u ON u.id = i.user_id \
             WHERE i.issuer = $1 AND i.subject = $2"
        );
        let row: Option<ActorRow> = sqlx::query_as(sql(query))
            .bind(issuer)
            .bind(subject)
            .fetch_optional(self.db.reader())
            .await?;
        row.map(account).transpose()
    }

    /// Whether an issuer has ever sent somebody to this account.
    pub(in crate::auth) async fn has_identity(
        &self,
        user: UserId,
        issuer: &str,
    ) -> Result<bool, sqlx::Error> {
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM identities WHERE user_id = $1 AND issuer = $2",
        )
        .bind(user.to_string())
        .bind(issuer)
        .fetch_one(self.db.reader())
        .await?;
        Ok(found > 0)
    }

    /// How many issuers have sent somebody to this account.
    pub(in crate::auth) async fn issuers_of(&self, user: UserId) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("SELECT count(DISTINCT issuer) FROM identities WHERE user_id = $1")
            .bind(user.to_string())
            .fetch_one(self.db.reader())
            .await
    }

    /// Makes an account. `false` when the e-mail has one.
    pub(in crate::auth) async fn add_account(
        tx: &mut Tx,
        new: &NewAccount<'_>,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO users (id, email, role, created_at, password_hash, first_name, last_name, \
             company, proven) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (email) DO NOTHING",
        )
        .bind(UserId::generate().to_string())
        .bind(new.email)
        .bind(new.role.as_str())
        .bind(new.now)
        .bind(new.password_hash)
        .bind(new.profile.first_name)
        .bind(new.profile.last_name)
        .bind(new.profile.company)
        .bind(new.proven)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Lets an issuer's subject lead to an account from now on.
    pub(in crate::auth) async fn add_identity(
        tx: &mut Tx,
        issuer: &str,
        subject: &str,
        user: UserId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (issuer, subject) DO NOTHING",
        )
        .bind(issuer)
        .bind(subject)
        .bind(user.to_string())
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Ends what leads to an account from other subjects of an issuer; how many there were.
    pub(in crate::auth) async fn end_identities(
        tx: &mut Tx,
        issuer: &str,
        but: &str,
        user: UserId,
    ) -> Result<u64, sqlx::Error> {
        let done = sqlx::query(
            "DELETE FROM identities WHERE user_id = $1 AND issuer = $2 AND subject <> $3",
        )
        .bind(user.to_string())
        .bind(issuer)
        .bind(but)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected())
    }

    /// Frees the e-mail of an account that nobody has shown to be theirs, or that is disabled: nothing
    /// opens it any longer, and it has a name that is no address.
    pub(in crate::auth) async fn release_email(
        tx: &mut Tx,
        user: UserId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        Self::take_over(tx, user, now).await?;
        sqlx::query(
            "UPDATE users SET email = 'released:' || id, disabled_at = coalesce(disabled_at, $2) \
             WHERE id = $1",
        )
        .bind(user.to_string())
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Gives an account that a stranger registered to whom its e-mail belongs: nothing the stranger
    /// holds opens it any longer.
    pub(in crate::auth) async fn take_over(
        tx: &mut Tx,
        user: UserId,
        now: i64,
    ) -> Result<(), sqlx::Error> {
        let user = user.to_string();
        for statement in [
            "UPDATE users SET password_hash = NULL, proven = 1 WHERE id = $1",
            "UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
            "UPDATE token_families SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM identities WHERE user_id = $1",
            "DELETE FROM sign_in_links WHERE user_id = $1 AND spent_at IS NULL",
        ] {
            sqlx::query(statement).bind(&user).bind(now).execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Another e-mail of the same person, unless somebody else has it.
    pub(in crate::auth) async fn rename(
        tx: &mut Tx,
        user: UserId,
        email: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE users SET email = $2 WHERE id = $1 AND NOT EXISTS \
             (SELECT 1 FROM users WHERE email = $2 AND id <> $1)",
        )
        .bind(user.to_string())
        .bind(email)
        .execute(&mut **tx)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The account with its password's hash, for signing in by it.
    pub(in crate::auth) async fn password(
        &self,
        email: &str,
    ) -> Result<Option<(Account, Option<String>)>, sqlx::Error> {
        let query = format!("SELECT {ACTOR} FROM users u WHERE u.email = $1");
        let row: Option<ActorRow> =
            sqlx::query_as(sql(query)).bind(email).fetch_optional(self.db.reader()).await?;
        let Some(row) = row else { return Ok(None) };
        let hash: Option<String> =
            sqlx::query_scalar("SELECT password_hash FROM users WHERE id = $1")
                .bind(&row.id)
                .fetch_one(self.db.reader())
                .await?;
        Ok(Some((account(row)?, hash)))
    }

    /// Another password; a link that was not used is void.
    pub(in crate::auth) async fn set_password(
        tx: &mut Tx,
        user: UserId,
        hash: &str,
    ) -> Result<(), sqlx::Error> {
        let user = user.to_string();
        sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1")
            .bind(&user)
            .bind(hash)
            .execute(&mut **tx)
            .await?;
        sqlx::query("DELETE FROM sign_in_links WHERE user_id = $1 AND spent_at IS NULL")
            .bind(&user)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Ends an account's part in anything, or lets it in again.
    pub(in crate::auth) async fn set_disabled(
        tx: &mut Tx,
        user: UserId,
        since: Option<i64>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE users SET disabled_at = $2 WHERE id = $1")
            .bind(user.to_string())
            .bind(since)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Another role or plan; what is not given stays.
    pub(in crate::auth) async fn set_standing(
        tx: &mut Tx,
        user: UserId,
        role: Option<Role>,
        plan: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE users SET role = coalesce($2, role), plan = coalesce($3, plan) WHERE id = $1",
        )
        .bind(user.to_string())
        .bind(role.map(Role::as_str))
        .bind(plan)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// What somebody says of themselves from now on; what is not given stays.
    pub(in crate::auth) async fn set_profile(
        tx: &mut Tx,
        user: UserId,
        first_name: Option<&str>,
        last_name: Option<&str>,
        company: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE users SET first_name = coalesce($2, first_name), \
             last_name = coalesce($3, last_name), company = coalesce($4, company) WHERE id = $1",
        )
        .bind(user.to_string())
        .bind(first_name)
        .bind(last_name)
        .bind(company)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Whether an account that is somebody's, and not disabled, has a password of its own.
    pub(in crate::auth) async fn has_password(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM users WHERE password_hash IS NOT NULL AND proven = 1 \
             AND disabled_at IS NULL)",
        )
        .fetch_one(self.db.reader())
        .await
    }

    /// One account as it is shown.
    pub(in crate::auth) async fn shown(
        &self,
        user: UserId,
    ) -> Result<Option<AccountRow>, sqlx::Error> {
        let query = format!("SELECT {ACCOUNT} FROM users WHERE id = $1");
        sqlx::query_as(sql(query)).bind(user.to_string()).fetch_optional(self.db.reader()).await
    }

    /// Every account as it is shown, by e-mail.
    pub(in crate::auth) async fn all_shown(&self) -> Result<Vec<AccountRow>, sqlx::Error> {
        let query = format!("SELECT {ACCOUNT} FROM users ORDER BY email");
        sqlx::query_as(sql(query)).fetch_all(self.db.reader()).await
    }
}
