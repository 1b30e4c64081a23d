//! Where the packets of one encoder may follow those of another that heard the same sound.

use std::ops::Range;
use std::sync::Arc;

use ffmpeg_next::{Packet, frame};

use super::aac::Aac;
use super::mp3::Mp3;
use super::opus::Opus;
use super::vorbis::Vorbis;

/// Seconds of sound that are worth a moment's thought before they are encoded twice.
const COSTLY_SECONDS: u64 = 5;

/// Frames that travel together: handing each over alone would cost more than it takes to encode it.
pub type Batch = Arc<Vec<frame::Audio>>;

/// What two encoders made of the sound behind a border.
#[derive(Default)]
pub struct Overlap {
    /// Packets of the encoder that comes from before the border.
    pub before: Vec<Packet>,
    /// Packets of the one that starts there.
    pub after: Vec<Packet>,
    /// The sound behind the border, as much as was asked for.
    pub sound: Vec<Batch>,
}

/// What is known of a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// So many packets of `before`, then those of `after` without its first so many.
    Seam(usize, usize),
    /// More packets are needed to tell.
    Wait,
    /// There is none: the encoder from before the border goes on.
    Never,
}

/// Finds seams.
pub enum Finder {
    /// MP3.
    Mp3(Mp3),
    /// Vorbis.
    Vorbis(Vorbis),
    /// AAC.
    Aac(Box<Aac>),
    /// Opus.
    Opus(Box<Opus>),
}

/// Where pieces may start, and how far they overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Samples that travel together.
    pub batch: u64,
    /// Samples from one possible border to the next: a multiple of `batch`.
    pub borders: u64,
    /// Samples behind a border that are encoded twice.
    pub settled: u64,
    /// Which samples behind a border the finder wants to hear.
    pub heard: Range<u64>,
}

impl Grid {
    /// Whether seconds of the sound are encoded twice for each piece, at this sample rate in Hz.
    #[must_use]
    pub fn is_costly(&self, sample_rate: u32) -> bool {
        self.settled > u64::from(sample_rate) * COSTLY_SECONDS
    }
}

impl Finder {
    /// Where pieces may start, for frames of so many samples.
    #[must_use]
    pub fn grid(&self, frame_size: u64) -> Grid {
        match self {
            Self::Mp3(_) => Mp3::grid(frame_size),
            Self::Vorbis(_) => Vorbis::grid(),
            Self::Aac(_) => Aac::grid(),
            Self::Opus(opus) => opus.grid(frame_size),
        }
    }

    /// Starts with another border.
    pub fn begin(&mut self) {
        match self {
            Self::Mp3(mp3) => mp3.begin(),
            Self::Vorbis(vorbis) => vorbis.begin(),
            Self::Aac(aac) => aac.begin(),
            Self::Opus(opus) => opus.begin(),
        }
    }

    /// Where the seam is. Packets of `before` may be changed where there is one.
    pub fn find(&mut self, overlap: &mut Overlap) -> Verdict {
        match self {
            Self::Mp3(mp3) => mp3.find(overlap),
            Self::Vorbis(vorbis) => vorbis.find(overlap),
            Self::Aac(aac) => aac.find(overlap),
            Self::Opus(opus) => opus.find(overlap),
        }
    }
}
