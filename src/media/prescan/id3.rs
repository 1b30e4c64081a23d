//! ID3v2.2 to 2.4 (ID3v2.4.0 structure, sections 3 and 4).

use std::io;

use super::{PIECES_MAX, Walk, Weight, big_endian};

/// Chapters in chapters; real files have none.
const DEPTH_MAX: u8 = 3;
/// Bytes that compressed frames may become; a cover gains nothing from it.
const UNPACKED_MAX: u64 = 1 << 28;
/// Bytes of a chapter's name that are looked through.
const NAME_MAX: usize = 64;

/// A version that nobody knows: libav skips such a tag by its length.
pub(super) const UNKNOWN_VERSION: u8 = 9;

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

/// Weighs the tag at `at`, within another file; where it ends, or `None` when there is none.
pub(super) fn weigh_at(walk: &mut Walk<'_>, at: u64) -> io::Result<Option<u64>> {
    let mut weight = Weight::default();
    let end = weigh(walk, at, &mut weight)?;
    if end.is_some() {
        walk.found(at + 3, &[UNKNOWN_VERSION], weight);
    }
    Ok(end)
}

/// Where the tag at `at` ends; `None` when there is none.
pub(super) fn end_of(walk: &mut Walk<'_>, at: u64) -> io::Result<Option<u64>> {
    let header = match walk.read_at::<10>(at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    // As libav tells a tag from chance (section 3.1).
    let [b'I', b'D', b'3', 0..=0xfe, 0..=0xfe, _, size @ ..] = header else { return Ok(None) };
    if size.iter().any(|&byte| byte > 0x7f) {
        return Ok(None);
    }
    let footer = if header[3] >= 4 && header[5] & 0x10 != 0 { 10 } else { 0 };
    Ok(Some(at + 10 + u64::from(synchsafe(&size)) + footer))
}

/// Weighs the tag at `at`; where it ends, or `None` when there is none.
fn weigh(walk: &mut Walk<'_>, at: u64, weight: &mut Weight) -> io::Result<Option<u64>> {
    let Some(end) = end_of(walk, at)? else { return Ok(None) };
    let header: [u8; 10] = walk.read_at(at)?;
    let (version, flags) = (header[3], header[5]);
    let start = at + 10 + extended_header(walk, at + 10, version, flags)?;
    match weigh_frames(walk, start, end, version, 0, weight) {
        // Shorter than it says: what is there was weighed.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
        other => other?,
    }
    Ok(Some(end))
}

fn weigh_frames(
    walk: &mut Walk<'_>,
    mut at: u64,
    end: u64,
    version: u8,
    depth: u8,
    weight: &mut Weight,
) -> io::Result<()> {
    let (id_bytes, header_bytes) = if version == 2 { (3, 6) } else { (4, 10) };
    while at + header_bytes <= end && !weight.is_heavy() {
        let frame: [u8; 10] = walk.read_at(at)?;
        if frame[..id_bytes].iter().all(|&byte| byte == 0) {
            break;
        }
        let start = at + header_bytes;
        let size = match version {
            2 => u64::from(big_endian(&frame[3..6])),
            3 => u64::from(big_endian(&frame[4..8])),
            _ => size_in_version_4(walk, start, &frame[4..8], end)?,
        };
        // What is compressed may become a thousand times as much (zlib's limit).
        let is_compressed = match version {
            2 => false,
            3 => frame[9] & 0x80 != 0,
            _ => frame[9] & 0x08 != 0,
        };
        weight.add(if is_compressed { size.saturating_mul(1000) } else { size });
        if is_compressed && weight.bytes > UNPACKED_MAX {
            weight.entries = u64::MAX;
        }
        let next = start.saturating_add(size);
        if matches!(&frame[..4], b"CHAP" | b"CTOC") {
            // Readers call themselves for each level.
            if depth == DEPTH_MAX {
                weight.entries = u64::MAX;
                break;
            }
            if let Some(inner) = sub_frames(walk, start, next.min(end), &frame[..4])? {
                weigh_frames(walk, inner, next.min(end), version, depth + 1, weight)?;
            }
        }
        at = next;
    }
    Ok(())
}

/// Some programs write plain numbers where version 4 has seven bits a byte; readers look which of
/// the two leads to another frame, and so must this.
fn size_in_version_4(walk: &mut Walk<'_>, start: u64, bytes: &[u8], end: u64) -> io::Result<u64> {
    let (plain, synchsafe) = (u64::from(big_endian(bytes)), u64::from(synchsafe(bytes)));
    if plain <= 0x7f || start + plain + 4 > end {
        return Ok(synchsafe);
    }
    let mut leads_on = |size: u64| -> io::Result<bool> {
        let id: [u8; 4] = walk.read_at(start + size)?;
        Ok(id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()))
    };
    Ok(if leads_on(synchsafe)? || !leads_on(plain)? { synchsafe } else { plain })
}

/// Where the frames inside a chapter or a table of contents start: behind a name, and times or a
/// list of names (ID3v2 Chapter Frame Addendum, sections 3.1 and 3.2).
fn sub_frames(walk: &mut Walk<'_>, at: u64, end: u64, id: &[u8]) -> io::Result<Option<u64>> {
    let after_name = |walk: &mut Walk<'_>, mut at: u64| -> io::Result<Option<u64>> {
        for _ in 0..NAME_MAX {
            if at >= end {
                break;
            }
            at += 1;
            if walk.read_at::<1>(at - 1)? == [0] {
                return Ok(Some(at));
            }
        }
        Ok(None)
    };
    let Some(mut at) = after_name(walk, at)? else { return Ok(None) };
    if id == b"CHAP" {
        return Ok(Some(at + 16));
    }
    let [_, count] = walk.read_at::<2>(at)?;
    at += 2;
    for _ in 0..count {
        let Some(next) = after_name(walk, at)? else { return Ok(None) };
        at = next;
    }
    Ok(Some(at))
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
        let nested = |levels: usize| {
            let mut body = Vec::new();
            for _ in 0..levels {
                let inner = [&b"a\0"[..], &[0; 16], &body].concat();
                let size = u32::try_from(inner.len()).expect("small");
                let size = [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8);
                body = [&b"CHAP"[..], &size, &[0, 0], &inner].concat();
            }
            let size = u32::try_from(body.len()).expect("small");
            let size = [21, 14, 7, 0].map(|shift| (size >> shift & 0x7f) as u8);
            [&b"ID3\x04\0\0"[..], &size, &body].concat()
        };
        assert!(hidden(with_sound(&[nested(2)])).is_empty());
        assert_eq!(hidden(with_sound(&[nested(60)])), [3], "chapters in chapters");
        let mut plain = tag(5000, 3);
        let first = [b'T', b'X', b'X', b'X', 0, 0, 0, 200, 0, 0];
        plain.splice(10..10, first.into_iter().chain([b'a'; 200]));
        plain[6..10].copy_from_slice(&[0, 4, 50, 0]);
        assert_eq!(hidden(with_sound(&[plain])), [3], "behind a size in plain numbers");
        let mut lies = tag(2, 3);
        lies[9] = 0x7f;
        assert!(hidden(lies).is_empty());
    }
}
