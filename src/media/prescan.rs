//! How many tags a file brings, counted before libav sees them.
//!
//! libav's dictionaries take time that grows with the square of their entries, inside one call that
//! no cancel reaches: a megabyte of tiny ID3 frames holds a thread for a minute. Counting them costs
//! a walk over their headers.

use std::io::{self, Read, Seek, SeekFrom};

/// Entries a source may bring. Real files have a few dozen, a file of the FLAC test suite twenty
/// thousand; at this limit libav takes a few seconds.
pub const TAGS_MAX: usize = 20_480;

/// Tags piled up, metadata blocks or chunks that are walked over; no file has as many.
const PIECES_MAX: usize = 4096;

/// What the walk found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As many as a file may have, or a kind that is not counted here.
    Fine,
    /// More than [`TAGS_MAX`].
    TooMany,
}

/// Counts ID3v2 frames (ID3v2.2 to 2.4) and the Vorbis comments of FLAC and Ogg at the beginning of
/// `stream`, which stands at its start before and after.
///
/// # Errors
/// What the stream says. A header that makes no sense ends the count: libav will find it too.
pub fn scan(stream: &mut (impl Read + Seek + ?Sized)) -> io::Result<Verdict> {
    let verdict = walk(stream);
    stream.seek(SeekFrom::Start(0))?;
    match verdict {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Verdict::Fine),
        other => other,
    }
}

fn walk(stream: &mut (impl Read + Seek + ?Sized)) -> io::Result<Verdict> {
    let mut magic = [0; 4];
    stream.read_exact(&mut magic)?;
    let (mut frames, mut tags) = (0, 0);
    // Taggers pile ID3 tags up, also before a FLAC stream.
    while magic.starts_with(b"ID3") {
        frames += id3_frames(stream, magic[3])?;
        tags += 1;
        if frames > TAGS_MAX || tags > PIECES_MAX {
            return Ok(Verdict::TooMany);
        }
        stream.read_exact(&mut magic)?;
    }
    match &magic {
        b"RIFF" => chunks(stream, u32::from_le_bytes),
        b"FORM" => chunks(stream, u32::from_be_bytes),
        b"fLaC" => flac_comments(stream),
        b"OggS" => ogg_comments(stream),
        _ => Ok(Verdict::Fine),
    }
}

/// Frames of one ID3v2 tag whose identifier and major version are read already; the stream stands
/// behind the tag afterwards (ID3v2.4.0 structure, sections 3 and 4).
fn id3_frames(stream: &mut (impl Read + Seek + ?Sized), version: u8) -> io::Result<usize> {
    let mut header = [0; 6];
    stream.read_exact(&mut header)?;
    let flags = header[1];
    let length = u64::from(synchsafe(&header[2..6]));
    let start = stream.stream_position()?;
    let (id_bytes, header_bytes) = if version == 2 { (3, 6) } else { (4, 10) };
    let mut frames = 0;
    let mut position = extended_header(stream, version, flags)?;
    stream.seek(SeekFrom::Start(start + position))?;
    while position + header_bytes <= length && frames <= TAGS_MAX {
        let mut frame = [0; 10];
        #[expect(clippy::cast_possible_truncation, reason = "6 or 10")]
        let frame = &mut frame[..header_bytes as usize];
        stream.read_exact(frame)?;
        if frame[..id_bytes].iter().all(|&byte| byte == 0) {
            break;
        }
        let size = match version {
            2 => big_endian(&frame[3..6]),
            3 => big_endian(&frame[4..8]),
            _ => synchsafe(&frame[4..8]),
        };
        frames += 1;
        position += header_bytes + u64::from(size);
        stream.seek(SeekFrom::Start(start + position))?;
    }
    let footer = if version >= 4 && flags & 0x10 != 0 { 10 } else { 0 };
    stream.seek(SeekFrom::Start(start + length + footer))?;
    Ok(frames)
}

/// Bytes of the extended header that a flag announces (ID3v2.3.0 and 2.4.0, section 3.2).
fn extended_header(
    stream: &mut (impl Read + Seek + ?Sized),
    version: u8,
    flags: u8,
) -> io::Result<u64> {
    if version < 3 || flags & 0x40 == 0 {
        return Ok(0);
    }
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    // Version 3 does not count the size itself.
    Ok(if version == 3 { u64::from(big_endian(&size)) + 4 } else { u64::from(synchsafe(&size)) })
}

/// Looks for the ID3 chunk of RIFF WAVE and AIFF.
fn chunks(
    stream: &mut (impl Read + Seek + ?Sized),
    number: fn([u8; 4]) -> u32,
) -> io::Result<Verdict> {
    stream.seek(SeekFrom::Current(8))?;
    for _ in 0..PIECES_MAX {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let length = number([header[4], header[5], header[6], header[7]]);
        let start = stream.stream_position()?;
        if header[..4].eq_ignore_ascii_case(b"ID3 ") {
            let mut magic = [0; 4];
            stream.read_exact(&mut magic)?;
            if magic.starts_with(b"ID3") && id3_frames(stream, magic[3])? > TAGS_MAX {
                return Ok(Verdict::TooMany);
            }
        }
        // Chunks begin at even places.
        stream.seek(SeekFrom::Start(start + u64::from(length) + u64::from(length % 2)))?;
    }
    Ok(Verdict::Fine)
}

