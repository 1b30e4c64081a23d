//! The two directories on one file system.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use uuid::Uuid;

use super::key::{Area, Key};
use super::staged::Staged;
use crate::base::ByteSize;

/// Where files go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Incoming files.
    pub upload_dir: PathBuf,
    /// Finished files.
    pub output_dir: PathBuf,
    /// Space that must stay free; below it nothing new is taken in.
    pub min_free: ByteSize,
}

/// Files in local directories. Every call blocks.
#[derive(Clone, Debug)]
pub struct LocalStorage {
    settings: Settings,
    /// Files that this process has made visible, and when; until they are known to have a row.
    births: Arc<Mutex<HashMap<Key, Instant>>>,
    /// Locked for as long as a clone lives.
    _claims: Arc<Vec<File>>,
}

/// Says whose a directory is: the identity of the database that has its files in rows.
const CLAIM: &str = ".audiomill";

/// Files being written lie here, below each directory, so that a rename never crosses file systems.
const STAGING: &str = ".staged";

impl LocalStorage {
    /// Makes the directories, claims them for the database called `identity`, checks that they can
    /// be used, and removes what an earlier process left half-written.
    ///
    /// The claim keeps a server with a mistyped DATABASE_URL from taking every file for an orphan,
    /// and two servers from sharing a directory.
    ///
    /// # Errors
    /// A sentence's worth of cause: a folder that cannot be made or written, that belongs to
    /// another database or is in use, or two file systems.
    pub fn open(settings: Settings, identity: &str) -> io::Result<Self> {
        let (mut claims, mut places) = (Vec::new(), Vec::new());
        for root in [&settings.upload_dir, &settings.output_dir] {
            fs::create_dir_all(root).map_err(|error| named(root, &error))?;
            let place = fs::canonicalize(root).map_err(|error| named(root, &error))?;
            // One directory may serve as both, also under two names.
            if !places.contains(&place) {
                claims.push(claim(root, identity)?);
                places.push(place);
            }
        }
        let storage = Self { settings, births: Arc::default(), _claims: Arc::new(claims) };
        for root in storage.roots() {
            let staging = root.join(STAGING);
            fs::create_dir_all(&staging).map_err(|error| named(root, &error))?;
            for left in fs::read_dir(&staging)? {
                fs::remove_file(left?.path())?;
            }
            // Whether a file can really be made here is known only by making one.
            drop(storage.stage_below(root).map_err(|error| named(root, &error))?);
        }
        let [uploads, outputs] = storage.roots();
        if fs::metadata(uploads)?.dev() != fs::metadata(outputs)?.dev() {
            return Err(io::Error::other(format!(
                "{} and {} are on two file systems; put UPLOAD_DIR and OUTPUT_DIR on one",
                uploads.display(),
                outputs.display()
            )));
        }
        Ok(storage)
    }

