//! MP4 and QuickTime (ISO/IEC 14496-12 section 4.2): what stands in `udta` and `meta`.

use std::io;

use super::{Walk, Weight};

/// Boxes whose content is boxes, on the way to texts.
const BRANCHES: [&[u8; 4]; 6] = [b"moov", b"trak", b"udta", b"meta", b"mdia", b"minf"];
/// Boxes whose content is a list of texts.
const LISTS: [&[u8; 4]; 3] = [b"ilst", b"udta", b"keys"];

/// Weighs lists of texts.
pub(super) fn weigh(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let end = walk.length()?;
    visit(walk, start, end, 0)
}

fn visit(walk: &mut Walk<'_>, mut at: u64, end: u64, depth: u8) -> io::Result<()> {
    while at + 8 <= end && depth < 8 && walk.goes_on() {
        let Some((name, start, next)) = header(walk, at, end)? else { break };
        if LISTS.contains(&&name) {
            let weight = weigh_list(walk, &name, start, next)?;
            walk.found(at + 4, b"free", weight);
        }
        if &name == b"cmov" {
            // A compressed index: nobody writes it, and nothing in it can be weighed.
            walk.hide(at + 4, b"free");
        } else if &name == b"trak" && !has_header(walk, start, next)? {
            // libav counts to an error code for each fragment of such a track.
            walk.hide_from_libav(at + 4, b"free");
        } else if BRANCHES.contains(&&name) {
            // ISO's "meta" has four bytes before its boxes, QuickTime's has not.
            let is_full = &name == b"meta" && walk.read_at::<4>(start)? == [0; 4];
            visit(walk, if is_full { start + 4 } else { start }, next, depth + 1)?;
        }
        at = next;
    }
    Ok(())
}

/// Name, start of the content and end of the box at `at`.
fn header(walk: &mut Walk<'_>, at: u64, end: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    let header: [u8; 8] = walk.read_at(at)?;
    let name = [header[4], header[5], header[6], header[7]];
    let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let (start, length) = match size {
        0 => (at + 8, end - at),
        1 => (at + 16, u64::from_be_bytes(walk.read_at(at + 8)?)),
        size => (at + 8, u64::from(size)),
    };
    let next = at.saturating_add(length);
    Ok((next >= start && next <= end).then_some((name, start, next)))
}

/// Whether a track has a readable `tkhd` (section 8.3.2).
fn has_header(walk: &mut Walk<'_>, mut at: u64, end: u64) -> io::Result<bool> {
    while at + 8 <= end {
        let Some((name, start, next)) = header(walk, at, end)? else { break };
        if &name == b"tkhd" {
            return Ok(next - start >= 84 && walk.read_at::<1>(start)?[0] <= 1);
        }
        at = next;
    }
    Ok(false)
}

fn weigh_list(walk: &mut Walk<'_>, name: &[u8; 4], mut at: u64, end: u64) -> io::Result<Weight> {
    let mut weight = Weight::default();
    if name == b"keys" {
        // A full box that counts its entries.
        let entries = u64::from(u32::from_be_bytes(walk.read_at(at + 4)?));
        return Ok(Weight { entries, bytes: end - at });
    }
    while at + 8 <= end && !weight.is_heavy() {
        let Some((_, _, next)) = header(walk, at, end)? else { break };
        weight.add(next - at);
        at = next;
    }
    Ok(weight)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;

    fn mp4_box(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).expect("small").to_be_bytes();
        [&size[..], name, body].concat()
    }

    #[test]
    fn a_heavy_item_list_becomes_free_space() {
        let file = |count: usize| {
            let items = mp4_box(b"name", b"12345678").repeat(count);
            let meta = [&[0; 4][..], &mp4_box(b"ilst", &items)].concat();
            let udta = mp4_box(b"udta", &mp4_box(b"meta", &meta));
            [mp4_box(b"ftyp", b"M4A "), mp4_box(b"moov", &udta)].concat()
        };
        assert!(hidden(file(40)).is_empty());
        assert_eq!(
            hidden(file(5000)),
            [12 + 8 + 4, 12 + 8 + 8 + 8 + 4 + 4],
            "with all other lists"
        );
    }

    #[test]
    fn a_track_without_a_header_is_no_track() {
        let file = |header: &[u8]| {
            let track = mp4_box(b"trak", &mp4_box(b"tkhd", header));
            [mp4_box(b"ftyp", b"M4A "), mp4_box(b"moov", &track)].concat()
        };
        assert!(hidden(file(&[0; 84])).is_empty());
        assert_eq!(hidden(file(&[0; 20])), [12 + 8 + 4]);
        let mut version = [0; 84];
        version[0] = 7;
        assert_eq!(hidden(file(&version)), [12 + 8 + 4]);
    }
}
