//! Who is asking: credentials become a principal, or nothing.
//!
//! Owns: sign-in links, sessions, the static key. Never: HTTP types, jobs.
//! Used by: `http`, `app`.

mod credentials;
mod service;
mod store;

pub use credentials::{Credentials, Method, Principal};
pub use service::{Auth, AuthError, Settings};
