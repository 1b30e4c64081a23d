//! An identity provider that stands in for Cloudflare Access and OpenID Connect: it publishes real
//! keys, signs real tokens, counts who asks, and can be made to fail.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

pub const AUDIENCE: &str = "the-tag-of-our-application";

/// A provider that listens.
pub struct Issuer {
    pub address: String,
    keys: Arc<Mutex<Vec<Value>>>,
    pub asked: Arc<AtomicUsize>,
    pub is_down: Arc<AtomicBool>,
    /// What it says has no end.
    pub is_endless: Arc<AtomicBool>,
    /// Bytes of endless answers that somebody took.
    pub taken: Arc<AtomicUsize>,
}

/// A key that signs, and its name.
pub enum Key {
    Rsa(String, RsaKeyPair),
    Ec(String, EcdsaKeyPair),
}

impl Issuer {
    /// Listens, with these keys published.
    pub fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let issuer = Self {
            address: address.clone(),
            keys: Arc::default(),
            asked: Arc::default(),
            is_down: Arc::default(),
            is_endless: Arc::default(),
            taken: Arc::default(),
        };
        issuer.publish(keys);
        let (keys, asked) = (Arc::clone(&issuer.keys), Arc::clone(&issuer.asked));
        let is_down = Arc::clone(&issuer.is_down);
        let (is_endless, taken) = (Arc::clone(&issuer.is_endless), Arc::clone(&issuer.taken));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let first = lines.next().unwrap_or_default();
                let _ = lines.find(String::is_empty);
                asked.fetch_add(1, Ordering::AcqRel);
                let body = if first.contains("openid-configuration") {
                    json!({"issuer": address, "jwks_uri": format!("{address}/keys")})
                } else {
                    json!({ "keys": *keys.lock().expect("the keys") })
                };
                if is_endless.load(Ordering::Acquire) {
                    let head =
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"keys\":[";
                    let mut piece = head.as_bytes().to_vec();
                    while (&stream).write_all(&piece).is_ok() {
                        taken.fetch_add(piece.len(), Ordering::AcqRel);
                        piece = vec![b' '; 64 * 1024];
                    }
                    continue;
                }
                let status = if is_down.load(Ordering::Acquire) { "503 Down" } else { "200 OK" };
                let body = body.to_string();
                let _ = write!(
                    &stream,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        issuer
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: &[&Key]) {
        *self.keys.lock().expect("the keys") = keys.iter().map(|key| key.published()).collect();
    }

    /// How often somebody asked for the keys.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }

    /// What Access says of a person.
    pub fn person(&self, email: &str) -> Value {
        let mut claims = self.claims();
        claims["email"] = json!(email);
        claims["sub"] = json!(format!("subject of {}", email.to_ascii_lowercase()));
        claims["nbf"] = claims["iat"].clone();
        claims
    }

    /// What Access says of a service token: no e-mail, an empty subject, no `nbf`.
    pub fn service(&self, client_id: &str) -> Value {
        let mut claims = self.claims();
        claims["common_name"] = json!(client_id);
        claims["sub"] = json!("");
        claims
    }

    fn claims(&self) -> Value {
        let now = now();
        json!({"iss": self.address, "aud": [AUDIENCE], "type": "app", "iat": now, "exp": now + 600})
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    /// A new RSA key; the `openssl` command makes it, which ring cannot.
    pub fn rsa(name: &str) -> Self {
        let made = Command::new("openssl")
            .args(["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .args(["-outform", "DER"])
            .output()
            .expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pair =
            RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout));
        Self::Rsa(name.to_owned(), pair.expect("a key"))
    }

    pub fn ec(name: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).expect("a key");
        Self::Ec(name.to_owned(), pair)
    }

    fn name(&self) -> &str {
        match self {
            Self::Rsa(name, _) | Self::Ec(name, _) => name,
        }
    }

    fn published(&self) -> Value {
        match self {
            Self::Rsa(name, pair) => {
                let public: PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({
                    "kty": "RSA", "kid": name, "use": "sig", "alg": "RS256",
                    "n": encoded(public.n), "e": encoded(public.e),
                })
            }
            Self::Ec(name, pair) => {
                let point = &pair.public_key().as_ref()[1..];
                json!({
                    "kty": "EC", "kid": name, "use": "sig", "alg": "ES256", "crv": "P-256",
                    "x": encoded(&point[..32]), "y": encoded(&point[32..]),
                })
            }
        }
    }

    /// The bytes of the public key, as somebody would take them for an HMAC secret.
    pub fn public_bytes(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_, pair) => pair.public().as_ref().to_vec(),
            Self::Ec(_, pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// A good token that says `claims`.
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = match self {
            Self::Rsa(..) => "RS256",
            Self::Ec(..) => "ES256",
        };
        self.sign_under(&json!({"alg": algorithm, "kid": self.name(), "typ": "JWT"}), claims)
    }

    /// A token with any header, signed as it should be for the right one.
    pub fn sign_under(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(header, &claims.to_string())
    }

    /// As above, of a text that need not be what a serialiser writes.
    pub fn sign_text(&self, header: &Value, claims: &str) -> String {
        let message = format!("{}.{}", encoded(header.to_string()), encoded(claims));
        let random = SystemRandom::new();
        let proof = match self {
            Self::Rsa(_, pair) => {
                let mut proof = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut proof)
                    .expect("signed");
                proof
            }
            Self::Ec(_, pair) => {
                pair.sign(&random, message.as_bytes()).expect("signed").as_ref().to_vec()
            }
        };
        format!("{message}.{}", encoded(proof))
    }
}

/// A token under a header, with a proof of any kind.
pub fn forged(header: &Value, claims: &Value, proof: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
    let proof = encoded(proof(message.as_bytes()));
    format!("{message}.{proof}")
}
