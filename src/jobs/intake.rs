//! A file on its way in: bytes are written and hashed as they come, in bounded memory.

use std::io::Write;

use ring::digest;

use super::error::JobsError;
use crate::base::ByteSize;
use crate::storage::{LocalStorage, Staged};

/// Bytes gathered before one blocking write.
const BATCH_BYTES: usize = 1 << 20;

/// How much of the beginning is kept for looking at.
const HEAD_BYTES: usize = 4096;

/// A file that is arriving. Dropping it leaves nothing behind.
pub struct Incoming {
    storage: LocalStorage,
    /// Away on a blocking thread during a write.
    writer: Option<Writer>,
    batch: Vec<u8>,
    head: Vec<u8>,
    bytes: u64,
    limit: ByteSize,
}

struct Writer {
    staged: Staged,
    hash: digest::Context,
}

/// A file that has arrived and is not visible yet. Dropping it leaves nothing behind.
pub struct Received {
    /// The staged file.
    pub staged: Staged,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: [u8; 32],
    /// Its beginning.
    pub head: Vec<u8>,
}

impl Incoming {
    /// Starts a file of at most `limit` bytes.
    ///
    /// # Errors
    /// `DiskFull` or `Storage`.
    pub async fn start(storage: LocalStorage, limit: ByteSize) -> Result<Self, JobsError> {
        let (storage, staged) = blocking(move || {
            let staged = storage.stage_input()?;
            Ok((storage, staged))
        })
        .await?;
        Ok(Self {
            storage,
            writer: Some(Writer { staged, hash: digest::Context::new(&digest::SHA256) }),
            batch: Vec::with_capacity(BATCH_BYTES),
            head: Vec::new(),
            bytes: 0,
            limit,
        })
    }

    /// Takes the next bytes. Waits while a full batch is written.
    ///
    /// # Errors
    /// `TooLarge` as soon as the limit is passed, `DiskFull` or `Storage`. Nothing more is taken
    /// after an error.
    pub async fn write(&mut self, chunk: &[u8]) -> Result<(), JobsError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limit.0 {
            return Err(JobsError::TooLarge(self.limit));
        }
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..wanted]);
        self.batch.extend_from_slice(chunk);
        if self.batch.len() >= BATCH_BYTES { self.flush().await } else { Ok(()) }
    }

    /// The beginning of the file, once enough of it is here to be judged.
    #[must_use]
    pub fn head(&self) -> Option<&[u8]> {
        (self.head.len() >= HEAD_BYTES).then_some(&self.head)
    }

    /// Whether nothing has come yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Says that the file is whole.
    ///
    /// # Errors
    /// `EmptyFile`, `DiskFull` or `Storage`.
    pub async fn finish(mut self) -> Result<Received, JobsError> {
        if self.bytes == 0 {
            return Err(JobsError::EmptyFile);
        }
        self.flush().await?;
        let writer = self.writer.take().ok_or_else(stopped)?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(writer.hash.finish().as_ref());
        Ok(Received { staged: writer.staged, bytes: self.bytes, sha256, head: self.head })
    }

    async fn flush(&mut self) -> Result<(), JobsError> {
        let mut writer = self.writer.take().ok_or_else(stopped)?;
        let mut batch = std::mem::take(&mut self.batch);
        let storage = self.storage.clone();
        let (writer, batch) = blocking(move || {
            if !storage.has_room(batch.len() as u64)? {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            writer.staged.file().write_all(&batch)?;
            writer.hash.update(&batch);
            batch.clear();
            Ok((writer, batch))
        })
        .await?;
        self.writer = Some(writer);
        self.batch = batch;
        Ok(())
    }
}

fn stopped() -> JobsError {
    JobsError::Internal(String::from("a file was written to after an error"))
}

/// Runs blocking file work away from the async threads.
///
/// # Errors
/// What `work` says; a panic in it is `Internal`.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, JobsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(JobsError::Internal(error.to_string())),
    }
}
