//! A stream that is walked over piece by piece, and what is found in it.

use std::io::{self, Read, SeekFrom};

use super::{CutOff, PIECES_MAX};
use crate::media::io::{Overlay, ReadSeek};

/// Entries that libav is given; a few thousand cost it some milliseconds.
const ENTRIES_MAX: u64 = 4096;

/// Entries times bytes that libav is given: what it copies when all of them bear one name.
const WORK_MAX: u64 = 4_000_000_000;

/// Who writes into a pipe does not know the length: it is about the largest number of so many bits.
const LENGTH_BITS: [u32; 4] = [31, 32, 63, 64];
const UNKNOWN_WITHIN: u64 = 1 << 16;

/// Bytes that are read at once: neighbouring pieces mostly lie in one of these.
const WINDOW: usize = 1 << 13;

/// How much work a list of entries is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Weight {
    pub(super) fn add(&mut self, bytes: u64) {
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    pub(super) fn is_heavy(self) -> bool {
        self.entries > ENTRIES_MAX || self.entries.saturating_mul(self.bytes) > WORK_MAX
    }
}

/// A stream that is walked over, and what was found to be hidden.
pub(super) struct Walk<'a> {
    pub(super) stream: &'a mut dyn ReadSeek,
    pub(super) overlays: Vec<Overlay>,
    pub(super) is_heavy_for_all: bool,
    /// Of all lists that were found so far.
    pub(super) weight: Weight,
    /// Where they are, and what hides them.
    pub(super) lists: Vec<(u64, &'static [u8])>,
    /// Pieces that may still be walked over.
    pub(super) pieces: usize,
    /// Of the sound that follows, as the file says; 0 when it does not.
    pub(super) bytes_per_second: u32,
    /// Set where the sound of a file that says its length is cut off.
    pub(super) cut_off: Option<CutOff>,
    has_sound: bool,
    /// Samples per channel, where libav counts them wrongly.
    pub(super) samples: Option<u64>,
    /// Bytes of the stream, and where they start.
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(stream: &'a mut dyn ReadSeek) -> Self {
        Self {
            stream,
            overlays: Vec::new(),
            is_heavy_for_all: false,
            weight: Weight::default(),
            lists: Vec::new(),
            pieces: PIECES_MAX,
            bytes_per_second: 0,
            cut_off: None,
            has_sound: false,
            samples: None,
            window: Vec::new(),
            window_at: 0,
        }
    }

    pub(super) fn read_at<const N: usize>(&mut self, at: u64) -> io::Result<[u8; N]> {
        let there = at.checked_sub(self.window_at).and_then(|there| usize::try_from(there).ok());
        if let Some(bytes) = there.and_then(|there| self.window.get(there..)?.first_chunk()) {
            return Ok(*bytes);
        }
        self.look(at)?;
        let bytes = self.window.first_chunk();
        bytes.copied().ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }

    /// As many bytes as there are from `at` on, up to [`WINDOW`].
    pub(super) fn look(&mut self, at: u64) -> io::Result<&[u8]> {
        // Files have no such places, and the system calls them invalid.
        if i64::try_from(at).is_err() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        self.window.clear();
        self.window_at = at;
        self.stream.seek(SeekFrom::Start(at))?;
        Read::take(&mut *self.stream, WINDOW as u64).read_to_end(&mut self.window)?;
        Ok(&self.window)
    }

    /// As many bytes as there are from `at` on, up to `most`, in place of what is in `buffer`.
    pub(super) fn read_into(
        &mut self,
        buffer: &mut Vec<u8>,
        at: u64,
        most: usize,
    ) -> io::Result<()> {
        buffer.clear();
        self.stream.seek(SeekFrom::Start(at))?;
        Read::take(&mut *self.stream, most as u64).read_to_end(buffer)?;
        Ok(())
    }

    /// Notes whether the sound from `at` on is as long as the file promises.
    pub(super) fn promised(&mut self, at: u64, promised: u64) -> io::Result<()> {
        let present = self.length()?.saturating_sub(at);
        let is_known = LENGTH_BITS
            .iter()
            .all(|bits| (u64::MAX >> (64 - bits)).abs_diff(promised) > UNKNOWN_WITHIN);
        if is_known && promised > present && !self.has_sound && self.bytes_per_second > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a length for people")]
            let promised_seconds = promised as f64 / f64::from(self.bytes_per_second);
            self.cut_off = Some(CutOff { promised_seconds });
        }
        self.has_sound = true;
        Ok(())
    }

    pub(super) fn length(&mut self) -> io::Result<u64> {
        self.stream.seek(SeekFrom::End(0))
    }

    /// Counts one more piece; `false` when there have been too many.
    pub(super) fn goes_on(&mut self) -> bool {
        self.pieces = self.pieces.saturating_sub(1);
        self.pieces > 0
    }

    /// Weighs a list that `bytes` at `at` would hide.
    pub(super) fn found(&mut self, at: u64, bytes: &'static [u8], weight: Weight) {
        self.weight.entries = self.weight.entries.saturating_add(weight.entries);
        self.weight.bytes = self.weight.bytes.saturating_add(weight.bytes);
        if weight.entries > 0 && self.lists.len() <= PIECES_MAX {
            self.lists.push((at, bytes));
        }
    }

    /// Whether more was found than can be hidden.
    pub(super) fn is_overrun(&self) -> bool {
        self.pieces == 0 || self.overlays.len() > PIECES_MAX || self.lists.len() > PIECES_MAX
    }

    /// From libav and from everybody else.
    pub(super) fn hide(&mut self, at: u64, bytes: &[u8]) {
        self.is_heavy_for_all = true;
        self.hide_from_libav(at, bytes);
    }

    pub(super) fn hide_from_libav(&mut self, at: u64, bytes: &[u8]) {
        if self.overlays.len() <= PIECES_MAX {
            self.overlays.push(Overlay { at, bytes: bytes.to_vec() });
        }
    }
}
