//! How many cores the conversions of this process work on, and who has how many.
//!
//! Every conversion has one, however many there are. What neither they nor those in line for a worker
//! need is lent out lane by lane: to each owner as much as to the others, and of that to each of their
//! conversions; a lane is given back when its piece is done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Files that are uploaded together arrive within this time of one another.
const TOGETHER: Duration = Duration::from_millis(300);

/// The cores of a process, or what of them it may use.
#[derive(Clone, Debug)]
pub struct Cores {
    total: usize,
    /// Whether other conversions may come at any moment.
    is_served: bool,
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
    /// Conversions that are about to take part.
    in_line: usize,
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
        let (owner, state) = (Owner::default(), Arc::default());
        Self { total: total.max(1), is_served: false, owner, state }
    }

    /// All that the system lets this process use, up to `most`.
    #[must_use]
    pub fn of_this_machine(most: usize) -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from).min(most))
    }

    /// The same cores in a server, where conversions come at any moment.
    #[must_use]
    pub fn served(self) -> Self {
        Self { is_served: true, ..self }
    }

    /// The same cores, for conversions of this owner.
    #[must_use]
    pub fn of(&self, owner: Owner) -> Self {
        Self { owner, ..self.clone() }
    }

    /// Takes part, with the one core that everybody has.
    #[must_use]
    pub fn join(&self) -> Seat {
        let mut state = self.lock();
        *state.conversions.entry(self.owner).or_default() += 1;
        state.lanes += 1;
        drop(state);
        Seat(Arc::new(Joined { cores: self.clone(), used: Mutex::default() }))
    }

    /// Says how many conversions are about to take part: a core for each is not lent out. To split a
    /// recording costs more than to convert another beside it.
    pub fn keep_for(&self, conversions: usize) {
        self.lock().in_line = conversions;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One conversion among others, from its first read to its last write. Its own core goes back when
/// the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Seat(Arc<Joined>);

#[derive(Debug)]
struct Joined {
    cores: Cores,
    used: Mutex<Use>,
}

impl Seat {
    /// Cores to encode on, up to `most` in all.
    #[must_use]
    pub fn share(&self, most: usize) -> Share {
        Share { seat: self.clone(), most: most.clamp(1, self.0.cores.total) }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let mut state = self.cores.lock();
        if let Some(conversions) = state.conversions.get_mut(&self.cores.owner) {
            *conversions -= 1;
        }
        state.conversions.retain(|_, conversions| *conversions > 0);
        state.lanes -= 1;
    }
}

/// What one conversion encodes on.
#[derive(Debug)]
pub struct Share {
    seat: Seat,
    most: usize,
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

    /// How long to wait for other conversions before a recording is split at the cost of encoding a
    /// good deal of it twice: they often come together.
    #[must_use]
    pub fn patience(&self) -> Duration {
        if self.seat.0.cores.is_served { TOGETHER } else { Duration::ZERO }
    }

    /// A core for another lane: its own, or one that is idle and that no other conversion has a
    /// better right to.
    #[must_use]
    pub fn core(&self) -> Option<Core> {
        let Joined { cores, used } = &*self.seat.0;
        let mut state = cores.lock();
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = !used.own;
        if is_own {
            used.own = true;
        } else {
            let fair = state.fair(cores.total, cores.owner).min(self.most);
            if state.lanes + state.in_line >= cores.total || used.lent + 1 >= fair {
                return None;
            }
            state.lanes += 1;
            used.lent += 1;
        }
        Some(Core { seat: self.seat.clone(), is_own })
    }
}

/// A core that a lane works on, until this is dropped.
#[derive(Debug)]
pub struct Core {
    seat: Seat,
    is_own: bool,
}

impl Drop for Core {
    fn drop(&mut self) {
        let Joined { cores, used } = &*self.seat.0;
        let mut state = cores.lock();
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
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
        let first = cores.join().share(usize::MAX);
        let mut lanes: Vec<_> = (0..4).map(|_| first.core().expect("idle")).collect();
        assert!(first.core().is_none(), "all four are at work");
        let second = cores.join().share(usize::MAX);
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
        let alone = cores.join().share(2);
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
        let batch: Vec<_> = (0..4).map(|_| many.join().share(usize::MAX)).collect();
        let alone = one.join().share(usize::MAX);
        let lanes: Vec<_> =
            std::iter::repeat_with(|| alone.core()).map_while(|core| core).collect();
        assert_eq!(lanes.len(), 4, "half of eight, of which the four others keep theirs");
        let first: Vec<_> = batch.iter().flat_map(|share| [share.core(), share.core()]).collect();
        assert_eq!(first.iter().flatten().count(), 4, "one each");
    }

    #[test]
    fn only_a_server_waits_for_others() {
        let patience = |cores: Cores| cores.join().share(2).patience();
        assert_eq!(patience(Cores::new(2)), Duration::ZERO);
        assert!(patience(Cores::new(2).served().of([1; 16])) > Duration::ZERO);
    }

    #[test]
    fn cores_are_kept_for_those_in_line() {
        let cores = Cores::new(4);
        cores.keep_for(2);
        let first = cores.join().share(usize::MAX);
        let lanes = [first.core(), first.core(), first.core()];
        assert_eq!(lanes.iter().flatten().count(), 2, "two are kept");
        cores.keep_for(1);
        let second = cores.join().share(usize::MAX);
        let own = second.core().expect("everybody has one");
        assert!(second.core().is_none());
        cores.keep_for(0);
        assert!(first.core().is_none(), "it has its half");
        cores.keep_for(100);
        drop((lanes, first));
        assert!(second.core().is_none());
        cores.keep_for(0);
        assert!(second.core().is_some());
        drop(own);
    }
}
