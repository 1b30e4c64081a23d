//! What a request brings along, and who it turns out to be.

use super::scope::Scopes;
use crate::base::UserId;

/// What a request brings along, not yet believed.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// `x-api-key`.
    pub api_key: Option<&'a str>,
    /// `Authorization: Bearer …`.
    pub bearer: Option<&'a str>,
    /// The session cookie.
    pub session: Option<&'a str>,
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account acted as.
    pub user: UserId,
    /// Its e-mail.
    pub email: String,
    /// By what it is known.
    pub method: Method,
    /// What it may do.
    pub scopes: Scopes,
}

/// By what a principal is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A session cookie, which browsers send by themselves: CSRF rules apply.
    Session,
    /// A key that was sent on purpose.
    Key,
}

impl Method {
    /// Its word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Key => "key",
        }
    }
}
