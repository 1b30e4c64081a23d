//! How many cores the conversions of this process work on, and who has how many.
//!
//! Every conversion has one, however many there are. What is left over is lent out lane by lane, to
//! each as much as to the others; a lane is given back when its piece is done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The cores of a process, or what of them it may use.
#[derive(Clone, Debug)]
pub struct Cores {
    total: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Conversions at work.
    conversions: usize,
    /// Lanes at work, the first of each conversion included.
    lanes: usize,
}

impl Cores {
    /// So many cores, at least one.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { total: total.max(1), state: Arc::default() }
    }

    /// All that the system lets this process use.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Takes part, with the one core that everybody has and up to `most` in all.
    #[must_use]
    pub fn join(&self, most: usize) -> Share {
        let mut state = self.lock();
        state.conversions += 1;
        state.lanes += 1;
        drop(state);
        Share { cores: self.clone(), most: most.clamp(1, self.total), used: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of one conversion. Its own core goes back when it is dropped.
#[derive(Debug)]
pub struct Share {
    cores: Cores,
    most: usize,
    used: Arc<Mutex<Use>>,
}

/// What a conversion works on.
#[derive(Debug, Default)]
struct Use {
    /// Whether its own core is at work.
    own: bool,
    /// Cores beyond that.
    lent: usize,
}

impl Share {
    /// The most lanes it will ever have at once.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// A core for another lane: its own, or one that is idle and that no other conversion has a
    /// better right to.
    #[must_use]
    pub fn core(&self) -> Option<Core> {
        let mut state = self.cores.lock();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = !used.own;
        if is_own {
            used.own = true;
        } else {
            let fair = self.cores.total.div_ceil(state.conversions.max(1)).min(self.most);
            if state.lanes >= self.cores.total || used.lent + 1 >= fair {
                return None;
            }
            state.lanes += 1;
            used.lent += 1;
        }
        Some(Core { cores: self.cores.clone(), used: Arc::clone(&self.used), is_own })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        state.conversions -= 1;
        state.lanes -= 1;
    }
}

/// A core that a lane works on, until this is dropped.
#[derive(Debug)]
pub struct Core {
    cores: Cores,
    used: Arc<Mutex<Use>>,
    is_own: bool,
}

impl Drop for Core {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_own {
            used.own = false;
        } else {
            state.lanes -= 1;
            used.lent -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_conversion_gets_all_and_several_get_as_much_each() {
        let cores = Cores::new(4);
        let first = cores.join(usize::MAX);
        let mut lanes: Vec<_> = (0..4).map(|_| first.core().expect("idle")).collect();
        assert!(first.core().is_none(), "all four are at work");
        let second = cores.join(usize::MAX);
        let own = second.core().expect("everybody has one");
        assert!(second.core().is_none());
        lanes.pop();
        assert!(second.core().is_none(), "five were at work");
        lanes.pop();
        assert!(first.core().is_none(), "the first has its half");
        let its = second.core().expect("the second has not");
        drop(lanes.remove(0));
        lanes.push(first.core().expect("its own again"));
        assert!(first.core().is_none());
        drop((first, lanes));
        let all = [second.core(), second.core()];
        assert!(all.iter().all(Option::is_some) && second.core().is_none());
        drop((own, its, all, second));
        let alone = cores.join(2);
        let lanes = [alone.core(), alone.core(), alone.core()];
        assert_eq!(lanes.iter().flatten().count(), 2, "no more than it may");
        drop((lanes, alone));
        let state = cores.lock();
        assert_eq!((state.conversions, state.lanes), (0, 0));
    }
}
