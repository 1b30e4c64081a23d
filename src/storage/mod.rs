//! Stored files: staged while they are written, visible only when whole.
//!
//! Owns: keys, the local directory, free space. Never: what a file means, a name a user chose.
//! Used by: `jobs`, `http` (the opened file of a download).

mod key;
mod local;
mod staged;

pub use key::{Key, NotAKey};
pub use local::{LocalStorage, Settings};
pub use staged::Staged;
