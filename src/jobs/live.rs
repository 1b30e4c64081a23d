//! The conversions running in this process: their counters and their stop flags.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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
pub struct Live(Arc<Mutex<HashMap<JobId, Running>>>);

impl Live {
    /// Enters a conversion until the guard is dropped.
    #[must_use]
    pub fn enter(&self, job: JobId, running: Running) -> LiveGuard {
        self.map(|map| map.insert(job, running));
        LiveGuard { live: self.clone(), job }
    }

    /// The conversion of `job`, if this process runs it.
    #[must_use]
    pub fn get(&self, job: JobId) -> Option<Running> {
        self.map(|map| map.get(&job).cloned())
    }

    /// Asks one conversion to stop.
    pub fn stop(&self, job: JobId, reason: StopReason) {
        if let Some(running) = self.get(job) {
            running.cancel.stop(reason);
        }
    }

    /// Asks every conversion to stop.
    pub fn stop_all(&self, reason: StopReason) {
        self.map(|map| map.values().for_each(|running| running.cancel.stop(reason)));
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.map(|map| map.len())
    }

    fn map<T>(&self, act: impl FnOnce(&mut HashMap<JobId, Running>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Takes its conversion out of the list when dropped.
#[derive(Debug)]
pub struct LiveGuard {
    live: Live,
    job: JobId,
}

impl Drop for LiveGuard {
    fn drop(&mut self) {
        self.live.map(|map| map.remove(&self.job));
    }
}
