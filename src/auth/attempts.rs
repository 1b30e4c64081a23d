//! Failed tries at a secret: a few a minute, then a pause that doubles.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::base::Clock;

const MINUTE: i64 = 60_000;
/// The longest pause.
const LONGEST: i64 = 15 * MINUTE;
/// Failures are forgotten after this long without another.
const FORGOTTEN: i64 = 60 * MINUTE;
/// Whom we count at the most; beyond it the oldest are forgotten.
const COUNTED: usize = 10_000;

/// Counts failures of addresses and of accounts.
#[derive(Debug)]
pub(super) struct Attempts {
    per_minute: u32,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: HashMap<String, Failures>,
    /// Pairs of account and address that have succeeded: a stranger's failures do not lock them out.
    known: HashSet<(String, String)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    in_this_minute: u32,
    minute_began: i64,
    pauses: u32,
    paused_until: i64,
    last: i64,
}

impl Failures {
    fn count(&mut self, now: i64, per_minute: u32) {
        if now - self.last > FORGOTTEN {
            *self = Self::default();
        }
        if now - self.minute_began >= MINUTE {
            (self.minute_began, self.in_this_minute) = (now, 0);
        }
        self.last = now;
        self.in_this_minute += 1;
        if self.in_this_minute >= per_minute {
            let pause = MINUTE.saturating_mul(1 << self.pauses.min(10)).min(LONGEST);
            self.pauses += 1;
            self.in_this_minute = 0;
            self.paused_until = now + pause;
        }
    }
}

/// Who tries: from where, and as whom where that is said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Who<'a> {
    pub(super) address: &'a str,
    pub(super) account: Option<&'a str>,
}

impl Who<'_> {
    fn by_address(&self) -> String {
        format!("from {}", self.address)
    }

    fn by_account(&self) -> Option<String> {
        self.account.map(|account| format!("as {account}"))
    }
}

impl Attempts {
    pub(super) fn new(per_minute: u32, clock: Clock) -> Self {
        Self { per_minute, clock, state: Mutex::default() }
    }

    /// Counts a try as failed until it has succeeded, so that a hundred at once are a hundred; the
    /// seconds until one is due where it comes too early.
    pub(super) fn begin(&self, who: Who<'_>) -> Result<(), u64> {
        let now = self.clock.monotonic_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<String> = self.keys(&state, who).collect();
        let pauses = keys.iter().filter_map(|key| state.failures.get(key));
        let until = pauses.map(|failures| failures.paused_until).max().unwrap_or(0);
        if until > now {
            return Err(u64::try_from((until - now + 999) / 1000).unwrap_or(1));
        }
        if state.failures.len() >= COUNTED {
            state.failures.retain(|_, failures| now - failures.last < FORGOTTEN);
            if state.failures.len() >= COUNTED {
                state.failures.retain(|_, failures| failures.paused_until > now);
            }
        }
        for key in keys {
            state.failures.entry(key).or_default().count(now, self.per_minute);
        }
        Ok(())
    }

    /// One succeeded: this one is no guesser.
    pub(super) fn succeeded(&self, who: Who<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [Some(who.by_address()), who.by_account()].into_iter().flatten() {
            state.failures.remove(&key);
        }
        if let Some(account) = who.account {
            if state.known.len() >= COUNTED {
                state.known.clear();
            }
            state.known.insert((account.to_owned(), who.address.to_owned()));
        }
    }

    fn keys(&self, state: &State, who: Who<'_>) -> impl Iterator<Item = String> + use<> {
        let known = |account: &str| (account.to_owned(), who.address.to_owned());
        let is_known = who.account.is_some_and(|account| state.known.contains(&known(account)));
        [Some(who.by_address()), who.by_account().filter(|_| !is_known)].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who<'a>(address: &'a str, account: &'a str) -> Who<'a> {
        Who { address, account: Some(account) }
    }

    #[test]
    fn a_guesser_pauses_and_locks_nobody_out_who_was_here_before() {
        let attempts = Attempts::new(3, Clock::default());
        attempts.succeeded(who("1.1.1.1", "ann"));
        for _ in 0..3 {
            assert!(attempts.begin(who("6.6.6.6", "ann")).is_ok());
        }
        assert!(attempts.begin(who("6.6.6.6", "ann")).is_err_and(|wait| (59..=60).contains(&wait)));
        assert!(attempts.begin(who("6.6.6.6", "bob")).is_err(), "by the address");
        assert!(attempts.begin(who("7.7.7.7", "ann")).is_err(), "by the account");
        assert!(attempts.begin(who("1.1.1.1", "ann")).is_ok(), "known from there");
        assert!(attempts.begin(who("7.7.7.7", "bob")).is_ok());
    }

    #[test]
    fn pauses_double_and_end() {
        let mut failures = Failures::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            failures.count(failures.paused_until, 1);
            waits.push((failures.paused_until - failures.last) / 1000);
        }
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
        failures.count(failures.paused_until + FORGOTTEN + 1, 2);
        assert_eq!((failures.pauses, failures.in_this_minute), (0, 1), "long ago");
    }
}
