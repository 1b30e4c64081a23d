//! audiomill: a self-hosted audio transcoding server, and the engine inside it.
//!
//! Layers, lowest first; a module imports only lower ones (`tests/it/architecture.rs` holds it so):
//! `base` → `media`.

pub mod base;
pub mod cli;
pub mod media;
