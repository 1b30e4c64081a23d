//! Signing in: by the one-time link, by a password; sessions, and their end.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use subtle::ConstantTimeEq;

use super::accounts::EMAIL_LENGTH;
use super::attempts::Who;
use super::credentials::{Caller, Method, Principal};
use super::scope::Scopes;
use super::service::{Auth, AuthError, Purpose, SEEN_STEP, disabled, millis};
use super::store::{Account, NewSession, Origin, SessionRow, Store};
use crate::base::hex;
use crate::ledger::{Act, By, Outcome};

/// A sign-in link is good for this long.
const LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// Longest name of a browser that is kept, in bytes.
const AGENT_BYTES: usize = 300;

impl Auth {
    /// Makes a one-time sign-in token for the owner; older unspent ones are void from now on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn issue_link(&self, by: By<'_>) -> Result<String, AuthError> {
        let token = self.random_token()?;
        let now = self.now();
        let hash = self.hash(Purpose::Link, &token);
        let owner = self.inner().owner.user;
        let mut tx = self.store().begin().await?;
        Store::add_link(&mut tx, &hash, owner, now, now + millis(LINK_LIFE)).await?;
        let act = by.act("link.issue", &self.inner().settings.owner_email, json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Whether somebody can sign in without a link: through Cloudflare Access, by the development
    /// password, or by one of their own.
    ///
    /// # Errors
    /// What the database says.
    pub async fn has_other_ways_in(&self) -> Result<bool, AuthError> {
        let settings = &self.inner().settings;
        let has_door = settings.form_password.is_some() || settings.access.is_some();
        let has_door = has_door && !settings.allowed_emails.is_empty();
        Ok(has_door || self.store().has_password().await?)
    }

    /// Spends a token and opens a session; its id goes into the cookie.
    ///
    /// # Errors
    /// `Unknown` when the token is wrong, spent or too old; `TooMany`.
    pub async fn sign_in(&self, token: &str, caller: &Caller<'_>) -> Result<String, AuthError> {
        let network = network(caller.address);
        let who = Who { address: &network, account: None };
        self.inner().attempts.begin(who).map_err(AuthError::TooMany)?;
        let mut tx = self.store().begin().await?;
        let mut found = None;
        for hash in self.hashes(Purpose::Link, token) {
            found = found.or(Store::spend_link(&mut tx, &hash, self.now()).await?);
        }
        let Some(account) = found else {
            drop(tx);
            self.refuse_sign_in(caller, "link", None).await?;
            return Err(AuthError::Unknown);
        };
        let session = self.open_session(&mut tx, &account, Origin::Link, caller).await?;
        tx.commit().await?;
        self.inner().attempts.succeeded(who);
        Ok(session)
    }

    /// Signs in by e-mail and password: the account's own, or the local form's for people on the list.
    ///
    /// # Errors
    /// `Unknown`, `NotAllowed` for a disabled account, `TooMany`.
    pub async fn sign_in_by_password(
        &self,
        email: &str,
        password: &str,
        caller: &Caller<'_>,
    ) -> Result<String, AuthError> {
        let (account, origin) = self.by_password(email, password, caller).await?;
        self.check_list(&account).await?;
        let mut tx = self.store().begin().await?;
        let session = self.open_session(&mut tx, &account, origin, caller).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Whose e-mail and password these are.
    pub(super) async fn by_password(
        &self,
        email: &str,
        password: &str,
        caller: &Caller<'_>,
    ) -> Result<(Account, Origin), AuthError> {
        let email = email.trim().to_ascii_lowercase();
        // No account has such a one, and nothing is written down of it.
        if email.len() > EMAIL_LENGTH {
            return Err(AuthError::Unknown);
        }
        let network = network(caller.address);
        let who = Who { address: &network, account: Some(&email) };
        self.inner().attempts.begin(who).map_err(AuthError::TooMany)?;
        let found = self.store().password(&email).await?;
        let is_form = self.is_form_password(&email, password, caller);
        let (account, hash) = match found {
            Some((account, hash)) => (Some(account), hash),
            None => (None, None),
        };
        // Asked in any case: how long it takes tells nothing.
        let is_own = self.inner().passwords.verify(password, hash).await?;
        let (account, origin) = match (account, is_own, is_form) {
            (Some(account), true, _) => (account, Origin::Password),
            (Some(account), false, true) if account.proven => (account, Origin::Form),
            (Some(_), false, true) => (self.person_of_form(&email, caller).await?, Origin::Form),
            (None, _, true) => (self.person_of_form(&email, caller).await?, Origin::Form),
            (Some(_) | None, _, _) => {
                self.refuse_sign_in(caller, "password", Some(&email)).await?;
                return Err(AuthError::Unknown);
            }
        };
        if account.disabled {
            self.refuse_sign_in(caller, "password", Some(&email)).await?;
            return Err(disabled(&account.email));
        }
        self.inner().attempts.succeeded(who);
        Ok((account, origin))
    }

    /// The form's password is for development: never through anything that forwards, nor from elsewhere.
    fn is_form_password(&self, email: &str, password: &str, caller: &Caller<'_>) -> bool {
        let settings = &self.inner().settings;
        let Some(secret) = &settings.form_password else { return false };
        let right = self.hash(Purpose::Form, &String::from_utf8_lossy(secret.expose()));
        let given = self.hash(Purpose::Form, password);
        bool::from(right.ct_eq(&given))
            && !caller.is_forwarded
            && is_near(caller.address)
            && settings.allowed_emails.iter().any(|allowed| allowed == email)
    }

    /// The account of somebody on the list who comes by the form.
    async fn person_of_form(&self, email: &str, caller: &Caller<'_>) -> Result<Account, AuthError> {
        let mut tx = self.store().begin().await?;
        let (account, action) = self.found_or_made(&mut tx, email).await?;
        let act = Act {
            actor: Some(email),
            method: Origin::Form.as_str(),
            address: caller.address,
            action,
            target: Some(email),
            ..Act::default()
        };
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        Ok(account)
    }

    async fn open_session(
        &self,
        tx: &mut super::store::Tx,
        account: &Account,
        origin: Origin,
        caller: &Caller<'_>,
    ) -> Result<String, AuthError> {
        let (secret, id) = (self.random_token()?, self.random_token()?);
        let now = self.now();
        let agent = caller.user_agent.map(|agent| {
            let end = agent.floor_char_boundary(AGENT_BYTES.min(agent.len()));
            &agent[..end]
        });
        let session = NewSession {
            id: &id[..32],
            id_hash: &self.hash(Purpose::Session, &secret),
            origin,
            user_agent: agent,
            address: caller.address,
            now,
            expires_at: now + millis(self.inner().settings.session_life),
        };
        Store::add_session(tx, account.user, &session).await?;
        let act = Act {
            actor: Some(&account.email),
            method: origin.as_str(),
            address: caller.address,
            action: "sign_in",
            target: Some(session.id),
            detail: Some(json!({"user_agent": agent})),
        };
        self.ledger().record(tx, &act, Outcome::Done).await?;
        tracing::info!(user = %account.user, by = origin.as_str(), "signed in");
        Ok(secret)
    }

    async fn refuse_sign_in(
        &self,
        caller: &Caller<'_>,
        method: &str,
        email: Option<&str>,
    ) -> Result<(), AuthError> {
        if !self.inner().noted.may_note(self.now()) {
            tracing::warn!(method, address = caller.address, "a sign-in is refused, one of many");
            return Ok(());
        }
        let act = Act {
            method,
            address: caller.address,
            action: "sign_in",
            target: email,
            ..Act::default()
        };
        Ok(self.ledger().note(&act, Outcome::Refused).await?)
    }

    pub(super) async fn by_session(&self, secret: &str) -> Result<Principal, AuthError> {
        let hashes = self.hashes(Purpose::Session, secret);
        let now = self.now();
        let idle = millis(self.inner().settings.session_idle);
        let found = self.store().session(&hashes, now, now - idle).await?;
        let found = found.ok_or(AuthError::Unknown)?;
        let allowed = &self.inner().settings.allowed_emails;
        let has_form = self.inner().settings.form_password.is_some();
        if found.is_by_form && !(has_form && allowed.contains(&found.account.email)) {
            return Err(off_the_list(&found.account.email));
        }
        self.check_list(&found.account).await?;
        if now - found.last_seen_at > millis(SEEN_STEP) || !found.is_current {
            let touched = self.store().touch_session(&found.id, &hashes[0], now).await;
            // A disk that is full is no reason to turn away who wants to make room.
            if let Err(error) = touched {
                tracing::warn!(%error, "when a session was used is not written down");
            }
        }
        let principal = self.principal(&found.account, Method::Session, Scopes::ALL);
        Ok(Principal { session: Some(found.id), ..principal })
    }

    /// Ends a session that a person's assertion beside it contradicts.
    pub(super) async fn end_foreign_session(
        &self,
        secret: &str,
        person: &Principal,
        address: Option<&str>,
    ) -> Result<(), AuthError> {
        let other = match self.by_session(secret).await {
            Ok(other) if other.user != person.user => other,
            Ok(_) | Err(AuthError::Unknown | AuthError::NotAllowed(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let by = By { actor: &person.email, method: person.method.as_str(), address };
        let id = other.session.unwrap_or_default();
        match self.end_session_of(by, other.user, &id).await {
            Ok(()) | Err(AuthError::NoSuch) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the session of this cookie, whoever else the request may be; one that is unknown has ended
    /// already.
    ///
    /// # Errors
    /// What the database says: then it has not ended.
    pub async fn sign_out(&self, secret: &str, address: Option<&str>) -> Result<(), AuthError> {
        let mut tx = self.store().begin().await?;
        for hash in self.hashes(Purpose::Session, secret) {
            if let Some((id, email)) = Store::end_session_of(&mut tx, &hash).await? {
                let by = By { actor: &email, method: Method::Session.as_str(), address };
                let act = by.act("session.end", &id, json!({}));
                self.ledger().record(&mut tx, &act, Outcome::Done).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// Sessions of the caller that are good, the one used last first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sessions(&self, caller: &Principal) -> Result<Vec<SessionRow>, AuthError> {
        let now = self.now();
        let idle = millis(self.inner().settings.session_idle);
        Ok(self.store().sessions(caller.user, now, now - idle).await?)
    }

    /// Ends a session of the caller: its next request is refused.
    ///
    /// # Errors
    /// `NoSuch`.
    pub async fn end_session(
        &self,
        by: By<'_>,
        caller: &Principal,
        id: &str,
    ) -> Result<(), AuthError> {
        self.end_session_of(by, caller.user, id).await
    }

    async fn end_session_of(
        &self,
        by: By<'_>,
        user: crate::base::UserId,
        id: &str,
    ) -> Result<(), AuthError> {
        let mut tx = self.store().begin().await?;
        if !Store::end_session(&mut tx, user, id).await? {
            return Err(AuthError::NoSuch);
        }
        let act = by.act("session.end", id, json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Ends every session of the caller but the one they ask by; how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_other_sessions(
        &self,
        by: By<'_>,
        caller: &Principal,
    ) -> Result<u64, AuthError> {
        let mut tx = self.store().begin().await?;
        let ended = Store::end_sessions(&mut tx, caller.user, caller.session.as_deref()).await?;
        let act = by.act("session.end_others", &caller.email, json!({"ended": ended}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// What a page has to send along when it changes something: proof that it could read an answer of
    /// ours to this very caller.
    #[must_use]
    pub fn csrf_token(&self, caller: &Principal) -> String {
        let hash = self.hash(Purpose::Csrf, &csrf_subject(caller));
        hex(&hash[..16])
    }

    /// Whether `token` is the caller's; one made under the key before still is.
    #[must_use]
    pub fn is_csrf_token(&self, caller: &Principal, token: &str) -> bool {
        self.hashes(Purpose::Csrf, &csrf_subject(caller))
            .iter()
            .any(|hash| hex(&hash[..16]).as_bytes().ct_eq(token.as_bytes()).into())
    }
}

/// A session has its own token; without one, the account has.
fn csrf_subject(caller: &Principal) -> String {
    format!("{} {}", caller.user, caller.session.as_deref().unwrap_or("access"))
}

/// Addresses that one party has at hand: an IPv6 customer has a whole /64.
pub(super) fn network(address: Option<&str>) -> String {
    match address.and_then(|address| address.parse::<IpAddr>().ok()) {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Some(IpAddr::V4(address)) => address.to_string(),
        None => String::from("here"),
    }
}

/// Whether an address is this machine's; a socket's peer has none.
fn is_near(address: Option<&str>) -> bool {
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    address.is_none_or(|address| address.to_canonical().is_loopback())
}

pub(super) fn off_the_list(email: &str) -> AuthError {
    AuthError::NotAllowed(format!("{email} is no longer on this server's list."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_is_this_machine_alone() {
        for near in
            [None, Some("127.0.0.1"), Some("127.9.9.9"), Some("::1"), Some("::ffff:127.0.0.1")]
        {
            assert!(is_near(near), "{near:?}");
        }
        for far in ["192.168.1.7", "10.0.0.1", "::ffff:192.168.1.7", "fe80::1", "0.0.0.0", "::"] {
            assert!(!is_near(Some(far)), "{far}");
        }
    }
}
