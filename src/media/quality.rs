//! How far a lossy result is from its source, at its seams and elsewhere.
//!
//! Owns: the comparison. Never: what is done about it.
//! Used by: `cli`, tests.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::convert::{Conversion, Output, convert};
use super::cores::Cores;
use super::failure::{Failure, FailureCode, Stage};
use super::io::{Sink, Source};
use super::limits::Limits;
use super::noise::{HOP, Noise};
use super::options::parse;
use super::progress::Progress;
use super::request::{Format, Request};
use crate::base::CancelToken;

/// Seconds before and behind a seam that belong to it.
const AROUND: (f64, f64) = (0.1, 1.0);
/// How many of the worst places are listed.
const OUTLIERS: usize = 5;
/// Where the samples of a WAV start is looked for in so many bytes.
const WAV_HEADER: usize = 4096;

/// A result of several cores beside that of one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was done on several cores.
    pub segmented: Output,
    /// What was done on one.
    pub serial: Output,
    /// Bytes of the two files.
    pub bytes: (u64, u64),
    /// Samples per channel that each decodes to.
    pub decoded: (u64, u64),
    /// What decoding the first one had to say.
    pub complaints: Vec<String>,
    /// Noise at the seams, beyond that of one core.
    pub at_seams: Figures,
    /// The same elsewhere.
    pub elsewhere: Figures,
    /// The worst places, in seconds and dB.
    pub outliers: Vec<(f64, f64)>,
}

/// By how many dB frames are noisier than those of one core at the same place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Frames.
    pub frames: usize,
    /// On average.
    pub mean_db: f64,
    /// The noisiest.
    pub worst_db: f64,
}

impl Figures {
    fn add(&mut self, db: f64) {
        #[expect(clippy::cast_precision_loss, reason = "a number of frames")]
        let weight = 1.0 / (self.frames + 1) as f64;
        self.mean_db += (db - self.mean_db) * weight;
        self.worst_db = if self.frames == 0 { db } else { self.worst_db.max(db) };
        self.frames += 1;
    }
}

/// Converts on so many cores and on one, decodes both and compares them with the source.
///
/// # Errors
/// As a conversion fails; `storage_failed` without room for temporary files.
pub fn compare(source: &Source, request: &Request, cores: usize) -> Result<Comparison, Failure> {
    let (segmented, of_many) = converted(source, request, cores)?;
    let (serial, of_one) = converted(source, request, 1)?;
    let as_wav = |rate: u32, channels: u32| {
        let (rate, channels) = (rate.to_string(), channels.to_string());
        let options = [("bit_depth", "32f"), ("sample_rate", &rate), ("channels", &channels)];
        parse(Some(Format::Wav), options).map_err(|error| internal(&error.to_string()))
    };
    let plain = as_wav(serial.sample_rate, serial.channels)?;
    let plain = Request { range: request.range, stream: request.stream, ..plain };
    let (_, original) = converted(source, &plain, 1)?;
    let decoding = as_wav(serial.sample_rate, serial.channels)?;
    let decoded = |file: &File| {
        let length = file.metadata().map_err(storage)?.len();
        let result = Source::new(file.try_clone().map_err(storage)?, Some(length));
        converted(&result, &decoding, 1).map(|(output, wav)| (length, output, wav))
    };
    let (bytes_of_many, many, of_many) = decoded(&of_many)?;
    let (bytes_of_one, one, of_one) = decoded(&of_one)?;
    let channels = serial.channels as usize;
    let mut wavs = [original, of_many, of_one].map(|file| Wav::open(file, channels));
    let mut comparison = Comparison {
        bytes: (bytes_of_many, bytes_of_one),
        decoded: (many.samples, one.samples),
        complaints: many.warnings.iter().map(|warning| warning.message.clone()).collect(),
        at_seams: Figures::default(),
        elsewhere: Figures::default(),
        outliers: Vec::new(),
        segmented,
        serial,
    };
    comparison.measure(&mut wavs)?;
    Ok(comparison)
}

