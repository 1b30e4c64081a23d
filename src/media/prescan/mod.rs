//! What a file says of itself, weighed before libav sees it.
//!
//! libav's dictionaries take time that grows with the square of their entries, and a name that comes
//! again is copied whole each time: a megabyte of tiny frames or one name repeated holds a thread
//! for minutes, inside one call that no cancel reaches. Weighing them costs a walk over their headers.
//! What is too heavy is hidden, and the file converted without it. FLAC's comments are hidden from
//! libav only: lofty keeps them in a plain list.

mod adts;
mod ape;
mod asf;
mod chunks;
mod comments;
mod ebml;
mod id3;
mod mp4;
mod mpeg;
mod ogg;
mod walk;

use std::io::{self, SeekFrom};

use self::walk::{Walk, Weight};
use super::io::{Overlay, ReadSeek};

/// Pieces that are walked over: tags piled up, chunks, boxes, clusters. A day of sound in fragments
/// of half a second has fewer.
const PIECES_MAX: usize = 400_000;

/// Frames or tags that lie side by side and are walked over: two days of sound.
const FRAMES_MAX: usize = 1 << 23;

/// What the walk found.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// What libav is to see in place of the file's own bytes; mostly nothing.
    Fine {
        /// The bytes.
        overlays: Vec<Overlay>,
        /// Whether other readers would take as long.
        is_heavy_for_all: bool,
        /// Where the file ends before its sound does by its own words.
        cut_off: Option<CutOff>,
        /// Samples per channel, where libav counts them wrongly.
        samples: Option<u64>,
    },
    /// Too heavy, and in a place where it cannot be hidden; or so long that it was not walked over.
    TooHeavy,
}

/// Sound that is not all there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CutOff {
    /// How long it is by the file's own words.
    pub promised_seconds: f64,
}

/// Weighs the tags of every container that can hold many. The stream stands at its start afterwards.
///
/// # Errors
/// What the stream says. A header that makes no sense ends the walk: libav will find it too.
pub fn scan(stream: &mut dyn ReadSeek) -> io::Result<Verdict> {
    stream.seek(SeekFrom::Start(0))?;
    let mut walk = Walk::new(stream);
    let mut is_light = match walk.dispatch() {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
        other => other?,
    };
    // Lists that are light alone land in one dictionary.
    if walk.weight.is_heavy() {
        for (at, bytes) in std::mem::take(&mut walk.lists) {
            walk.hide(at, bytes);
        }
    }
    // What was not walked over is not known to be light.
    is_light &= !walk.is_overrun();
    match ape::hide_heavy(&mut walk) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        other => other?,
    }
    let Walk { stream, mut overlays, is_heavy_for_all, cut_off, samples, .. } = walk;
    overlays.sort_by_key(|overlay| overlay.at);
    stream.seek(SeekFrom::Start(0))?;
    let fine = Verdict::Fine { overlays, is_heavy_for_all, cut_off, samples };
    Ok(if is_light { fine } else { Verdict::TooHeavy })
}

impl Walk<'_> {
    /// Whether everything is light enough or hidden.
    fn dispatch(&mut self) -> io::Result<bool> {
        // Taggers pile ID3 tags up, also before a FLAC stream.
        let start = id3::hide_heavy(self)?;
        let magic: [u8; 12] = self.read_at(start)?;
        match &magic[..4] {
            b"RIFF" | b"RF64" => chunks::weigh(self, start, u32::from_le_bytes)?,
            b"FORM" | b"RIFX" => chunks::weigh(self, start, u32::from_be_bytes)?,
            b"fLaC" => comments::hide_heavy_in_flac(self, start + 4)?,
            b"OggS" => return ogg::is_light(self, start),
            b"\x1a\x45\xdf\xa3" => ebml::weigh(self, start)?,
            b"\x30\x26\xb2\x75" => asf::weigh(self, start)?,
            b"DSD " => chunks::hide_heavy_in_dsf(self, start)?,
            b"FLV\x01" => return chunks::hide_heavy_in_flv(self, start),
            b"riff" => chunks::weigh_w64(self, start)?,
            b"caff" => chunks::weigh_caf(self, start)?,
            _ if matches!(
                &magic[4..8],
                b"ftyp"
                    | b"styp"
                    | b"sidx"
                    | b"uuid"
                    | b"moov"
                    | b"wide"
                    | b"mdat"
                    | b"free"
                    | b"skip"
                    | b"pnot"
            ) =>
            {
                mp4::weigh(self, start)?;
            }
            _ if mpeg::is_sound(self, start) || mpeg::hide_junk(self, start)? => {}
            // Whatever else it is: libav finds raw AAC anywhere.
            _ => return adts::weigh(self, start),
        }
        Ok(true)
    }
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    pub(super) fn scanned(file: Vec<u8>) -> Verdict {
        let mut stream = Cursor::new(file);
        let verdict = scan(&mut stream).expect("a readable stream");
        assert_eq!(stream.position(), 0, "it stands at its start again");
        verdict
    }

    /// Where something is hidden.
    pub(super) fn hidden(file: Vec<u8>) -> Vec<u64> {
        match scanned(file) {
            Verdict::Fine { overlays, .. } => overlays.iter().map(|overlay| overlay.at).collect(),
            Verdict::TooHeavy => panic!("too heavy"),
        }
    }

    #[test]
    fn many_entries_are_heavy_and_so_are_large_ones_repeated() {
        let weight = |entries, bytes| Weight { entries, bytes }.is_heavy();
        assert!(!weight(4096, 900_000) && weight(4097, 0));
        assert!(!weight(40, 16 << 20) && weight(1000, 12 << 20));
    }

    #[test]
    fn what_is_cut_off_or_something_else_passes() {
        for file in [
            &b""[..],
            b"ID",
            b"ID3\x04\0\0",
            b"RIFFxxxxWAVE",
            b"fLaC",
            b"OggS",
            b"\0\0\0\x08ftyp\0\0\0\x09moov",
            b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67",
            b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        ] {
            assert!(hidden(file.to_vec()).is_empty(), "{file:?}");
        }
    }
}
