//! The service: what it is made of, and whom a request's credentials prove.

use std::sync::Arc;
use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::access::{Access, AccessSettings, Visitor};
use super::api_key::MARK;
use super::attempts::{Attempts, Noted};
use super::credentials::{Credentials, Method, Principal};
use super::jwt::{TokenError, claimed_issuer};
use super::keys::Uses;
use super::oidc::{Oidc, OidcSettings};
use super::password::Passwords;
use super::people::Person;
use super::scope::Scopes;
use super::sessions::off_the_list;
use super::store::{Account, Role, Store};
use super::tokens::{self, Tokens};
use crate::base::{Clock, Secret, hex};
use crate::db::{Database, Fault};
use crate::ledger::{By, Ledger, Outcome};
use crate::outbound::OutboundError;

/// What signing in goes by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Keys the hashes of sessions and links, and tokens; another one ends them all.
    pub secret: Secret,
    /// The secret before this one, which still verifies.
    pub previous_secret: Option<Secret>,
    /// Keys own tokens in place of `secret`.
    pub token_secret: Option<Secret>,
    /// The one static key with all rights.
    pub static_key: Option<Secret>,
    /// The account behind the first-start link and the static key.
    pub owner_email: String,
    /// Who may come by Cloudflare Access or the local form, in lower case.
    pub allowed_emails: Vec<String>,
    /// Which people are admins, in lower case.
    pub admin_emails: Vec<String>,
    /// The local form's password for `allowed_emails`.
    pub form_password: Option<Secret>,
    /// Whether strangers may make accounts.
    pub registration: Registration,
    /// Cloudflare Access, where it is in front.
    pub access: Option<AccessSettings>,
    /// The issuer whose tokens are taken.
    pub oidc: Option<OidcSettings>,
    /// A session ends this long after signing in …
    pub session_life: Duration,
    /// … or when it was not used for this long.
    pub session_idle: Duration,
    /// Life of an access token.
    pub access_token_life: Duration,
    /// Life of a refresh token.
    pub refresh_token_life: Duration,
    /// Life of a link to a result.
    pub link_time: Duration,
    /// Failed tries at a password per address and account.
    pub attempts_per_minute: u32,
}

/// Whether strangers may make accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Only an admin makes them.
    #[default]
    Closed,
    /// They may.
    Open,
}

impl Settings {
    /// What is told by nobody: one secret and the defaults.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        Self {
            secret,
            previous_secret: None,
            token_secret: None,
            static_key: None,
            owner_email: String::from("owner"),
            allowed_emails: Vec::new(),
            admin_emails: Vec::new(),
            form_password: None,
            registration: Registration::Closed,
            access: None,
            oidc: None,
            session_life: Duration::from_secs(12 * 3600),
            session_idle: Duration::from_secs(2 * 3600),
            access_token_life: Duration::from_secs(3600),
            refresh_token_life: Duration::from_secs(30 * 24 * 3600),
            link_time: Duration::from_secs(300),
            attempts_per_minute: 5,
        }
    }
}

/// "Last seen" is written down at most this often.
pub(super) const SEEN_STEP: Duration = Duration::from_secs(60);

/// Why nobody came out of a request's credentials, or an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No credential, or one that is wrong or too old.
    #[error("Not signed in.")]
    Unknown,
    /// Somebody is known and may not come in; why.
    #[error("{0}")]
    NotAllowed(String),
    /// Too many tries; the seconds until the next one.
    #[error("Too many tries. The next one is possible in {0} s.")]
    TooMany(u64),
    /// Too many are being signed in at once.
    #[error("Too many are signing in at once; try again in a moment.")]
    Busy,
    /// What is asked for cannot be; why.
    #[error("{0}")]
    Invalid(String),
    /// There is one already.
    #[error("{0}")]
    Taken(String),
    /// There is none such.
    #[error("It is no longer there.")]
    NoSuch,
    /// The identity provider's keys have never come.
    #[error(
        "The identity provider's keys cannot be fetched, so nobody can sign in by it. Try again soon."
    )]
    ProviderUnreachable,
    /// The disk of the database is full.
    #[error("The server's disk is full. Deleting old results makes room.")]
    DiskFull,
    /// The database is locked by somebody else.
    #[error("The server's database is busy; try again in a moment.")]
    DatabaseBusy,
    /// A mistake of ours.
    #[error("The server made a mistake.")]
    Database(#[source] sqlx::Error),
    /// The system gives no random bytes.
    #[error("The server made a mistake.")]
    NoRandomness,
    /// No client can be made that fetches keys.
    #[error("{0}")]
    Outbound(#[from] OutboundError),
}

impl From<sqlx::Error> for AuthError {
    fn from(error: sqlx::Error) -> Self {
        match Fault::of(&error) {
            Fault::Busy => Self::DatabaseBusy,
            Fault::Full => Self::DiskFull,
            Fault::Other => Self::Database(error),
        }
    }
}

/// Who is who. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) static_key: Option<hmac::Tag>,
    pub(super) owner: Account,
    pub(super) random: SystemRandom,
    pub(super) ledger: Ledger,
    pub(super) uses: Uses,
    pub(super) passwords: Passwords,
    pub(super) attempts: Attempts,
    pub(super) noted: Noted,
    pub(super) tokens: Tokens,
    /// The current key, then the one before it.
    keys: Vec<hmac::Key>,
    access: Option<Access>,
    oidc: Option<Oidc>,
}

