//! What was done, written down in the same transaction as the deed.
//!
//! Owns: the audit log, the usage log, their chains, plans. Never: who may do something, HTTP.
//! Used by: `auth`, `jobs`, `http`, `config`, `app`.

mod audit;
mod chain;
mod plan;
mod usage;

pub use audit::{Act, Author, By, Entry, Ledger, Outcome, Selection, Whole};
pub use plan::{Limits, Plans};
pub use usage::{Called, Month, Usage, UsageRow, Use};
