//! What this libav build can write, cut down to our own list; computed once.

use std::sync::OnceLock;

use crate::base::BitRate;

use super::ffi::encoder::{EncoderLists, lists};
use super::request::{BitDepth, Format};

/// One target format of the catalogue.
#[derive(Clone, Debug)]
pub struct FormatEntry {
    /// Which.
    pub format: Format,
    /// Facts that do not depend on the build.
    pub spec: &'static FormatSpec,
    /// What its encoder takes; `None` when this build has no such encoder.
    pub encoder: Option<EncoderLists>,
}

/// What a format is, on every build.
#[derive(Debug)]
pub struct FormatSpec {
    /// Name for people.
    pub label: &'static str,
    /// libav's encoder. For PCM the plan picks by depth; this one is the 16-bit one.
    pub encoder: &'static str,
    /// libav's muxer.
    pub muxer: &'static str,
    /// Container, in the API's word.
    pub container: &'static str,
    /// Extension of outputs, without a point.
    pub extension: &'static str,
    /// MIME type of outputs.
    pub mime_type: &'static str,
    /// Half a sentence on its reach.
    pub summary: &'static str,
    /// What its options mean.
    pub coding: Coding,
    /// What its container has a place for.
    pub holds: Holds,
}

/// What a container has a place for beside the sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holds {
    /// Texts: title, artist and the like.
    pub tags: bool,
    /// Pictures.
    pub covers: bool,
    /// Chapters with titles.
    pub chapters: bool,
}

const EVERYTHING: Holds = Holds { tags: true, covers: true, chapters: true };
const NO_CHAPTERS: Holds = Holds { chapters: false, ..EVERYTHING };
const NO_COVERS: Holds = Holds { covers: false, ..EVERYTHING };
const NOTHING: Holds = Holds { tags: false, covers: false, chapters: false };

/// How a format spends bits.
#[derive(Debug)]
pub enum Coding {
    /// By bitrate.
    Lossy {
        /// Small, standard, best in kbit/s for stereo.
        stereo_kbit: [u32; 3],
        /// The VBR scale of `quality`, if it has one.
        vbr: Option<Scale>,
        /// The effort that `quality` means, if it means effort.
        effort: Option<Scale>,
    },
    /// By quality alone (Vorbis); a bitrate may be asked for.
    Quality {
        /// The scale.
        scale: Scale,
        /// Small, standard, best.
        steps: [i32; 3],
        /// What those come to in kbit/s for stereo, as measured by the codec's authors.
        about_kbit: [u32; 3],
    },
    /// Nothing is thrown away.
    Lossless {
        /// Depths it can store.
        depths: &'static [BitDepth],
        /// The effort that `quality` means, if any.
        effort: Option<Scale>,
        /// Typical share of the PCM size, in percent.
        percent_of_pcm: u32,
    },
}

/// A range of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Lowest value.
    pub least: i32,
    /// Highest value.
    pub most: i32,
}

/// The formats of this build.
#[derive(Debug)]
pub struct Catalog {
    entries: Vec<FormatEntry>,
}

impl Catalog {
    /// The catalogue of the linked libav; asked for once per process.
    #[must_use]
    pub fn of_this_build() -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| Self {
            entries: Format::ALL
                .into_iter()
                .map(|format| {
                    let spec = spec(format);
                    FormatEntry { format, spec, encoder: lists(spec.encoder) }
                })
                .collect(),
        })
    }

    /// Every format, missing ones too.
    #[must_use]
    pub fn entries(&self) -> &[FormatEntry] {
        &self.entries
    }

    /// The entry of one format.
    ///
    /// # Panics
    /// Never: the catalogue holds an entry for every format there is.
    #[must_use]
    pub fn entry(&self, format: Format) -> &FormatEntry {
        self.entries
            .iter()
            .find(|entry| entry.format == format)
            .unwrap_or_else(|| unreachable!("the catalogue is made from Format::ALL"))
    }
}

impl FormatSpec {
    /// The name of the codec that `encoder`, one of this format's, writes.
    #[must_use]
    pub fn codec_of(&self, encoder: &'static str) -> &'static str {
        match encoder {
            "libmp3lame" => "mp3",
            "libopus" => "opus",
            "libvorbis" => "vorbis",
            // libav's own encoders are named after their codec.
            own => own,
        }
    }
}

impl FormatEntry {
    /// Why this build cannot write the format, if it cannot.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        self.encoder
            .is_none()
            .then(|| format!("The linked libavcodec has no encoder \"{}\".", self.spec.encoder))
    }
}

