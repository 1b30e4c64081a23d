//! Vorbis comments in FLAC (RFC 9639 section 8.6) and Ogg (Vorbis I, section 5.2.1; RFC 7845
//! section 5.2).

use std::io::{self, BufReader, Read, SeekFrom};

use super::{PIECES_MAX, Walk, Weight, big_endian};
use crate::media::io::ReadSeek;

const PADDING: u8 = 1;
const VORBIS_COMMENT: u8 = 4;
const IS_LAST: u8 = 0x80;

/// Turns heavy comment blocks into padding. The blocks start at `at`.
pub(super) fn hide_heavy_in_flac(walk: &mut Walk<'_>, mut at: u64) -> io::Result<()> {
    for _ in 0..PIECES_MAX {
        let header: [u8; 4] = walk.read_at(at)?;
        let length = u64::from(big_endian(&header[1..4]));
        if header[0] & !IS_LAST == VORBIS_COMMENT && weigh(walk.stream, at + 4)?.is_heavy() {
            walk.hide(at, &[header[0] & IS_LAST | PADDING]);
        }
        if header[0] & IS_LAST != 0 {
            break;
        }
        at += 4 + length;
    }
    Ok(())
}

/// Whether the comment header near the beginning of an Ogg stream is light enough. It cannot be
/// hidden: its pages bear checksums. It starts on the second page, whose packet begins with a mark.
pub(super) fn is_light_in_ogg(walk: &mut Walk<'_>) -> io::Result<bool> {
    const MARKS: [&[u8]; 3] = [b"\x03vorbis", b"OpusTags", b"Speex   "];
    let mut head = Vec::new();
    walk.stream.seek(SeekFrom::Start(0))?;
    (&mut *walk.stream).take(8192).read_to_end(&mut head)?;
    for mark in MARKS {
        if let Some(found) = head.windows(mark.len()).position(|window| window == mark) {
            // The page headers in between are weighed as if they were text: a few bytes in 64 KiB.
            return Ok(!weigh(walk.stream, (found + mark.len()) as u64)?.is_heavy());
        }
    }
    Ok(true)
}

/// Weighs the comments behind the vendor's name at `at`, as far as there are bytes.
fn weigh(stream: &mut dyn ReadSeek, at: u64) -> io::Result<Weight> {
    stream.seek(SeekFrom::Start(at))?;
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let mut weight = Weight::default();
    let mut number = [0; 4];
    if reader.read_exact(&mut number).is_err() {
        return Ok(weight);
    }
    reader.seek_relative(i64::from(u32::from_le_bytes(number)))?;
    if reader.read_exact(&mut number).is_err() {
        return Ok(weight);
    }
    for _ in 0..u32::from_le_bytes(number) {
        let mut length = [0; 4];
        match reader.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            other => other?,
        }
        let length = u32::from_le_bytes(length);
        weight.add(u64::from(length));
        if weight.is_heavy() {
            break;
        }
        reader.seek_relative(i64::from(length))?;
    }
    Ok(weight)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::{hidden, scanned};

    fn comments(count: u32, length: usize) -> Vec<u8> {
        let mut bytes = b"\x04\0\0\0test".to_vec();
        bytes.extend(count.to_le_bytes());
        for _ in 0..count {
            bytes.extend(u32::try_from(length).expect("small").to_le_bytes());
            bytes.resize(bytes.len() + length, b'A');
        }
        bytes
    }

    fn flac(comments: &[u8]) -> Vec<u8> {
        let mut file = b"fLaC\0\0\0\x22".to_vec();
        file.extend([0; 34]);
        let length = u32::try_from(comments.len()).expect("small").to_be_bytes();
        file.extend([0x84, length[1], length[2], length[3]]);
        [file, comments.to_vec()].concat()
    }

    #[test]
    fn heavy_comments_become_padding_in_flac() {
        assert!(hidden(flac(&comments(12, 30))).is_empty());
        assert_eq!(hidden(flac(&comments(5000, 3))), [42]);
        assert_eq!(hidden(flac(&comments(1000, 6000))), [42], "one name, much text");
        assert_eq!(hidden([b"ID3\x04\0\0\0\0\0\0", &flac(&comments(5000, 3))[..]].concat()), [52]);
    }

    #[test]
    fn heavy_comments_of_ogg_are_refused() {
        let opus = |count, length| {
            scanned(
                [b"OggS....OpusHead....OggS....OpusTags", &comments(count, length)[..]].concat(),
            )
        };
        assert_eq!(opus(30, 30), Verdict::Fine(Vec::new()));
        assert_eq!(opus(5000, 3), Verdict::TooHeavy);
        assert_eq!(opus(1000, 6000), Verdict::TooHeavy);
    }
}