    /// Removes every stored file, and gives the directories back.
    ///
    /// # Errors
    /// What the file system says.
    pub fn remove_everything(self) -> io::Result<()> {
        for root in self.roots() {
            for inner in [root.join("users"), root.join(STAGING)] {
                match fs::remove_dir_all(&inner) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(named(&inner, &error));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            match fs::remove_file(root.join(CLAIM)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(named(root, &error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Starts an incoming file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn stage_input(&self) -> io::Result<Staged> {
        self.stage_below(&self.settings.upload_dir)
    }

    /// Starts a finished file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn stage_output(&self) -> io::Result<Staged> {
        self.stage_below(&self.settings.output_dir)
    }

    /// Makes a staged file visible under `key`, durably.
    ///
    /// # Errors
    /// What the file system says; the staged file is gone then.
    pub fn publish(&self, staged: Staged, key: &Key) -> io::Result<()> {
        let mut births = self.births.lock().unwrap_or_else(PoisonError::into_inner);
        births.insert(key.clone(), Instant::now());
        drop(births);
        staged.publish(&self.path(key))
    }

    /// Opens a stored file for reading.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open_file(&self, key: &Key) -> io::Result<File> {
        File::open(self.path(key))
    }

    /// Deletes a stored file and the folders it leaves empty. A file that is gone already is fine.
    ///
    /// # Errors
    /// What the file system says.
    pub fn delete(&self, key: &Key) -> io::Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // From `input` or `output` up to `users`: each goes when nothing else is in it.
        for folder in path.ancestors().skip(1).take(5) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Keys of files that were made visible longer ago than `age` and about which nobody has said
    /// [`Self::is_known`] since.
    #[must_use]
    pub fn born_before(&self, age: Duration) -> Vec<Key> {
        let births = self.births.lock().unwrap_or_else(PoisonError::into_inner);
        births
            .iter()
            .filter(|(_, born)| born.elapsed() >= age)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Says that a file has its row, or is gone: it is not asked about any more.
    pub fn is_known(&self, key: &Key) {
        self.births.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// Deletes every file whose key `known` does not hold: what a crash left between a rename and
    /// its row. Returns how many went.
    ///
    /// # Errors
    /// What the file system says.
    pub fn sweep(&self, known: &HashSet<String>) -> io::Result<usize> {
        let mut swept = 0;
        for root in self.roots() {
            for file in files_below(&root.join("users"))? {
                let key = file.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
                if let (false, Ok(key)) = (known.contains(key), Key::parse(key)) {
                    self.delete(&key)?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Bytes an unprivileged writer can still write.
    ///
    /// # Errors
    /// What the file system says.
    pub fn free(&self) -> io::Result<ByteSize> {
        let stat = rustix::fs::statvfs(&self.settings.upload_dir)?;
        Ok(ByteSize(stat.f_bavail.saturating_mul(stat.f_frsize)))
    }

    /// Whether there is room for `bytes` more without touching what must stay free.
    ///
    /// # Errors
    /// What the file system says.
    pub fn has_room(&self, bytes: u64) -> io::Result<bool> {
        Ok(self.free()?.0 >= self.settings.min_free.0.saturating_add(bytes))
    }

    fn roots(&self) -> [&Path; 2] {
        [&self.settings.upload_dir, &self.settings.output_dir]
    }

    fn path(&self, key: &Key) -> PathBuf {
        key.below(match key.area() {
            Area::Uploads => &self.settings.upload_dir,
            Area::Outputs => &self.settings.output_dir,
        })
    }

    fn stage_below(&self, root: &Path) -> io::Result<Staged> {
        let path = root.join(STAGING).join(format!("{}.part", Uuid::now_v7()));
        Staged::create(path, root.to_owned())
    }
}

fn claim(root: &Path, identity: &str) -> io::Result<File> {
    let path = root.join(CLAIM);
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.map_err(|error| named(root, &error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        io::Error::other(format!("{} is in use by another audiomill", root.display()))
    })?;
    let mut owner = String::new();
    file.read_to_string(&mut owner)?;
    let has_files = root.join("users").exists();
    match owner.trim() {
        known if known == identity => Ok(file),
        "" if !has_files => {
            file.write_all(identity.as_bytes())?;
            file.sync_all()?;
            Ok(file)
        }
        _ => Err(io::Error::other(format!(
            "{} holds files of another database; give DATABASE_URL the one they belong to, or an empty folder",
            root.display()
        ))),
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{} cannot be used: {error}", path.display()))
}

fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ArtifactId, JobId, UserId};

    fn storage(folder: &Path) -> LocalStorage {
        open(folder, "database one").expect("a storage")
    }

    fn open(folder: &Path, identity: &str) -> io::Result<LocalStorage> {
        let settings = Settings {
            upload_dir: folder.join("uploads"),
            output_dir: folder.join("outputs"),
            min_free: ByteSize(0),
        };
        LocalStorage::open(settings, identity)
    }

    fn files(folder: &Path) -> usize {
        let all = files_below(folder).expect("a listing");
        all.iter().filter(|path| path.file_name().is_some_and(|name| name != CLAIM)).count()
    }

    #[test]
    fn a_directory_belongs_to_one_database_and_one_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = storage(folder.path());
        let in_use = open(folder.path(), "database one").expect_err("in use").to_string();
        assert!(in_use.ends_with("is in use by another audiomill"), "{in_use}");
        drop(first);
        let foreign = open(folder.path(), "database two").expect_err("foreign").to_string();
        assert!(foreign.contains("holds files of another database"), "{foreign}");
        assert!(open(folder.path(), "database one").is_ok());
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let storage = storage(folder.path());
        let staged = storage.stage_output().expect("a staged file");
        staged.file().write_all(b"half").expect("a write");
        drop(staged);
        assert_eq!(files(folder.path()), 0);

        let key = Key::output(UserId::generate(), JobId::generate(), ArtifactId::generate(), "mp3")
            .expect("a key");
        let staged = storage.stage_output().expect("a staged file");
        staged.file().write_all(b"whole").expect("a write");
        storage.publish(staged, &key).expect("published");
        assert_eq!(files(folder.path()), 1);
        storage.delete(&key).expect("deleted");
        storage.delete(&key).expect("deleting twice is fine");
        assert_eq!(files(folder.path()), 0);
        assert!(
            !folder.path().join("outputs/users").exists(),
            "empty folders go with the last file"
        );
    }

    #[test]
    fn a_start_removes_what_was_half_written_and_what_no_row_knows() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = storage(folder.path());
        let orphan = Key::input(UserId::generate(), JobId::generate(), "wav").expect("a key");
        let kept = Key::input(UserId::generate(), JobId::generate(), "wav").expect("a key");
        for key in [&orphan, &kept] {
            first.publish(first.stage_input().expect("staged"), key).expect("published");
        }
        std::mem::forget(first.stage_input().expect("a staged file left by a crash"));
        assert_eq!(files(folder.path()), 3);
        drop(first);
        let second = storage(folder.path());
        let swept = second.sweep(&HashSet::from([kept.to_string()])).expect("a sweep");
        assert_eq!((swept, files(folder.path())), (1, 1));
    }
}
