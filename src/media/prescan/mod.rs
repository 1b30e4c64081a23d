//! What a file says of itself, weighed before libav sees it.
//!
//! libav's dictionaries take time that grows with the square of their entries, and a name that comes
//! again is copied whole each time: a megabyte of tiny frames or one name repeated holds a thread
//! for minutes, inside one call that no cancel reaches. Weighing them costs a walk over their headers.
//! What is too heavy is hidden, and the file converted without it. FLAC's comments are hidden from
//! libav only: lofty keeps them in a plain list.

mod ape;
mod asf;
mod chunks;
mod comments;
mod ebml;
mod id3;
mod mp4;

use std::io::{self, SeekFrom};

use super::io::{Overlay, ReadSeek};

/// Entries that libav is given; a few thousand cost it some milliseconds.
const ENTRIES_MAX: u64 = 4096;

/// Entries times bytes that libav is given: what it copies when all of them bear one name.
const WORK_MAX: u64 = 4_000_000_000;

/// Pieces that are walked over: tags piled up, chunks, boxes, clusters. A day of sound in fragments
/// of half a second has fewer.
const PIECES_MAX: usize = 400_000;

/// What the walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What libav is to see in place of the file's own bytes; mostly nothing.
    Fine {
        /// The bytes.
        overlays: Vec<Overlay>,
        /// Whether other readers would take as long.
        is_heavy_for_all: bool,
    },
    /// Too heavy, and in a place where it cannot be hidden.
    TooHeavy,
}

/// Weighs the tags of ID3v2, FLAC, Ogg, MP4, Matroska, RIFF, AIFF, ASF, DSF, CAF and APE. The stream stands
/// at its start afterwards.
///
/// # Errors
/// What the stream says. A header that makes no sense ends the walk: libav will find it too.
pub fn scan(stream: &mut dyn ReadSeek) -> io::Result<Verdict> {
    stream.seek(SeekFrom::Start(0))?;
    let mut walk = Walk {
        stream,
        overlays: Vec::new(),
        is_heavy_for_all: false,
        weight: Weight::default(),
        lists: Vec::new(),
        pieces: PIECES_MAX,
    };
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
    is_light &= walk.pieces > 0;
    match ape::hide_heavy(&mut walk) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        other => other?,
    }
    let Walk { stream, overlays, is_heavy_for_all, .. } = walk;
    stream.seek(SeekFrom::Start(0))?;
    let fine = Verdict::Fine { overlays, is_heavy_for_all };
    Ok(if is_light { fine } else { Verdict::TooHeavy })
}

/// How much work a list of entries is.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    entries: u64,
    bytes: u64,
}

impl Weight {
    fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn is_heavy(self) -> bool {
        self.entries > ENTRIES_MAX || self.entries.saturating_mul(self.bytes) > WORK_MAX
    }
}

/// A stream that is walked over, and what was found to be hidden.
struct Walk<'a> {
    stream: &'a mut dyn ReadSeek,
    overlays: Vec<Overlay>,
    is_heavy_for_all: bool,
    /// Of all lists that were found so far.
    weight: Weight,
    /// Where they are, and what hides them.
    lists: Vec<(u64, &'static [u8])>,
    /// Pieces that may still be walked over.
    pieces: usize,
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
            b"OggS" => return comments::is_light_in_ogg(self, start),
            b"\x1a\x45\xdf\xa3" => ebml::weigh(self, start)?,
            b"\x30\x26\xb2\x75" => asf::weigh(self, start)?,
            b"DSD " => chunks::hide_heavy_in_dsf(self, start)?,
            b"FLV\x01" => chunks::hide_heavy_in_flv(self, start)?,
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
            _ => {}
        }
        Ok(true)
    }

    fn read_at<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        // Files have no such places, and the system calls them invalid.
        if i64::try_from(at).is_err() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.stream.seek(SeekFrom::Start(at))?;
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&mut self) -> io::Result<u64> {
        self.stream.seek(SeekFrom::End(0))
    }

    /// Counts one more piece; `false` when there have been too many.
    fn goes_on(&mut self) -> bool {
        self.pieces = self.pieces.saturating_sub(1);
        self.pieces > 0
    }

    /// Weighs a list that `bytes` at `at` would hide.
    fn found(&mut self, at: u64, bytes: &'static [u8], weight: Weight) {
        self.weight.entries = self.weight.entries.saturating_add(weight.entries);
        self.weight.bytes = self.weight.bytes.saturating_add(weight.bytes);
        self.lists.push((at, bytes));
    }

    /// From libav and from everybody else.
    fn hide(&mut self, at: u64, bytes: &[u8]) {
        self.is_heavy_for_all = true;
        self.hide_from_libav(at, bytes);
    }

    fn hide_from_libav(&mut self, at: u64, bytes: &[u8]) {
        self.overlays.push(Overlay { at, bytes: bytes.to_vec() });
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
