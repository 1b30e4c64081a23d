//! Parts of requests, parsed before anything is decided.
//!
//! Owns: reading headers, cookies, queries, forms. Never: deciding.
//! Used by: `http::handlers`, `http::service`.

pub mod conditional;
pub mod credentials;
pub mod form;
pub mod json;
pub mod multipart;
pub mod origin;
pub mod pace;
pub mod upload;
