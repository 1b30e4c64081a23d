//! Sign-in links, sessions and keys.

use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::api_key::MARK;
use super::credentials::{Credentials, Method, Principal};
use super::keys::Uses;
use super::store::{Account, NewSession, Store};
use crate::base::{Clock, Secret};
use crate::db::Database;
use crate::ledger::Ledger;

/// What signing in goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Keys the hashes of sessions and links; another one ends them all.
    pub secret: Secret,
    /// The one static key with all rights.
    pub static_key: Option<Secret>,
    /// The account behind the first-start link and the static key.
    pub owner_email: String,
}

/// A sign-in link is good for this long.
const LINK_LIFE: Duration = Duration::from_secs(15 * 60);

/// A session ends this long after signing in …
const SESSION_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// … or when it was not used for this long.
const SESSION_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);

/// "Last seen" is written down at most this often.
pub(super) const SEEN_STEP: Duration = Duration::from_secs(60);

/// Why nobody came out of a request's credentials.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential, or one that is wrong or too old.
    #[error("Not signed in.")]
    Unknown,
    /// What is asked for cannot be; why.
    #[error("{0}")]
    Invalid(String),
    /// There is none such.
    #[error("There is none such.")]
    NoSuch,
    /// The database does not answer.
    #[error("The server made a mistake.")]
    Database(#[from] sqlx::Error),
    /// The system gives no random bytes.
    #[error("The server made a mistake.")]
    NoRandomness,
}

/// Who is who. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    key: hmac::Key,
    static_key: Option<hmac::Tag>,
    owner: Account,
    random: SystemRandom,
    ledger: Ledger,
    uses: Uses,
}

