//! Tokens of an OpenID Connect issuer: whom they are about, and what they let a script do.

use std::time::Duration;

use super::jwt::{Issuer, KeysAt, Keyset, RS256_ES256, TokenError};
use super::scope::Scopes;
use crate::base::Clock;
use crate::outbound::{Client, OutboundError};

/// Whose tokens are taken.
#[derive(Clone, Debug, Default)]
pub struct OidcSettings {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// Whom a token must be for.
    pub audience: String,
    /// The issuer answers within this time.
    pub timeout: Duration,
}

/// Whom a token is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bearer {
    pub(super) subject: String,
    /// Only one that the issuer has verified: anybody can claim one.
    pub(super) email: Option<String>,
    pub(super) scopes: Scopes,
}

/// The issuer as it is set up here.
pub(super) struct Oidc(Issuer);

impl Oidc {
    pub(super) fn new(settings: OidcSettings, clock: &Clock) -> Result<Self, OutboundError> {
        let OidcSettings { issuer, audience, timeout } = settings;
        let client = Client::new(timeout)?;
        let keys = Keyset::new(KeysAt::Discovery(issuer.clone()), client, clock.clone());
        Ok(Self(Issuer::new(issuer, vec![audience], RS256_ES256, keys, clock.clone())))
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.0
    }

    /// Whom a token is about. Where it names scopes of ours it has those, else those of anybody.
    pub(super) async fn bearer(&self, token: &str) -> Result<Bearer, TokenError> {
        let claims = self.0.verify(token).await?;
        // At most 255 ASCII characters (OpenID Connect Core, section 2); it becomes part of a name.
        let is_subject = |subject: &String| {
            (1..=255).contains(&subject.len())
                && subject.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        let subject = claims.sub.clone().filter(is_subject);
        let subject = subject.ok_or(TokenError::Invalid)?;
        // For several audiences, it says to whom it was given (OpenID Connect Core, section 2).
        if claims.aud.len() > 1 && claims.azp.as_deref().is_none_or(str::is_empty) {
            return Err(TokenError::Invalid);
        }
        let named = claims.scope.as_deref().unwrap_or_default().split(' ');
        let ours: Vec<&str> = named.filter(|word| word.parse::<Scopes>().is_ok()).collect();
        let ours: Scopes = ours.join(" ").parse().unwrap_or_default();
        let email = claims.email.as_deref().filter(|_| claims.email_verified == Some(true));
        Ok(Bearer {
            subject,
            email: email.map(str::to_ascii_lowercase),
            scopes: if ours.is_empty() { Scopes::JOBS } else { ours },
        })
    }
}
