//! Rows of accounts, identities, sessions, sign-in links, keys and token families.

mod accounts;
mod families;
mod keys;
mod sessions;

use sqlx::{Sqlite, Transaction};

pub(super) use self::accounts::{Account, NewAccount, Profile};
pub use self::accounts::{AccountRow, Role};
pub(super) use self::families::Turn;
pub use self::keys::KeyRow;
pub(super) use self::keys::{Found, NewRow};
pub use self::sessions::SessionRow;
pub(super) use self::sessions::{NewSession, Origin};
use crate::db::Database;

/// Rows of `auth`.
#[derive(Clone, Debug)]
pub(super) struct Store {
    db: Database,
}

/// A transaction that writes.
pub(super) type Tx = Transaction<'static, Sqlite>;

impl Store {
    pub(super) fn new(db: Database) -> Self {
        Self { db }
    }

    /// Begins a transaction of rows that belong together.
    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        self.db.begin().await
    }
}
