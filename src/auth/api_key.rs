//! Keys of scripts: `am_<prefix>_<secret>`.

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use super::AuthError;
use crate::base::hex;

/// How every key begins: who finds one somewhere knows what it is.
pub const MARK: &str = "am_";
/// Bytes of the part that may be shown.
const PREFIX_BYTES: usize = 4;
/// Bytes of the part that may not.
const SECRET_BYTES: usize = 32;

/// A new key, which is shown once.
pub struct NewKey {
    /// All of it.
    pub key: String,
    /// What it is recognised by.
    pub prefix: String,
}

impl NewKey {
    /// 256 random bits.
    ///
    /// # Errors
    /// `NoRandomness`.
    pub fn generate(random: &SystemRandom) -> Result<Self, AuthError> {
        let mut bytes = [0; PREFIX_BYTES + SECRET_BYTES];
        random.fill(&mut bytes).map_err(|_| AuthError::NoRandomness)?;
        let (prefix, secret) = bytes.split_at(PREFIX_BYTES);
        let prefix = format!("{MARK}{}", hex(prefix));
        Ok(Self { key: format!("{prefix}_{}", hex(secret)), prefix })
    }
}

/// By what a key is found: it has 256 random bits, so nothing is gained by more than one round, and
/// nothing is told by how long the look-up takes.
#[must_use]
pub fn hash(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_alike_and_never_the_same() {
        let random = SystemRandom::new();
        let [one, other] = [(); 2].map(|()| NewKey::generate(&random).expect("random bytes"));
        assert_eq!(one.key.len(), 3 + 8 + 1 + 64);
        assert!(one.key.starts_with(&one.prefix) && one.prefix.starts_with(MARK));
        assert!(one.key != other.key && hash(&one.key) != hash(&other.key));
    }
}
