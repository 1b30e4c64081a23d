//! The keys of an issuer: fetched, kept, renewed before they are needed.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::base::Clock;
use crate::outbound::Client;

/// Keys are renewed when they are this old …
const FRESH: Duration = Duration::from_secs(3600);
/// … and no longer believed when this old, though the issuer does not answer.
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// A token with an unknown key makes us ask at most this often.
const PAUSE: Duration = Duration::from_secs(60);
/// As long as there is no key at all, everybody waits for one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Largest document.
const DOCUMENT_BYTES: usize = 64 * 1024;

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub(in crate::auth) enum KeysAt {
    /// In this JWK set (RFC 7517).
    Set(String),
    /// In the set that the discovery document of this issuer names (OpenID Connect Discovery 1.0).
    Discovery(String),
}

/// A key that signatures are checked with, and the one algorithm it is for.
#[derive(Clone)]
pub(super) struct PublicKey {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of this name.
    Unknown,
    /// The issuer's keys have not come, or not for too long.
    Unreachable,
}

/// The keys of one issuer.
pub(in crate::auth) struct Keyset {
    at: KeysAt,
    client: Client,
    clock: Clock,
    held: RwLock<Held>,
    /// One fetch at a time.
    fetching: Mutex<()>,
}

/// Times by the monotonic clock: nobody gains a key by setting the other one.
#[derive(Default)]
struct Held {
    keys: HashMap<String, Arc<PublicKey>>,
    fetched_at: Option<i64>,
    tried_at: Option<i64>,
    /// When a token with an unknown key made us ask.
    unknown_at: Option<i64>,
}

/// Why an issuer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason<'a> {
    /// The keys are missing or old.
    Age,
    /// A token names a key that is not among them: the issuer may have changed them, or somebody
    /// makes names up.
    UnknownKey(&'a str),
}

impl Held {
    fn age(&self, now: i64) -> Option<i64> {
        self.fetched_at.map(|at| now - at)
    }

