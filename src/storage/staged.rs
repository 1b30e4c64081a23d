//! A file that is being written and not yet there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A staged file. Dropping it removes it; [`Self::publish`] makes it visible, whole.
#[derive(Debug)]
pub struct Staged {
    file: File,
    path: PathBuf,
    root: PathBuf,
    published: bool,
}

impl Staged {
    pub(super) fn create(path: PathBuf, root: PathBuf) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { file, path, root, published: false })
    }

    /// The file, for writing and reading.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Flushes the content to the device, gives it its name below the root and flushes the
    /// folders. After a crash the file is there whole or not at all. Blocks.
    ///
    /// # Errors
    /// What the file system says; the staged file is then removed. A failed fsync is final: the
    /// kernel may have dropped the pages, so it is never tried again on the same file.
    pub(super) fn publish(mut self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = target.parent().unwrap_or(&self.root);
        // Deleting the last file beside it may take the folder away between the two calls.
        for try_again in [true, true, false] {
            std::fs::create_dir_all(folder)?;
            match std::fs::rename(&self.path, target) {
                Ok(()) => break,
                Err(error) if try_again && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.published = true;
        // A new folder is durable once its own parent is flushed, up to the root.
        let mut level = Some(folder);
        while let Some(path) = level.filter(|path| path.starts_with(&self.root)) {
            File::open(path)?.sync_all()?;
            level = path.parent();
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a staged file stays behind until the next start");
        }
    }
}
