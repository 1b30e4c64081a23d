//! Who is asking: credentials become a principal, or nothing.
//!
//! Owns: sign-in links, sessions, keys, what each may. Never: HTTP types, jobs.
//! Used by: `http`, `app`.

mod api_key;
mod credentials;
mod keys;
mod scope;
mod service;
mod store;

pub use credentials::{Credentials, Method, Principal};
pub use keys::{By, CreatedKey, KeyRequest};
pub use scope::{Scope, Scopes, UnknownScope};
pub use service::{Auth, AuthError, Settings};
pub use store::{KeyRow, Role};
