//! Comments of Ogg files, written over a place that was kept for them.
//!
//! libav's muxer takes each name once: of two artists it writes one, of two covers too. It is given
//! one comment of the right length instead, and the true ones are written over that. No page moves
//! and none is numbered anew; only the checksums of the pages concerned change.

use std::io::{self, SeekFrom};

use crate::media::bits::ogg::{CHECKSUM, HEADER, checksum};
use crate::media::io::Place;

/// Name of the comment that keeps the place.
pub const KEPT: &str = "R";

/// The text that keeps the place of `comments`, or `None` when there are none.
#[must_use]
pub fn kept_place(comments: &[(String, String)]) -> Option<String> {
    let length: usize = comments.iter().map(entry_length).sum();
    let text = length.checked_sub(entry_length(&(KEPT.to_owned(), String::new())))?;
    Some("x".repeat(text))
}

/// Length, name, `=`, text (section 5.2.1 of the Vorbis I specification).
fn entry_length((name, text): &(String, String)) -> usize {
    4 + name.len() + 1 + text.len()
}

/// One page that holds a piece of the comment packet.
struct Piece {
    page_at: u64,
    page_length: usize,
    body_at: usize,
    length: usize,
}

/// Writes `comments` over the place kept for them in a finished file of one stream.
///
/// # Errors
/// What the stream says; `InvalidData` when the file has no such place.
pub fn write_comments(place: &mut dyn Place, comments: &[(String, String)]) -> io::Result<()> {
    let (pieces, packet) = comment_packet(place)?;
    let packet = replaced(&packet, comments).ok_or_else(invalid)?;
    let mut rest = &packet[..];
    for piece in pieces {
        let mut page = vec![0; piece.page_length];
        place.seek(SeekFrom::Start(piece.page_at))?;
        place.read_exact(&mut page)?;
        let (now, later) = rest.split_at(piece.length);
        rest = later;
        page[piece.body_at..piece.body_at + piece.length].copy_from_slice(now);
        page[CHECKSUM].fill(0);
        let checksum = checksum(&page);
        page[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        place.seek(SeekFrom::Start(piece.page_at))?;
        place.write_all(&page)?;
    }
    Ok(())
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an Ogg file without the place kept for comments")
}

/// The second packet, which starts the second page, and where its pieces lie.
fn comment_packet(place: &mut dyn Place) -> io::Result<(Vec<Piece>, Vec<u8>)> {
    let (mut at, mut number) = (0_u64, 0);
    let (mut pieces, mut packet) = (Vec::new(), Vec::new());
    loop {
        let mut header = [0; HEADER];
        place.seek(SeekFrom::Start(at))?;
        place.read_exact(&mut header)?;
        if &header[..4] != b"OggS" {
            return Err(invalid());
        }
        let mut lacing = vec![0; usize::from(header[26])];
        place.read_exact(&mut lacing)?;
        let body_at = HEADER + lacing.len();
        let body: usize = lacing.iter().map(|&value| usize::from(value)).sum();
        if number > 0 {
            let end = lacing.iter().position(|&value| value < 255);
            let segments = end.map_or(lacing.len(), |end| end + 1);
            let length = lacing[..segments].iter().map(|&value| usize::from(value)).sum();
            let mut piece = vec![0; length];
            place.read_exact(&mut piece)?;
            packet.extend_from_slice(&piece);
            pieces.push(Piece { page_at: at, page_length: body_at + body, body_at, length });
            if end.is_some() {
                return Ok((pieces, packet));
            }
        }
        at += (body_at + body) as u64;
        number += 1;
    }
}

/// The packet with the kept entry replaced: as long as before, or `None` when it is not as it
/// should be.
fn replaced(packet: &[u8], comments: &[(String, String)]) -> Option<Vec<u8>> {
    let number = |at: usize| -> Option<usize> {
        let bytes = packet.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let magic = if packet.starts_with(b"OpusTags") { 8 } else { 7 };
    let count_at = magic + 4 + number(magic)?;
    let count = number(count_at)?;
    let mut at = count_at + 4;
    for _ in 0..count {
        let end = at + 4 + number(at)?;
        let is_kept = packet.get(at + 4..end)?.starts_with(format!("{KEPT}=x").as_bytes())
            || packet.get(at + 4..end)? == format!("{KEPT}=").as_bytes();
        if is_kept {
            let mut whole = packet[..count_at].to_vec();
            let count = u32::try_from(count - 1 + comments.len()).ok()?;
            whole.extend_from_slice(&count.to_le_bytes());
            whole.extend_from_slice(&packet[count_at + 4..at]);
            whole.extend_from_slice(&entries(comments));
            whole.extend_from_slice(&packet[end..]);
            return (whole.len() == packet.len()).then_some(whole);
        }
        at = end;
    }
    None
}

/// The entries of a comment header, one behind the other.
#[must_use]
pub fn entries(comments: &[(String, String)]) -> Vec<u8> {
    comments.iter().fold(Vec::new(), |mut bytes, (name, text)| {
        let length = u32::try_from(name.len() + 1 + text.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b'=');
        bytes.extend_from_slice(text.as_bytes());
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn the_kept_place_is_as_long_as_what_comes_into_it() {
        let comments = [comment("ARTIST", "Ä"), comment("ARTIST", "B")];
        let kept = [comment(KEPT, &kept_place(&comments).expect("a place"))];
        assert_eq!(entries(&kept).len(), entries(&comments).len());
        assert_eq!(kept_place(&[]), None);
        assert_eq!(kept_place(&[comment("A", "")]), Some(String::new()));
        let packet = |count: u32, entries: &[u8]| {
            let head = [b"OpusTags".as_slice(), &3_u32.to_le_bytes(), b"lib"].concat();
            [&head, count.to_le_bytes().as_slice(), entries, b"rest"].concat()
        };
        let before = packet(1, &entries(&kept));
        assert_eq!(replaced(&before, &comments), Some(packet(2, &entries(&comments))));
        assert_eq!(replaced(&packet(1, &entries(&comments[..1])), &comments), None);
        assert_eq!(replaced(b"OpusTags", &comments), None);
    }

    #[test]
    fn the_checksum_is_oggs_own() {
        // A page of an Opus file as libopusenc wrote it would do; this one is from RFC 3533's rules.
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
    }
}
