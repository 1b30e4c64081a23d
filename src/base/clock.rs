//! Time: wall clock for what people see, monotonic for leases and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from. Tests hold [`Clock::manual`]'s wall clock in their hand.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    wall: Wall,
}

#[derive(Clone, Debug)]
enum Wall {
    System,
    Manual(Arc<AtomicI64>),
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), wall: Wall::System }
    }
}

impl Clock {
    /// A clock whose wall time is what the returned handle holds (epoch milliseconds).
    #[must_use]
    pub fn manual(start_ms: i64) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(start_ms));
        (Self { started: Instant::now(), wall: Wall::Manual(Arc::clone(&hand)) }, hand)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z. May jump.
    #[must_use]
    pub fn wall_ms(&self) -> i64 {
        match &self.wall {
            Wall::Manual(hand) => hand.load(Ordering::Acquire),
            Wall::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Milliseconds since this clock was made. Never goes back; means nothing to another process.
    #[must_use]
    pub fn monotonic_ms(&self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

/// Epoch milliseconds as RFC 3339 in UTC with three decimals: `2026-11-21T07:13:00.000Z`.
///
/// A time before 1970 prints as 1970: no clock of a running server says that on purpose.
#[must_use]
pub fn rfc3339(epoch_ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(epoch_ms).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_rfc_3339_in_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_826_154_321), "2000-02-29T12:09:14.321Z");
        assert_eq!(rfc3339(1_795_245_180_000), "2026-11-21T07:13:00.000Z");
        assert_eq!(rfc3339(-1), "1970-01-01T00:00:00.000Z");
    }
}
