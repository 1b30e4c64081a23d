//! Carrying a claimed job out: the one place that knows both the engine and the storage.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use ring::digest;
use serde_json::{Value, json};

use super::admission::request_of;
use super::live::Running;
use super::store::sqlite::{Claimed, Published};
use crate::base::{ArtifactId, CancelToken, UserId};
use crate::media::catalog::Catalog;
use crate::media::cores::Cores;
use crate::media::crash::CrashRecord;
use crate::media::failure::{Failure, FailureCode, Stage};
use crate::media::progress::Snapshot;
use crate::media::{Conversion, Limits, Output, Progress, Request, Sink, Source, convert, report};
use crate::storage::{Key, LocalStorage, Staged};

pub use crate::media::Waveform;
pub use crate::media::cores::Seat;

/// Runs conversions of stored files.
#[derive(Clone)]
pub struct Executor {
    storage: LocalStorage,
    limits: Limits,
    cores: Cores,
    crash_record: Option<Arc<CrashRecord>>,
}

/// What is told once the source was opened and before the work begins: facts and plan, as JSON.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Facts of the source.
    pub source: String,
    /// What was decided.
    pub planned: String,
}

impl Executor {
    /// An executor on this storage. With a crash record, a fatal signal can be laid to its job.
    #[must_use]
    pub fn new(
        storage: LocalStorage,
        limits: Limits,
        cores: Cores,
        crash_record: Option<Arc<CrashRecord>>,
    ) -> Self {
        Self { storage, limits, cores, crash_record }
    }

    /// Keeps a core for each of so many conversions that are about to be carried out.
    pub fn keep_for(&self, conversions: usize) {
        self.cores.keep_for(conversions);
    }

    /// A place among the conversions at work, and a core.
    #[must_use]
    pub fn seat(&self, owner: UserId) -> Seat {
        self.cores.of(owner.bytes()).join()
    }

    /// Converts the claimed job's source and stores the result under its final name. Blocks.
    ///
    /// The file is nobody's until the store's guarded update names it; [`Self::discard`] removes
    /// it when that does not happen.
    ///
    /// # Errors
    /// The engine's [`Failure`], or one of stage `writing`. No file stays behind.
    pub fn carry_out(
        &self,
        claimed: &Claimed,
        seat: &Seat,
        running: &Running,
        mut begun: impl FnMut(Begun),
    ) -> Result<Published, Failure> {
        let _at_work =
            self.crash_record.as_ref().map(|record| record.enter(claimed.lease.job.bytes()));
        let request = request_of(&claimed.options).map_err(|error| {
            Failure::new(FailureCode::OptionUnsupported, Stage::Reading, error.to_string())
        })?;
        let extension = Catalog::of_this_build().entry(request.format).spec.extension;
        let mime_type = Catalog::of_this_build().entry(request.format).spec.mime_type;
        let source = self.open_source(claimed)?;
        let source_bytes = source.length().unwrap_or(0);
        let staged = self.storage.stage_output().map_err(|error| cannot_store(&error))?;
        let file = staged.file().try_clone().map_err(|error| cannot_store(&error))?;
        let limit = self.limits.output_for(source_bytes);
        let conversion = Conversion {
            request,
            adjustment: None,
            limits: self.limits,
            seat: seat.clone(),
            cancel: running.cancel.clone(),
            progress: Arc::clone(&running.progress),
        };
        let done =
            convert::convert(&conversion, source, Sink::new(file, limit), &mut |probe, plan| {
                begun(Begun {
                    source: report::source(probe, plan).to_string(),
                    planned: report::planned(plan).to_string(),
                });
            })?;
        let (bytes, sha256) =
            measure(staged.file(), &running.progress).map_err(|error| cannot_store(&error))?;
        let artifact = ArtifactId::generate();
        let key = Key::output(claimed.owner, claimed.lease.job, artifact, extension).map_err(
            |error| Failure::new(FailureCode::Internal, Stage::Writing, error.to_string()),
        )?;
        self.storage.publish(staged, &key).map_err(|error| cannot_store(&error))?;
        let name = output_name(&claimed.filename, extension);
        let output = output_json(&done, artifact, &name, bytes, &running.progress.snapshot());
        Ok(Published {
            seconds: output["duration_seconds"].as_f64().unwrap_or(0.0),
            output: output.to_string(),
            warnings: json!(done.warnings).to_string(),
            waveform: running
                .progress
                .shape(|waveform| (!waveform.is_empty()).then(|| waveform.to_bytes())),
            artifact,
            storage_key: key.to_string(),
            name,
            mime_type,
            bytes,
            sha256,
        })
    }

