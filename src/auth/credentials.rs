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
    /// `Cf-Access-Jwt-Assertion`.
    pub assertion: Option<&'a str>,
    /// The cookie `CF_Authorization`.
    pub assertion_cookie: Option<&'a str>,
    /// From where it comes; only to be written down.
    pub address: Option<&'a str>,
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
    /// The session, where one decides.
    pub session: Option<String>,
    /// The key of ours, where one decides.
    pub key: Option<String>,
}

/// By what a principal is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A person's assertion of Cloudflare Access.
    Access,
    /// A service token's assertion of Cloudflare Access.
    Service,
    /// A session cookie.
    Session,
    /// A key that was sent on purpose.
    Key,
    /// An access token of ours.
    Token,
    /// A token of the OIDC issuer.
    Oidc,
}

impl Method {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Access, Self::Service, Self::Session, Self::Key, Self::Token, Self::Oidc];

    /// Its word in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Service => "service",
            Self::Session => "session",
            Self::Key => "key",
            Self::Token => "token",
            Self::Oidc => "oidc",
        }
    }

    /// Whether browsers send it by themselves: then what another site makes them send is refused.
    #[must_use]
    pub const fn is_ambient(self) -> bool {
        match self {
            Self::Access | Self::Session => true,
            Self::Service | Self::Key | Self::Token | Self::Oidc => false,
        }
    }

    /// Whether it is somebody's own proof, or a key of theirs: what another issuer gave to a script ends
    /// with that, and so must all that is made with it.
    #[must_use]
    pub const fn may_make_credentials(self) -> bool {
        match self {
            Self::Access | Self::Session | Self::Token | Self::Key => true,
            Self::Service | Self::Oidc => false,
        }
    }

    /// Whether a person has signed in by it: a key or a token of another issuer was given to a script.
    #[must_use]
    pub const fn is_person(self) -> bool {
        match self {
            Self::Access | Self::Session | Self::Token => true,
            Self::Service | Self::Key | Self::Oidc => false,
        }
    }
}

/// From where somebody signs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller<'a> {
    /// The client's address.
    pub address: Option<&'a str>,
    /// What the browser calls itself.
    pub user_agent: Option<&'a str>,
    /// Whether something stands between the client and us.
    pub is_forwarded: bool,
}
