//! JSON Web Tokens of others: whose they are, whether they hold (RFC 7519, RFC 8725).
//!
//! Owns: signatures, times, issuer, audience; the issuer's keys. Never: who a token's subject is here.
//! Used by: `auth::access`, `auth::oidc`, `auth::tokens`.

mod claims;
mod crypto;
mod keyset;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use ring::digest;

pub(super) use claims::Claims;
pub(super) use crypto::install;
use keyset::NoKey;
pub(super) use keyset::{KeysAt, Keyset};

use crate::base::Clock;

/// Longest token, in bytes.
const TOKEN_BYTES: usize = 16 * 1024;

/// Tokens whose proof is remembered.
const REMEMBERED: usize = 4096;

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// It is forged, too old, or for somebody else.
    Invalid,
    /// The issuer's keys have never come.
    NoKeys,
}

/// One issuer, and what a token of it must be.
pub(super) struct Issuer {
    name: String,
    audiences: Vec<String>,
    algorithms: &'static [Algorithm],
    keys: Arc<Keyset>,
    clock: Clock,
    seen: Mutex<HashMap<[u8; 32], Seen>>,
}

/// A token whose signature was good. Whether its times and its key still are is asked each time.
struct Seen {
    kid: String,
    claims: Arc<Claims>,
}

/// Signatures of Cloudflare Access.
pub(super) const RS256: &[Algorithm] = &[Algorithm::RS256];
/// Signatures of OpenID Connect issuers.
pub(super) const RS256_ES256: &[Algorithm] = &[Algorithm::RS256, Algorithm::ES256];

impl Issuer {
    pub(super) fn new(
        name: String,
        audiences: Vec<String>,
        algorithms: &'static [Algorithm],
        keys: Arc<Keyset>,
        clock: Clock,
    ) -> Self {
        install();
        Self { name, audiences, algorithms, keys, clock, seen: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Asks for the keys before the first token does.
    pub(super) fn warm_up(&self) {
        let keys = Arc::clone(&self.keys);
        tokio::spawn(async move { keys.warm_up().await });
    }

    /// What a token says, when all of it holds: signed by a key of this issuer with an algorithm that
    /// we chose, from this issuer, for us, now.
    pub(super) async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > TOKEN_BYTES {
            return Err(TokenError::Invalid);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.remembered(&hash) {
            return Ok(claims);
        }
        let header = decode_header(token).map_err(|_| self.refused("not a token"))?;
        // What we do not know may not be critical (RFC 7515, section 4.1.11); keys that a token brings
        // along or points to are not looked at.
        let kid = header.kid.filter(|_| header.crit.is_none());
        let kid = kid.ok_or_else(|| self.refused("no key named, or something critical"))?;
        if !self.algorithms.contains(&header.alg) {
            return Err(self.refused("another algorithm"));
        }
        let key = self.keys.key(&kid).await.map_err(|error| match error {
            NoKey::Unknown => self.refused("unknown key"),
            NoKey::Unreachable => TokenError::NoKeys,
        })?;
        let mut validation = Validation::new(key.algorithm);
        // Times go by our clock and audiences by our list: see `Claims`.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let claims = decode::<Claims>(token, &key.key, &validation);
        let claims = claims.map_err(|_| self.refused("a wrong signature, or claims of no use"))?;
        let claims = Arc::new(claims.claims);
        if claims.iss != self.name {
            return Err(self.refused("another issuer"));
        }
        if !claims.is_for(&self.audiences) {
            return Err(self.refused("another audience: is the right one set?"));
        }
        if !claims.hold_at(self.clock.wall_ms()) {
            return Err(self.refused("over, or not begun: is the clock right?"));
        }
        self.remember(hash, Seen { kid, claims: Arc::clone(&claims) });
        Ok(claims)
    }

    /// Says why in the log, never what the token is: a mistyped setting would be silent otherwise.
    fn refused(&self, why: &str) -> TokenError {
        tracing::info!(issuer = self.name, why, "a token is refused");
        TokenError::Invalid
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Arc<Claims>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let found = seen.get(hash)?;
        if found.claims.hold_at(self.clock.wall_ms()) && self.keys.holds(&found.kid) {
            return Some(Arc::clone(&found.claims));
        }
        seen.remove(hash);
        None
    }

    fn remember(&self, hash: [u8; 32], token: Seen) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            let now = self.clock.wall_ms();
            seen.retain(|_, seen| seen.claims.hold_at(now));
        }
        // Only who holds good tokens can fill it; starting anew costs a signature each.
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(hash, token);
    }
}

/// Whose a token says it is, not believed: only to choose who is to verify it.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Issued {
        iss: String,
    }
    let payload = token.split('.').nth(1).filter(|_| token.len() <= TOKEN_BYTES)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice::<Issued>(&payload).ok().map(|issued| issued.iss)
}
