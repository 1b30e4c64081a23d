//! The safe face of the crash record, for the layer that runs jobs.

pub use super::ffi::crash::{AtWork, CrashRecord, Trace};
