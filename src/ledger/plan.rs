//! Plans: what an account may use in a month.

use std::collections::BTreeMap;

/// Limits of a plan; what is not given is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a month.
    pub api_calls: Option<u64>,
    /// Conversions in a month.
    pub conversions: Option<u64>,
    /// Minutes of sound in a month.
    pub audio_minutes: Option<u64>,
    /// Bytes of sources and results at any time.
    pub storage_bytes: Option<u64>,
}

/// The plans there are, by name. One that is not among them has no limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plans(BTreeMap<String, Limits>);

impl Default for Plans {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Plans {
    /// The names that are always there.
    pub const NAMES: [&'static str; 3] = ["free", "pro", "enterprise"];

    /// These plans, and the usual names without limits.
    #[must_use]
    pub fn new(mut plans: BTreeMap<String, Limits>) -> Self {
        for name in Self::NAMES {
            plans.entry(name.to_owned()).or_default();
        }
        Self(plans)
    }

    /// The limits of a plan.
    #[must_use]
    pub fn limits(&self, name: &str) -> Limits {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Whether there is a plan of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}