/// The PCM encoder of a format and depth, and the sample format it takes.
#[must_use]
pub const fn pcm_encoder(format: Format, depth: BitDepth) -> Option<(&'static str, &'static str)> {
    match (format, depth) {
        (Format::Wav, BitDepth::Int16) => Some(("pcm_s16le", "s16")),
        (Format::Wav, BitDepth::Int24) => Some(("pcm_s24le", "s32")),
        (Format::Wav, BitDepth::Int32) => Some(("pcm_s32le", "s32")),
        (Format::Wav, BitDepth::Float32) => Some(("pcm_f32le", "flt")),
        (Format::Aiff, BitDepth::Int16) => Some(("pcm_s16be", "s16")),
        (Format::Aiff, BitDepth::Int24) => Some(("pcm_s24be", "s32")),
        (Format::Aiff, BitDepth::Int32) => Some(("pcm_s32be", "s32")),
        (Format::Aiff, BitDepth::Float32) => Some(("pcm_f32be", "flt")),
        (
            Format::Mp3
            | Format::M4a
            | Format::M4b
            | Format::Aac
            | Format::Opus
            | Format::Mka
            | Format::Webm
            | Format::Ogg
            | Format::Ac3
            | Format::Flac
            | Format::Alac
            | Format::Wv
            | Format::Tta,
            _,
        ) => None,
    }
}

impl FormatSpec {
    /// The standard bitrate of a lossy format for `channels` channels: per channel half of
    /// stereo's; AC-3, made for surround, has its own figure for that.
    #[must_use]
    pub fn standard_bitrate(&self, channels: u32) -> Option<BitRate> {
        const AC3_SURROUND: BitRate = BitRate::kbit(448);
        match self.coding {
            Coding::Lossy { .. } if self.encoder == "ac3" && channels > 2 => Some(AC3_SURROUND),
            Coding::Lossy { stereo_kbit: [_, standard, _], .. } => {
                let rate = BitRate::kbit(standard * channels.max(1) / 2);
                Some(rate.clamp(BitRate::MIN, BitRate::MAX))
            }
            Coding::Quality { .. } | Coding::Lossless { .. } => None,
        }
    }
}

const AAC: Coding = Coding::Lossy { stereo_kbit: [96, 160, 256], vbr: None, effort: None };
const OPUS: Coding = Coding::Lossy {
    stereo_kbit: [64, 128, 192],
    vbr: None,
    effort: Some(Scale { least: 0, most: 10 }),
};
const ALL_DEPTHS: &[BitDepth] =
    &[BitDepth::Int16, BitDepth::Int24, BitDepth::Int32, BitDepth::Float32];
const UP_TO_24: &[BitDepth] = &[BitDepth::Int16, BitDepth::Int24];

