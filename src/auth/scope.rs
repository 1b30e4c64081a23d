//! What a principal may do.

use std::fmt;
use std::str::FromStr;

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Sees its own jobs and results.
    JobsRead,
    /// Makes, stops and removes jobs.
    JobsWrite,
    /// Everything, as far as the account itself may.
    Admin,
}

impl Scope {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::JobsRead, Self::JobsWrite, Self::Admin];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JobsRead => "jobs:read",
            Self::JobsWrite => "jobs:write",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::JobsRead => 1,
            Self::JobsWrite => 2,
            Self::Admin => 4,
        }
    }
}

/// Some rights. Printed and parsed as words with spaces between them (RFC 6749, section 3.3).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scopes(u8);

/// A word that is no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no scope; there are jobs:read, jobs:write and admin")]
pub struct UnknownScope(String);

impl Scopes {
    /// What a person may do with jobs.
    pub const JOBS: Self = Self(Scope::JobsRead.bit() | Scope::JobsWrite.bit());
    /// Every right.
    pub const ALL: Self = Self(Self::JOBS.0 | Scope::Admin.bit());

    /// Whether it is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Their words.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let held = Scope::ALL.into_iter().filter(|scope| self.contains(*scope));
        held.map(Scope::as_str).collect()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

impl FromStr for Scopes {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split([' ', ',']).filter(|word| !word.is_empty()).try_fold(Self(0), |scopes, word| {
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
            let scope = scope.ok_or_else(|| UnknownScope(word.to_owned()))?;
            Ok(Self(scopes.0 | scope.bit()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_words_and_words_are_rights() {
        let both: Scopes = "jobs:write jobs:read".parse().expect("two rights");
        assert_eq!((both, both.to_string().as_str()), (Scopes::JOBS, "jobs:read jobs:write"));
        assert!(!both.contains(Scope::Admin) && Scopes::ALL.contains(Scope::Admin));
        assert_eq!(Scopes::ALL.and(both), both);
        assert!("".parse::<Scopes>().is_ok_and(Scopes::is_empty));
        assert!("jobs:read everything".parse::<Scopes>().is_err());
    }
}
