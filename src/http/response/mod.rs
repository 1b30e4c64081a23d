//! Parts of answers.
//!
//! Owns: bodies, headers, downloads, the job object's shape. Never: what is answered when.
//! Used by: `http::handlers`, `http::service`.

pub mod body;
pub mod download;
pub mod headers;
pub mod job;
pub mod sse;
