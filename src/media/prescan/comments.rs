//! Vorbis comments in FLAC (RFC 9639 section 8.6) and Ogg (Vorbis I, section 5.2.1; RFC 7845
//! section 5.2).

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::{FRAMES_MAX, PIECES_MAX, Walk, Weight, big_endian};
use crate::media::io::ReadSeek;

const PADDING: u8 = 1;
const VORBIS_COMMENT: u8 = 4;
const IS_LAST: u8 = 0x80;

/// Comments that are read without libav, in some tens of milliseconds.
const READABLE: u64 = 1 << 16;

/// Turns comment blocks into padding when together they are heavy. The blocks start at `at`.
pub(super) fn hide_heavy_in_flac(walk: &mut Walk<'_>, mut at: u64) -> io::Result<()> {
    let (mut weight, mut announced) = (Weight::default(), 0_u64);
    let mut blocks = Vec::new();
    for _ in 0..PIECES_MAX {
        let header: [u8; 4] = walk.read_at(at)?;
        if header[0] & !IS_LAST == VORBIS_COMMENT {
            let block = weigh(walk.stream, at + 4)?;
            weight.entries += block.entries;
            weight.bytes += block.bytes;
            let vendor = u64::from(u32::from_le_bytes(walk.read_at(at + 4)?));
            announced += u64::from(u32::from_le_bytes(walk.read_at(at + 8 + vendor)?));
            blocks.push((at, [header[0] & IS_LAST | PADDING]));
        }
        if header[0] & IS_LAST != 0 {
            break;
        }
        at += 4 + u64::from(big_endian(&header[1..4]));
    }
    if weight.is_heavy() {
        for (block, padding) in blocks {
            if announced > READABLE {
                walk.hide(block, &padding);
            } else {
                walk.hide_from_libav(block, &padding);
            }
        }
    }
    Ok(())
}

/// Whether the comments of the streams that start at `at`, and of those chained behind them (RFC 3533
/// section 4), are light enough. They cannot be hidden: their pages bear checksums.
pub(super) fn is_light_in_ogg(walk: &mut Walk<'_>, mut at: u64) -> io::Result<bool> {
    // Each link has lists of its own.
    let mut work = 0_u64;
    loop {
        let (streams, next) = first_pages(walk, at)?;
        let mut weight = Weight::default();
        for (serial, before) in streams {
            let reader = BufReader::new(&mut *walk.stream);
            let mut packet = BufReader::new(CommentPacket { reader, at: next, serial, left: 0 });
            let comments = skip(&mut packet, before).and_then(|()| weigh_entries(&mut packet));
            match comments {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                other => {
                    let found = other?;
                    weight.entries += found.entries;
                    weight.bytes = weight.bytes.saturating_add(found.bytes);
                }
            }
        }
        work = work.saturating_add(weight.entries.saturating_mul(weight.entries));
        if weight.is_heavy() || work > CHAIN_MAX || walk.pieces == 0 {
            return Ok(false);
        }
        match next_link(walk, next)? {
            Link::At(begin) => at = begin,
            Link::None => return Ok(true),
            Link::TooFar => return Ok(false),
        }
    }
}

/// Squares of the entries of all links of a chain: what libav takes for them.
const CHAIN_MAX: u64 = 4 * 4096 * 4096;

/// The next page that begins a stream.
enum Link {
    At(u64),
    None,
    TooFar,
}

/// Looks for another link from the page at `at` on.
fn next_link(walk: &mut Walk<'_>, mut at: u64) -> io::Result<Link> {
    for _ in 0..FRAMES_MAX {
        let header: [u8; PAGE_HEADER] = match walk.read_at(at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Link::None),
            other => other?,
        };
        if !header.starts_with(b"OggS") {
            let window = walk.look(at)?;
            let found = window.windows(4).position(|bytes| bytes == b"OggS");
            at += found.unwrap_or(window.len().saturating_sub(3).max(1)) as u64;
            continue;
        }
        if header[5] & BEGINS != 0 {
            return Ok(Link::At(at));
        }
        at = page_end(walk, at, header[26])?;
    }
    Ok(Link::TooFar)
}

