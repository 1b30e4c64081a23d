//! Tokens of our own: an access token for an hour, a refresh token that is good once (RFC 6749, 6819).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::Serialize;
use uuid::Uuid;

use super::credentials::{Caller, Method, Principal};
use super::jwt::{self, Claims};
use super::scope::Scopes;
use super::service::{Auth, AuthError, Settings};
use super::store::{Account, Origin, Store, Turn};
use crate::ledger::{Act, By, Outcome};

/// As our tokens name who made them. No other issuer can be called so: theirs are addresses.
pub(super) const ISSUER: &str = "audiomill";

/// What a token of ours is for; each kind has its own audience, so that none passes for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Access,
    Refresh,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }

    const fn audience(self) -> &'static str {
        match self {
            Self::Access => "audiomill:access",
            Self::Refresh => "audiomill:refresh",
        }
    }
}

/// The keys of our tokens, and how long these live.
pub(super) struct Tokens {
    signing: EncodingKey,
    /// The current key, then the one before it.
    verifying: Vec<DecodingKey>,
    access_life: Duration,
    refresh_life: Duration,
}

/// Two tokens that were just made.
#[derive(Debug)]
pub struct TokenPair {
    /// Sent with every request.
    pub access: String,
    /// Exchanged for the next pair, once.
    pub refresh: String,
    /// Life of the access token.
    pub expires_in: Duration,
}

#[derive(Serialize)]
struct Made<'a> {
    iss: &'static str,
    aud: &'static str,
    typ: &'static str,
    sub: String,
    jti: &'a str,
    family: &'a str,
    iat: i64,
    exp: i64,
}

impl Tokens {
    pub(super) fn new(settings: &Settings) -> Self {
        jwt::install();
        let secret = settings.token_secret.as_ref().unwrap_or(&settings.secret);
        // With a key of their own, tokens do not follow the other one's changes.
        let previous =
            settings.previous_secret.as_ref().filter(|_| settings.token_secret.is_none());
        let keys = std::iter::once(secret).chain(previous);
        Self {
            signing: EncodingKey::from_secret(secret.expose()),
            verifying: keys.map(|key| DecodingKey::from_secret(key.expose())).collect(),
            access_life: settings.access_token_life,
            refresh_life: settings.refresh_token_life,
        }
    }

    fn make(
        &self,
        kind: Kind,
        subject: String,
        id: &str,
        family: &str,
        now: i64,
    ) -> Option<String> {
        let life = match kind {
            Kind::Access => self.access_life,
            Kind::Refresh => self.refresh_life,
        };
        let iat = now / 1000;
        let made = Made {
            iss: ISSUER,
            aud: kind.audience(),
            typ: kind.as_str(),
            sub: subject,
            jti: id,
            family,
            iat,
            exp: iat.saturating_add(i64::try_from(life.as_secs()).unwrap_or(i64::MAX)),
        };
        encode(&Header::new(Algorithm::HS256), &made, &self.signing).ok()
    }

    /// What a token of this kind says, if it is ours and good at `now`. Our own clock made it, so there
    /// is no minute of grace.
    fn verify(&self, kind: Kind, token: &str, now: i64) -> Option<Claims> {
        self.read(kind, token)
            .filter(|claims| claims.exp.is_some_and(|exp| exp * 1000.0 > now as f64))
    }

    /// What a token of this kind says, if it is ours, whether it is over or not.
    fn read(&self, kind: Kind, token: &str) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = self
            .verifying
            .iter()
            .find_map(|key| decode::<Claims>(token, key, &validation).ok())?
            .claims;
        let holds = claims.iss == ISSUER
            && claims.aud == [kind.audience()]
            && claims.typ.as_deref() == Some(kind.as_str());
        holds.then_some(claims)
    }
}

impl Auth {
    /// Signs a script in by e-mail and password.
    ///
    /// # Errors
    /// Those of [`Auth::sign_in_by_password`].
    pub async fn issue_tokens(
        &self,
        email: &str,
        password: &str,
        caller: &Caller<'_>,
    ) -> Result<TokenPair, AuthError> {
        let (account, origin) = self.by_password(email, password, caller).await?;
        // The development password is for the form: what it opens ends with the list, and soon.
        if origin == Origin::Form {
            return Err(AuthError::Unknown);
        }
        self.check_list(&account).await?;
        let family = Uuid::new_v4().to_string();
        let refresh_id = Uuid::new_v4().to_string();
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let ends = now + super::service::millis(self.inner().tokens.refresh_life);
        Store::add_family(&mut tx, &family, account.user, &refresh_id, now, ends).await?;
        let act = Act {
            actor: Some(&account.email),
            method: origin.as_str(),
            address: caller.address,
            action: "token.issue",
            target: Some(&family),
            ..Act::default()
        };
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        tx.commit().await?;
        self.pair(&account, &family, &refresh_id)
    }

