//! ID3v2.2 to 2.4 (ID3v2.4.0 structure, sections 3 and 4).

use std::io;

use super::{PIECES_MAX, Walk, Weight, big_endian};

/// A version that nobody knows: libav skips such a tag by its length.
const UNKNOWN_VERSION: u8 = 9;

/// Hides the tags at the start when together they are too heavy; where they end.
pub(super) fn hide_heavy(walk: &mut Walk<'_>) -> io::Result<u64> {
    let (mut at, mut weight) = (0, Weight::default());
    let mut tags = Vec::new();
    while let Some(end) = weigh(walk, at, &mut weight)? {
        tags.push(at);
        at = end;
        if weight.is_heavy() || tags.len() > PIECES_MAX {
            // The rest need not be weighed, but its end must be found.
            while let Some(end) = end_of(walk, at)? {
                tags.push(at);
                at = end;
            }
            break;
        }
    }
    if weight.is_heavy() {
        tags.into_iter().for_each(|tag| walk.hide(tag + 3, &[UNKNOWN_VERSION]));
    }
    Ok(at)
}

/// Hides the tag at `at`, in a chunk of another file, when it is too heavy.
pub(super) fn hide_heavy_at(walk: &mut Walk<'_>, at: u64) -> io::Result<()> {
    let mut weight = Weight::default();
    if weigh(walk, at, &mut weight)?.is_some() && weight.is_heavy() {
        walk.hide(at + 3, &[UNKNOWN_VERSION]);
    }
    Ok(())
}

fn end_of(walk: &mut Walk<'_>, at: u64) -> io::Result<Option<u64>> {
    let header = match walk.read_at::<10>(at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    if !header.starts_with(b"ID3") {
        return Ok(None);
    }
    let footer = if header[3] >= 4 && header[5] & 0x10 != 0 { 10 } else { 0 };
    Ok(Some(at + 10 + u64::from(synchsafe(&header[6..10])) + footer))
}

/// Weighs the tag at `at`; where it ends, or `None` when there is none.
fn weigh(walk: &mut Walk<'_>, at: u64, weight: &mut Weight) -> io::Result<Option<u64>> {
    let Some(end) = end_of(walk, at)? else { return Ok(None) };
    let header: [u8; 10] = walk.read_at(at)?;
    let (version, flags) = (header[3], header[5]);
    let (id_bytes, header_bytes) = if version == 2 { (3, 6) } else { (4, 10) };
    let mut position = at + 10 + extended_header(walk, at + 10, version, flags)?;
    while position + header_bytes <= end && !weight.is_heavy() {
        let frame = match walk.read_at::<10>(position) {
            // Shorter than it says: what is there was weighed.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            other => other?,
        };
        if frame[..id_bytes].iter().all(|&byte| byte == 0) {
            break;
        }
        let size = match version {
            2 => big_endian(&frame[3..6]),
            3 => big_endian(&frame[4..8]),
            _ => synchsafe(&frame[4..8]),
        };
        weight.add(u64::from(size));
        position += header_bytes + u64::from(size);
    }
    Ok(Some(end))
}

/// Bytes of the extended header that a flag announces (section 3.2).
fn extended_header(walk: &mut Walk<'_>, at: u64, version: u8, flags: u8) -> io::Result<u64> {
    if version < 3 || flags & 0x40 == 0 {
        return Ok(0);
    }
    let size: [u8; 4] = walk.read_at(at)?;
    // Version 3 does not count the size itself.
    Ok(if version == 3 { u64::from(big_endian(&size)) + 4 } else { u64::from(synchsafe(&size)) })
}

fn synchsafe(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, byte| value << 7 | u32::from(byte & 0x7f))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tests::hidden;

    /// A tag of so many frames of `size` bytes each.
    pub(in super::super) fn tag(frames: usize, size: u8) -> Vec<u8> {
        let mut body = Vec::new();
        for _ in 0..frames {
            body.extend_from_slice(&[b'T', b'X', b'X', b'X', 0, 0, 0, size, 0, 0]);
            body.resize(body.len() + usize::from(size), b'a');
        }
        let length = u32::try_from(body.len()).expect("a small tag");
        let mut tag = b"ID3\x04\0\0".to_vec();
        tag.extend([21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8));
        tag.extend(body);
        tag
    }

    #[test]
    fn heavy_tags_are_skipped_by_libav_and_ordinary_ones_not() {
        let sound = vec![0xff; 64];
        let with_sound = |parts: &[Vec<u8>]| [parts.concat(), sound.clone()].concat();
        assert!(hidden(with_sound(&[tag(40, 3)])).is_empty());
        assert_eq!(hidden(with_sound(&[tag(5000, 3)])), [3]);
        let half = tag(3000, 3);
        let second = half.len() as u64;
        assert_eq!(hidden(with_sound(&[half.clone(), half.clone()])), [3, second + 3], "piled up");
        let many = hidden(with_sound(&[half.clone(), half.clone(), half]));
        assert_eq!(many, [3, second + 3, 2 * second + 3]);
        let mut extended = tag(5000, 3);
        extended[5] = 0x40;
        extended.splice(10..10, [0, 0, 0, 6, 1, 0]);
        assert_eq!(hidden(with_sound(&[extended])), [3], "behind an extended header");
        let mut lies = tag(2, 3);
        lies[9] = 0x7f;
        assert!(hidden(lies).is_empty());
    }
}
