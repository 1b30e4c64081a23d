//! Ceilings of one conversion: a tiny file can hold a day of silence.

use super::failure::{Failure, FailureCode, Stage};

/// What a source may be and an output may become.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams a container may hold; libav stops at it while opening.
    pub streams: u32,
    /// Channels of a stream and of any frame.
    pub channels: u32,
    /// Lowest sample rate in Hz.
    pub sample_rate_min: u32,
    /// Highest sample rate in Hz; DSD decoders give up to 1/8 of their bit rate, which fits.
    pub sample_rate_max: u32,
    /// Decoded length in seconds.
    pub decoded_seconds: f64,
    /// Bytes of the output; `None` is [`Self::output_for`] its source.
    pub output_bytes: Option<u64>,
    /// What is carried over beside the sound.
    pub metadata: MetadataLimits,
}

/// What of tags, pictures and chapters is carried over; the rest is left out with a warning.
#[derive(Clone, Copy, Debug)]
pub struct MetadataLimits {
    /// Texts.
    pub tags: usize,
    /// Bytes of all texts together.
    pub tag_bytes: usize,
    /// Pictures.
    pub covers: usize,
    /// Bytes of a picture; 16 MiB less a header are what a FLAC block holds.
    pub cover_bytes: usize,
    /// Chapters.
    pub chapters: usize,
}

/// An output may be this many times its source and [`OUTPUT_FLOOR`] more: a megabyte of FLAC can
/// hold a day of silence.
const OUTPUT_FACTOR: u64 = 20;
const OUTPUT_FLOOR: u64 = 2 << 30;

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 64,
            channels: 16,
            sample_rate_min: 4_000,
            sample_rate_max: 768_000,
            decoded_seconds: 24.0 * 3600.0,
            output_bytes: None,
            metadata: MetadataLimits::default(),
        }
    }
}

impl Default for MetadataLimits {
    fn default() -> Self {
        Self { tags: 4096, tag_bytes: 1 << 20, covers: 32, cover_bytes: 16 << 20, chapters: 1024 }
    }
}

impl Limits {
    /// The same for a person's own files at the command line: what they ask for is theirs.
    #[must_use]
    pub fn of_a_person() -> Self {
        Self { decoded_seconds: f64::INFINITY, output_bytes: Some(u64::MAX), ..Self::default() }
    }

    /// Bytes an output may have whose source has `source_bytes`.
    #[must_use]
    pub fn output_for(&self, source_bytes: u64) -> u64 {
        let by_source = source_bytes.saturating_mul(OUTPUT_FACTOR).saturating_add(OUTPUT_FLOOR);
        self.output_bytes.unwrap_or(by_source)
    }

    /// Checks what a header or a frame says of its samples.
    ///
    /// # Errors
    /// `limit_exceeded`, naming the value and the limit.
    pub fn check_shape(&self, sample_rate: u32, channels: u32) -> Result<(), Failure> {
        if channels == 0 || channels > self.channels {
            return Err(exceeded(format!(
                "The file claims {channels} channels; 1 to {} are taken.",
                self.channels
            )));
        }
        if !(self.sample_rate_min..=self.sample_rate_max).contains(&sample_rate) {
            return Err(exceeded(format!(
                "The file claims {sample_rate} samples per second; {} to {} are taken.",
                self.sample_rate_min, self.sample_rate_max
            )));
        }
        Ok(())
    }

    /// Checks how much sound has come out so far.
    ///
    /// # Errors
    /// `limit_exceeded`.
    pub fn check_length(&self, decoded_seconds: f64) -> Result<(), Failure> {
        if decoded_seconds > self.decoded_seconds {
            return Err(exceeded(format!(
                "The recording is longer than {}, the most this server takes.",
                crate::base::units::clock(self.decoded_seconds)
            )));
        }
        Ok(())
    }
}

fn exceeded(message: String) -> Failure {
    Failure::new(FailureCode::LimitExceeded, Stage::Reading, message)
}
