//! Vorbis comments in FLAC (RFC 9639 section 8.6; Vorbis I, section 5.2.1).

use std::io::{self, BufReader, Read, SeekFrom};

use super::{PIECES_MAX, Walk, Weight, big_endian};
use crate::media::io::ReadSeek;

const PADDING: u8 = 1;
const VORBIS_COMMENT: u8 = 4;
const IS_LAST: u8 = 0x80;

/// Comments that are read without libav, in some tens of milliseconds.
const READABLE: u64 = 1 << 16;

/// Turns comment blocks into padding when together they are heavy. The blocks start at `at`.
pub(super) fn hide_heavy_in_flac(walk: &mut Walk<'_>, mut at: u64) -> io::Result<()> {
    let (mut weight, mut announced) = (Weight::default(), 0_u64);
    let mut blocks = Vec::new();
    for _ in 0..PIECES_MAX {
        let header: [u8; 4] = walk.read_at(at)?;
        if header[0] & !IS_LAST == VORBIS_COMMENT {
            let block = weigh(walk.stream, at + 4)?;
            weight.entries += block.entries;
            weight.bytes += block.bytes;
            let vendor = u64::from(u32::from_le_bytes(walk.read_at(at + 4)?));
            announced += u64::from(u32::from_le_bytes(walk.read_at(at + 8 + vendor)?));
            blocks.push((at, [header[0] & IS_LAST | PADDING]));
        }
        if header[0] & IS_LAST != 0 {
            break;
        }
        at += 4 + u64::from(big_endian(&header[1..4]));
    }
    if weight.is_heavy() {
        for (block, padding) in blocks {
            if announced > READABLE {
                walk.hide(block, &padding);
            } else {
                walk.hide_from_libav(block, &padding);
            }
        }
    }
    Ok(())
}

/// Weighs the comments behind the vendor's name at `at`.
fn weigh(stream: &mut dyn ReadSeek, at: u64) -> io::Result<Weight> {
    stream.seek(SeekFrom::Start(at))?;
    weigh_entries(&mut BufReader::with_capacity(1 << 16, stream))
}

/// Weighs the comments of a header that starts with the vendor's name, as far as there are bytes.
fn weigh_entries(reader: &mut impl Read) -> io::Result<Weight> {
    let mut weight = Weight::default();
    let counted = (|| -> io::Result<()> {
        let vendor = number(reader)?;
        skip(reader, vendor)?;
        for _ in 0..number(reader)? {
            let length = number(reader)?;
            skip(reader, length)?;
            weight.add(u64::from(length));
            if weight.is_heavy() {
                break;
            }
        }
        Ok(())
    })();
    match counted {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(weight),
        other => other.map(|()| weight),
    }
}

fn number(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn skip(reader: &mut impl Read, length: u32) -> io::Result<()> {
    let skipped = io::copy(&mut Read::take(&mut *reader, u64::from(length)), &mut io::sink())?;
    if skipped < u64::from(length) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hidden;

    pub(in super::super) fn comments(count: u32, length: usize) -> Vec<u8> {
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
        let two = flac(&comments(3000, 3));
        let second = [&[0x84, 0, 0, 0][..], &comments(3000, 3)].concat();
        let mut two = [two, second].concat();
        two[42] = 4;
        assert_eq!(hidden(two).len(), 2, "two blocks");
        assert_eq!(hidden([b"ID3\x04\0\0\0\0\0\0", &flac(&comments(5000, 3))[..]].concat()), [52]);
    }
}
