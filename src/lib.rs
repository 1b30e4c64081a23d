//! audiomill: a self-hosted audio transcoding server, and the engine inside it.
//!
//! Layers, lowest first; a module imports only lower ones (`tests/it/architecture.rs` holds it so):
//! `base`, `observe` → `db` → `media`, `storage` → `auth`, `jobs` → `http` → `config` → `app`, `cli`.

pub mod base;
pub mod cli;
pub mod db;
pub mod jobs;
pub mod media;
pub mod storage;
