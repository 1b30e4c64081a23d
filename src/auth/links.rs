//! Links that give one result to whoever has them, for a while.

use serde_json::json;
use subtle::ConstantTimeEq;

use super::Principal;
use super::service::{Auth, AuthError, Purpose, disabled, millis};
use crate::base::{UserId, hex};
use crate::ledger::{By, Outcome};

/// What makes an address a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Until when it is good, in seconds since 1970.
    pub expires: i64,
    /// Proof that this server made it, hexadecimal.
    pub signature: String,
    /// For how long it is good.
    pub seconds: u64,
}

impl Auth {
    /// Makes a link to a result of the caller's. That it is theirs has been looked at.
    ///
    /// # Errors
    /// What the database says: the link is in the audit log, or there is none.
    pub async fn link_to(
        &self,
        by: By<'_>,
        caller: &Principal,
        artifact: &str,
    ) -> Result<Link, AuthError> {
        let time = self.inner().settings.link_time;
        let expires = (self.now() + millis(time)) / 1000;
        let detail = json!({"owner": caller.email, "expires": expires});
        self.ledger().note(&by.act("artifact.link", artifact, detail), Outcome::Done).await?;
        let signature = hex(&self.hash(Purpose::Artifact, &signed(artifact, expires)));
        Ok(Link { expires, signature, seconds: time.as_secs() })
    }

    /// Whether a link to this result was made here and is still good; under the key before, too.
    #[must_use]
    pub fn is_link_good(&self, artifact: &str, expires: &str, signature: &str) -> bool {
        let Ok(expires) = expires.parse::<i64>() else { return false };
        let is_ours = self
            .hashes(Purpose::Artifact, &signed(artifact, expires))
            .iter()
            .any(|hash| hex(hash).as_bytes().ct_eq(signature.as_bytes()).into());
        is_ours && self.now() / 1000 < expires
    }

    /// Whether what belongs to an account may still be given out.
    ///
    /// # Errors
    /// `NotAllowed` when it is shut, or what the database says.
    pub async fn check_owner(&self, owner: UserId) -> Result<(), AuthError> {
        let account = self.shown(owner).await?;
        if account.disabled_at.is_some() { Err(disabled(&account.email)) } else { Ok(()) }
    }
}

fn signed(artifact: &str, expires: i64) -> String {
    format!("{artifact} {expires}")
}