    /// Exchanges a refresh token for the next pair. One that was exchanged before has been stolen by
    /// somebody, so everything that came of the same sign-in ends.
    ///
    /// # Errors
    /// `Unknown`.
    pub async fn refresh_tokens(
        &self,
        refresh: &str,
        caller: &Caller<'_>,
    ) -> Result<TokenPair, AuthError> {
        let now = self.now();
        let claims = self.inner().tokens.verify(Kind::Refresh, refresh, now);
        let (family, id) =
            claims.and_then(|claims| claims.family.zip(claims.jti)).ok_or(AuthError::Unknown)?;
        let account = self.store().account_of_family(&family, now).await?;
        let account = account.ok_or(AuthError::Unknown)?;
        self.check_list(&account).await?;
        let next = Uuid::new_v4().to_string();
        let ends = now + super::service::millis(self.inner().tokens.refresh_life);
        let mut tx = self.store().begin().await?;
        let turn = Store::turn_family(&mut tx, &family, &id, &next, now, ends).await?;
        if turn == Turn::Reused {
            let act = Act {
                actor: Some(&account.email),
                method: "refresh",
                address: caller.address,
                action: "token.reuse",
                target: Some(&family),
                ..Act::default()
            };
            self.ledger().record(&mut tx, &act, Outcome::Refused).await?;
            tracing::warn!(user = %account.user, "a refresh token came twice; its family has ended");
        }
        tx.commit().await?;
        match turn {
            Turn::Turned => self.pair(&account, &family, &next),
            Turn::Reused | Turn::Ended => Err(AuthError::Unknown),
        }
    }

    /// Ends everything that came of the sign-in of this access or refresh token, also when the token
    /// itself is over. One whose sign-in has ended changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn end_tokens(&self, token: &str, caller: &Caller<'_>) -> Result<(), AuthError> {
        let now = self.now();
        let tokens = &self.inner().tokens;
        let claims = tokens.read(Kind::Access, token).or_else(|| tokens.read(Kind::Refresh, token));
        let Some(family) = claims.and_then(|claims| claims.family) else { return Ok(()) };
        let Some(found) = self.store().account_of_family(&family, now).await? else {
            return Ok(());
        };
        let mut tx = self.store().begin().await?;
        Store::end_family(&mut tx, &family, now).await?;
        let by = By { actor: &found.email, method: "token", address: caller.address };
        let act = by.act("token.end", &family, serde_json::json!({}));
        self.ledger().record(&mut tx, &act, Outcome::Done).await?;
        Ok(tx.commit().await?)
    }

    /// Who an access token of ours proves: as long as it holds and its sign-in has not ended.
    pub(super) async fn by_own_token(&self, token: &str) -> Result<Principal, AuthError> {
        let now = self.now();
        let claims = self.inner().tokens.verify(Kind::Access, token, now);
        let family = claims.and_then(|claims| claims.family).ok_or(AuthError::Unknown)?;
        let account = self.store().account_of_family(&family, now).await?;
        let account = account.ok_or(AuthError::Unknown)?;
        self.check_list(&account).await?;
        Ok(self.principal(&account, Method::Token, Scopes::ALL))
    }

    fn pair(
        &self,
        account: &Account,
        family: &str,
        refresh_id: &str,
    ) -> Result<TokenPair, AuthError> {
        let tokens = &self.inner().tokens;
        let now = self.now();
        let make = |kind, id: &str| tokens.make(kind, account.user.to_string(), id, family, now);
        let access = make(Kind::Access, &Uuid::new_v4().to_string());
        let refresh = make(Kind::Refresh, refresh_id);
        let (access, refresh) = access.zip(refresh).ok_or(AuthError::NoRandomness)?;
        Ok(TokenPair { access, refresh, expires_in: tokens.access_life })
    }
}
