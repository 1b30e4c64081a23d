//! What somebody asks for: options, a source, and how it is to be carried out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use ring::digest;
use serde_json::{Map, Value, json};

use super::error::JobsError;
use super::hooks::Hook;
use super::intake::Received;
use crate::base::{JobId, UserId, hex};

/// What is asked for, beside the source.
#[derive(Debug)]
pub struct Order {
    /// Options of the conversion, in the order in which they were given.
    pub options: Vec<(String, String)>,
    /// Larger runs earlier, among its owner's: [`PRIORITIES`].
    pub priority: i64,
    /// The owner's own notes; at most [`METADATA_BYTES`] as JSON.
    pub metadata: Map<String, Value>,
    /// Who is told of its end, beside the account's own.
    pub hook: Option<Hook>,
    /// The client's name for this request, if it is to be carried out only once.
    pub key: Option<KeyInUse>,
    /// By which address it was asked for.
    pub endpoint: &'static str,
}

/// The source that an order is for.
pub enum Given {
    /// A file that has just arrived, and its display name.
    File(Received, String),
    /// The source of another job.
    InputOf(JobId),
    /// The result of another job.
    OutputOf(JobId),
}

/// The priorities there are.
pub const PRIORITIES: std::ops::RangeInclusive<i64> = -10..=10;

/// The most bytes of an owner's notes.
pub const METADATA_BYTES: usize = 4096;

impl Order {
    /// An order of `options` alone.
    #[must_use]
    pub fn of(options: Vec<(String, String)>, endpoint: &'static str) -> Self {
        Self { options, priority: 0, metadata: Map::new(), hook: None, key: None, endpoint }
    }

    /// Covers all that is asked for: two requests of the same hash ask for the same.
    pub(super) fn hash(&self, options: &Value, given: &Given) -> [u8; 32] {
        let source = match given {
            Given::File(received, name) => json!({"sha256": hex(&received.sha256), "name": name}),
            Given::InputOf(job) => json!({"input_of": job.to_string()}),
            Given::OutputOf(job) => json!({"output_of": job.to_string()}),
        };
        let hook = self.hook.as_ref().map(Hook::to_json);
        let asked = json!([options, self.priority, self.metadata, source, hook]).to_string();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, asked.as_bytes()).as_ref());
        hash
    }
}

/// Which requests are being carried out under keys of their clients. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct KeysInUse(Arc<Mutex<HashSet<(UserId, String)>>>);

/// A key, which nobody else's request of the same owner has until this is dropped.
#[derive(Debug)]
pub struct KeyInUse {
    keys: KeysInUse,
    entry: (UserId, String),
}

impl KeysInUse {
    /// Takes a key for a request.
    pub(super) fn take(&self, owner: UserId, key: &str) -> Result<KeyInUse, JobsError> {
        let entry = (owner, key.to_owned());
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.clone());
        if is_free { Ok(KeyInUse { keys: self.clone(), entry }) } else { Err(JobsError::KeyInUse) }
    }
}

impl KeyInUse {
    /// Whose key it is, and the key.
    pub(super) fn entry(&self) -> (UserId, &str) {
        (self.entry.0, &self.entry.1)
    }

    /// The key itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.entry.1
    }
}

impl Drop for KeyInUse {
    fn drop(&mut self) {
        self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_request_at_a_time_and_every_owner_their_own() {
        let keys = KeysInUse::default();
        let (ann, bob) = (UserId::generate(), UserId::generate());
        let first = keys.take(ann, "one").expect("free");
        assert!(matches!(keys.take(ann, "one"), Err(JobsError::KeyInUse)));
        assert!(keys.take(bob, "one").is_ok() && keys.take(ann, "two").is_ok());
        drop(first);
        assert!(keys.take(ann, "one").is_ok());
    }
}
