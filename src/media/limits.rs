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
    /// Bytes of the output.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 64,
            channels: 16,
            sample_rate_min: 4_000,
            sample_rate_max: 768_000,
            decoded_seconds: 24.0 * 3600.0,
            output_bytes: u64::MAX,
        }
    }
}

impl Limits {
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
                "The recording is longer than {:.0} hours, the most this server takes.",
                self.decoded_seconds / 3600.0
            )));
        }
        Ok(())
    }
}

fn exceeded(message: String) -> Failure {
    Failure::new(FailureCode::LimitExceeded, Stage::Reading, message)
}
