//! The rows of jobs. Every statement that changes a state names the state it comes from.
//!
//! Owns: SQL of jobs, inputs, artifacts and blobs. Never: files, threads.
//! Used by: the rest of `jobs`.

pub mod sqlite;

pub use sqlite::Store;
