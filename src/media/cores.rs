//! How many cores the conversions of this process work on, and who has how many.
//!
//! Every conversion has one, however many there are. What is left over is lent out lane by lane: to
//! each owner as much as to the others, and of that to each of their conversions; a lane is given
//! back when its piece is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The cores of a process, or what of them it may use.
#[derive(Clone, Debug)]
pub struct Cores {
    total: usize,
    owner: Owner,
    state: Arc<Mutex<State>>,
}

/// Whose conversions share among themselves.
pub type Owner = [u8; 16];

#[derive(Debug, Default)]
struct State {
    /// Conversions at work, for each owner that has any.
    conversions: HashMap<Owner, usize>,
    /// Lanes at work, the first of each conversion included.
    lanes: usize,
}

impl State {
    /// Cores of so many that each conversion of an owner may have.
    fn fair(&self, total: usize, owner: Owner) -> usize {
        let own = self.conversions.get(&owner).copied().unwrap_or(1).max(1);
        total.div_ceil(self.conversions.len().max(1)).div_ceil(own)
    }
}

impl Cores {
    /// So many cores, at least one.
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self { total: total.max(1), owner: Owner::default(), state: Arc::default() }
    }

    /// All that the system lets this process use, up to `most`.
    #[must_use]
    pub fn of_this_machine(most: usize) -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from).min(most))
    }

    /// The same cores, for conversions of this owner.
    #[must_use]
    pub fn of(&self, owner: Owner) -> Self {
        Self { owner, ..self.clone() }
    }

    /// Takes part, with the one core that everybody has and up to `most` in all.
    #[must_use]
    pub fn join(&self, most: usize) -> Share {
        let mut state = self.lock();
        *state.conversions.entry(self.owner).or_default() += 1;
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
            let fair = state.fair(self.cores.total, self.cores.owner).min(self.most);
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
        if let Some(conversions) = state.conversions.get_mut(&self.cores.owner) {
            *conversions -= 1;
        }
        state.conversions.retain(|_, conversions| *conversions > 0);
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
        assert_eq!((state.conversions.len(), state.lanes), (0, 0));
    }

    #[test]
    fn an_owner_with_many_conversions_has_no_more_than_one_with_one() {
        let cores = Cores::new(8);
        let (many, one) = (cores.of([1; 16]), cores.of([2; 16]));
        let batch: Vec<_> = (0..4).map(|_| many.join(usize::MAX)).collect();
        let alone = one.join(usize::MAX);
        let lanes: Vec<_> =
            std::iter::repeat_with(|| alone.core()).map_while(|core| core).collect();
        assert_eq!(lanes.len(), 4, "half of eight, of which the four others keep theirs");
        let first: Vec<_> = batch.iter().flat_map(|share| [share.core(), share.core()]).collect();
        assert_eq!(first.iter().flatten().count(), 4, "one each");
    }
}
