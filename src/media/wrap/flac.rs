//! Metadata blocks of FLAC files (RFC 9639 section 8).

use std::io::{self, SeekFrom};

use super::ogg::entries;
use crate::media::io::Place;
use crate::media::metadata::Picture;

/// Where our blocks go: behind the magic and the STREAMINFO block.
pub const BEHIND_STREAMINFO: u64 = 4 + 4 + 34;
/// A block's length has 24 bits.
const BLOCK_MAX: usize = (1 << 24) - 1;

const PADDING: u8 = 1;
const VORBIS_COMMENT: u8 = 4;
const PICTURE: u8 = 6;
const IS_LAST: u8 = 0x80;

/// Whether a picture fits into a block, with its texts and numbers.
#[must_use]
pub fn takes(picture: &Picture) -> bool {
    let texts = picture.mime_type.len() + picture.description.len();
    picture.bytes.len() + texts + 8 * 4 <= BLOCK_MAX
}

/// The blocks of comments and of pictures, none of them the last one. Blocks that are too long are
/// left out.
#[must_use]
pub fn blocks(vendor: &str, comments: &[(String, String)], pictures: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&u32::try_from(vendor.len()).unwrap_or_default().to_le_bytes());
    body.extend_from_slice(vendor.as_bytes());
    body.extend_from_slice(&u32::try_from(comments.len()).unwrap_or_default().to_le_bytes());
    body.extend_from_slice(&entries(comments));
    let mut bytes = Vec::new();
    put(&mut bytes, VORBIS_COMMENT, &body);
    pictures.iter().for_each(|picture| put(&mut bytes, PICTURE, picture));
    bytes
}

fn put(into: &mut Vec<u8>, kind: u8, body: &[u8]) {
    if body.len() <= BLOCK_MAX {
        let length = u32::try_from(body.len()).unwrap_or_default().to_be_bytes();
        into.extend_from_slice(&[kind, length[1], length[2], length[3]]);
        into.extend_from_slice(body);
    }
}

/// Turns libav's own comments, which stand behind `inserted` bytes of ours, into padding: a file
/// has one block of comments.
///
/// # Errors
/// What the stream says.
pub fn forget_comments(place: &mut dyn Place, inserted: u64) -> io::Result<()> {
    let at = BEHIND_STREAMINFO + inserted;
    let mut header = [0; 4];
    place.seek(SeekFrom::Start(at))?;
    place.read_exact(&mut header)?;
    if header[0] & !IS_LAST != VORBIS_COMMENT {
        return Ok(());
    }
    let length = u32::from_be_bytes([0, header[1], header[2], header[3]]);
    place.seek(SeekFrom::Start(at))?;
    place.write_all(&[header[0] & IS_LAST | PADDING])?;
    place.seek(SeekFrom::Start(at + 4))?;
    place.write_all(&vec![0; length as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_of_libav_become_padding_and_ours_stay() {
        let ours = blocks("v", &[(String::from("A"), String::from("b"))], &[vec![7; 3]]);
        assert_eq!(ours[..4], [4, 0, 0, 16]);
        assert_eq!(ours[20..], [6, 0, 0, 3, 7, 7, 7]);
        let theirs = [IS_LAST | VORBIS_COMMENT, 0, 0, 2, 9, 9];
        let mut file = io::Cursor::new([&[0; 42][..], &ours, &theirs].concat());
        forget_comments(&mut file, ours.len() as u64).expect("forgotten");
        let file = file.into_inner();
        assert_eq!(file[42..42 + ours.len()], ours);
        assert_eq!(file[42 + ours.len()..], [IS_LAST | PADDING, 0, 0, 2, 0, 0]);
    }
}