/// Looks for FLAC's VORBIS_COMMENT block (RFC 9639, section 8.6).
fn flac_comments(stream: &mut (impl Read + Seek + ?Sized)) -> io::Result<Verdict> {
    const VORBIS_COMMENT: u8 = 4;
    for _ in 0..PIECES_MAX {
        let mut header = [0; 4];
        stream.read_exact(&mut header)?;
        let length = i64::from(big_endian(&header[1..4]));
        if header[0] & 0x7f == VORBIS_COMMENT && comment_count(stream)? > TAGS_MAX {
            return Ok(Verdict::TooMany);
        }
        if header[0] & 0x7f == VORBIS_COMMENT || header[0] & 0x80 != 0 {
            return Ok(Verdict::Fine);
        }
        stream.seek(SeekFrom::Current(length))?;
    }
    Ok(Verdict::TooMany)
}

/// Looks for the comment header near the beginning of an Ogg stream (Vorbis I, section 5.2.1;
/// RFC 7845, section 5.2). It starts on the second page, whose packet begins with a known mark.
fn ogg_comments(stream: &mut (impl Read + Seek + ?Sized)) -> io::Result<Verdict> {
    const MARKS: [&[u8]; 2] = [b"\x03vorbis", b"OpusTags"];
    let mut head = Vec::new();
    stream.seek(SeekFrom::Start(0))?;
    (&mut *stream).take(4096).read_to_end(&mut head)?;
    for mark in MARKS {
        let found = head.windows(mark.len()).position(|window| window == mark);
        if let Some(position) = found {
            stream.seek(SeekFrom::Start((position + mark.len()) as u64))?;
            let many = comment_count(stream)? > TAGS_MAX;
            return Ok(if many { Verdict::TooMany } else { Verdict::Fine });
        }
    }
    Ok(Verdict::Fine)
}

/// The number of comments a comment header announces: behind the vendor string, little-endian.
fn comment_count(stream: &mut (impl Read + Seek + ?Sized)) -> io::Result<usize> {
    let mut number = [0; 4];
    stream.read_exact(&mut number)?;
    stream.seek(SeekFrom::Current(i64::from(u32::from_le_bytes(number))))?;
    stream.read_exact(&mut number)?;
    Ok(usize::try_from(u32::from_le_bytes(number)).unwrap_or(usize::MAX))
}

fn synchsafe(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 7 | u32::from(byte & 0x7f))
}

fn big_endian(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn id3(frames: usize) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..frames {
            body.extend_from_slice(b"TXXX\0\0\0\x03\0\0\0ab");
        }
        let length = u32::try_from(body.len()).expect("a small tag");
        let mut tag = b"ID3\x04\0\0".to_vec();
        tag.extend([21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8));
        tag.extend(body);
        tag
    }

    fn flac(comments: u32) -> Vec<u8> {
        let mut file = b"fLaC\0\0\0\x22".to_vec();
        file.extend([0; 34]);
        file.extend(b"\x84\0\0\x0c\x04\0\0\0test");
        file.extend(comments.to_le_bytes());
        file
    }

    fn verdict(file: Vec<u8>) -> Verdict {
        let mut stream = Cursor::new(file);
        let verdict = scan(&mut stream).expect("a readable stream");
        assert_eq!(stream.position(), 0, "it stands at its start again");
        verdict
    }

    #[test]
    fn ordinary_files_pass_and_tag_bombs_do_not() {
        assert_eq!(verdict(id3(40)), Verdict::Fine);
        assert_eq!(verdict(id3(TAGS_MAX + 1)), Verdict::TooMany);
        assert_eq!(verdict([id3(15_000), id3(15_000)].concat()), Verdict::TooMany, "piled up");
        let mut extended = id3(TAGS_MAX + 2);
        extended[5] = 0x40;
        extended.splice(10..10, [0, 0, 0, 6, 1, 0]);
        assert_eq!(verdict(extended), Verdict::TooMany, "behind an extended header");
        let footed = [b"ID3\x04\0\x10\0\0\0\0".to_vec(), vec![0; 10], id3(TAGS_MAX + 1)].concat();
        assert_eq!(verdict(footed), Verdict::TooMany, "behind a footer");
        let tag = id3(TAGS_MAX + 1);
        let length = u32::try_from(tag.len()).expect("a small tag").to_le_bytes();
        let wav = [b"RIFF....WAVEdata\x02\0\0\0..id3 ".to_vec(), length.to_vec(), tag].concat();
        assert_eq!(verdict(wav), Verdict::TooMany, "in a chunk of a WAV file");
        assert_eq!(verdict(b"ID3\x04\0\0\0\0\0\0".repeat(PIECES_MAX + 2)), Verdict::TooMany);
        assert_eq!(verdict([b"fLaC".to_vec(), vec![0; 40_000]].concat()), Verdict::TooMany);
        assert_eq!(verdict(flac(12)), Verdict::Fine);
        assert_eq!(verdict(flac(1_000_000)), Verdict::TooMany);
        assert_eq!(verdict([id3(1), flac(1_000_000)].concat()), Verdict::TooMany);
        let opus = |count: u32| {
            [b"OggS....OpusHead....OggS....OpusTags\0\0\0\0".to_vec(), count.to_le_bytes().to_vec()]
                .concat()
        };
        assert_eq!(verdict(opus(3)), Verdict::Fine);
        assert_eq!(verdict(opus(90_000)), Verdict::TooMany);
    }

    #[test]
    fn what_is_cut_off_or_something_else_passes() {
        for file in [
            b"".to_vec(),
            b"ID".to_vec(),
            b"ID3\x04\0\0".to_vec(),
            b"RIFFxxxxWAVE".to_vec(),
            b"fLaC".to_vec(),
        ] {
            assert_eq!(verdict(file.clone()), Verdict::Fine, "{file:?}");
        }
        let mut lies = id3(2);
        lies[9] = 0x7f;
        assert_eq!(verdict(lies), Verdict::Fine);
    }
}
