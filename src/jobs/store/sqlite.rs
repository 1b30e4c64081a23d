//! The store on SQLite.

mod crashes;
mod fill;
mod hooks;
mod keep;
mod lease;
mod log;
mod read;
mod write;

use sqlx::{Sqlite, Transaction};

pub use hooks::{Delivery, DeliveryRow, HookRow, Outcome};
pub use keep::{Age, Kept};
pub use lease::{Claimed, Lease, Published, Recovered, Turn};
pub use log::LogLine;
pub use read::{Page, Selection};
pub use write::{Ended, Entered, NewJob, Origin, Replay};

use crate::db::Database;
use crate::jobs::news::News;

/// Rows of jobs.
#[derive(Clone, Debug)]
pub struct Store {
    db: Database,
    news: News,
}

impl Store {
    /// A store on this database.
    #[must_use]
    pub fn new(db: Database) -> Self {
        Self { db, news: News::default() }
    }

    /// Word of every change that this store commits.
    #[must_use]
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Commits a change of jobs, and says so.
    async fn commit(&self, tx: Transaction<'static, Sqlite>) -> Result<(), sqlx::Error> {
        tx.commit().await?;
        self.news.tell();
        Ok(())
    }
}
