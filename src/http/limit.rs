//! How often somebody may ask, and who is refused again and again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::HeaderValue;
use http::header::RETRY_AFTER;

use super::error::Problem;
use crate::auth::Principal;
use crate::base::UserId;

/// Who asks: a principal, or a network where nobody is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asker {
    /// Somebody's browsers; a script that asks too often does not lock its owner out.
    Person(UserId),
    /// Somebody's scripts.
    Scripts(UserId),
    Network(IpAddr),
    Socket,
}

/// Requests per minute of a principal or a network. Cells of those who have not asked for long are
/// given back, so that their number does not grow.
pub(super) struct Rate {
    limiter: Option<DefaultKeyedRateLimiter<Asker>>,
    asked: AtomicU32,
}

/// Cells are looked through each time this many requests have come.
const SWEEP: u32 = 4096;

impl Rate {
    /// So many a minute, and as many at once; none is refused where it is 0.
    pub(super) fn new(per_minute: u32) -> Self {
        let limiter = NonZeroU32::new(per_minute)
            .map(|per_minute| RateLimiter::keyed(Quota::per_minute(per_minute)));
        Self { limiter, asked: AtomicU32::new(0) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// `too_many`, with the seconds until the next one.
    pub(super) fn count(
        &self,
        principal: Option<&Principal>,
        client: Option<IpAddr>,
    ) -> Result<(), Problem> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        let asker = match (principal, client) {
            (Some(principal), _) if principal.method.is_ambient() => Asker::Person(principal.user),
            (Some(principal), _) => Asker::Scripts(principal.user),
            (None, Some(address)) => Asker::Network(network(address)),
            (None, None) => Asker::Socket,
        };
        limiter.check_key(&asker).map_err(|early| {
            let wait = early.wait_time_from(DefaultClock::default().now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let detail = format!("Too many requests. The next one is possible in {seconds} s.");
            Problem::new("too_many", detail)
                .with_header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
                .closing()
        })
    }
}

/// Refusals of one network in a minute from which on the log says so.
const REFUSALS: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
/// Networks that are counted; when there are more, those of the last minute stay, as far as they fit.
const NETWORKS: usize = 10_000;

/// Counts answers with 401, so that one log line says what an alert can match.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Option<IpAddr>, (Instant, u32)>>);

impl Refusals {
    /// One more of this client; whether it is the one from which on it is repeated.
    pub(super) fn count(&self, client: Option<IpAddr>) -> bool {
        let now = Instant::now();
        let mut networks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if networks.len() >= NETWORKS {
            networks.retain(|_, (began, _)| now - *began < MINUTE);
            if networks.len() >= NETWORKS {
                networks.clear();
            }
        }
        let (began, refused) = networks.entry(client.map(network)).or_insert((now, 0));
        if now - *began >= MINUTE {
            (*began, *refused) = (now, 0);
        }
        *refused += 1;
        let is_repeated = *refused == REFUSALS;
        if is_repeated {
            let client = client.map(|address| address.to_string());
            tracing::warn!(
                client,
                refused = REFUSALS,
                "repeated_401: somebody without a valid credential keeps asking"
            );
        }
        is_repeated
    }
}

/// Streams of events that an account has open at once: a few tabs and scripts.
const STREAMS: usize = 16;

/// Who listens to events. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<HashMap<UserId, usize>>>);

/// A stream's place; given back by dropping it.
#[derive(Debug)]
pub(super) struct Stream {
    streams: Streams,
    user: UserId,
}

impl Streams {
    /// One more stream of an account.
    ///
    /// # Errors
    /// `too_many` when it has enough.
    pub(super) fn take(&self, user: UserId) -> Result<Stream, Problem> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.entry(user).or_default();
        if *own >= STREAMS {
            let detail = format!("An account has at most {STREAMS} streams of events; close one.");
            return Err(Problem::new("too_many", detail)
                .with_header(RETRY_AFTER, HeaderValue::from_static("30")));
        }
        *own += 1;
        Ok(Stream { streams: self.clone(), user })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// What one party has at hand: an IPv6 customer has a whole /64.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_and_another_address_is_another() {
        let rate = Rate::new(2);
        let ask = |address: &str| rate.count(None, address.parse().ok()).is_ok();
        assert!(ask("2001:db8:1:2::1") && ask("2001:db8:1:2:ffff::9"));
        assert!(!ask("2001:db8:1:2:1::1"));
        assert!(ask("2001:db8:1:3::1") && ask("192.0.2.1"));
        let unlimited = Rate::new(0);
        assert!((0..1000).all(|_| unlimited.count(None, None).is_ok()));
    }
}
