//! MP3 behind something else, which libav takes for AMR and decodes as noise.

use std::io;

use super::Walk;
use super::id3::{self, UNKNOWN_VERSION};
use crate::media::bits::mpeg::Frame;
use crate::media::sniff::{HEAD_BYTES, Kind, sniff};

/// What libav passes over by itself: padding behind a tag, half a frame.
const JUNK_MIN: u64 = 4096;
/// Bytes that are looked through.
const JUNK_MAX: u64 = 1 << 20;
/// Frames in a row that cannot be chance.
const FRAMES: usize = 5;
/// Bytes of an ID3 header, as which the junk is passed off.
const TAG_HEADER: u64 = 10;

/// Lets libav skip what lies before the first frame or its tag, where nothing else is known to start at
/// `start`. Whether there is MP3.
pub(super) fn hide_junk(walk: &mut Walk<'_>, start: u64) -> io::Result<bool> {
    let head = walk.look(start)?;
    if !matches!(sniff(&head[..head.len().min(HEAD_BYTES)]), Kind::Unknown) {
        return Ok(false);
    }
    // Padding behind a tag is libav's to judge.
    let is_padding = head.iter().take(TAG_HEADER as usize).all(|&byte| byte == 0);
    for at in start + TAG_HEADER..start + JUNK_MAX {
        let first = match walk.read_at::<1>(at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        };
        let is_found = match first {
            [0xff] => is_sound(walk, at),
            [b'I'] => id3::end_of(walk, at)?.is_some_and(|end| is_sound(walk, end)),
            _ => false,
        };
        if is_found {
            if at >= start + JUNK_MIN || (!is_padding && is_xing(walk, at)?) {
                let length = at - start - TAG_HEADER;
                let size = [21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8);
                let header = [&b"ID3"[..], &[UNKNOWN_VERSION, 0, 0], &size].concat();
                walk.hide_from_libav(start, &header);
            }
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the frame at `at` tells the length of the sound: libav finds it only where it comes first.
fn is_xing(walk: &mut Walk<'_>, at: u64) -> io::Result<bool> {
    let frame: [u8; 64] = walk.read_at(at)?;
    Ok(frame.windows(4).any(|window| matches!(window, b"Xing" | b"Info")))
}

/// Whether frames of one kind follow each other from `at` on.
pub(super) fn is_sound(walk: &mut Walk<'_>, mut at: u64) -> bool {
    let mut kind = None;
    (0..FRAMES).all(|_| {
        let Some(frame) = walk.read_at(at).ok().and_then(Frame::of) else { return false };
        at += frame.bytes as u64;
        *kind.get_or_insert(frame.kind) == frame.kind
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;

    #[test]
    fn junk_before_mp3_is_passed_off_as_a_tag() {
        let frame = [&[0xff, 0xfb, 0x90, 0x64][..], &[0; 413]].concat();
        let junk = |length: usize| [vec![0xa5; length], frame.repeat(6)].concat();
        assert_eq!(hidden(junk(100_000)), [0]);
        assert!(hidden(junk(0)).is_empty(), "MP3 as it is");
        assert!(hidden(junk(500)).is_empty(), "padding");
        let mut xing = junk(500);
        xing[540..544].copy_from_slice(b"Xing");
        assert_eq!(hidden(xing), [0], "the length would be missed");
        let tag = super::super::id3::tests::tag(2, 3);
        let tagged = [vec![0xa5; 5000], tag.clone(), frame.repeat(6)].concat();
        let length = 5000 - 10;
        match super::super::tests::scanned(tagged) {
            super::super::Verdict::Fine { overlays, .. } => {
                assert_eq!(
                    overlays[0].bytes[6..],
                    [0, 0, (length >> 7) as u8, length as u8 & 0x7f]
                );
            }
            super::super::Verdict::TooHeavy => panic!("too heavy"),
        }
        assert!(hidden([&vec![0xa5; 5000][..], &frame.repeat(4)].concat()).is_empty(), "chance");
        assert!(hidden([b"RIFF....WAVE", &junk(5000)[..]].concat()).is_empty(), "something else");
    }
}
