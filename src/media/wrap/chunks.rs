//! Chunks at the end of RIFF, RF64 and AIFF files.

use std::io::{self, SeekFrom};

use crate::media::io::Place;

/// Size that says "look into the ds64 chunk" (EBU Tech 3306).
const IN_DS64: u32 = u32::MAX;

/// Appends `bytes` as they are.
///
/// # Errors
/// What the stream says.
pub fn append(place: &mut dyn Place, bytes: &[u8]) -> io::Result<()> {
    place.seek(SeekFrom::End(0))?;
    place.write_all(bytes)
}

/// Appends a chunk and corrects the size of the file's outermost one.
///
/// # Errors
/// What the stream says; `InvalidData` when the file is none of the three kinds.
pub fn append_chunk(place: &mut dyn Place, name: &[u8; 4], body: &[u8]) -> io::Result<()> {
    let mut magic = [0; 4];
    place.seek(SeekFrom::Start(0))?;
    place.read_exact(&mut magic)?;
    let is_big_endian = match &magic {
        b"RIFF" | b"RF64" => false,
        b"FORM" => true,
        _ => return Err(io::Error::from(io::ErrorKind::InvalidData)),
    };
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let end = place.seek(SeekFrom::End(0))?;
    if end % 2 == 1 {
        place.write_all(&[0])?;
    }
    place.write_all(name)?;
    place.write_all(&if is_big_endian { length.to_be_bytes() } else { length.to_le_bytes() })?;
    place.write_all(body)?;
    if body.len() % 2 == 1 {
        place.write_all(&[0])?;
    }
    let size = place.stream_position()?.saturating_sub(8);
    place.seek(SeekFrom::Start(4))?;
    match (u32::try_from(size), is_big_endian) {
        (Ok(size), true) => place.write_all(&size.to_be_bytes()),
        (Ok(size), false) if &magic == b"RIFF" => place.write_all(&size.to_le_bytes()),
        (Err(_), _) if &magic != b"RF64" => Err(io::Error::from(io::ErrorKind::FileTooLarge)),
        _ => {
            // RF64: bytes 20 to 27 are the whole size in its ds64 chunk.
            place.write_all(&IN_DS64.to_le_bytes())?;
            place.seek(SeekFrom::Start(20))?;
            place.write_all(&size.to_le_bytes())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_padded_and_counted() {
        let mut file = io::Cursor::new(b"RIFF\x04\0\0\0WAVE".to_vec());
        append_chunk(&mut file, b"id3 ", b"abc").expect("appended");
        assert_eq!(file.into_inner(), b"RIFF\x10\0\0\0WAVEid3 \x03\0\0\0abc\0");
        let mut file = io::Cursor::new(b"FORM\0\0\0\x05AIFFx".to_vec());
        append_chunk(&mut file, b"ID3 ", b"ab").expect("appended");
        assert_eq!(file.into_inner(), b"FORM\0\0\0\x10AIFFx\0ID3 \0\0\0\x02ab");
        let mut file = io::Cursor::new(b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0________".to_vec());
        append_chunk(&mut file, b"id3 ", b"ab").expect("appended");
        assert_eq!(&file.into_inner()[20..28], &30_u64.to_le_bytes());
        assert!(append_chunk(&mut io::Cursor::new(b"OggS".to_vec()), b"id3 ", b"").is_err());
    }
}
