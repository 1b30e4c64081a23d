//! Failed tries at a secret: a few a minute, then a pause that doubles.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crate::base::Clock;

const MINUTE: i64 = 60_000;
/// How keys of accounts begin.
const AS: &str = "as ";
/// An account has so many times what an address has, and its pause does not grow: who guesses from one
/// address pauses alone, and who has many cannot lock the owner out for long.
const ADDRESSES: u32 = 4;
/// The longest pause.
const LONGEST: i64 = 15 * MINUTE;
/// Failures are forgotten after this long without another.
const FORGOTTEN: i64 = 60 * MINUTE;
/// Whom we count at the most; beyond it the forgotten go, then who does not pause, then all.
const COUNTED: usize = 10_000;

/// Refusals a minute that are written down; the log has the others. A row is for ever, and strangers
/// make these.
const NOTED: u32 = 60;

/// Counts what is written down of strangers.
#[derive(Debug, Default)]
pub(super) struct Noted(Mutex<(i64, u32)>);

impl Noted {
    /// Whether one more may be, at `now` (epoch milliseconds).
    pub(super) fn may_note(&self, now: i64) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..MINUTE).contains(&(now - noted.0)) {
            *noted = (now, 0);
        }
        noted.1 += 1;
        noted.1 <= NOTED
    }
}

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
    fn count(&mut self, now: i64, per_minute: u32, longest: i64) {
        if now - self.last > FORGOTTEN {
            *self = Self::default();
        }
        if now - self.minute_began >= MINUTE {
            (self.minute_began, self.in_this_minute) = (now, 0);
        }
        self.last = now;
        self.in_this_minute += 1;
        if self.in_this_minute >= per_minute {
            let pause = MINUTE.saturating_mul(1 << self.pauses.min(10)).min(longest);
            self.pauses += 1;
            self.in_this_minute = 0;
            self.paused_until = now + pause;
        }
    }

    /// Takes back a try that has succeeded; the failures before it stay what they are.
    fn take_back(&mut self, per_minute: u32) {
        if self.in_this_minute > 0 {
            self.in_this_minute -= 1;
        } else if self.pauses > 0 {
            self.pauses -= 1;
            self.in_this_minute = per_minute.saturating_sub(1);
            self.paused_until = 0;
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
        self.account.map(|account| format!("{AS}{account}"))
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
            // Made-up names from many addresses must not end the pause of a real one.
            if state.failures.len() >= COUNTED {
                state.failures.retain(|_, failures| failures.paused_until > now);
            }
            if state.failures.len() >= COUNTED {
                state.failures.clear();
            }
        }
        for key in keys {
            let is_account = key.starts_with(AS);
            let failures = state.failures.entry(key).or_default();
            if is_account {
                failures.count(now, self.per_minute.saturating_mul(ADDRESSES), MINUTE);
            } else {
                failures.count(now, self.per_minute, LONGEST);
            }
        }
        Ok(())
    }

    /// One succeeded: this one is no guesser.
    pub(super) fn succeeded(&self, who: Who<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failures) = state.failures.get_mut(&who.by_address()) {
            failures.take_back(self.per_minute);
        }
        // Whoever knows the secret is not the guesser, and ends the account's pause.
        if let Some(account) = who.by_account() {
            state.failures.remove(&account);
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
    fn a_guesser_pauses_and_others_do_not() {
        let attempts = Attempts::new(3, Clock::default());
        assert!(attempts.begin(who("1.1.1.1", "ann")).is_ok());
        attempts.succeeded(who("1.1.1.1", "ann"));
        for _ in 0..3 {
            assert!(attempts.begin(who("6.6.6.6", "ann")).is_ok());
        }
        assert!(attempts.begin(who("6.6.6.6", "ann")).is_err_and(|wait| (59..=60).contains(&wait)));
        assert!(attempts.begin(who("6.6.6.6", "bob")).is_err(), "by the address");
        assert!(attempts.begin(who("7.7.7.7", "ann")).is_ok(), "Ann from a new place");
        // Many addresses: the account pauses, but not where it is known from.
        let mut addresses = (10..).map(|last| format!("6.6.6.{last}"));
        while attempts.begin(who(&addresses.next().expect("one more"), "ann")).is_ok() {}
        assert_eq!(addresses.next().as_deref(), Some("6.6.6.19"));
        assert!(attempts.begin(who("8.8.8.8", "ann")).is_err());
        assert!(attempts.begin(who("1.1.1.1", "ann")).is_ok(), "known from there");
    }

    #[test]
    fn a_success_of_ones_own_does_not_wash_guesses_away() {
        let attempts = Attempts::new(3, Clock::default());
        for account in ["ann", "bob"] {
            assert!(attempts.begin(who("6.6.6.6", account)).is_ok());
        }
        assert!(attempts.begin(who("6.6.6.6", "eve")).is_ok());
        attempts.succeeded(who("6.6.6.6", "eve"));
        assert!(attempts.begin(who("6.6.6.6", "dan")).is_ok());
        assert!(attempts.begin(who("6.6.6.6", "eve")).is_err());
    }

    #[test]
    fn ten_thousand_made_up_names_do_not_end_a_pause() {
        let attempts = Attempts::new(1, Clock::default());
        for address in 0..4 {
            assert!(attempts.begin(who(&format!("6.6.6.{address}"), "ann")).is_ok());
        }
        assert!(attempts.begin(who("7.7.7.7", "ann")).is_err(), "the account pauses");
        let patient = Attempts { per_minute: 5, ..attempts };
        for number in 0..COUNTED {
            let name = format!("made up {number}");
            assert!(patient.begin(who(&format!("host {number}"), &name)).is_ok());
        }
        assert!(patient.begin(who("7.7.7.7", "ann")).is_err(), "it still does");
        let state = patient.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(state.failures.len() <= COUNTED + 1, "{}", state.failures.len());
    }

    #[test]
    fn pauses_double_and_end() {
        let mut failures = Failures::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            failures.count(failures.paused_until, 1, LONGEST);
            waits.push((failures.paused_until - failures.last) / 1000);
        }
        assert_eq!(waits, [60, 120, 240, 480, 900, 900]);
        failures.count(failures.paused_until + FORGOTTEN + 1, 2, LONGEST);
        assert_eq!((failures.pauses, failures.in_this_minute), (0, 1), "long ago");
    }
}
