//! Ground floor: identifiers, units, clock, secrets and the cancel token.
//!
//! Owns: small value types every layer speaks. Never: I/O, async, anything of the crate.
//! Used by: every module.

pub mod cancel;
pub mod clock;
pub mod hex;
pub mod id;
pub mod secret;
pub mod text;
pub mod units;
pub mod whole;

pub use cancel::{CancelToken, StopReason};
pub use clock::Clock;
pub use hex::hex;
pub use id::{ArtifactId, BlobId, JobId, KeyId, UserId};
pub use secret::Secret;
pub use text::is_invisible;
pub use units::{BitRate, ByteSize};
pub use whole::{greatest_common_divisor, least_common_multiple};