impl Auth {
    /// Opens the accounts; the owner's is made when it is missing. The keys of identity providers are
    /// asked for beside it: that one does not answer is no reason not to start.
    ///
    /// # Errors
    /// What the database says; `Outbound` where keys are to be fetched and TLS cannot be set up.
    pub async fn open(db: Database, settings: Settings, clock: Clock) -> Result<Self, AuthError> {
        let ledger = Ledger::new(db.clone(), clock.clone());
        let store = Store::new(db);
        let (owner, is_taken_over) =
            store.ensure_owner(&settings.owner_email, clock.wall_ms()).await?;
        if is_taken_over {
            let act = By::START.act("account.take_over", &owner.email, serde_json::json!({}));
            ledger.note(&act, Outcome::Done).await?;
        }
        if owner.disabled {
            tracing::warn!(
                email = owner.email,
                "the owner's account is disabled; \"audiomill user enable\" opens it"
            );
        }
        let keys: Vec<hmac::Key> = std::iter::once(&settings.secret)
            .chain(&settings.previous_secret)
            .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
            .collect();
        let static_key = settings
            .static_key
            .as_ref()
            .and_then(|secret| keys.first().map(|key| hmac::sign(key, secret.expose())));
        let access =
            settings.access.clone().map(|access| Access::new(access, &clock)).transpose()?;
        let oidc = settings.oidc.clone().map(|oidc| Oidc::new(oidc, &clock)).transpose()?;
        let issuers = [access.as_ref().map(Access::issuer), oidc.as_ref().map(Oidc::issuer)];
        issuers.into_iter().flatten().for_each(|issuer| issuer.warm_up());
        Ok(Self(Arc::new(Inner {
            store,
            static_key,
            owner,
            random: SystemRandom::new(),
            ledger,
            uses: Uses::default(),
            passwords: Passwords::new(),
            noted: Noted::default(),
            attempts: Attempts::new(settings.attempts_per_minute, clock.clone()),
            tokens: Tokens::new(&settings),
            keys,
            access,
            oidc,
            clock,
            settings,
        })))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// Epoch milliseconds by the clock that sessions and tokens go by.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.clock.wall_ms()
    }

    /// The audit log.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Whether Cloudflare Access is set up.
    #[must_use]
    pub fn is_behind_access(&self) -> bool {
        self.0.access.is_some()
    }

    /// Whether strangers may make accounts.
    #[must_use]
    pub fn registration(&self) -> Registration {
        self.0.settings.registration
    }

    /// Who the credentials prove. An explicit one decides alone: a wrong key is not made good by
    /// anything beside it. A person's assertion beats a session of somebody else, and ends it.
    ///
    /// # Errors
    /// `Unknown`, `NotAllowed`, `ProviderUnreachable`, or what the database says.
    pub async fn authenticate(&self, credentials: Credentials<'_>) -> Result<Principal, AuthError> {
        if let Some(explicit) = credentials.api_key.or(credentials.bearer) {
            return self.by_explicit(explicit, credentials.address).await;
        }
        match self.by_assertion(&credentials).await {
            Ok(Some(principal)) => {
                // A cookie may have been put there by a page of a neighbouring name.
                let is_of_the_edge = credentials.assertion.is_some();
                if let (true, true, Some(session)) =
                    (is_of_the_edge, principal.method.is_person(), credentials.session)
                {
                    self.end_foreign_session(session, &principal, credentials.address).await?;
                }
                return Ok(principal);
            }
            Ok(None) => {}
            // A cookie that Cloudflare left long ago says nothing against a session of ours.
            Err(AuthError::Unknown)
                if credentials.assertion.is_none() && credentials.session.is_some() => {}
            Err(error) => return Err(error),
        }
        match credentials.session {
            Some(session) => self.by_session(session).await,
            None => Err(AuthError::Unknown),
        }
    }