impl Auth {
    /// Opens the accounts; the owner's is made when it is missing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn open(db: Database, settings: Settings, clock: Clock) -> Result<Self, AuthError> {
        let ledger = Ledger::new(db.clone(), clock.clone());
        let store = Store::new(db);
        let owner = store.ensure_admin(&settings.owner_email, clock.wall_ms()).await?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, settings.secret.expose());
        let static_key = settings.static_key.map(|secret| hmac::sign(&key, secret.expose()));
        Ok(Self(Arc::new(Inner {
            store,
            clock,
            key,
            static_key,
            owner,
            random: SystemRandom::new(),
            ledger,
            uses: Uses::default(),
        })))
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(super) fn owner(&self) -> &Account {
        &self.0.owner
    }

    pub(super) fn uses(&self) -> &Uses {
        &self.0.uses
    }

    pub(super) fn random(&self) -> &SystemRandom {
        &self.0.random
    }

    pub(super) fn now(&self) -> i64 {
        self.0.clock.wall_ms()
    }

    /// The audit log.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Makes a one-time sign-in token for the owner; older unspent ones are void from now on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn issue_link(&self) -> Result<String, AuthError> {
        let token = self.random_token()?;
        let now = self.0.clock.wall_ms();
        let hash = self.hash(Purpose::Link, &token);
        self.0
            .store
            .add_link(hash.as_ref(), self.0.owner.user, now, now + millis(LINK_LIFE))
            .await?;
        Ok(token)
    }

    /// Spends a token and opens a session; its id goes into the cookie.
    ///
    /// # Errors
    /// `Unknown` when the token is wrong, spent or too old.
    pub async fn sign_in(
        &self,
        token: &str,
        user_agent: Option<&str>,
    ) -> Result<String, AuthError> {
        let session = self.random_token()?;
        let now = self.0.clock.wall_ms();
        let id_hash = self.hash(Purpose::Session, &session);
        let new = NewSession {
            id_hash: id_hash.as_ref(),
            user_agent,
            now,
            expires_at: now + millis(SESSION_LIFE),
        };
        let spent = self.0.store.spend_link(self.hash(Purpose::Link, token).as_ref(), &new).await?;
        let user = spent.ok_or(AuthError::Unknown)?;
        tracing::info!(%user, "signed in by link");
        Ok(session)
    }

    /// Ends a session; one that is unknown has ended already.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sign_out(&self, session: &str) -> Result<(), AuthError> {
        Ok(self.0.store.end_session(self.hash(Purpose::Session, session).as_ref()).await?)
    }

    /// Who the credentials prove. An explicit one decides alone: a wrong key is not made good by
    /// a session beside it.
    ///
    /// # Errors
    /// `Unknown`, or what the database says.
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Principal, AuthError> {
        if let Some(key) = credentials.api_key.or(credentials.bearer) {
            return match key.strip_prefix(MARK) {
                Some(_) => self.by_api_key(key).await,
                None => self.by_static_key(key),
            };
        }
        match credentials.session {
            Some(session) => self.by_session(session).await,
            None => Err(AuthError::Unknown),
        }
    }

    fn by_static_key(&self, key: &str) -> Result<Principal, AuthError> {
        let tag = self.0.static_key.as_ref().ok_or(AuthError::Unknown)?;
        // Both sides go through the keyed hash, so the comparison takes the same time for any key.
        hmac::verify(&self.0.key, key.as_bytes(), tag.as_ref()).map_err(|_| AuthError::Unknown)?;
        let Account { user, email, role } = self.0.owner.clone();
        Ok(Principal { user, email, method: Method::Key, scopes: role.scopes() })
    }

    async fn by_session(&self, session: &str) -> Result<Principal, AuthError> {
        let hash = self.hash(Purpose::Session, session);
        let now = self.0.clock.wall_ms();
        let found = self.0.store.session(hash.as_ref(), now, now - millis(SESSION_IDLE)).await?;
        let (Account { user, email, role }, seen) = found.ok_or(AuthError::Unknown)?;
        if now - seen > millis(SEEN_STEP) {
            self.0.store.touch_session(hash.as_ref(), now).await?;
        }
        Ok(Principal { user, email, method: Method::Session, scopes: role.scopes() })
    }

    fn hash(&self, purpose: Purpose, secret: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0.key);
        context.update(match purpose {
            Purpose::Link => b"link:",
            Purpose::Session => b"sess:",
        });
        context.update(secret.as_bytes());
        context.sign()
    }

    /// 256 random bits, hexadecimal.
    fn random_token(&self) -> Result<String, AuthError> {
        let mut bytes = [0; 32];
        self.0.random.fill(&mut bytes).map_err(|_| AuthError::NoRandomness)?;
        Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Keeps the hashes of different secrets apart.
#[derive(Clone, Copy)]
enum Purpose {
    Link,
    Session,
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::auth::{By, CreatedKey, KeyRequest, Scopes};
    use crate::ledger::Selection;

    async fn auth() -> (tempfile::TempDir, Auth, Arc<std::sync::atomic::AtomicI64>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let (clock, hand) = Clock::manual(1_000_000);
        let settings = Settings {
            secret: Secret::new(*b"0123456789abcdef0123456789abcdef"),
            static_key: Some(Secret::new("k".repeat(32))),
            owner_email: String::from("owner"),
        };
        (folder, Auth::open(db, settings, clock).await.expect("accounts"), hand)
    }

    fn key(key: &str) -> Credentials<'_> {
        Credentials { api_key: Some(key), ..Credentials::default() }
    }

    fn session(id: &str) -> Credentials<'_> {
        Credentials { session: Some(id), ..Credentials::default() }
    }

    #[tokio::test]
    async fn a_link_signs_in_once() {
        let (_folder, auth, _) = auth().await;
        let token = auth.issue_link().await.expect("a link");
        let id = auth.sign_in(&token, None).await.expect("a session");
        let principal = auth.authenticate(session(&id)).await.expect("the owner");
        assert_eq!((principal.email.as_str(), principal.method), ("owner", Method::Session));
        assert!(matches!(auth.sign_in(&token, None).await, Err(AuthError::Unknown)), "spent");
        auth.sign_out(&id).await.expect("signed out");
        assert!(matches!(auth.authenticate(session(&id)).await, Err(AuthError::Unknown)));
    }

    #[tokio::test]
    async fn a_link_is_void_after_15_minutes_and_when_a_new_one_is_made() {
        let (_folder, auth, hand) = auth().await;
        let old = auth.issue_link().await.expect("a link");
        let new = auth.issue_link().await.expect("a link");
        assert!(auth.sign_in(&old, None).await.is_err());
        hand.fetch_add(15 * 60 * 1000 + 1, Ordering::AcqRel);
        assert!(auth.sign_in(&new, None).await.is_err());
    }

    #[tokio::test]
    async fn an_unused_session_ends_after_a_week() {
        let (_folder, auth, hand) = auth().await;
        let token = auth.issue_link().await.expect("a link");
        let id = auth.sign_in(&token, None).await.expect("a session");
        hand.fetch_add(6 * 24 * 3_600_000, Ordering::AcqRel);
        assert!(auth.authenticate(session(&id)).await.is_ok());
        hand.fetch_add(6 * 24 * 3_600_000, Ordering::AcqRel);
        assert!(auth.authenticate(session(&id)).await.is_ok(), "being used keeps it");
        hand.fetch_add(8 * 24 * 3_600_000, Ordering::AcqRel);
        assert!(auth.authenticate(session(&id)).await.is_err());
    }

    #[tokio::test]
    async fn a_key_is_good_until_it_ends_or_is_revoked_and_may_what_it_says() {
        let (_folder, auth, hand) = auth().await;
        let owner = auth.authenticate(key(&"k".repeat(32))).await.expect("the owner");
        let by = By { actor: "owner", method: "key", address: None };
        let made = |name: &str, scopes: &str, days: Option<u32>| {
            let scopes = scopes.parse().expect("scopes");
            let request = KeyRequest { name: name.to_owned(), scopes, days };
            let (auth, owner) = (auth.clone(), owner.clone());
            async move { auth.create_key(by, &owner, &request).await }
        };
        let day = made("a day", "jobs:read", Some(1)).await.expect("a key");
        let ever = made("for ever", "jobs:read jobs:write", None).await.expect("a key");
        let may = |made: &CreatedKey| {
            let (auth, secret) = (auth.clone(), made.key.clone());
            async move { auth.authenticate(key(&secret)).await.map(|principal| principal.scopes) }
        };
        assert_eq!(may(&day).await.expect("good").to_string(), "jobs:read");
        assert_eq!(may(&ever).await.expect("good"), Scopes::JOBS);
        hand.fetch_add(24 * 3_600_000, Ordering::AcqRel);
        assert!(matches!(may(&day).await, Err(AuthError::Unknown)), "its day is over");
        auth.revoke_key(by, owner.user, ever.id).await.expect("revoked");
        assert!(matches!(may(&ever).await, Err(AuthError::Unknown)));
        assert!(matches!(auth.revoke_key(by, owner.user, ever.id).await, Err(AuthError::NoSuch)));
        for (name, scopes, days) in [(" ", "admin", None), ("x", "", None), ("x", "admin", Some(0))]
        {
            assert!(
                matches!(made(name, scopes, days).await, Err(AuthError::Invalid(_))),
                "{name:?}"
            );
        }
        auth.settle().await.expect("written");
        let keys = auth.keys(owner.user).await.expect("keys");
        assert_eq!(keys.iter().map(|key| key.uses).collect::<Vec<_>>(), [1, 1]);
        let selection = Selection { limit: 9, ..Selection::default() };
        let acts = auth.ledger().list(&selection).await.expect("acts");
        let acts: Vec<&str> = acts.iter().map(|act| act.action.as_str()).collect();
        assert_eq!(acts, ["key.revoke", "key.create", "key.create"]);
    }

    #[tokio::test]
    async fn an_explicit_key_decides_alone() {
        let (_folder, auth, _) = auth().await;
        let token = auth.issue_link().await.expect("a link");
        let id = auth.sign_in(&token, None).await.expect("a session");
        let key = "k".repeat(32);
        let right = Credentials { api_key: Some(&key), ..Credentials::default() };
        assert_eq!(auth.authenticate(right).await.expect("the owner").method, Method::Key);
        let wrong = Credentials { bearer: Some("wrong"), ..session(&id) };
        assert!(matches!(auth.authenticate(wrong).await, Err(AuthError::Unknown)));
    }
}
