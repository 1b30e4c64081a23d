//! Passwords: what one has to be, and its hash (argon2id, RFC 9106).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use super::AuthError;

/// Each hash takes 19 MiB and some tens of milliseconds of a core; so many are made at once.
const AT_ONCE: usize = 2;

/// A turn comes within this time, or too many want one.
const TURN: Duration = Duration::from_secs(10);

/// Shortest, and longest that is hashed.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=256;

/// What guessers try first, as far as it has a letter and a digit; compared without case.
const COMMON: &str = include_str!("common_passwords.txt");

/// Verified in place of the password of an account that is not there, so that both take their time.
static NOBODY: LazyLock<Option<String>> =
    LazyLock::new(|| hash_now("nobody has this password").ok());

/// Hashes and verifies, a few at a time, beside the requests.
#[derive(Debug)]
pub(super) struct Passwords(Arc<Semaphore>);

impl Passwords {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// The hash of a new password, as a PHC string.
    ///
    /// # Errors
    /// `Invalid` with what it lacks.
    pub(super) async fn hash(&self, password: &str, email: &str) -> Result<String, AuthError> {
        check(password, email).map_err(AuthError::Invalid)?;
        let password = password.to_owned();
        self.beside(move || hash_now(&password)).await?.map_err(|()| AuthError::NoRandomness)
    }

    /// Whether it is the password of this hash; without a hash it is not, and takes as long.
    pub(super) async fn verify(
        &self,
        password: &str,
        hash: Option<String>,
    ) -> Result<bool, AuthError> {
        if password.len() > *LENGTH.end() {
            return Ok(false);
        }
        let password = password.to_owned();
        self.beside(move || {
            let is_somebody = hash.is_some();
            let Some(hash) = hash.or_else(|| NOBODY.clone()) else { return false };
            let Ok(parsed) = PasswordHash::new(&hash) else { return false };
            Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && is_somebody
        })
        .await
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AuthError> {
        let turn = tokio::time::timeout(TURN, Arc::clone(&self.0).acquire_owned()).await;
        let turn = turn.map_err(|_| AuthError::Busy)?.map_err(|_| AuthError::Busy)?;
        let worked = tokio::task::spawn_blocking(move || {
            // Held until the work ends, also when whoever asked has left.
            let _turn = turn;
            work()
        });
        worked.await.map_err(|_| AuthError::NoRandomness)
    }
}

fn hash_now(password: &str) -> Result<String, ()> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|_| ())
}

/// What a password lacks.
fn check(password: &str, email: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < *LENGTH.start() || password.len() > *LENGTH.end() {
        return Err(format!("A password has {} to {} characters.", LENGTH.start(), LENGTH.end()));
    }
    if !password.chars().any(char::is_alphabetic) || !password.chars().any(|c| c.is_ascii_digit()) {
        return Err(String::from("A password has a letter and a digit."));
    }
    let lower = password.to_lowercase();
    let name = email.split('@').next().unwrap_or_default().to_lowercase();
    // A name and a few digits behind it.
    let is_name = name.len() > 2
        && lower.strip_prefix(&name).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    if is_name || lower == email.to_lowercase() || COMMON.lines().any(|line| line == lower) {
        return Err(String::from("This password is one of those that are tried first."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_long_mixed_uncommon_and_found_again() {
        let passwords = Passwords::new();
        for (password, lacks) in [
            ("short1", "8 to 256"),
            ("onlyletters", "a letter and a digit"),
            ("1234567890", "a letter and a digit"),
            ("Password1", "tried first"),
            ("qwerty123", "tried first"),
            ("ann.smith2024", "tried first"),
        ] {
            let refused = passwords.hash(password, "ann.smith@example.org").await;
            assert!(
                matches!(&refused, Err(AuthError::Invalid(why)) if why.contains(lacks)),
                "{password}: {refused:?}"
            );
        }
        let hash = passwords.hash("grüne Wiese 7", "a@b.c").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$"));
        let right = passwords.verify("grüne Wiese 7", Some(hash.clone())).await;
        let wrong = passwords.verify("grüne Wiese 8", Some(hash)).await;
        let nobody = passwords.verify("nobody has this password", None).await;
        assert_eq!((right.ok(), wrong.ok(), nobody.ok()), (Some(true), Some(false), Some(false)));
    }
}
