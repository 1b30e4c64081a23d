//! ID3 tags between the frames of raw AAC (ISO/IEC 14496-3 section 1.A.3), as streams of radios have.

use std::io;

use super::{FRAMES_MAX, Walk, id3};

/// Weighs the tags behind `at`, going from frame to frame as libav's demuxer does. Whether it came to
/// the end.
pub(super) fn weigh(walk: &mut Walk<'_>, mut at: u64) -> io::Result<bool> {
    const HEADER: u64 = 7;
    for _ in 0..FRAMES_MAX {
        let header: [u8; 10] = walk.read_at(at)?;
        if header[0] == 0xff && header[1] & 0xf0 == 0xf0 {
            let [_, _, _, high, middle, low, ..] = header.map(u64::from);
            let length = (high & 3) << 11 | middle << 3 | low >> 5;
            if length < HEADER {
                // There libav gives up.
                return Ok(true);
            }
            at += length;
        } else if let Some(end) = id3::weigh_at(walk, at)? {
            at = end;
        } else {
            // The next sync word, wherever it is.
            at += header.len() as u64;
            while !matches!(walk.read_at::<2>(at)?, [0xff, second] if second & 0xf0 == 0xf0) {
                at += 1;
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::super::id3::tests::tag;
    use super::super::tests::hidden;

    #[test]
    fn heavy_tags_between_frames_are_hidden() {
        let frame = [&[0xff, 0xf1, 0x50, 0x80, 0x02, 0x1f, 0xfc][..], &[b'a'; 9]].concat();
        let frames = frame.repeat(3);
        let file = |parts: &[&[u8]]| parts.concat();
        assert!(hidden(file(&[&frames, &tag(40, 3), &frames])).is_empty());
        assert_eq!(hidden(file(&[&frames, &tag(5000, 3), &frames])), [51]);
        let junk = hidden(file(&[&frames, b"something else", &frame, &tag(5000, 3), &frames]));
        assert_eq!(junk, [48 + 14 + 16 + 3], "behind junk");
        let junk = hidden(file(&[b"something else", &frames, &tag(5000, 3), &frames]));
        assert_eq!(junk, [14 + 48 + 3], "junk at the start");
        let none = b"ID3\x04\0\0\xff\xff\xff\xff";
        let none = hidden(file(&[&frames, none, &frame, &tag(5000, 3), &frames]));
        assert_eq!(none, [48 + 10 + 16 + 3], "behind what looks like a tag");
        let half = tag(3000, 3);
        let again = 48 + half.len() as u64 + 48 + 3;
        assert_eq!(hidden(file(&[&frames, &half, &frames, &half, &frames])), [51, again]);
    }
}
