//! What was asked for: plain data, one field per option.

use crate::base::BitRate;

/// A target format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// MPEG-1/2 Layer III.
    Mp3,
    /// AAC in MP4.
    M4a,
    /// Opus in Ogg.
    Opus,
    /// Vorbis in Ogg.
    Ogg,
    /// FLAC.
    Flac,
    /// ALAC in MP4.
    Alac,
    /// PCM in RIFF WAVE.
    Wav,
    /// PCM in AIFF.
    Aiff,
    /// AAC in MP4, an audiobook.
    M4b,
    /// AAC in ADTS, a stream without a container.
    Aac,
    /// WavPack.
    Wv,
    /// True Audio.
    Tta,
    /// AC-3, a stream without a container.
    Ac3,
    /// Opus in Matroska.
    Mka,
    /// Opus in WebM.
    Webm,
}

impl Format {
    /// Every format, in the order the catalogue shows them.
    pub const ALL: [Self; 15] = [
        Self::Mp3,
        Self::M4a,
        Self::Opus,
        Self::Flac,
        Self::Wav,
        Self::Ogg,
        Self::Alac,
        Self::Aiff,
        Self::M4b,
        Self::Aac,
        Self::Wv,
        Self::Tta,
        Self::Ac3,
        Self::Mka,
        Self::Webm,
    ];

    /// The word of the options and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mp3 => "mp3",
            Self::M4a => "m4a",
            Self::Opus => "opus",
            Self::Ogg => "ogg",
            Self::Flac => "flac",
            Self::Alac => "alac",
            Self::Wav => "wav",
            Self::Aiff => "aiff",
            Self::M4b => "m4b",
            Self::Aac => "aac",
            Self::Wv => "wv",
            Self::Tta => "tta",
            Self::Ac3 => "ac3",
            Self::Mka => "mka",
            Self::Webm => "webm",
        }
    }

    /// The format of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

/// Depth of lossless samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitDepth {
    /// 16-bit integers.
    Int16,
    /// 24-bit integers.
    Int24,
    /// 32-bit integers.
    Int32,
    /// 32-bit floating point.
    Float32,
}

impl BitDepth {
    /// The word of the options.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int16 => "16",
            Self::Int24 => "24",
            Self::Int32 => "32",
            Self::Float32 => "32f",
        }
    }

    /// The depth of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Int16, Self::Int24, Self::Int32, Self::Float32]
            .into_iter()
            .find(|depth| depth.as_str() == word)
    }
}

/// Whether something of the source reaches the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// It does.
    Keep,
    /// It does not.
    Drop,
}

/// Whether packets may be copied instead of being encoded anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reencode {
    /// Where codec, container and options allow it.
    Auto,
    /// Never.
    Always,
}

/// A part of a recording, in seconds from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range {
    /// Where it starts; 0 is the beginning.
    pub start_seconds: f64,
    /// Where it ends; `None` is the end of the recording.
    pub end_seconds: Option<f64>,
}

impl Range {
    /// Whether it is the recording as it is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The samples it covers at `sample_rate`, nearest: the first one, and the first one after it.
    #[must_use]
    pub fn in_samples(&self, sample_rate: u32) -> (u64, Option<u64>) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        let samples = |seconds: f64| (seconds * f64::from(sample_rate)).round() as u64;
        (samples(self.start_seconds), self.end_seconds.map(samples))
    }
}

/// Whether outputs may name the library's version and moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// As players expect it.
    Ordinary,
    /// Nothing but the samples decides the bytes (`ffmpeg -bitexact -map_metadata -1`).
    BitExact,
}

/// Everything a conversion can be asked; `None` leaves the choice to the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Target format.
    pub format: Format,
    /// Bits per second over all channels, lossy formats.
    pub bitrate: Option<BitRate>,
    /// The codec's own VBR scale or effort.
    pub quality: Option<i32>,
    /// Samples per second and channel.
    pub sample_rate: Option<u32>,
    /// Number of channels: 1, 2, 6 or 8.
    pub channels: Option<u32>,
    /// Depth, lossless formats.
    pub bit_depth: Option<BitDepth>,
    /// Which audio stream, counted from 0 among the audio streams.
    pub stream: Option<usize>,
    /// Which part of the recording.
    pub range: Range,
    /// Loudness to reach, in LUFS; `None` leaves it.
    pub loudness: Option<f64>,
    /// Whether packets may be copied.
    pub reencode: Reencode,
    /// Whether tags are carried over.
    pub tags: Carry,
    /// Whether pictures are carried over.
    pub cover: Carry,
    /// Whether chapters are carried over.
    pub chapters: Carry,
    /// Tags to set whatever the source says: libav's generic key and the text.
    pub overrides: Vec<(&'static str, String)>,
    /// Cores it may work on at the most.
    pub threads: usize,
    /// For comparisons with the command.
    pub exactness: Exactness,
}

impl Request {
    /// A request for `format` with every choice left to the plan.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            bitrate: None,
            quality: None,
            sample_rate: None,
            channels: None,
            bit_depth: None,
            stream: None,
            range: Range::default(),
            loudness: None,
            reencode: Reencode::Auto,
            tags: Carry::Keep,
            cover: Carry::Keep,
            chapters: Carry::Keep,
            overrides: Vec::new(),
            threads: usize::MAX,
            exactness: Exactness::Ordinary,
        }
    }
}
