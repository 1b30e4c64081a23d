//! Who is asking: credentials become a principal, or nothing.
//!
//! Owns: accounts, sessions, sign-in links, keys, tokens, what each may. Never: HTTP types, jobs.
//! Used by: `http`, `app`, `cli`, `config`.

mod access;
mod accounts;
mod api_key;
mod attempts;
mod credentials;
mod jwt;
mod keys;
mod links;
mod oidc;
mod password;
mod people;
mod scope;
mod service;
mod sessions;
mod store;
mod tokens;

pub use access::AccessSettings;
pub use accounts::{AccountChange, AccountRequest};
pub use credentials::{Caller, Credentials, Method, Principal};
pub use keys::{CreatedKey, KeyRequest};
pub use links::Link;
pub use oidc::OidcSettings;
pub use scope::{Scope, Scopes, UnknownScope};
pub use service::{Auth, AuthError, Registration, Settings};
pub use store::{AccountRow, KeyRow, Role, SessionRow};
pub use tokens::TokenPair;
