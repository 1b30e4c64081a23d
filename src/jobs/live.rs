//! The conversions running in this process: their counters and their stop flags.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::store::sqlite::Lease;
use crate::base::{CancelToken, JobId, StopReason};
use crate::media::Progress;

/// One running conversion.
#[derive(Clone, Debug)]
pub struct Running {
    /// Written by the engine.
    pub progress: Arc<Progress>,
    /// Read by the engine.
    pub cancel: CancelToken,
}

/// Who is at work. The lock is held for map operations only.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<HashMap<JobId, Entry>>>);

/// A conversion under the lease it was claimed with: a job that is stopped and tried again at once
/// may be here under its second lease before its first worker has left.
#[derive(Clone, Debug)]
struct Entry {
    token: String,
    running: Running,
}

impl Live {
    /// Enters a conversion until the guard is dropped.
    #[must_use]
    pub fn enter(&self, lease: &Lease, running: Running) -> LiveGuard {
        let entry = Entry { token: lease.token.clone(), running };
        self.map(|map| map.insert(lease.job, entry));
        LiveGuard { live: self.clone(), lease: lease.clone() }
    }

    /// The conversion of `job`, if this process runs it.
    #[must_use]
    pub fn get(&self, job: JobId) -> Option<Running> {
        self.map(|map| map.get(&job).map(|entry| entry.running.clone()))
    }

    /// Every conversion of this process.
    #[must_use]
    pub fn all(&self) -> HashMap<JobId, Running> {
        self.map(|map| map.iter().map(|(job, entry)| (*job, entry.running.clone())).collect())
    }

    /// Asks the conversion under one lease to stop.
    pub fn stop(&self, lease: &Lease, reason: StopReason) {
        self.map(|map| {
            if let Some(entry) = map.get(&lease.job).filter(|entry| entry.token == lease.token) {
                entry.running.cancel.stop(reason);
            }
        });
    }

    /// Asks every conversion to stop.
    pub fn stop_all(&self, reason: StopReason) {
        self.map(|map| map.values().for_each(|entry| entry.running.cancel.stop(reason)));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.map(|map| map.len())
    }

    fn map<T>(&self, act: impl FnOnce(&mut HashMap<JobId, Entry>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes its conversion out of the list when dropped.
#[derive(Debug)]
pub struct LiveGuard {
    live: Live,
    lease: Lease,
}

impl Drop for LiveGuard {
    fn drop(&mut self) {
        self.live.map(|map| {
            if map.get(&self.lease.job).is_some_and(|entry| entry.token == self.lease.token) {
                map.remove(&self.lease.job);
            }
        });
    }
}
