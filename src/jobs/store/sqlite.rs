//! The store on SQLite.

mod lease;
mod read;
mod write;

pub use lease::{Claimed, Lease, Published, Recovered};
pub use read::{Page, Selection};
pub use write::{Ended, NewJob};

use crate::db::Database;

/// Rows of jobs.
#[derive(Clone, Debug)]
pub struct Store {
    db: Database,
}

impl Store {
    /// A store on this database.
    #[must_use]
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}
