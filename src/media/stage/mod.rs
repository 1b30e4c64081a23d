//! The stages of a conversion: each takes input when pushed and gives output when pulled.
//!
//! Owns: one wrapper per libav object. Never: the order of work, threads, progress: the drivers'.
//! Used by: `media::run`.

pub mod decode;
pub mod demux;
pub mod encode;
pub mod filter;
pub mod mux;

use ffmpeg_next::Error;

use super::failure::{Failure, FailureCode, Stage};
use super::io::{Fault, Watch};
use crate::base::StopReason;

/// The true cause of an error that came out of libav.
///
/// libav knows only errno values: a cancel may surface as "Invalid data", a full disk as a bare
/// ENOSPC. So our own flags are asked first, then the adapters; `otherwise` is what it is if none
/// of them speaks up.
#[must_use]
pub fn failed(error: Error, otherwise: Failure, watch: &Watch) -> Failure {
    if let Some(reason) = watch.cancel.reason() {
        return stopped(reason, otherwise.stage);
    }
    if let Some(fault) = watch.sink_fault.get() {
        return sink_failed(&fault);
    }
    if let Some(fault) = watch.source_fault.get() {
        return source_failed(&fault, otherwise.stage);
    }
    tracing::debug!(%error, code = otherwise.code.as_str(), "libav gave up");
    otherwise
}

/// The failure that a stop amounts to.
#[must_use]
pub fn stopped(reason: StopReason, stage: Stage) -> Failure {
    match reason {
        StopReason::Cancelled => Failure::new(FailureCode::Cancelled, stage, "Cancelled."),
        StopReason::Interrupted => Failure::new(
            FailureCode::Interrupted,
            stage,
            "The server is stopping; the work goes on later.",
        ),
        StopReason::TimedOut => {
            Failure::new(FailureCode::TimedOut, stage, "It took longer than this server allows.")
        }
        StopReason::DiskFull => {
            let message =
                "The server's disk is nearly full; the space that has to stay free is reached.";
            Failure::new(FailureCode::DiskFull, stage, message)
        }
    }
}

/// The failure of a sink.
#[must_use]
pub fn sink_failed(fault: &Fault) -> Failure {
    let (code, message) = match fault {
        Fault::DiskFull => {
            (FailureCode::DiskFull, String::from("There is no space left for the output."))
        }
        Fault::OutputLimit(bytes) => (
            FailureCode::OutputLimit,
            format!(
                "The output grew beyond {}, the most this server allows.",
                crate::base::ByteSize(*bytes)
            ),
        ),
        Fault::Failed(error) => {
            (FailureCode::StorageFailed, format!("The output cannot be written: {error}."))
        }
        Fault::Panicked => {
            (FailureCode::Internal, String::from("Writing the output failed unexpectedly."))
        }
    };
    Failure::new(code, Stage::Writing, message)
}

fn source_failed(fault: &Fault, stage: Stage) -> Failure {
    let (code, message) = match fault {
        Fault::Failed(error) => {
            (FailureCode::InputGone, format!("The source cannot be read: {error}."))
        }
        Fault::DiskFull | Fault::OutputLimit(_) | Fault::Panicked => {
            (FailureCode::Internal, String::from("Reading the source failed unexpectedly."))
        }
    };
    Failure::new(code, stage, message)
}
