//! Comments of Ogg streams (Vorbis I, section 5.2.1; RFC 7845 section 5.2), and of those chained
//! behind them (RFC 3533 section 4).

use std::io;

use super::{FRAMES_MAX, Walk, Weight};
use crate::media::bits::ogg::{PAGE_MAX, Page};

/// First bytes of a stream, and how many bytes of its second packet stand before the comments: a
/// mark, a block header of FLAC (RFC 9639 section 10.1), nothing for Speex.
const STREAMS: [(&[u8], u32); 5] =
    [(b"OpusHead", 8), (b"\x01vorbis", 7), (b"\x7fFLAC", 4), (b"Speex   ", 0), (b"\x80theora", 7)];

/// Streams whose comments may be awaited at once; real files have two.
const AWAITED_MAX: usize = 64;

/// Squares of the entries of all streams: what libav takes for them, each list being its own.
const WORK_MAX: u64 = 4 * 4096 * 4096;

/// Whether the comments of all streams from `at` on are light enough. They cannot be hidden: their
/// pages bear checksums. Pages are found as libav finds them: where a checksum is wrong, the next
/// mark counts, be it in the middle of that page.
pub(super) fn is_light(walk: &mut Walk<'_>, mut at: u64) -> io::Result<bool> {
    let mut awaited: Vec<([u8; 4], Comments)> = Vec::new();
    let mut work = 0_u64;
    let mut sound = Sound::default();
    let mut buffer = Vec::new();
    for _ in 0..FRAMES_MAX {
        // As many bytes as a page may have, in pieces that are worth reading.
        walk.read_into(&mut buffer, at, 4 * PAGE_MAX)?;
        let mut start = 0;
        loop {
            let rest = &buffer[start..];
            let is_last = buffer.len() < 4 * PAGE_MAX;
            if rest.len() < PAGE_MAX && !is_last {
                break;
            }
            let Some(page) = Page::of(rest) else {
                match mark(rest.get(1..).unwrap_or_default()) {
                    Some(next) => start += 1 + next,
                    None if is_last => {
                        walk.samples = sound.samples();
                        return Ok(true);
                    }
                    None => {
                        start = buffer.len() - 4;
                        break;
                    }
                }
                continue;
            };
            start += page.length;
            sound.see(&page);
            if page.begins {
                awaited.retain(|(serial, _)| *serial != page.serial);
                let known = STREAMS.iter().find(|(first, _)| page.body.starts_with(first));
                awaited.extend(known.map(|(_, before)| (page.serial, Comments::behind(*before))));
                if awaited.len() > AWAITED_MAX {
                    return Ok(false);
                }
                continue;
            }
            let place = awaited.iter().position(|(serial, _)| *serial == page.serial);
            let Some(place) = place else { continue };
            let comments = &mut awaited[place].1;
            let is_over = comments.read(page.body, page.segments);
            let weight = comments.weight;
            if weight.is_heavy() {
                return Ok(false);
            }
            if is_over {
                awaited.swap_remove(place);
                work = work.saturating_add(weight.entries.saturating_mul(weight.entries));
                if work > WORK_MAX {
                    return Ok(false);
                }
            }
        }
        at += start as u64;
    }
    Ok(false)
}

/// How long a stream of Vorbis is that has all its sound on one page: there libav counts a packet of
/// which nothing is heard.
#[derive(Default)]
struct Sound {
    streams: u32,
    is_vorbis: bool,
    /// Packets so far.
    packets: usize,
    /// Pages of sound.
    pages: u32,
    end: i64,
}

/// Packets of Vorbis before the sound (Vorbis I, section 4.2).
const HEADERS: usize = 3;

impl Sound {
    fn see(&mut self, page: &Page<'_>) {
        if page.begins {
            self.streams += 1;
            self.is_vorbis = page.body.starts_with(b"\x01vorbis");
        } else if self.packets >= HEADERS {
            self.pages += 1;
            self.end = page.granule_position;
        }
        self.packets += page.segments.iter().filter(|&&length| length < 255).count();
    }