/// Where the page at `at`, of so many segments, ends.
fn page_end(walk: &mut Walk<'_>, at: u64, segments: u8) -> io::Result<u64> {
    let table = at + PAGE_HEADER as u64;
    let mut end = table + u64::from(segments);
    for segment in 0..u64::from(segments) {
        let [length] = walk.read_at(table + segment)?;
        end += u64::from(length);
    }
    Ok(end)
}

/// The flag of the first page of a stream.
const BEGINS: u8 = 2;

/// First bytes of a stream, and how many bytes of its second packet stand before the comments: a
/// mark, a block header of FLAC (RFC 9639 section 10.1), nothing for Speex.
const STREAMS: [(&[u8], u32); 5] =
    [(b"OpusHead", 8), (b"\x01vorbis", 7), (b"\x7fFLAC", 4), (b"Speex   ", 0), (b"\x80theora", 7)];

/// A stream's serial number, and what stands before its comments.
type Stream = ([u8; 4], u32);

/// The streams whose first pages stand together at the beginning, and where the next page is.
fn first_pages(walk: &mut Walk<'_>, mut at: u64) -> io::Result<(Vec<Stream>, u64)> {
    let mut streams = Vec::new();
    while walk.goes_on() {
        let header: [u8; PAGE_HEADER] = walk.read_at(at)?;
        if !header.starts_with(b"OggS") || header[5] & BEGINS == 0 {
            break;
        }
        let body = at + (PAGE_HEADER as u64) + u64::from(header[26]);
        let magic: [u8; 8] = walk.read_at(body)?;
        at = page_end(walk, at, header[26])?;
        let known = STREAMS.iter().find(|(mark, _)| magic.starts_with(mark));
        let serial = [header[14], header[15], header[16], header[17]];
        streams.extend(known.map(|(_, before)| (serial, *before)));
    }
    Ok((streams, at))
}

/// The bytes of a page's header before its segment table (RFC 3533 section 6).
const PAGE_HEADER: usize = 27;

/// The second packet of an Ogg stream without its page headers, and whatever follows it: what is
/// read of it says where it ends.
struct CommentPacket<R> {
    reader: R,
    /// The next page.
    at: u64,
    serial: [u8; 4],
    /// Bytes of the page's body that are not read yet.
    left: usize,
}

impl<R: Read + Seek> Read for CommentPacket<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            let mut header = [0; PAGE_HEADER];
            self.reader.seek(SeekFrom::Start(self.at))?;
            self.reader.read_exact(&mut header)?;
            if !header.starts_with(b"OggS") {
                return Ok(0);
            }
            let mut lacing = vec![0; usize::from(header[26])];
            self.reader.read_exact(&mut lacing)?;
            let body: usize = lacing.iter().map(|&value| usize::from(value)).sum();
            self.at += (PAGE_HEADER + lacing.len() + body) as u64;
            if header[14..18] == self.serial {
                self.left = body;
            }
        }
        let room = buffer.len().min(self.left);
        let count = self.reader.read(&mut buffer[..room])?;
        self.left -= count;
        Ok(count)
    }
}

/// Weighs the comments behind the vendor's name at `at`.
fn weigh(stream: &mut dyn ReadSeek, at: u64) -> io::Result<Weight> {
    stream.seek(SeekFrom::Start(at))?;
    weigh_entries(&mut BufReader::with_capacity(1 << 16, stream))
}

/// Weighs the comments of a header that starts with the vendor's name, as far as there are bytes.
fn weigh_entries(reader: &mut impl Read) -> io::Result<Weight> {
    let mut weight = Weight::default();
    let counted = (|| -> io::Result<()> {
        let vendor = number(reader)?;
        skip(reader, vendor)?;
        for _ in 0..number(reader)? {
            let length = number(reader)?;
            skip(reader, length)?;
            weight.add(u64::from(length));
            if weight.is_heavy() {
                break;
            }
        }
        Ok(())
    })();
    match counted {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(weight),
        other => other.map(|()| weight),
    }
}

