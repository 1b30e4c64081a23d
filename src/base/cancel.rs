//! A flag that every blocking wait of a conversion looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Why a conversion was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The owner cancelled the job.
    Cancelled,
    /// The process is going down and hands the job back.
    Interrupted,
    /// The wall clock of one conversion ran out.
    TimedOut,
    /// The space that has to stay free is reached.
    DiskFull,
}

/// Shared flag; the first reason given stays.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// Asks for a stop. Never blocks; later calls change nothing.
    pub fn stop(&self, reason: StopReason) {
        let code = match reason {
            StopReason::Cancelled => 1,
            StopReason::Interrupted => 2,
            StopReason::TimedOut => 3,
            StopReason::DiskFull => 4,
        };
        // A lost race means that somebody else's reason came first, which is the one that stays.
        let _ = self.0.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire);
    }

    /// The reason, once there is one.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        match self.0.load(Ordering::Acquire) {
            1 => Some(StopReason::Cancelled),
            2 => Some(StopReason::Interrupted),
            3 => Some(StopReason::TimedOut),
            4 => Some(StopReason::DiskFull),
            _ => None,
        }
    }

    /// Whether a stop was asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.reason().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        let token = CancelToken::default();
        assert_eq!(token.reason(), None);
        token.stop(StopReason::Interrupted);
        token.clone().stop(StopReason::Cancelled);
        assert_eq!(token.reason(), Some(StopReason::Interrupted));
    }
}
