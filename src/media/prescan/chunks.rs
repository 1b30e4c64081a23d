//! RIFF WAVE, AVI and AIFF: an ID3 chunk, a list of texts.

use std::io;

use super::{PIECES_MAX, Walk, Weight, id3};

/// Hides heavy ID3 chunks and INFO lists; `number` reads the container's numbers.
pub(super) fn hide_heavy(walk: &mut Walk<'_>, number: fn([u8; 4]) -> u32) -> io::Result<()> {
    let mut at = 12;
    for _ in 0..PIECES_MAX {
        let header: [u8; 8] = walk.read_at(at)?;
        let length = u64::from(number([header[4], header[5], header[6], header[7]]));
        match &header[..4] {
            b"id3 " | b"ID3 " => id3::hide_heavy_at(walk, at + 8)?,
            b"LIST" => hide_heavy_list(walk, at + 8, at + 8 + length, number)?,
            _ => {}
        }
        // Chunks begin at even places.
        at += 8 + length + length % 2;
    }
    Ok(())
}

fn hide_heavy_list(
    walk: &mut Walk<'_>,
    start: u64,
    end: u64,
    number: fn([u8; 4]) -> u32,
) -> io::Result<()> {
    let kind: [u8; 4] = walk.read_at(start)?;
    if &kind != b"INFO" {
        return Ok(());
    }
    let (mut at, mut weight) = (start + 4, Weight::default());
    while at + 8 <= end && !weight.is_heavy() {
        let header = match walk.read_at::<8>(at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            other => other?,
        };
        let length = u64::from(number([header[4], header[5], header[6], header[7]]));
        weight.add(length);
        at += 8 + length + length % 2;
    }
    if weight.is_heavy() {
        walk.hide(start, b"junk");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::id3;
    use super::super::tests::hidden;

    fn wav(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).expect("small").to_le_bytes();
        [b"RIFF....WAVEdata\x02\0\0\0..".as_slice(), name, &length, body].concat()
    }

    #[test]
    fn heavy_chunks_are_hidden() {
        let texts = |count: usize| [b"INFO".to_vec(), b"IART\x02\0\0\0a\0".repeat(count)].concat();
        assert!(hidden(wav(b"LIST", &texts(20))).is_empty());
        assert_eq!(hidden(wav(b"LIST", &texts(5000))), [30]);
        assert!(hidden(wav(b"id3 ", &id3::tests::tag(20, 3))).is_empty());
        assert_eq!(hidden(wav(b"id3 ", &id3::tests::tag(5000, 3))), [33]);
    }
}