    fn samples(&self) -> Option<u64> {
        let is_known = self.streams == 1 && self.is_vorbis && self.pages == 1;
        u64::try_from(self.end).ok().filter(|&samples| is_known && samples > 0)
    }
}

/// Where the next page may start.
fn mark(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"OggS")
}

/// A list of comments that comes piece by piece.
struct Comments {
    step: Step,
    weight: Weight,
    /// Bytes of the number that is being read.
    number: Vec<u8>,
}

/// What comes next in the list.
#[derive(Clone, Copy)]
enum Step {
    /// So many bytes before the vendor's name.
    Before(u32),
    /// The length of the vendor's name.
    VendorLength,
    /// So many bytes of it.
    Vendor(u32),
    /// The number of comments.
    Count,
    /// The length of one, of so many.
    Length(u32),
    /// So many bytes of one, and so many more of them.
    Text(u32, u32),
}

impl Comments {
    fn behind(before: u32) -> Self {
        Self { step: Step::Before(before), weight: Weight::default(), number: Vec::new() }
    }

    /// Reads the next page; whether the list or its packet ends there.
    fn read(&mut self, mut body: &[u8], segments: &[u8]) -> bool {
        let packet_end = segments.iter().position(|&length| length < 255);
        if let Some(end) = packet_end {
            let length = segments[..=end].iter().map(|&length| usize::from(length)).sum();
            body = &body[..length];
        }
        loop {
            self.step = match self.step {
                Step::Before(0) => Step::VendorLength,
                Step::Vendor(0) => Step::Count,
                Step::Text(0, 0) | Step::Length(0) => return true,
                Step::Text(0, more) => Step::Length(more),
                step if body.is_empty() => {
                    self.step = step;
                    return packet_end.is_some();
                }
                Step::Before(left) => Step::Before(skip(&mut body, left)),
                Step::Vendor(left) => Step::Vendor(skip(&mut body, left)),
                Step::Text(left, more) => Step::Text(skip(&mut body, left), more),
                step @ (Step::VendorLength | Step::Count | Step::Length(_)) => {
                    self.number.push(body[0]);
                    body = &body[1..];
                    let Ok(number) = <[u8; 4]>::try_from(&self.number[..]) else { continue };
                    self.number.clear();
                    self.numbered(step, u32::from_le_bytes(number))
                }
            };
            if self.weight.is_heavy() {
                return true;
            }
        }
    }

    fn numbered(&mut self, step: Step, number: u32) -> Step {
        match step {
            Step::VendorLength => Step::Vendor(number),
            Step::Length(left) => {
                self.weight.add(u64::from(number));
                Step::Text(number, left - 1)
            }
            Step::Count | Step::Before(_) | Step::Vendor(_) | Step::Text(..) => {
                Step::Length(number)
            }
        }
    }
}

