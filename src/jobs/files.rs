//! Stored files of jobs: opened for a download, deleted when nothing points to them.

use std::collections::HashSet;
use std::fs::File;
use std::time::Duration;

use super::error::JobsError;
use super::intake::blocking;
use super::model::Artifact;
use super::store::Store;
use crate::storage::{Key, LocalStorage};

/// The files behind the rows.
#[derive(Clone, Debug)]
pub struct Files {
    storage: LocalStorage,
    store: Store,
}

impl Files {
    /// Files of `store` in `storage`.
    #[must_use]
    pub fn new(storage: LocalStorage, store: Store) -> Self {
        Self { storage, store }
    }

    /// The storage, for what is coming in.
    #[must_use]
    pub fn storage(&self) -> &LocalStorage {
        &self.storage
    }

    /// Opens a result for reading. It can be read to its end even when it is deleted meanwhile.
    ///
    /// # Errors
    /// `NotReady` when the file is gone, `Storage`.
    pub async fn open(&self, artifact: &Artifact) -> Result<File, JobsError> {
        let key = key(&artifact.storage_key)?;
        let storage = self.storage.clone();
        blocking(move || storage.open_file(&key)).await.map_err(|error| match error {
            JobsError::Storage(inner) if inner.kind() == std::io::ErrorKind::NotFound => {
                JobsError::NotReady("The result has been deleted.")
            }
            other => other,
        })
    }

    /// Deletes the files of rows that [`Store::delete`] marked, then the rows.
    ///
    /// # Errors
    /// The first file that could not be deleted; the next start tries again.
    pub async fn delete(&self, keys: Vec<String>) -> Result<(), JobsError> {
        let parsed = keys.iter().map(|text| key(text)).collect::<Result<Vec<_>, _>>()?;
        let storage = self.storage.clone();
        blocking(move || parsed.iter().try_for_each(|key| storage.delete(key))).await?;
        self.store.forget_blobs(&keys).await
    }

    /// Removes files that this process has made visible longer ago than `age` and that have no row:
    /// their own removal had failed. What earlier processes left is [`Self::tidy`]'s.
    ///
    /// # Errors
    /// What the database or the file system says.
    pub async fn sweep(&self, age: Duration) -> Result<(), JobsError> {
        for key in self.storage.born_before(age) {
            if !self.store.knows_file(&key.to_string()).await? {
                tracing::warn!(file = %key, "a file that no job knows is removed");
                let (storage, orphan) = (self.storage.clone(), key.clone());
                blocking(move || storage.delete(&orphan)).await?;
            }
            self.storage.is_known(&key);
        }
        Ok(())
    }

    /// Removes what is marked for deletion: a crash or a failure came between.
    ///
    /// # Errors
    /// What the database or the file system says.
    pub async fn finish_deletions(&self) -> Result<(), JobsError> {
        self.delete(self.store.doomed_blobs().await?).await
    }

    /// Finishes deletions that a crash cut short, and removes files no row knows. For the start of
    /// a process, before anything new comes in.
    ///
    /// # Errors
    /// What the database or the file system says.
    pub async fn tidy(&self) -> Result<(), JobsError> {
        self.finish_deletions().await?;
        let known: HashSet<String> = self.store.storage_keys().await?.into_iter().collect();
        let storage = self.storage.clone();
        let swept = blocking(move || storage.sweep(&known)).await?;
        if swept > 0 {
            tracing::info!(files = swept, "removed files that no job knows");
        }
        Ok(())
    }
}

fn key(text: &str) -> Result<Key, JobsError> {
    Key::parse(text).map_err(|error| JobsError::Internal(format!("{text}: {error}")))
}