fn number(reader: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn skip(reader: &mut impl Read, length: u32) -> io::Result<()> {
    let skipped = io::copy(&mut Read::take(&mut *reader, u64::from(length)), &mut io::sink())?;
    if skipped < u64::from(length) {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::{hidden, scanned};

    fn comments(count: u32, length: usize) -> Vec<u8> {
        let mut bytes = b"\x04\0\0\0test".to_vec();
        bytes.extend(count.to_le_bytes());
        for _ in 0..count {
            bytes.extend(u32::try_from(length).expect("small").to_le_bytes());
            bytes.resize(bytes.len() + length, b'A');
        }
        bytes
    }

    fn flac(comments: &[u8]) -> Vec<u8> {
        let mut file = b"fLaC\0\0\0\x22".to_vec();
        file.extend([0; 34]);
        let length = u32::try_from(comments.len()).expect("small").to_be_bytes();
        file.extend([0x84, length[1], length[2], length[3]]);
        [file, comments.to_vec()].concat()
    }

    #[test]
    fn heavy_comments_become_padding_in_flac() {
        assert!(hidden(flac(&comments(12, 30))).is_empty());
        assert_eq!(hidden(flac(&comments(5000, 3))), [42]);
        assert_eq!(hidden(flac(&comments(1000, 6000))), [42], "one name, much text");
        let two = flac(&comments(3000, 3));
        let second = [&[0x84, 0, 0, 0][..], &comments(3000, 3)].concat();
        let mut two = [two, second].concat();
        two[42] = 4;
        assert_eq!(hidden(two).len(), 2, "two blocks");
        assert_eq!(hidden([b"ID3\x04\0\0\0\0\0\0", &flac(&comments(5000, 3))[..]].concat()), [52]);
    }

    /// Pages of 65025 bytes, as a packet of any length takes.
    fn ogg(first: &[u8], packet: &[u8]) -> Vec<u8> {
        let page = |flags: u8, body: &[u8]| {
            let mut lacing = vec![255; body.len() / 255];
            lacing.push(u8::try_from(body.len() % 255).expect("small"));
            lacing.truncate(255);
            let count = [u8::try_from(lacing.len()).expect("at most 255")];
            let head = [&b"OggS\0"[..], &[flags], &[0; 8], b"abcd", &[0; 8], &count];
            [head.concat(), lacing, body.to_vec()].concat()
        };
        let pages: Vec<Vec<u8>> = packet.chunks(255 * 255).map(|body| page(0, body)).collect();
        [page(2, first), pages.concat()].concat()
    }

    #[test]
    fn heavy_comments_of_ogg_are_refused() {
        let opus = |count, length| {
            let packet = [b"OpusTags", &comments(count, length)[..]].concat();
            scanned(ogg(b"OpusHead....", &packet))
        };
        assert!(matches!(opus(30, 30), Verdict::Fine { .. }));
        assert!(matches!(opus(20, 100_000), Verdict::Fine { .. }), "pictures, over many pages");
        assert_eq!(opus(5000, 3), Verdict::TooHeavy);
        assert_eq!(opus(1000, 6000), Verdict::TooHeavy);
        for (first, before) in [
            (&b"\x01vorbis....."[..], &b"\x03vorbis"[..]),
            (b"\x7fFLAC........", b"\x04\0\0\0"),
            (b"Speex   ........", b""),
        ] {
            let packet = |count| ogg(first, &[before, &comments(count, 3)].concat());
            assert!(matches!(scanned(packet(9)), Verdict::Fine { .. }));
            assert_eq!(scanned(packet(5000)), Verdict::TooHeavy);
        }
    }

    #[test]
    fn every_link_of_a_chain_is_weighed() {
        let link = |count| ogg(b"OpusHead....", &[b"OpusTags", &comments(count, 3)[..]].concat());
        let chain = |links: &[Vec<u8>]| scanned(links.concat());
        assert!(matches!(chain(&[link(30), link(4000), link(30)]), Verdict::Fine { .. }));
        assert_eq!(chain(&[link(30), link(5000)]), Verdict::TooHeavy);
        let junk = vec![b'O'; 20_000];
        assert_eq!(chain(&[link(30), junk, link(5000)]), Verdict::TooHeavy);
        assert_eq!(chain(&vec![link(2000); 20]), Verdict::TooHeavy);
        assert!(matches!(chain(&vec![link(20); 2000]), Verdict::Fine { .. }), "a radio's day");
    }
}