/// Passes over so many bytes, as far as there are; how many are left.
fn skip(body: &mut &[u8], left: u32) -> u32 {
    let count = body.len().min(left as usize);
    *body = &body[count..];
    left - u32::try_from(count).unwrap_or(left)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::comments::tests::comments;
    use super::super::tests::scanned;
    use crate::media::bits::ogg::{CHECKSUM, checksum};

    fn page(flags: u8, serial: &[u8; 4], body: &[u8], ends: bool) -> Vec<u8> {
        let mut lacing = vec![255; body.len() / 255];
        if ends {
            lacing.push(u8::try_from(body.len() % 255).expect("small"));
        }
        let count = [u8::try_from(lacing.len()).expect("at most 255")];
        let head = [&b"OggS\0"[..], &[flags], &[0; 8], serial, &[0; 8], &count];
        let mut page = [head.concat(), lacing, body.to_vec()].concat();
        let sum = checksum(&page);
        page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        page
    }

    /// Pages of 65025 bytes, as a packet of any length takes.
    fn ogg(serial: &[u8; 4], first: &[u8], packet: &[u8]) -> Vec<u8> {
        let parts: Vec<&[u8]> = packet.chunks(255 * 255).collect();
        let pages: Vec<Vec<u8>> = parts
            .iter()
            .enumerate()
            .map(|(at, body)| page(u8::from(at > 0), serial, body, at + 1 == parts.len()))
            .collect();
        [page(2, serial, first, true), pages.concat()].concat()
    }

    fn opus(serial: &[u8; 4], count: u32, length: usize) -> Vec<u8> {
        ogg(serial, b"OpusHead....", &[b"OpusTags", &comments(count, length)[..]].concat())
    }

    fn is_fine(file: &[u8]) -> bool {
        matches!(scanned(file.to_vec()), Verdict::Fine { .. })
    }

    #[test]
    fn heavy_comments_of_ogg_are_refused() {
        assert!(is_fine(&opus(b"abcd", 30, 30)));
        assert!(is_fine(&opus(b"abcd", 20, 100_000)), "pictures, over many pages");
        assert!(!is_fine(&opus(b"abcd", 5000, 3)));
        assert!(!is_fine(&opus(b"abcd", 1000, 6000)));
        for (first, before) in [
            (&b"\x01vorbis....."[..], &b"\x03vorbis"[..]),
            (b"\x7fFLAC........", b"\x04\0\0\0"),
            (b"Speex   ........", b""),
        ] {
            let file = |count| ogg(b"abcd", first, &[before, &comments(count, 3)[..]].concat());
            assert!(is_fine(&file(9)) && !is_fine(&file(5000)));
        }
    }

    #[test]
    fn every_link_of_a_chain_is_weighed() {
        let link = |count| opus(b"abcd", count, 3);
        let is_fine = |links: &[Vec<u8>]| is_fine(&links.concat());
        assert!(is_fine(&[link(30), link(4000), link(30)]));
        assert!(!is_fine(&[link(30), link(5000)]));
        assert!(!is_fine(&[link(30), vec![b'O'; 300_000], link(5000)]), "behind junk");
        assert!(!is_fine(&vec![link(2000); 20]));
        assert!(is_fine(&vec![link(20); 2000]), "a radio's day");
        // A page with a wrong checksum is no page, and libav looks into it.
        let mut wrapped = page(0, b"efgh", &link(4200), true);
        assert!(is_fine(&[link(30), wrapped.clone()]));
        wrapped[30] ^= 1;
        assert!(!is_fine(&[link(30), wrapped]));
    }

    #[test]
    fn the_length_of_one_page_of_vorbis_is_known() {
        let comments = [&b"\x03vorbis"[..], &comments(1, 70_000)].concat();
        let headers = ogg(b"abcd", b"\x01vorbis.....", &comments);
        let headers = [headers, page(0, b"abcd", b"\x05vorbis", true)].concat();
        let with_granule = |granule: u64, serial: &[u8; 4]| {
            let mut page = page(0, serial, b"sound", true);
            page[6..14].copy_from_slice(&granule.to_le_bytes());
            page[CHECKSUM].fill(0);
            let sum = checksum(&page);
            page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
            page
        };
        let samples = |pages: &[Vec<u8>]| match scanned([&headers[..], &pages.concat()].concat()) {
            Verdict::Fine { samples, .. } => samples,
            Verdict::TooHeavy => panic!("too heavy"),
        };
        let one = with_granule(22_050, b"abcd");
        assert_eq!(samples(std::slice::from_ref(&one)), Some(22_050));
        assert_eq!(samples(&[one.clone(), with_granule(44_100, b"abcd")]), None);
        assert_eq!(samples(&[one, headers.clone()]), None);
    }

    #[test]
    fn many_streams_are_weighed_in_one_go() {
        let serial = |at: u32| at.to_le_bytes();
        let begin = |at| page(2, &serial(at), b"OpusHead....", true);
        let other = page(0, b"else", b"sound", true);
        let started = std::time::Instant::now();
        let chain: Vec<_> = (0..20_000).map(|at| [begin(at), other.clone()].concat()).collect();
        assert!(!is_fine(&chain.concat()));
        let again: Vec<_> = (0..20_000).map(|_| [begin(1), other.clone()].concat()).collect();
        assert!(is_fine(&again.concat()));
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}