fn spec(format: Format) -> &'static FormatSpec {
    match format {
        Format::Mp3 => &FormatSpec {
            label: "MP3",
            encoder: "libmp3lame",
            muxer: "mp3",
            container: "mp3",
            extension: "mp3",
            mime_type: "audio/mpeg",
            summary: "plays everywhere",
            coding: Coding::Lossy {
                stereo_kbit: [96, 192, 320],
                vbr: Some(Scale { least: 0, most: 9 }),
                effort: None,
            },
            holds: EVERYTHING,
        },
        Format::M4a => &FormatSpec {
            label: "M4A",
            encoder: "aac",
            muxer: "ipod",
            container: "mp4",
            extension: "m4a",
            mime_type: "audio/mp4",
            summary: "AAC, at home on phones and Apple devices",
            coding: AAC,
            holds: EVERYTHING,
        },
        Format::M4b => &FormatSpec {
            label: "M4B",
            encoder: "aac",
            muxer: "ipod",
            container: "mp4",
            extension: "m4b",
            mime_type: "audio/mp4",
            summary: "an audiobook for phones and Apple devices, with chapters",
            coding: AAC,
            holds: EVERYTHING,
        },
        Format::Aac => &FormatSpec {
            label: "AAC",
            encoder: "aac",
            muxer: "adts",
            container: "adts",
            extension: "aac",
            mime_type: "audio/aac",
            summary: "a bare stream for radio and old devices; starts with a moment of silence",
            coding: AAC,
            holds: EVERYTHING,
        },
        Format::Opus => &FormatSpec {
            label: "Opus",
            encoder: "libopus",
            muxer: "opus",
            container: "ogg",
            extension: "opus",
            mime_type: "audio/ogg",
            summary: "the best sound per byte, for browsers and newer players",
            coding: OPUS,
            holds: EVERYTHING,
        },
        Format::Mka => &FormatSpec {
            label: "Matroska",
            encoder: "libopus",
            muxer: "matroska",
            container: "matroska",
            extension: "mka",
            mime_type: "audio/x-matroska",
            summary: "Opus in Matroska, for players of films",
            coding: OPUS,
            holds: EVERYTHING,
        },
        Format::Webm => &FormatSpec {
            label: "WebM",
            encoder: "libopus",
            muxer: "webm",
            container: "webm",
            extension: "webm",
            mime_type: "audio/webm",
            summary: "Opus in WebM, for web pages",
            coding: OPUS,
            holds: NO_COVERS,
        },
        Format::Ac3 => &FormatSpec {
            label: "AC-3",
            encoder: "ac3",
            muxer: "ac3",
            container: "ac3",
            extension: "ac3",
            mime_type: "audio/ac3",
            summary: "surround for discs and receivers",
            coding: Coding::Lossy { stereo_kbit: [128, 192, 256], vbr: None, effort: None },
            holds: NOTHING,
        },
        Format::Ogg => &FormatSpec {
            label: "Ogg Vorbis",
            encoder: "libvorbis",
            muxer: "ogg",
            container: "ogg",
            extension: "ogg",
            mime_type: "audio/ogg",
            summary: "free and common in games and on Linux",
            coding: Coding::Quality {
                scale: Scale { least: -1, most: 10 },
                steps: [2, 5, 8],
                about_kbit: [96, 160, 256],
            },
            holds: EVERYTHING,
        },
        Format::Flac => &FormatSpec {
            label: "FLAC",
            encoder: "flac",
            muxer: "flac",
            container: "flac",
            extension: "flac",
            mime_type: "audio/flac",
            summary: "about half of the size, for archives",
            coding: Coding::Lossless {
                depths: UP_TO_24,
                effort: Some(Scale { least: 0, most: 12 }),
                percent_of_pcm: 60,
            },
            holds: EVERYTHING,
        },
        Format::Alac => &FormatSpec {
            label: "ALAC",
            encoder: "alac",
            muxer: "ipod",
            container: "mp4",
            extension: "m4a",
            mime_type: "audio/mp4",
            summary: "Apple's own, for archives on Apple devices",
            coding: Coding::Lossless { depths: UP_TO_24, effort: None, percent_of_pcm: 60 },
            holds: EVERYTHING,
        },
        Format::Wv => &FormatSpec {
            label: "WavPack",
            encoder: "wavpack",
            muxer: "wv",
            container: "wavpack",
            extension: "wv",
            mime_type: "audio/x-wavpack",
            summary: "about half of the size, floating point too",
            coding: Coding::Lossless {
                depths: ALL_DEPTHS,
                effort: Some(Scale { least: 0, most: 8 }),
                percent_of_pcm: 60,
            },
            holds: NO_CHAPTERS,
        },
        Format::Tta => &FormatSpec {
            label: "TTA",
            encoder: "tta",
            muxer: "tta",
            container: "tta",
            extension: "tta",
            mime_type: "audio/x-tta",
            summary: "about half of the size, simple and fast",
            coding: Coding::Lossless { depths: UP_TO_24, effort: None, percent_of_pcm: 62 },
            holds: NO_CHAPTERS,
        },
        Format::Wav => &FormatSpec {
            label: "WAV",
            encoder: "pcm_s16le",
            muxer: "wav",
            container: "wav",
            extension: "wav",
            mime_type: "audio/wav",
            summary: "plain samples, for editing",
            coding: Coding::Lossless { depths: ALL_DEPTHS, effort: None, percent_of_pcm: 100 },
            holds: EVERYTHING,
        },
        Format::Aiff => &FormatSpec {
            label: "AIFF",
            encoder: "pcm_s16be",
            muxer: "aiff",
            container: "aiff",
            extension: "aiff",
            mime_type: "audio/aiff",
            summary: "plain samples, for editing on a Mac",
            coding: Coding::Lossless { depths: ALL_DEPTHS, effort: None, percent_of_pcm: 100 },
            holds: EVERYTHING,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_writes_every_format() {
        for entry in Catalog::of_this_build().entries() {
            assert_eq!(entry.missing(), None, "{:?}", entry.format);
        }
    }

    #[test]
    fn mono_gets_half_of_the_stereo_bitrate() {
        let standard = |format, channels| spec(format).standard_bitrate(channels);
        assert_eq!(standard(Format::Mp3, 2), Some(BitRate::kbit(192)));
        assert_eq!(standard(Format::Mp3, 1), Some(BitRate::kbit(96)));
        assert_eq!(standard(Format::M4a, 8), Some(BitRate::MAX));
        assert_eq!(standard(Format::Ac3, 6), Some(BitRate::kbit(448)));
    }
}