    /// Removes the file of a result that no row names.
    pub fn discard(&self, result: &Published) {
        let deleted = Key::parse(&result.storage_key)
            .map_err(std::io::Error::other)
            .and_then(|key| self.storage.delete(&key));
        if let Err(error) = deleted {
            tracing::warn!(%error, "a result nobody wants stays until the next start");
        }
    }

    fn open_source(&self, claimed: &Claimed) -> Result<Source, Failure> {
        let gone = |error: &dyn std::fmt::Display| {
            let message = format!("The uploaded file cannot be read: {error}.");
            Failure::new(FailureCode::InputGone, Stage::Reading, message)
        };
        let key = Key::parse(&claimed.storage_key).map_err(|error| gone(&error))?;
        let file = self.storage.open_file(&key).map_err(|error| gone(&error))?;
        let length = file.metadata().map_err(|error| gone(&error))?.len();
        Ok(Source::new(file, Some(length)))
    }
}

/// The libraries that read files, by their release.
#[must_use]
pub fn engine() -> String {
    crate::media::release()
}

/// What is in a file that has arrived and, where options are given, what would be made of it.
/// Blocks.
///
/// # Errors
/// The engine's [`Failure`].
pub fn examine(
    staged: &Staged,
    bytes: u64,
    request: Option<&Request>,
    limits: &Limits,
    cancel: &CancelToken,
) -> Result<Value, Failure> {
    let file = staged.file().try_clone().map_err(|error| cannot_store(&error))?;
    let source = Source::new(file, Some(bytes));
    let Some(request) = request else {
        return Ok(json!(convert::examine(&source, limits, cancel)?));
    };
    let (probe, plan) = convert::plan_only(&source, limits, request, cancel)?;
    let mut told = json!(probe);
    told["planned"] = report::planned(&plan);
    Ok(told)
}

/// The failure of a look that does not return.
#[must_use]
pub fn took_too_long() -> Failure {
    let message = "The file could not be read in time: it is damaged, or made to waste time.";
    Failure::new(FailureCode::TimedOut, Stage::Reading, message)
}

fn cannot_store(error: &std::io::Error) -> Failure {
    let full =
        matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    if full {
        Failure::new(
            FailureCode::DiskFull,
            Stage::Writing,
            "There is no space left for the output.",
        )
    } else {
        let message = format!("The output cannot be stored: {error}.");
        Failure::new(FailureCode::StorageFailed, Stage::Writing, message)
    }
}

/// Size and hash. Muxers go back to fill their headers in, so the hash is taken when all is written.
fn measure(mut file: &File, progress: &Progress) -> std::io::Result<(u64, [u8; 32])> {
    file.rewind()?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut buffer = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let count = reader.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        progress.moved();
        bytes += count as u64;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok((bytes, sha256))
}

/// The source's stem with the output's extension.
fn output_name(filename: &str, extension: &str) -> String {
    let stem = Path::new(filename).file_stem().and_then(|stem| stem.to_str());
    format!("{}.{extension}", stem.filter(|stem| !stem.is_empty()).unwrap_or("output"))
}

fn output_json(
    done: &Output,
    artifact: ArtifactId,
    name: &str,
    bytes: u64,
    counted: &Snapshot,
) -> Value {
    let mut output = report::output(done);
    output["artifact_id"] = artifact.to_string().into();
    output["filename"] = name.into();
    output["bytes"] = bytes.into();
    output["frames_decoded"] = counted.frames_decoded.into();
    output["frames_encoded"] = counted.frames_encoded.into();
    output["speed"] = json!(counted.speed);
    output
}

#[cfg(test)]
mod tests {
    use super::output_name;

    #[test]
    fn outputs_are_named_after_their_source() {
        assert_eq!(output_name("take 1.wav", "mp3"), "take 1.mp3");
        assert_eq!(output_name("archive.tar.gz", "mp3"), "archive.tar.mp3");
        assert_eq!(output_name(".hidden", "mp3"), ".hidden.mp3");
        assert_eq!(output_name("", "mp3"), "output.mp3");
    }
}
