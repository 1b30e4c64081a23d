//! The index of an MP4 file in front of its sound, with the tags in it.
//!
//! libav's own `+faststart` opens the output by its name a second time, which a stream has not.

use std::io::{self, SeekFrom};

use super::boxes::{Box, boxes, put};
use crate::media::io::Place;

/// What is copied at once while the sound makes room.
const BLOCK: usize = 1 << 20;

/// Boxes on the way down to the tables of chunk offsets.
const BRANCHES: [[u8; 4]; 4] = [*b"trak", *b"mdia", *b"minf", *b"stbl"];

/// Moves the index behind the first box (`ftyp`) and puts `item_list` (the bytes of an `ilst` atom,
/// or none) into it.
///
/// # Errors
/// What the stream says; `InvalidData` when the file has no index.
pub fn bring_forward(place: &mut dyn Place, item_list: &[u8]) -> io::Result<()> {
    let layout = survey(place)?;
    let mut moov = vec![0; usize::try_from(layout.moov_length).map_err(io::Error::other)?];
    place.seek(SeekFrom::Start(layout.moov_at))?;
    place.read_exact(&mut moov)?;
    let body = boxes(&moov).next().ok_or_else(invalid)?.body;
    // The index grows when its offsets need 64 bits; then they move by that much more.
    let mut by = 0;
    let moved = loop {
        let moved = rebuilt(body, item_list, by);
        if moved.len() as u64 == by {
            break moved;
        }
        by = moved.len() as u64;
    };
    shift(place, layout.ftyp_length, layout.moov_at, by)?;
    place.seek(SeekFrom::Start(layout.ftyp_length))?;
    place.write_all(&moved)?;
    place.truncate(layout.moov_at + by)
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an MP4 file without an index")
}

struct Layout {
    ftyp_length: u64,
    moov_at: u64,
    moov_length: u64,
}

/// Where the boxes of the file lie; the index is the last one, as libav writes it.
fn survey(place: &mut dyn Place) -> io::Result<Layout> {
    let end = place.seek(SeekFrom::End(0))?;
    let (mut at, mut ftyp_length) = (0, 0);
    while at < end {
        let mut header = [0; 16];
        place.seek(SeekFrom::Start(at))?;
        let known = usize::try_from((end - at).min(16)).map_err(io::Error::other)?;
        place.read_exact(&mut header[..known])?;
        let size = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        let length = match size {
            0 => end - at,
            1 => u64::from_be_bytes(header[8..].try_into().map_err(io::Error::other)?),
            size => u64::from(size),
        };
        if length < 8 || at + length > end {
            return Err(invalid());
        }
        match &header[4..8] {
            b"ftyp" => ftyp_length = at + length,
            b"moov" if at + length == end => {
                return Ok(Layout { ftyp_length, moov_at: at, moov_length: length });
            }
            _ => {}
        }
        at += length;
    }
    Err(invalid())
}

/// The index with every chunk `by` bytes farther and the item list in `udta.meta`.
fn rebuilt(body: &[u8], item_list: &[u8], by: u64) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len() + item_list.len() + 64);
    let mut user_data = Vec::new();
    for found in boxes(body) {
        if &found.name == b"udta" {
            user_data = found.body.to_vec();
        } else {
            put_moved(&mut content, found, by);
        }
    }
    let user_data = with_item_list(&user_data, item_list);
    if !user_data.is_empty() {
        put(&mut content, *b"udta", &user_data);
    }
    let mut moov = Vec::with_capacity(content.len() + 8);
    put(&mut moov, *b"moov", &content);
    moov
}

fn put_moved(into: &mut Vec<u8>, found: Box<'_>, by: u64) {
    if BRANCHES.contains(&found.name) {
        let mut content = Vec::with_capacity(found.body.len());
        boxes(found.body).for_each(|inner| put_moved(&mut content, inner, by));
        put(into, found.name, &content);
    } else if let (Some(offsets), true) = (offsets(found), by > 0) {
        let moved: Vec<u64> = offsets.iter().map(|offset| offset + by).collect();
        put_offsets(into, &moved);
    } else {
        put(into, found.name, found.body);
    }
}

