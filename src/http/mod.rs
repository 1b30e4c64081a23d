//! The server: connections in, requests to endpoints, answers out.
//!
//! Owns: HTTP, status codes, cookies, headers, the page's files. Never: SQL, libav, files of jobs.
//! Used by: `app`.

pub mod assets;
pub mod endpoint;
pub mod error;
pub mod handlers;
mod limit;
pub mod listen;
mod readiness;
pub mod request;
pub mod response;
pub mod service;
pub mod site;

pub use endpoint::Endpoint;
pub use listen::{Listener, serve};
pub use request::origin::TrustedProxies;
pub use service::{Server, Settings};
pub use site::{Site, SiteAccess};
