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
        Share { cores: self.clone(), most: most.clamp(1, self.total), lent: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The part of one conversion. Its first core goes back when it is dropped.
#[derive(Debug)]
pub struct Share {
    cores: Cores,
    most: usize,
    /// Lanes beyond the first, under the lock of `cores`.
    lent: Arc<Mutex<usize>>,
}

impl Share {
    /// The most lanes it will ever have at once.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// Another core, when one is idle and no other conversion has a better right to it.
    #[must_use]
    pub fn another(&self) -> Option<Lent> {
        let mut state = self.cores.lock();
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let fair = self.cores.total.div_ceil(state.conversions.max(1)).min(self.most);
        if state.lanes >= self.cores.total || *lent + 1 >= fair {
            return None;
        }
        state.lanes += 1;
        *lent += 1;
        Some(Lent { cores: self.cores.clone(), lent: Arc::clone(&self.lent) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        state.conversions -= 1;
        state.lanes -= 1;
    }
}

/// A core that a conversion has beyond its first, until this is dropped.
#[derive(Debug)]
pub struct Lent {
    cores: Cores,
    lent: Arc<Mutex<usize>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        state.lanes -= 1;
        *self.lent.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_conversion_gets_all_and_several_get_as_much_each() {
        let cores = Cores::new(4);
        let first = cores.join(usize::MAX);
        let mut lent: Vec<_> = (0..3).map(|_| first.another().expect("idle")).collect();
        assert!(first.another().is_none(), "all four are at work");
        let second = cores.join(usize::MAX);
        assert!(second.another().is_none());
        lent.pop();
        assert!(second.another().is_none(), "five were at work");
        lent.pop();
        assert!(first.another().is_none(), "the first has its half");
        let its = second.another().expect("the second has not");
        drop((first, lent));
        let all = [second.another(), second.another()];
        assert!(all.iter().all(Option::is_some) && second.another().is_none());
        drop((its, all, second));
        let alone = cores.join(2);
        let lent = alone.another();
        assert!(lent.is_some() && alone.another().is_none(), "no more than it may");
        drop((lent, alone));
        let state = cores.lock();
        assert_eq!((state.conversions, state.lanes), (0, 0));
    }
}
