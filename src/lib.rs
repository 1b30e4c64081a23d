//! audiomill: a self-hosted audio transcoding server, and the engine inside it.
//!
//! Layers, lowest first; a module imports only lower ones (`tests/it/architecture.rs` holds it so):
//! `base`, `observe` → `db`, `outbound` → `media`, `storage`, `ledger` → `auth`, `jobs` → `http` → `config` → `app`, `cli`.

pub mod base;
pub mod observe;

pub mod db;
pub mod outbound;

pub mod media;
pub mod storage;

pub mod ledger;

pub mod auth;
pub mod jobs;

pub mod http;

pub mod config;

pub mod app;
pub mod cli;
