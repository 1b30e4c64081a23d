//! The engine: a source goes in, an encoded file comes out. Blocking code only.
//!
//! Owns: options, catalogue, probe, plan, stages and drivers around libav.
//! Never: async, tokio, jobs, a path that a user chose.
//! Used by: `jobs::exec`, `http` (catalogue and plain data), `cli`.

pub mod bits;
pub mod catalog;
pub mod convert;
pub mod cores;
pub mod crash;
pub mod describe;
pub mod failure;
pub mod ffi;
pub mod insert;
pub mod io;
pub mod limits;
pub mod loudness;
pub mod metadata;
pub mod noise;
pub mod options;
pub mod overlay;
pub mod plan;
pub mod prescan;
pub mod probe;
pub mod progress;
pub mod quality;
pub mod report;
pub mod request;
pub mod run;
pub mod sniff;
pub mod splice;
pub mod stage;
pub mod waveform;
pub mod wrap;

pub use catalog::Catalog;
pub use convert::{Conversion, Output, convert};
pub use failure::{Failure, FailureCode, Stage};
pub use ffi::version::release;
pub use io::{Sink, Source};
pub use limits::Limits;
pub use plan::Plan;
pub use probe::Probe;
pub use progress::Progress;
pub use request::{Format, Request};
pub use waveform::Waveform;