    async fn by_explicit(
        &self,
        credential: &str,
        address: Option<&str>,
    ) -> Result<Principal, AuthError> {
        if credential.starts_with(MARK) {
            return self.by_api_key(credential).await;
        }
        if self.is_static_key(credential) {
            return self.by_static_key().await;
        }
        // Each verifier takes the tokens of its own issuer alone, whatever they say.
        let issuer = claimed_issuer(credential).ok_or(AuthError::Unknown)?;
        match &self.0.oidc {
            _ if issuer == tokens::ISSUER => self.by_own_token(credential).await,
            Some(oidc) if issuer == oidc.issuer().name() => {
                self.by_oidc(oidc, credential, address).await
            }
            Some(_) | None => Err(AuthError::Unknown),
        }
    }

    /// Both sides go through the keyed hash, so the comparison takes the same time for any key.
    fn is_static_key(&self, key: &str) -> bool {
        let known = self.0.static_key.as_ref().zip(self.0.keys.first());
        known.is_some_and(|(tag, hash)| hmac::verify(hash, key.as_bytes(), tag.as_ref()).is_ok())
    }

    async fn by_static_key(&self) -> Result<Principal, AuthError> {
        let owner = self.0.store.account(&self.0.owner.email).await?.ok_or(AuthError::Unknown)?;
        if owner.disabled {
            return Err(disabled(&owner.email));
        }
        Ok(self.principal(&owner, Method::Key, Scopes::ALL))
    }

    /// Whom Cloudflare Access sends; nobody where it is not set up or says nothing.
    async fn by_assertion(
        &self,
        credentials: &Credentials<'_>,
    ) -> Result<Option<Principal>, AuthError> {
        let Some(access) = &self.0.access else { return Ok(None) };
        let visitor = match (credentials.assertion, credentials.assertion_cookie) {
            (None, None) => return Ok(None),
            (Some(one), None) | (None, Some(one)) => access.visitor(one).await?,
            (Some(header), Some(cookie)) => {
                let visitor = access.visitor(header).await?;
                // The cookie may be an old one; a good one of somebody else may not.
                if header != cookie
                    && access.visitor(cookie).await.is_ok_and(|other| other != visitor)
                {
                    return Err(AuthError::Unknown);
                }
                visitor
            }
        };
        match visitor {
            Visitor::Person { subject, email } => {
                if !self.0.settings.allowed_emails.contains(&email) {
                    return Err(AuthError::NotAllowed(format!(
                        "{email} is signed in at Cloudflare Access, but is not on this server's list. \
                         Its owner can put it into ALLOWED_EMAILS."
                    )));
                }
                let account = self
                    .account_of_person(Person {
                        issuer: access.issuer().name(),
                        subject: &subject,
                        email: Some(&email),
                        method: Method::Access,
                        address: credentials.address,
                    })
                    .await?;
                // Under another e-mail than the one that was just found on it.
                self.check_list(&account).await?;
                Ok(Some(self.principal(&account, Method::Access, Scopes::ALL)))
            }
            Visitor::Service { client_id } => {
                let email = access.account_of(&client_id).ok_or_else(|| {
                    AuthError::NotAllowed(format!(
                        "The service token {client_id} acts as nobody here. Name its account in \
                         ACCESS_SERVICE_TOKENS, or send an API key."
                    ))
                })?;
                let account = self.account_of_service(email, credentials.address).await?;
                Ok(Some(self.principal(&account, Method::Service, Scopes::ALL)))
            }
        }
    }

    async fn by_oidc(
        &self,
        oidc: &Oidc,
        token: &str,
        address: Option<&str>,
    ) -> Result<Principal, AuthError> {
        let bearer = oidc.bearer(token).await?;
        let account = self
            .account_of_person(Person {
                issuer: oidc.issuer().name(),
                subject: &bearer.subject,
                email: bearer.email.as_deref(),
                method: Method::Oidc,
                address,
            })
            .await?;
        Ok(self.principal(&account, Method::Oidc, bearer.scopes))
    }

    /// An account acting by `method` with at most these rights.
    pub(super) fn principal(&self, account: &Account, method: Method, most: Scopes) -> Principal {
        Principal {
            user: account.user,
            email: account.email.clone(),
            method,
            scopes: self.role(account).scopes().and(most),
            session: None,
            key: None,
        }
    }

    /// Whether somebody who came by Cloudflare Access is still on the list: off it, nothing that they
    /// made while they were on it opens the door either.
    pub(super) async fn check_list(&self, account: &Account) -> Result<(), AuthError> {
        let Some(access) = &self.0.access else { return Ok(()) };
        let is_listed = self.0.settings.allowed_emails.contains(&account.email);
        if is_listed || !account.has_identity || account.user == self.0.owner.user {
            return Ok(());
        }
        if self.0.store.has_identity(account.user, access.issuer().name()).await? {
            return Err(off_the_list(&account.email));
        }
        Ok(())
    }