impl Comparison {
    fn measure(&mut self, wavs: &mut [std::io::Result<Wav>; 3]) -> Result<(), Failure> {
        let mut noise = Noise::new(self.serial.sample_rate, self.serial.channels as usize);
        let mut at = 0_u64;
        loop {
            let mut hops: [Vec<f32>; 3] = Default::default();
            for (wav, hop) in wavs.iter_mut().zip(&mut hops) {
                let wav = wav.as_mut().map_err(|error| storage_of(error))?;
                *hop = wav.read(HOP).map_err(storage)?;
            }
            if hops.iter().any(|hop| hop.len() < HOP * noise.channels()) {
                break;
            }
            let Some([many, one]) = noise.of(&hops) else { continue };
            at += HOP as u64;
            self.add(at, many - one);
        }
        self.outliers.sort_by(|a, b| b.1.total_cmp(&a.1));
        self.outliers.truncate(OUTLIERS);
        Ok(())
    }

    /// A frame around sample `at`.
    fn add(&mut self, at: u64, db: f64) {
        let rate = f64::from(self.serial.sample_rate);
        #[expect(clippy::cast_precision_loss, reason = "places in a recording")]
        let behind = |seam: u64| (at as f64 - seam as f64) / rate;
        let is_near = |&seam: &u64| (-AROUND.0..AROUND.1).contains(&behind(seam));
        if self.segmented.seams.iter().any(is_near) {
            self.at_seams.add(db);
        } else {
            self.elsewhere.add(db);
        }
        self.outliers.push((behind(0), db));
        if self.outliers.len() > 64 * OUTLIERS {
            self.outliers.sort_by(|a, b| b.1.total_cmp(&a.1));
            self.outliers.truncate(OUTLIERS);
        }
    }
}

/// Converts on so many cores into a temporary file.
///
/// # Errors
/// As a conversion fails; `storage_failed` without room for it.
pub fn converted(
    source: &Source,
    request: &Request,
    cores: usize,
) -> Result<(Output, File), Failure> {
    let file = tempfile::tempfile().map_err(storage)?;
    let conversion = Conversion {
        request: request.clone(),
        adjustment: None,
        limits: Limits::of_a_person(),
        seat: Cores::new(cores).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let sink = Sink::new(file.try_clone().map_err(storage)?, u64::MAX);
    let done = convert(&conversion, source.clone(), sink, &mut |_, _| {})?;
    Ok((done, file))
}

/// Samples of a WAV of 32-bit floats.
struct Wav {
    reader: BufReader<File>,
    channels: usize,
}

impl Wav {
    fn open(mut file: File, channels: usize) -> std::io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut header = Vec::new();
        file.by_ref().take(WAV_HEADER as u64).read_to_end(&mut header)?;
        let data = header.windows(4).position(|name| name == b"data");
        let start = data.ok_or(std::io::ErrorKind::InvalidData)? + 8;
        file.seek(SeekFrom::Start(start as u64))?;
        Ok(Self { reader: BufReader::with_capacity(1 << 18, file), channels })
    }

    /// So many samples of every channel, interleaved; fewer at the end.
    fn read(&mut self, samples: usize) -> std::io::Result<Vec<f32>> {
        let mut bytes = Vec::with_capacity(samples * self.channels * 4);
        self.reader.by_ref().take((samples * self.channels * 4) as u64).read_to_end(&mut bytes)?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

fn storage(error: std::io::Error) -> Failure {
    storage_of(&error)
}

fn storage_of(error: &std::io::Error) -> Failure {
    let message = format!("A temporary file cannot be used: {error}.");
    Failure::new(FailureCode::StorageFailed, Stage::Reading, message)
}

fn internal(message: &str) -> Failure {
    Failure::new(FailureCode::Internal, Stage::Reading, message)
}
