//! The only unsafe code of the crate: what ffmpeg-next does not expose, or exposes unsoundly.
//!
//! Owns: every raw pointer, every `unsafe` block, each arguing for itself. Gives out owned Rust
//! values and ffmpeg-next's own safe types, never a pointer or a `filter::Context`.
//! Never: policy (which codecs, which limits), jobs, files.
//! Used by: `media` only, but for [`crash`], whose safe face `media::crash` shows to `jobs`.
#![allow(unsafe_code, reason = "this folder is the fence around libav and the signal handler")]

pub mod crash;
pub mod decoder;
pub mod dictionary;
pub mod encoder;
pub mod graph;
pub mod input;
pub mod log;
pub mod md5;
pub mod output;
pub mod packet;
pub mod samples;
pub mod version;

use std::sync::Once;

/// Prepares libav once per process: error texts, and the log callback of [`log`].
///
/// Without `ffmpeg::init` every error of the crate displays as an empty string. No device is
/// registered: the `device` feature is not compiled in.
pub fn initialise() -> Result<(), ffmpeg_next::Error> {
    static LOG: Once = Once::new();
    ffmpeg_next::init()?;
    LOG.call_once(log::install);
    Ok(())
}
