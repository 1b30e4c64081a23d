//! Why a conversion did not come to its end.

use std::fmt;

/// Where in a conversion something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Opening and demuxing the source.
    Reading,
    /// Decoding its packets.
    Decoding,
    /// Resampling and encoding.
    Encoding,
    /// Muxing and storing the output.
    Writing,
}

impl Stage {
    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Decoding => "decoding",
            Self::Encoding => "encoding",
            Self::Writing => "writing",
        }
    }
}

/// What kind of failure it is: the stable word of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureCode {
    /// The source holds no byte.
    EmptyFile,
    /// The content is something else: a picture, a text, a program.
    NotAudio,
    /// A container this server does not open.
    UnsupportedFormat,
    /// A codec this server does not decode.
    UnsupportedCodec,
    /// Opened, but without sound.
    NoAudioStream,
    /// The samples are encrypted.
    Encrypted,
    /// Damaged beyond use.
    CorruptInput,
    /// The options cannot be met by the target format.
    OptionUnsupported,
    /// A limit on the source: length, channels, rate.
    LimitExceeded,
    /// The output grew beyond its limit.
    OutputLimit,
    /// Everything was read and no sample came out.
    EmptyOutput,
    /// No space left where the output goes.
    DiskFull,
    /// The output could not be written for another reason.
    StorageFailed,
    /// The source could not be read for a reason outside of it.
    InputGone,
    /// The wall clock ran out.
    TimedOut,
    /// The owner cancelled.
    Cancelled,
    /// The process hands the work back.
    Interrupted,
    /// A mistake of ours.
    Internal,
}

impl FailureCode {
    /// The stable word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyFile => "empty_file",
            Self::NotAudio => "not_audio",
            Self::UnsupportedFormat => "unsupported_format",
            Self::UnsupportedCodec => "unsupported_codec",
            Self::NoAudioStream => "no_audio_stream",
            Self::Encrypted => "encrypted",
            Self::CorruptInput => "corrupt_input",
            Self::OptionUnsupported => "option_unsupported",
            Self::LimitExceeded => "limit_exceeded",
            Self::OutputLimit => "output_limit",
            Self::EmptyOutput => "empty_output",
            Self::DiskFull => "disk_full",
            Self::StorageFailed => "storage_failed",
            Self::InputGone => "input_gone",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }

    /// Whether the same source and options may do better another time.
    #[must_use]
    pub const fn may_pass_later(self) -> bool {
        match self {
            Self::DiskFull | Self::StorageFailed | Self::InputGone | Self::Internal => true,
            Self::EmptyFile
            | Self::NotAudio
            | Self::UnsupportedFormat
            | Self::UnsupportedCodec
            | Self::NoAudioStream
            | Self::Encrypted
            | Self::CorruptInput
            | Self::OptionUnsupported
            | Self::LimitExceeded
            | Self::OutputLimit
            | Self::EmptyOutput
            | Self::TimedOut
            | Self::Cancelled
            | Self::Interrupted => false,
        }
    }
}

/// A conversion that failed: a stable word, one sentence for a person, and the library's own lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What kind.
    pub code: FailureCode,
    /// One sentence that names the cause and, where there is one, the way out.
    pub message: String,
    /// Where.
    pub stage: Stage,
    /// The last log lines of libav, oldest first; may be empty.
    pub detail: Vec<String>,
    /// How far the source was decoded when it happened.
    pub position_seconds: Option<f64>,
}

impl Failure {
    /// A failure without log lines.
    #[must_use]
    pub fn new(code: FailureCode, stage: Stage, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), stage, detail: Vec::new(), position_seconds: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A deviation the user should know of; the work is done all the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Warning {
    /// Stable word.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
}

impl Warning {
    /// A warning.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
