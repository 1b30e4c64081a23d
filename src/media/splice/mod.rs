//! Packets of several encoders as those of one.
//!
//! Owns: what of a packet depends on where it stands in its stream, and the seams.
//! Never: threads, who encodes what.
//! Used by: `media::run`.

mod aac;
mod flac;
mod mp3;
mod opus;
mod seam;
mod sound;
mod vorbis;
mod wavpack;

use ffmpeg_next::codec::encoder::audio::Encoder;
use ffmpeg_next::{Packet, frame};

use self::aac::Aac;
use self::flac::{Flac, SoundSum};
use self::mp3::Mp3;
use self::opus::Opus;
pub use self::seam::{Batch, Finder, Grid, Overlap, Verdict};
use self::vorbis::Vorbis;
use self::wavpack::WavPack;
use super::ffi::decoder::Trial;
use super::ffi::graph::Shape;
use super::noise::{HOP, Noise};
use super::plan::Plan;
use super::request::Exactness;
use crate::base::BitRate;

/// Joins the packets of lanes in their order.
pub enum Splice {
    /// Packets that say nothing of their place.
    Plain,
    /// FLAC.
    Flac(Box<Flac>),
    /// WavPack.
    WavPack(WavPack),
    /// Packets that look back: pieces overlap, and a seam is found in each overlap.
    Overlapping(Finder),
}

/// Packets that do not fit together: encoded on one core they will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// Why a plan is carried out by one encoder alone.
pub type SerialBecause = &'static str;

impl Splice {
    /// What joins the packets of encoders like this one, fed with frames of this shape; else why they
    /// are not joined.
    ///
    /// # Errors
    /// The reason, in a word of the API.
    pub fn of(plan: &Plan, encoder: &Encoder, shape: &Shape) -> Result<Self, SerialBecause> {
        match plan.encoder {
            "flac" => Flac::new().map(|flac| Self::Flac(Box::new(flac))).map_err(|_| "memory"),
            // Its encoder remembers what came before: the same sound in other bytes.
            "wavpack" if plan.exactness == Exactness::BitExact => Err("exactness"),
            "wavpack" => Ok(Self::WavPack(WavPack::default())),
            "alac" | "tta" => Ok(Self::Plain),
            "libmp3lame" | "libvorbis" | "libopus" | "aac"
                if plan.exactness == Exactness::BitExact =>
            {
                Err("exactness")
            }
            "libmp3lame" => {
                let mp3 = Mp3::new(plan.bit_rate.is_some());
                Ok(Self::Overlapping(Finder::Mp3(mp3)))
            }
            "libvorbis" => Ok(Self::Overlapping(Finder::Vorbis(Vorbis::default()))),
            "libopus" => opus_finder(plan, encoder, shape).map(Self::Overlapping),
            "aac" => aac_finder(encoder, shape).map(Self::Overlapping),
            name if name.starts_with("pcm_") => Ok(Self::Plain),
            _ => Err("codec"),
        }
    }

    /// Where pieces may start, where they overlap.
    #[must_use]
    pub fn grid(&self, frame_size: Option<u32>) -> Option<Grid> {
        let Self::Overlapping(finder) = self else { return None };
        Some(finder.grid(u64::from(frame_size.unwrap_or(1))))
    }

    /// Whether pieces are so long, and samples so large, that their sound cannot wait for an encoder.
    #[must_use]
    pub fn is_too_much(&self, shape: &Shape) -> bool {
        let is_long = matches!(self, Self::Overlapping(Finder::Aac(_)));
        is_long && shape.bytes_per_sample() > aac::SAMPLE_BYTES
    }

    /// Whether lanes can do without anybody who hears all the sound.
    #[must_use]
    pub fn has_parts(&self) -> bool {
        !matches!(self, Self::Flac(_))
    }

    /// Whether an encoder can go on elsewhere in the sound: it has given a packet for every frame and
    /// remembers nothing.
    #[must_use]
    pub fn keeps_encoder(&self) -> bool {
        matches!(self, Self::Plain | Self::Flac(_))
    }

    /// Sees a frame that goes to an encoder, in order.
    pub fn listener(&mut self) -> Option<Listener> {
        match self {
            Self::Flac(flac) => flac.sum.take().map(Listener),
            Self::Plain | Self::WavPack(_) | Self::Overlapping(_) => None,
        }
    }

    /// A packet of the lane whose turn it is, as one of the whole stream; `None` when it is not one.
    ///
    /// # Errors
    /// [`Misfit`].
    pub fn pass(&mut self, packet: Packet) -> Result<Option<Packet>, Misfit> {
        match self {
            Self::Flac(flac) => flac.pass(packet),
            Self::WavPack(wavpack) => wavpack.pass(packet).map(Some),
            Self::Plain | Self::Overlapping(_) => Ok((packet.size() > 0).then_some(packet)),
        }
    }

    /// What follows the last packet.
    pub fn end(self, listener: Option<Listener>) -> Option<Packet> {
        match (self, listener) {
            (Self::Flac(flac), Some(listener)) => flac.end(listener),
            _ => None,
        }
    }
}

/// Only the window of the first channel or pair can be read.
fn aac_finder(encoder: &Encoder, shape: &Shape) -> Result<Finder, SerialBecause> {
    match shape.channels() {
        1 | 2 if encoder.frame_size() as usize != HOP => Err("codec"),
        1 | 2 => {
            let trial = Trial::of(encoder).map_err(|_| "codec")?;
            let noise = Noise::new(shape.sample_rate(), shape.channels() as usize);
            Ok(Finder::Aac(Box::new(Aac::new(trial, noise))))
        }
        _ => Err("channels"),
    }
}

/// At low rates the encoder changes between ways of coding that do not join, and only at one sample
/// rate can a trial be compared with the sound.
fn opus_finder(plan: &Plan, encoder: &Encoder, shape: &Shape) -> Result<Finder, SerialBecause> {
    let pairs = shape.channels().div_ceil(2).max(1);
    let rate = plan.bit_rate.map_or(0, BitRate::bits_per_second);
    if rate < opus::BITS_PER_PAIR * pairs {
        return Err("bitrate");
    }
    if shape.sample_rate() != opus::SAMPLE_RATE {
        return Err("sample_rate");
    }
    let trial = Trial::of(encoder).map_err(|_| "codec")?;
    Ok(Finder::Opus(Box::new(Opus::new(trial, rate, shape.channels()))))
}

/// Hears all the sound that goes to the encoders.
pub struct Listener(SoundSum);

impl Listener {
    /// The next frame.
    pub fn hear(&mut self, frame: &frame::Audio) {
        self.0.add(frame);
    }
}
