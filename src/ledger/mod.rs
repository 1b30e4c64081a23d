//! What was done, written down in the same transaction as the deed.
//!
//! Owns: the audit log and its chain. Never: who may do something, HTTP.
//! Used by: `auth`, `http`, `app`.

mod audit;
mod chain;

pub use audit::{Act, Entry, Ledger, Outcome, Selection, Whole};
