//! API keys: made, shown once, listed, revoked, counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::api_key::{NewKey, hash};
use super::credentials::{Method, Principal};
use super::scope::Scopes;
use super::service::{Auth, AuthError, SEEN_STEP, millis};
use super::store::{Found, KeyRow, NewRow, Store};
use crate::base::{KeyId, UserId, is_invisible};
use crate::ledger::{By, Outcome};

/// Longest name of a key, in characters.
const NAME_LENGTH: usize = 100;
/// Days of the longest key that ends at all.
const LONGEST_DAYS: u32 = 3650;
/// Keys of an account that are not revoked.
const MOST: i64 = 100;

/// A key that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRequest {
    /// What its owner calls it.
    pub name: String,
    /// What it may.
    pub scopes: Scopes,
    /// Days until it ends; never when none are given.
    pub days: Option<u32>,
}

/// A key that was made. The key itself is nowhere else.
pub struct CreatedKey {
    /// Which.
    pub id: KeyId,
    /// The key.
    pub key: String,
    /// How it begins.
    pub prefix: String,
    /// Epoch milliseconds.
    pub expires_at: Option<i64>,
}

/// Uses of keys that are not written down yet: a write for each would cost more than the request.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<String, Used>>);

#[derive(Debug, Default)]
struct Used {
    times: u32,
    written_at: i64,
}

impl Uses {
    /// Counts one; how many are to be written down now.
    fn count(&self, key: &str, now: i64) -> Option<u32> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = uses.entry(key.to_owned()).or_default();
        used.times += 1;
        if now - used.written_at < millis(SEEN_STEP) {
            return None;
        }
        used.written_at = now;
        Some(std::mem::take(&mut used.times))
    }

    /// All that is not written down.
    fn rest(&self) -> Vec<(String, u32)> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = uses.iter_mut().filter(|(_, used)| used.times > 0);
        rest.map(|(key, used)| (key.clone(), std::mem::take(&mut used.times))).collect()
    }
}

impl Auth {
    /// Makes a key of an account. It may no more than whoever makes it, and ends with the key that it is
    /// made with, if that is how.
    ///
    /// # Errors
    /// `Invalid` for a name, scopes or days that cannot be; `NotAllowed`; what the database says.
    pub async fn create_key(
        &self,
        by: By<'_>,
        owner: &Principal,
        request: &KeyRequest,
    ) -> Result<CreatedKey, AuthError> {
        let name = request.name.trim();
        let is_odd = |c: char| c.is_control() || is_invisible(c);
        if name.is_empty() || name.chars().count() > NAME_LENGTH || name.contains(is_odd) {
            return Err(AuthError::Invalid(format!(
                "A key has a name of 1 to {NAME_LENGTH} characters that can be seen."
            )));
        }
        if request.scopes.is_empty() || request.scopes.and(owner.scopes) != request.scopes {
            let detail = format!("A key of this account may have: {}.", owner.scopes);
            return Err(AuthError::Invalid(detail));
        }
        if request.days.is_some_and(|days| !(1..=LONGEST_DAYS).contains(&days)) {
            return Err(AuthError::Invalid(format!("A key lasts for 1 to {LONGEST_DAYS} days.")));
        }
        if !owner.method.may_make_credentials() {
            return Err(AuthError::NotAllowed(String::from(
                "A key is made by somebody who has signed in here, or with a key of theirs.",
            )));
        }
        let NewKey { key, prefix } = NewKey::generate(&self.inner().random)?;
        let now = self.now();
        let wanted = request.days.map(|days| now + i64::from(days) * 24 * 3_600_000);
        let id = KeyId::generate();
        let scopes = request.scopes.to_string();
        let mut tx = self.store().begin().await?;
        if Store::open_keys(&mut tx, owner.user).await? >= MOST {
            return Err(AuthError::Invalid(format!(
                "An account has at most {MOST} keys: revoke one."
            )));
        }
        // No key outlives the one that made it.
        let until = match &owner.key {
            Some(maker) => Store::end_of_key(&mut tx, maker).await?,
            None => None,
        };
        let expires_at = wanted.into_iter().chain(until).min();
        let row = NewRow {
            id,
            made_by: owner.key.as_deref(),
            user: owner.user,
            prefix: &prefix,
            hash: &hash(&key),
            name,
            scopes: &scopes,
            now,
            expires_at,
        };
        self.store().add_key(&mut tx, &row).await?;
        let detail =
            json!({"owner": owner.email, "name": name, "scopes": scopes, "days": request.days});
        let act = by.act("key.create", &prefix, detail);
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        Ok(CreatedKey { id, key, prefix, expires_at })
    }

    /// Keys of an account, newest first, the revoked ones too.
    ///
    /// # Errors
    /// What the database says.
    pub async fn keys(&self, user: UserId) -> Result<Vec<KeyRow>, AuthError> {
        Ok(self.store().keys(user).await?)
    }

    /// Ends a key for good, and those made with it; the next request with them is refused.
    ///
    /// # Errors
    /// `NoSuch` when the account has none such that is not revoked.
    pub async fn revoke_key(&self, by: By<'_>, user: UserId, id: KeyId) -> Result<(), AuthError> {
        let mut tx = self.store().begin().await?;
        let name = self.store().revoke_key(&mut tx, user, id, self.now()).await?;
        let name = name.ok_or(AuthError::NoSuch)?;
        let target = id.to_string();
        let act = by.act("key.revoke", &target, json!({"name": name}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Ends a key of whoever it is.
    ///
    /// # Errors
    /// As [`Self::revoke_key`].
    pub async fn revoke_any_key(&self, by: By<'_>, id: KeyId) -> Result<(), AuthError> {
        let owner = self.store().owner_of_key(id).await?.ok_or(AuthError::NoSuch)?;
        self.revoke_key(by, owner, id).await
    }

    /// The account of this e-mail, as one that may do all it can; the owner's when none is given.
    ///
    /// # Errors
    /// `NoSuch`.
    pub async fn account(&self, email: Option<&str>) -> Result<Principal, AuthError> {
        let account = match email {
            Some(email) => self.store().account(email).await?.ok_or(AuthError::NoSuch)?,
            None => self.inner().owner.clone(),
        };
        Ok(self.principal(&account, Method::Key, Scopes::ALL))
    }

    /// Who a key of ours proves.
    pub(super) async fn by_api_key(&self, key: &str) -> Result<Principal, AuthError> {
        let now = self.now();
        let found = self.store().key(&hash(key), now).await?;
        let Found { account, key, scopes } = found.ok_or(AuthError::Unknown)?;
        if let Some(uses) = self.inner().uses.count(&key, now)
            && let Err(error) = self.store().count_uses(&key, uses, now).await
        {
            tracing::warn!(%error, "uses of a key are not written down");
        }
        self.check_list(&account).await?;
        // A right that the account has lost is the key's no longer.
        let principal = self.principal(&account, Method::Key, scopes.parse().unwrap_or_default());
        Ok(Principal { key: Some(key), ..principal })
    }

    /// Writes down what was counted: before the process ends.
    ///
    /// # Errors
    /// What the database says.
    pub async fn settle(&self) -> Result<(), AuthError> {
        for (key, uses) in self.inner().uses.rest() {
            self.store().count_uses(&key, uses, self.now()).await?;
        }
        Ok(())
    }
}
