//! The jobs of a process: what they share, and its start and end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::{JobsError, SET_ASIDE};
use super::exec;
use super::files::Files;
use super::intake::blocking;
use super::live::Live;
use super::model::StoredError;
use super::news::Listener;
use super::order::KeysInUse;
use super::settings::Settings;
use super::store::Store;
use super::store::sqlite::{Age, Recovered};
use crate::base::{Clock, JobId, UserId};
use crate::ledger::Usage;
use crate::storage::LocalStorage;

/// Files that are looked into at once: each takes a thread for some milliseconds.
const LOOKS: usize = 4;

/// The jobs of this process. Cheap to clone.
#[derive(Clone)]
pub struct Jobs(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) files: Files,
    pub(super) usage: Usage,
    pub(super) live: Live,
    pub(super) wake: Notify,
    pub(super) line_moved: Notify,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) instance: Uuid,
    /// The libraries that read files: what crashes one may not crash another.
    pub(super) engine: String,
    pub(super) boot: String,
    pub(super) draining: AtomicBool,
    /// Files that are looked into at once.
    pub(super) looks: Arc<Semaphore>,
    /// Requests that clients have named.
    pub(super) keys: KeysInUse,
    /// Ends when the process goes down.
    pub(super) end: CancellationToken,
    /// More is stored than shall be.
    pub(super) over_quota: Notify,
    /// The clock of what is kept, when it was last set.
    pub(super) age: Mutex<Option<Age>>,
}

impl Jobs {
    /// Jobs of `store` with files in `storage`. `boot` names this boot of the machine.
    #[must_use]
    pub fn new(
        store: Store,
        storage: LocalStorage,
        usage: Usage,
        settings: Settings,
        clock: Clock,
        boot: String,
    ) -> Self {
        Self(Arc::new(Inner {
            files: Files::new(storage, store.clone()),
            store,
            usage,
            live: Live::default(),
            wake: Notify::new(),
            line_moved: Notify::new(),
            clock,
            settings,
            instance: Uuid::now_v7(),
            engine: exec::engine(),
            boot,
            draining: AtomicBool::new(false),
            looks: Arc::new(Semaphore::new(LOOKS)),
            keys: KeysInUse::default(),
            end: CancellationToken::new(),
            over_quota: Notify::new(),
            age: Mutex::new(None),
        }))
    }

    /// Puts the work of the process before this one in order: running jobs go back into the line,
    /// those that crashed twice are set aside, half-done deletions are finished. To be called once,
    /// before workers start and requests come.
    ///
    /// # Errors
    /// What the database or the file system says.
    pub async fn recover(&self, crashed: &[JobId]) -> Result<Recovered, JobsError> {
        let set_aside = StoredError::without_detail("quarantined", SET_ASIDE, "decoding");
        let recovered =
            self.0.store.recover(crashed, &self.0.engine, &set_aside, self.now()).await?;
        self.0.files.tidy().await?;
        Ok(recovered)
    }

    /// The usage log.
    #[must_use]
    pub fn usage(&self) -> &Usage {
        &self.0.usage
    }

    /// Bytes of sources and results that an account has here.
    ///
    /// # Errors
    /// What the database says.
    pub async fn stored_bytes(&self, owner: UserId) -> Result<u64, JobsError> {
        self.0.store.stored_bytes(owner).await
    }

    /// Hears of every change of a job's state.
    #[must_use]
    pub fn news(&self) -> Listener {
        self.0.store.news().listen()
    }

    /// Ends when the process goes down: what would go on for ever has to end.
    #[must_use]
    pub fn end(&self) -> &CancellationToken {
        &self.0.end
    }

    /// More is stored than shall be.
    pub(super) fn is_over_quota(&self) -> &Notify {
        &self.0.over_quota
    }

    /// Checks that the disk can be used: what readiness asks.
    ///
    /// # Errors
    /// `Storage` or `DiskFull`.
    pub async fn check_storage(&self) -> Result<(), JobsError> {
        let storage = self.0.files.storage().clone();
        let has_room =
            blocking(move || storage.stage_input().and_then(|_| storage.has_room(0))).await?;
        if has_room { Ok(()) } else { Err(JobsError::DiskFull) }
    }

    /// Whether the space that has to stay free is not reached. What cannot be asked is not: writing
    /// fails by itself then.
    pub(super) async fn has_room(&self) -> bool {
        let storage = self.0.files.storage().clone();
        blocking(move || storage.has_room(0)).await.unwrap_or(true)
    }

    /// Says that the process is going down: nothing new is taken in.
    pub fn start_draining(&self) {
        self.0.draining.store(true, Ordering::Release);
        self.0.end.cancel();
    }

    /// Whether the process is going down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// The conversions running in this process.
    #[must_use]
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// Limits in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    #[cfg(test)]
    pub(super) fn files(&self) -> &Files {
        &self.0.files
    }

    pub(super) fn store(&self) -> &Store {
        &self.0.store
    }

    /// A job may be claimed.
    pub(super) fn wake(&self) -> &Notify {
        &self.0.wake
    }

    /// The line of those that wait for a worker is another.
    pub(super) fn line_moved(&self) -> &Notify {
        &self.0.line_moved
    }

    pub(super) fn has_grown(&self) {
        // Not one alone: the worker for newcomers may have to leave it to another.
        self.0.wake.notify_waiters();
        self.0.line_moved.notify_one();
    }

    pub(super) fn now(&self) -> i64 {
        self.0.clock.wall_ms()
    }
}
