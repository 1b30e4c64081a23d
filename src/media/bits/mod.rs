//! Headers of coded frames, read bit by bit.
//!
//! Owns: what a packet says of itself. Pure: bytes in, numbers out.
//! Never: streams, libav.
//! Used by: `media::prescan`, `media::ffi`, `media::run`, `media::splice`, `media::wrap`.

pub mod aac;
pub mod flac;
pub mod mpeg;
pub mod ogg;
pub mod opus;
mod reader;