/// The chunk offsets of an `stco` or `co64` box (ISO/IEC 14496-12 section 8.7.5).
fn offsets(found: Box<'_>) -> Option<Vec<u64>> {
    let width = match &found.name {
        b"stco" => 4,
        b"co64" => 8,
        _ => return None,
    };
    let entries = found.body.get(8..)?.chunks_exact(width);
    Some(
        entries
            .map(|entry| entry.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
            .collect(),
    )
}

fn put_offsets(into: &mut Vec<u8>, offsets: &[u64]) {
    let count = u32::try_from(offsets.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut body = [[0; 4], count].concat();
    let narrow: Option<Vec<u32>> =
        offsets.iter().map(|&offset| u32::try_from(offset).ok()).collect();
    if let Some(narrow) = narrow {
        body.extend(narrow.iter().flat_map(|offset| offset.to_be_bytes()));
        put(into, *b"stco", &body);
    } else {
        body.extend(offsets.iter().flat_map(|offset| offset.to_be_bytes()));
        put(into, *b"co64", &body);
    }
}

/// `udta` with our list in place of libav's; the chapters it wrote (`chpl`) stay.
fn with_item_list(user_data: &[u8], item_list: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for found in boxes(user_data) {
        if item_list.is_empty() || &found.name != b"meta" {
            put(&mut content, found.name, found.body);
        }
    }
    if !item_list.is_empty() {
        let mut meta = vec![0; 4];
        // Handler "mdir" of "appl", as QuickTime's metadata has it.
        put(&mut meta, *b"hdlr", b"\0\0\0\0\0\0\0\0mdirappl\0\0\0\0\0\0\0\0\0");
        meta.extend_from_slice(item_list);
        put(&mut content, *b"meta", &meta);
    }
    content
}

/// Moves the bytes from `from` to `to` by `by` towards the end, the last ones first.
fn shift(place: &mut dyn Place, from: u64, to: u64, by: u64) -> io::Result<()> {
    let mut block = vec![0; BLOCK];
    let mut end = to;
    while end > from {
        let length = (end - from).min(BLOCK as u64);
        let start = end - length;
        let part = &mut block[..usize::try_from(length).map_err(io::Error::other)?];
        place.seek(SeekFrom::Start(start))?;
        place.read_exact(part)?;
        place.seek(SeekFrom::Start(start + by))?;
        place.write_all(part)?;
        end = start;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(offset: u32) -> Vec<u8> {
        let mut stbl = Vec::new();
        put(&mut stbl, *b"stco", &[[0; 4], 1_u32.to_be_bytes(), offset.to_be_bytes()].concat());
        let nested = [*b"stbl", *b"minf", *b"mdia", *b"trak", *b"moov"];
        let moov = nested.iter().fold(stbl, |inner, name| {
            let mut outer = Vec::new();
            put(&mut outer, *name, &inner);
            outer
        });
        let mut file = Vec::new();
        put(&mut file, *b"ftyp", b"M4A ");
        put(&mut file, *b"mdat", b"sound");
        [file, moov].concat()
    }

    #[test]
    fn the_index_comes_first_and_still_points_at_the_sound() {
        let mut place = io::Cursor::new(file(20));
        let mut list = Vec::new();
        put(&mut list, *b"ilst", b"");
        bring_forward(&mut place, &list).expect("moved");
        let moved = place.into_inner();
        let names: Vec<_> = boxes(&moved).map(|found| found.name).collect();
        assert_eq!(names, [*b"ftyp", *b"moov", *b"mdat"]);
        let at = moved.windows(4).position(|window| window == b"stco").expect("offsets") + 12;
        let offset = u32::from_be_bytes(moved[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(&moved[offset as usize..], b"sound");
        assert!(moved.windows(4).any(|window| window == b"ilst"));
    }

    #[test]
    fn offsets_that_outgrow_32_bits_get_64() {
        let mut place = io::Cursor::new(file(u32::MAX - 10));
        bring_forward(&mut place, &[]).expect("moved");
        let moved = place.into_inner();
        let at = moved.windows(4).position(|window| window == b"co64").expect("wide offsets") + 12;
        let offset = u64::from_be_bytes(moved[at..at + 8].try_into().expect("eight bytes"));
        let by = boxes(&moved).nth(1).expect("an index").body.len() as u64 + 8;
        assert_eq!(offset, u64::from(u32::MAX) - 10 + by);
    }

    #[test]
    fn a_file_without_an_index_is_left_alone() {
        let mut place = io::Cursor::new(b"\0\0\0\x08mdat".to_vec());
        assert!(bring_forward(&mut place, &[]).is_err());
    }
}
