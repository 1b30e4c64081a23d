//! Time: wall clock for what people see, monotonic for leases and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the time comes from. Tests hold [`Clock::manual`]'s wall clock in their hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    wall: Wall,
}

#[derive(Clone, Debug, Default)]
enum Wall {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
    /// The monotonic clock goes by the hand too.
    Whole(Arc<AtomicI64>),
}

/// The identity of this boot of the machine.
///
/// # Errors
/// What the file system says; only Linux has it.
pub fn boot_id() -> std::io::Result<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned())
}

impl Clock {
    /// A clock whose wall time is what the returned handle holds (epoch milliseconds).
    #[must_use]
    pub fn manual(start_ms: i64) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(start_ms));
        (Self { wall: Wall::Manual(Arc::clone(&hand)) }, hand)
    }

    /// A clock whose wall and monotonic time are both what the returned handle holds.
    #[must_use]
    pub fn by_hand(start_ms: i64) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(start_ms));
        (Self { wall: Wall::Whole(Arc::clone(&hand)) }, hand)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z. May jump.
    #[must_use]
    pub fn wall_ms(&self) -> i64 {
        match &self.wall {
            Wall::Manual(hand) | Wall::Whole(hand) => hand.load(Ordering::Acquire),
            Wall::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Milliseconds since the machine was booted, sleep included. Never goes back; comparable
    /// between processes of one [`boot_id`].
    #[must_use]
    pub fn monotonic_ms(&self) -> i64 {
        if let Wall::Whole(hand) = &self.wall {
            return hand.load(Ordering::Acquire);
        }
        let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        since_boot.tv_sec * 1000 + since_boot.tv_nsec / 1_000_000
    }
}

/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

/// Epoch milliseconds as RFC 3339 in UTC with three decimals: `2026-11-21T07:13:00.000Z`.
///
/// A time before 1970 prints as 1970, and one after 9999 as its last moment: no clock of a running
/// server says that on purpose.
#[must_use]
pub fn rfc3339(epoch_ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(epoch_ms.min(LAST_MS)).unwrap_or(0));
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
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
