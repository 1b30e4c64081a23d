//! The drivers: they own the order of work, its threads, progress and stopping.
//!
//! Owns: the loop. Never: what a stage does inside.
//! Used by: `media::convert`.

pub mod copy;
pub mod frames;
pub mod measure;
pub mod opening;
pub mod reader;
pub mod serial;
