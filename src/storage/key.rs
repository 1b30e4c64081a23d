//! Where a file lies: made of our own identifiers and an extension of our own table.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::{ArtifactId, JobId, UserId};

/// A relative address inside one of the two stores.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    area: Area,
    path: String,
}

/// Which directory a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Area {
    Uploads,
    Outputs,
}

/// The text is not a key of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a storage key")]
pub struct NotAKey;

impl Key {
    /// The source of a job: `users/{user}/jobs/{job}/input/original.{extension}`.
    ///
    /// # Errors
    /// [`NotAKey`] when `extension` is not 1 to 8 lower-case letters and digits.
    pub fn input(user: UserId, job: JobId, extension: &str) -> Result<Self, NotAKey> {
        checked(extension)?;
        let path = format!("users/{user}/jobs/{job}/input/original.{extension}");
        Ok(Self { area: Area::Uploads, path })
    }

    /// A result of a job: `users/{user}/jobs/{job}/output/{artifact}.{extension}`.
    ///
    /// # Errors
    /// [`NotAKey`] when `extension` is not 1 to 8 lower-case letters and digits.
    pub fn output(
        user: UserId,
        job: JobId,
        artifact: ArtifactId,
        extension: &str,
    ) -> Result<Self, NotAKey> {
        checked(extension)?;
        let path = format!("users/{user}/jobs/{job}/output/{artifact}.{extension}");
        Ok(Self { area: Area::Outputs, path })
    }

    /// Reads a key as the database holds it.
    ///
    /// # Errors
    /// [`NotAKey`] for anything this module does not print.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let parts: Vec<&str> = text.split('/').collect();
        let ["users", user, "jobs", job, area, file] = parts[..] else { return Err(NotAKey) };
        let (stem, extension) = file.split_once('.').ok_or(NotAKey)?;
        let (user, job) = (user.parse().map_err(|_| NotAKey)?, job.parse().map_err(|_| NotAKey)?);
        match (area, stem) {
            ("input", "original") => Self::input(user, job, extension),
            ("output", artifact) => {
                Self::output(user, job, artifact.parse().map_err(|_| NotAKey)?, extension)
            }
            _ => Err(NotAKey),
        }
    }

    pub(super) fn area(&self) -> Area {
        self.area
    }

    pub(super) fn below(&self, root: &Path) -> PathBuf {
        root.join(&self.path)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

fn checked(extension: &str) -> Result<(), NotAKey> {
    let fits = (1..=8).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if fits { Ok(()) } else { Err(NotAKey) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_does() {
        let (user, job) = (UserId::generate(), JobId::generate());
        let key = Key::output(user, job, ArtifactId::generate(), "mp3").expect("a key");
        assert_eq!(Key::parse(&key.to_string()), Ok(key));
        assert!(Key::input(user, job, "../x").is_err());
        assert!(Key::input(user, job, "").is_err());
        for wrong in ["", "users/../../etc/passwd", &format!("users/{user}/jobs/{job}/input/x.wav")]
        {
            assert_eq!(Key::parse(wrong), Err(NotAKey), "{wrong}");
        }
    }
}
