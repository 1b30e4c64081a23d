//! Matroska and WebM (RFC 8794; RFC 9559): tags and chapters.

use std::io;

use super::{Walk, Weight};

const SEGMENT: u64 = 0x1853_8067;
const TAGS: u64 = 0x1254_c367;
const TAG: u64 = 0x7373;
const SIMPLE_TAG: u64 = 0x67c8;
const CHAPTERS: u64 = 0x1043_a770;
const EDITION: u64 = 0x45b9;
const CHAPTER: u64 = 0xb6;
/// An identifier of four bytes that no element has: libav skips it by its length.
const NOBODY: [u8; 4] = [0x10, 0x00, 0x00, 0x01];

/// Weighs tags and chapters. Elements without a size end the walk: what follows is a live stream.
pub(super) fn weigh(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let end = walk.length()?;
    let mut at = start;
    while let Some(element) = element(walk, at, end)? {
        if element.id == SEGMENT {
            return in_segment(walk, element.start, element.end);
        }
        at = element.end;
    }
    Ok(())
}

fn in_segment(walk: &mut Walk<'_>, mut at: u64, end: u64) -> io::Result<()> {
    while walk.goes_on() {
        let Some(found) = element(walk, at, end)? else { break };
        if found.id == TAGS || found.id == CHAPTERS {
            let mut weight = Weight::default();
            weigh_inside(walk, found.start, found.end, 0, &mut weight)?;
            walk.found(at, &NOBODY, weight);
        }
        at = found.end;
    }
    Ok(())
}

/// Simple tags may hold others, chapters too. Chapters count for a tenth: real books have hundreds.
fn weigh_inside(
    walk: &mut Walk<'_>,
    mut at: u64,
    end: u64,
    depth: u8,
    weight: &mut Weight,
) -> io::Result<()> {
    let mut chapters = 0_u32;
    while depth < 16 && !weight.is_heavy() {
        let Some(found) = element(walk, at, end)? else { break };
        match found.id {
            SIMPLE_TAG => weight.add(found.end - found.start),
            CHAPTER => {
                chapters += 1;
                if chapters.is_multiple_of(10) {
                    weight.add(0);
                }
            }
            _ => {}
        }
        if matches!(found.id, TAG | SIMPLE_TAG | EDITION | CHAPTER) {
            weigh_inside(walk, found.start, found.end, depth + 1, weight)?;
        }
        at = found.end;
    }
    Ok(())
}

struct Element {
    id: u64,
    start: u64,
    end: u64,
}

/// The element at `at`; `None` where there is none, or none with a size. A segment may be without.
fn element(walk: &mut Walk<'_>, at: u64, end: u64) -> io::Result<Option<Element>> {
    if at >= end {
        return Ok(None);
    }
    let Some((id, id_length, _)) = number(walk, at, true)? else { return Ok(None) };
    let Some((size, size_length, is_unknown)) = number(walk, at + id_length, false)? else {
        return Ok(None);
    };
    let start = at + id_length + size_length;
    if start > end {
        return Ok(None);
    }
    let next = if is_unknown { end } else { start.saturating_add(size).min(end) };
    Ok((!is_unknown || id == SEGMENT).then_some(Element { id, start, end: next }))
}

/// A number of variable length (RFC 8794 section 4): value, bytes, whether all its bits are 1.
fn number(walk: &mut Walk<'_>, at: u64, with_marker: bool) -> io::Result<Option<(u64, u64, bool)>> {
    let [first] = walk.read_at::<1>(at)?;
    let length = u64::from(first.leading_zeros()) + 1;
    if length > 8 {
        return Ok(None);
    }
    let mut value = u64::from(if with_marker { first } else { first & (0xff_u16 >> length) as u8 });
    for place in 1..length {
        let [next] = walk.read_at::<1>(at + place)?;
        value = value << 8 | u64::from(next);
    }
    Ok(Some((value, length, !with_marker && value == (1 << (7 * length)) - 1)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;

    fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).expect("small") | 0x1000_0000;
        [id, &size.to_be_bytes(), body].concat()
    }

    #[test]
    fn heavy_tags_get_a_name_that_nobody_knows() {
        let file = |count: usize, segment_size: &[u8]| {
            let tag = element(b"\x73\x73", &element(b"\x67\xc8", b"abc").repeat(count));
            let tags = element(b"\x12\x54\xc3\x67", &tag);
            let body = [element(b"\xec", b"void"), tags].concat();
            [&element(b"\x1a\x45\xdf\xa3", b"head")[..], b"\x18\x53\x80\x67", segment_size, &body]
                .concat()
        };
        let unknown = [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert!(hidden(file(40, &unknown)).is_empty());
        assert_eq!(hidden(file(5000, &unknown)), [12 + 4 + 8 + 9]);
        assert_eq!(hidden(file(5000, &[0x1f, 0xff, 0xff, 0xf0])), [12 + 4 + 4 + 9]);
    }
}
