//! What libav's muxers leave undone, done on the finished file: tags at the end, chunks, an MP4
//! index in front.
//!
//! Owns: the bytes of containers around and behind libav's own.
//! Never: the content of tags, the sound.
//! Used by: `stage::mux`.

pub mod boxes;
pub mod chunks;
pub mod flac;
pub mod moov;
pub mod ogg;
pub mod xing;
