//! MP3 behind something else, which libav takes for AMR and decodes as noise.

use std::io;

use super::Walk;
use super::id3::UNKNOWN_VERSION;
use crate::media::bits::mpeg::Frame;
use crate::media::sniff::{HEAD_BYTES, Kind, sniff};

/// What libav passes over by itself, and knows better how: padding behind a tag, half a frame.
const JUNK_MIN: u64 = 4096;
/// Bytes that are looked through.
const JUNK_MAX: u64 = 1 << 20;
/// Frames in a row that cannot be chance.
const FRAMES: usize = 5;
/// Bytes of an ID3 header, as which the junk is passed off.
const TAG_HEADER: u64 = 10;

/// Lets libav skip what lies before the first frame, where nothing else is known to start at `start`.
pub(super) fn hide_junk(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let head = walk.look(start)?;
    if !matches!(sniff(&head[..head.len().min(HEAD_BYTES)]), Kind::Unknown) {
        return Ok(());
    }
    for at in start + TAG_HEADER..start + JUNK_MAX {
        if walk.read_at::<1>(at)? == [0xff] && is_sound(walk, at) {
            if at < start + JUNK_MIN {
                return Ok(());
            }
            let length = at - start - TAG_HEADER;
            let size = [21, 14, 7, 0].map(|shift| (length >> shift & 0x7f) as u8);
            let header = [&b"ID3"[..], &[UNKNOWN_VERSION, 0, 0], &size].concat();
            walk.hide_from_libav(start, &header);
            return Ok(());
        }
    }
    Ok(())
}

/// Whether frames of one kind follow each other from `at` on.
fn is_sound(walk: &mut Walk<'_>, mut at: u64) -> bool {
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
        assert!(hidden([&vec![0xa5; 5000][..], &frame.repeat(4)].concat()).is_empty(), "chance");
        assert!(hidden([b"RIFF....WAVE", &junk(5000)[..]].concat()).is_empty(), "something else");
    }
}