    fn may_ask(&self, reason: Reason<'_>, now: i64) -> bool {
        let (last, pause) = match reason {
            _ if self.keys.is_empty() => (self.tried_at, FIRST_PAUSE),
            Reason::Age => (self.tried_at, PAUSE),
            Reason::UnknownKey(_) => (self.unknown_at, PAUSE),
        };
        last.is_none_or(|at| now - at >= millis(pause))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Keyset {
    pub(in crate::auth) fn new(at: KeysAt, client: Client, clock: Clock) -> Arc<Self> {
        let (held, fetching) = (RwLock::default(), Mutex::default());
        Arc::new(Self { at, client, clock, held, fetching })
    }

    /// The key of this name. One that is held is given at once, and renewed beside the request when it
    /// is old; for one that is not, the issuer is asked, but not more often than once a minute.
    pub(super) async fn key(self: &Arc<Self>, kid: &str) -> Result<Arc<PublicKey>, NoKey> {
        let now = self.clock.monotonic_ms();
        if let Some((key, age)) = self.held(kid, now) {
            if age >= millis(FRESH) && self.read(|held| held.may_ask(Reason::Age, now)) {
                let keyset = Arc::clone(self);
                tokio::spawn(async move { keyset.renew(Reason::Age).await });
            }
            return Ok(key);
        }
        self.renew(Reason::UnknownKey(kid)).await;
        match self.held(kid, now) {
            Some((key, _)) => Ok(key),
            None if self.read(|held| held.age(now).is_none_or(|age| age >= millis(USABLE))) => {
                Err(NoKey::Unreachable)
            }
            None => Err(NoKey::Unknown),
        }
    }

    /// Whether a key of this name is still believed.
    pub(super) fn holds(&self, kid: &str) -> bool {
        self.held(kid, self.clock.monotonic_ms()).is_some()
    }

    fn held(&self, kid: &str, now: i64) -> Option<(Arc<PublicKey>, i64)> {
        self.read(|held| {
            let age = held.age(now).filter(|age| *age < millis(USABLE))?;
            held.keys.get(kid).map(|key| (Arc::clone(key), age))
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Held) -> T) -> T {
        look(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for the keys before the first token does.
    pub(super) async fn warm_up(&self) {
        self.renew(Reason::Age).await;
    }

    /// Asks the issuer, unless somebody has just done so. Keys that are held stay when it fails.
    async fn renew(&self, reason: Reason<'_>) {
        let _alone = self.fetching.lock().await;
        let now = self.clock.monotonic_ms();
        if let Reason::UnknownKey(kid) = reason
            && self.held(kid, now).is_some()
        {
            // It came while this one waited for its turn.
            return;
        }
        {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            if !held.may_ask(reason, now) {
                return;
            }
            held.tried_at = Some(now);
            if matches!(reason, Reason::UnknownKey(_)) && !held.keys.is_empty() {
                held.unknown_at = Some(now);
            }
        }
        let fetched = self.fetch().await;
        // Who has waited for this one does not ask again: the pause begins when the answer is there.
        self.held.write().unwrap_or_else(PoisonError::into_inner).tried_at =
            Some(self.clock.monotonic_ms());
        match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "keys of the identity provider are here");
                let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
                held.keys = keys;
                held.fetched_at = Some(now);
            }
            Err(error) => {
                tracing::warn!(error, "the identity provider's keys cannot be fetched");
            }
        }
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<PublicKey>>, String> {
        let get = async |url: &str| {
            let document = self.client.get(url, DOCUMENT_BYTES).await;
            document.map_err(|error| format!("{url}: {error}"))
        };
        let url = match &self.at {
            KeysAt::Set(url) => url.clone(),
            KeysAt::Discovery(issuer) => {
                let base = issuer.trim_end_matches('/');
                let url = format!("{base}/.well-known/openid-configuration");
                named_set(&get(&url).await?, issuer).map_err(|error| format!("{url}: {error}"))?
            }
        };
        let keys = parse(&get(&url).await?).map_err(|error| format!("{url}: {error}"))?;
        if keys.is_empty() {
            return Err(format!("{url}: there is no key for signatures in it"));
        }
        Ok(keys)
    }
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// Where the discovery document says that the keys are.
fn named_set(document: &[u8], issuer: &str) -> Result<String, String> {
    let Discovery { issuer: named, jwks_uri } =
        serde_json::from_slice(document).map_err(|error| error.to_string())?;
    if named != issuer {
        return Err(format!("this is the document of \"{named}\", not of \"{issuer}\""));
    }
    // As safe as the issuer itself: a document from loopback may name loopback.
    let may_be_plain = issuer.starts_with("http://");
    if !(jwks_uri.starts_with("https://") || may_be_plain && jwks_uri.starts_with("http://")) {
        return Err(format!("its keys are at \"{jwks_uri}\", which is not https"));
    }
    Ok(jwks_uri)
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that we can use; what else is in it is the issuer's business.
fn parse(document: &[u8]) -> Result<HashMap<String, Arc<PublicKey>>, String> {
    let set: Set = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let usable = set.keys.into_iter().filter_map(|key| {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let public = usable(&key)?;
        Some((key.kid, Arc::new(public)))
    });
    Ok(usable.collect())
}

fn usable(key: &Jwk) -> Option<PublicKey> {
    if key.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let (algorithm, public) = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => {
            let key = DecodingKey::from_rsa_components(key.n.as_ref()?, key.e.as_ref()?);
            (Algorithm::RS256, key.ok()?)
        }
        ("EC", Some("P-256")) => {
            let key = DecodingKey::from_ec_components(key.x.as_ref()?, key.y.as_ref()?);
            (Algorithm::ES256, key.ok()?)
        }
        _ => return None,
    };
    let name = match algorithm {
        Algorithm::ES256 => "ES256",
        _ => "RS256",
    };
    // A key for another algorithm of its family is not ours to use.
    key.alg.as_deref().is_none_or(|alg| alg == name).then_some(PublicKey { algorithm, key: public })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn only_keys_for_our_signatures_are_taken() {
        let document = br#"{"keys": [
            {"kty": "RSA", "kid": "a", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": "b", "use": "enc", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": "c", "alg": "RS512", "n": "AQAB", "e": "AQAB"},
            {"kty": "EC", "kid": "d", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
            {"kty": "EC", "kid": "e", "crv": "P-521", "x": "AQAB", "y": "AQAB"},
            {"kty": "oct", "kid": "f", "k": "AQAB"},
            {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
            "nonsense"
        ]}"#;
        let mut names: Vec<String> = parse(document).expect("a set").into_keys().collect();
        names.sort();
        assert_eq!(names, ["a", "d"]);
        assert!(parse(b"{}").is_err() && parse(b"<html>").is_err());
    }

    #[test]
    fn a_discovery_document_speaks_for_its_own_issuer_and_over_tls() {
        let document = |issuer: &str, keys: &str| {
            format!(r#"{{"issuer": "{issuer}", "jwks_uri": "{keys}"}}"#).into_bytes()
        };
        let ours = "https://id.example.org/";
        let of = |issuer: &str, keys: &str| named_set(&document(issuer, keys), ours);
        assert_eq!(
            of(ours, "https://keys.example.org/a").expect("a set"),
            "https://keys.example.org/a"
        );
        assert!(of("https://id.example.org", "https://keys.example.org/a").is_err(), "not exact");
        assert!(of(ours, "http://keys.example.org/a").is_err(), "not over TLS");
    }
    /// An issuer with one key: how often it was asked, and whether it answers.
    async fn issuer() -> (String, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let (asked, is_down) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, down) = (Arc::clone(&asked), Arc::clone(&is_down));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                count.fetch_add(1, Ordering::AcqRel);
                let key = r#"{"keys": [{"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"}]}"#;
                let status = if down.load(Ordering::Acquire) { "503 Down" } else { "200 OK" };
                let length = key.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{key}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (url, asked, is_down)
    }

    #[tokio::test]
    async fn keys_are_fetched_once_renewed_hourly_and_believed_for_a_day() {
        const MINUTE: i64 = 60_000;
        let (url, asked, is_down) = issuer().await;
        let (clock, hand) = Clock::by_hand(1_000_000);
        let client = Client::new(Duration::from_secs(5)).expect("a client");
        let keyset = Keyset::new(KeysAt::Set(url), client, clock);
        let many = futures_util::future::join_all((0..50).map(|_| keyset.key("a"))).await;
        assert!(many.iter().all(Result::is_ok));
        assert_eq!(asked.load(Ordering::Acquire), 1, "one fetch for all who wait");
        let pass = |minutes: i64| hand.fetch_add(minutes * MINUTE, Ordering::AcqRel);
        let fetched = async |times: usize| {
            for _ in 0..500 {
                if asked.load(Ordering::Acquire) == times {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // The answer is on its way; the lock is free once it is there.
            drop(keyset.fetching.lock().await);
            assert_eq!(asked.load(Ordering::Acquire), times);
        };
        pass(59);
        assert!(keyset.key("a").await.is_ok());
        fetched(1).await;
        pass(2);
        assert!(keyset.key("a").await.is_ok(), "given at once, renewed beside it");
        fetched(2).await;
        is_down.store(true, Ordering::Release);
        pass(23 * 60);
        assert!(keyset.key("a").await.is_ok(), "old, but the issuer does not answer");
        fetched(3).await;
        pass(61);
        assert_eq!(keyset.key("a").await.err(), Some(NoKey::Unreachable), "not for ever");
        is_down.store(false, Ordering::Release);
        pass(2);
        assert!(keyset.key("a").await.is_ok(), "it is back");
    }
}