    /// What an account is for. The list of admins names e-mails, so it counts only where somebody has
    /// shown that theirs is.
    pub(super) fn role(&self, account: &Account) -> Role {
        let is_owner = account.user == self.0.owner.user;
        let is_listed = account.proven && self.0.settings.admin_emails.contains(&account.email);
        if is_owner || is_listed { Role::Admin } else { account.role }
    }

    /// The hash by which a secret is found, and the one it was found by before the secret key changed.
    pub(super) fn hashes(&self, purpose: Purpose, secret: &str) -> Vec<Vec<u8>> {
        let hash = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            context.update(match purpose {
                Purpose::Link => b"link:",
                Purpose::Session => b"sess:",
                Purpose::Form => b"form:",
                Purpose::Csrf => b"csrf:",
                Purpose::Artifact => b"file:",
            });
            context.update(secret.as_bytes());
            context.sign().as_ref().to_vec()
        };
        self.0.keys.iter().map(hash).collect()
    }

    /// The hash that is written down.
    pub(super) fn hash(&self, purpose: Purpose, secret: &str) -> Vec<u8> {
        self.hashes(purpose, secret).swap_remove(0)
    }

    /// 256 random bits, hexadecimal.
    pub(super) fn random_token(&self) -> Result<String, AuthError> {
        let mut bytes = [0; 32];
        self.0.random.fill(&mut bytes).map_err(|_| AuthError::NoRandomness)?;
        Ok(hex(&bytes))
    }
}

pub(super) fn disabled(email: &str) -> AuthError {
    AuthError::NotAllowed(format!("The account {email} is disabled."))
}

impl From<TokenError> for AuthError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::Unknown,
            TokenError::NoKeys => Self::ProviderUnreachable,
        }
    }
}

/// Keeps the hashes of different secrets apart.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Link,
    Session,
    Form,
    Csrf,
    Artifact,
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::auth::{Caller, CreatedKey, KeyRequest, Scopes};
    use crate::ledger::Selection;

    async fn auth() -> (tempfile::TempDir, Auth, Arc<std::sync::atomic::AtomicI64>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let (clock, hand) = Clock::manual(1_000_000);
        let settings = Settings {
            static_key: Some(Secret::new("k".repeat(32))),
            session_life: Duration::from_secs(30 * 24 * 3600),
            session_idle: Duration::from_secs(7 * 24 * 3600),
            ..Settings::new(Secret::new(*b"0123456789abcdef0123456789abcdef"))
        };
        (folder, Auth::open(db, settings, clock).await.expect("accounts"), hand)
    }

    const BY: By<'static> = By { actor: "owner", method: "test", address: None };

    fn key(key: &str) -> Credentials<'_> {
        Credentials { api_key: Some(key), ..Credentials::default() }
    }

    fn session(id: &str) -> Credentials<'_> {
        Credentials { session: Some(id), ..Credentials::default() }
    }

    #[tokio::test]
    async fn a_link_signs_in_once() {
        let (_folder, auth, _) = auth().await;
        let token = auth.issue_link(BY).await.expect("a link");
        let id = auth.sign_in(&token, &Caller::default()).await.expect("a session");
        let principal = auth.authenticate(session(&id)).await.expect("the owner");
        assert_eq!((principal.email.as_str(), principal.method), ("owner", Method::Session));
        assert!(
            matches!(auth.sign_in(&token, &Caller::default()).await, Err(AuthError::Unknown)),
            "spent"
        );
        auth.sign_out(&id, None).await.expect("signed out");
        assert!(matches!(auth.authenticate(session(&id)).await, Err(AuthError::Unknown)));
    }

    #[tokio::test]
    async fn a_link_is_void_after_15_minutes_and_when_a_new_one_is_made() {
        let (_folder, auth, hand) = auth().await;
        let old = auth.issue_link(BY).await.expect("a link");
        let new = auth.issue_link(BY).await.expect("a link");
        assert!(auth.sign_in(&old, &Caller::default()).await.is_err());
        hand.fetch_add(15 * 60 * 1000 + 1, Ordering::AcqRel);
        assert!(auth.sign_in(&new, &Caller::default()).await.is_err());
    }

    #[tokio::test]
    async fn an_unused_session_ends_after_a_week() {
        let (_folder, auth, hand) = auth().await;
        let token = auth.issue_link(BY).await.expect("a link");
        let id = auth.sign_in(&token, &Caller::default()).await.expect("a session");
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
        let by = BY;
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
        let token = auth.issue_link(BY).await.expect("a link");
        let id = auth.sign_in(&token, &Caller::default()).await.expect("a session");
        let key = "k".repeat(32);
        let right = Credentials { api_key: Some(&key), ..Credentials::default() };
        assert_eq!(auth.authenticate(right).await.expect("the owner").method, Method::Key);
        let wrong = Credentials { bearer: Some("wrong"), ..session(&id) };
        assert!(matches!(auth.authenticate(wrong).await, Err(AuthError::Unknown)));
    }
}
