//! The first frame of MP3 files, which tells their length and where to seek.

use std::io::{self, Read, SeekFrom};

use crate::media::io::Place;

/// The largest frame of layer III: 320 kbit/s at 32 kHz.
const FRAME_MAX: u64 = 1441;
/// Magic, flags, frames, bytes, table of contents, quality: the muxer writes all of them.
const BEFORE_ENCODER: usize = 4 + 4 + 4 + 4 + 100 + 4;
/// Name of the encoder and what it says of itself, its delay among it, up to two checksums.
const ENCODER: usize = 36;

/// Takes the encoder's part out of the frame at `at`. Its delay would make a reader drop samples
/// that it does not drop of the source, which names none.
///
/// # Errors
/// What the stream says. A file without such a frame is left alone.
pub fn forget_encoder(place: &mut dyn Place, at: u64) -> io::Result<()> {
    let mut frame = Vec::new();
    place.seek(SeekFrom::Start(at))?;
    Read::take(&mut *place, FRAME_MAX).read_to_end(&mut frame)?;
    let is_magic = |window: &[u8]| window == b"Xing" || window == b"Info";
    let Some(found) = frame.windows(4).take(64).position(is_magic) else { return Ok(()) };
    let start = found + BEFORE_ENCODER;
    let end = frame.len().min(start + ENCODER);
    if start < end {
        place.seek(SeekFrom::Start(at + start as u64))?;
        place.write_all(&vec![0; end - start])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_encoders_part_is_emptied() {
        let head = [b"tag\xff\xfb\x90\x64".as_slice(), &[0; 32], b"Info\0\0\0\x0f", &[7; 112]];
        let bytes = [&head.concat()[..], &[9; 40]].concat();
        let mut file = io::Cursor::new(bytes.clone());
        forget_encoder(&mut file, 3).expect("emptied");
        let start = bytes.len() - 40;
        assert_eq!(file.get_ref()[..start], bytes[..start]);
        assert_eq!(file.get_ref()[start..], [&[0; 36][..], &[9; 4]].concat());
        let mut other = io::Cursor::new(vec![1; 300]);
        forget_encoder(&mut other, 0).expect("left alone");
        assert_eq!(other.get_ref(), &vec![1; 300]);
    }
}
