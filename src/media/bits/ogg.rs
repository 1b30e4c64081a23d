//! Pages of Ogg (RFC 3533 section 6).

/// Bytes of a page's header before its segment table.
pub const HEADER: usize = 27;
/// The longest page: 255 segments of 255 bytes.
pub const PAGE_MAX: usize = HEADER + 255 + 255 * 255;
/// Where the checksum stands in the header.
pub const CHECKSUM: std::ops::Range<usize> = 22..26;

/// The flag of the first page of a stream.
const BEGINS: u8 = 2;

/// A whole page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// Whether a stream begins with it.
    pub begins: bool,
    /// Which stream.
    pub serial: [u8; 4],
    /// What its codec counts up to the end of the last packet that ends in it; -1 when none does.
    pub granule_position: i64,
    /// Lengths of its segments; one below 255 ends a packet.
    pub segments: &'a [u8],
    /// The segments.
    pub body: &'a [u8],
    /// Bytes of all of it.
    pub length: usize,
}

impl<'a> Page<'a> {
    /// The page that `bytes` start with; `None` when there is none, when it is not all there, or when
    /// it is not what its checksum was made of.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        if !header.starts_with(b"OggS\0") {
            return None;
        }
        let table = HEADER + usize::from(header[26]);
        let segments = bytes.get(HEADER..table)?;
        let length = table + segments.iter().map(|&length| usize::from(length)).sum::<usize>();
        let page = bytes.get(..length)?;
        let told = u32::from_le_bytes([header[22], header[23], header[24], header[25]]);
        let sum =
            [&page[..CHECKSUM.start], &[0; 4], &page[CHECKSUM.end..]].into_iter().fold(0, added);
        (sum == told).then_some(Self {
            begins: header[5] & BEGINS != 0,
            serial: [header[14], header[15], header[16], header[17]],
            granule_position: i64::from_le_bytes(std::array::from_fn(|at| header[6 + at])),
            segments,
            body: &page[table..],
            length,
        })
    }
}

/// The checksum of a page whose own is 0.
#[must_use]
pub fn checksum(page: &[u8]) -> u32 {
    added(0, page)
}

/// What a byte makes of the sum with polynomial 0x04c11db7, and with 1 to 7 zeros behind it.
const TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum >> 31 == 0 { 0 } else { 0x04c1_1db7 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut at = 256;
    while at < 8 * 256 {
        let sum = tables[at / 256 - 1][at % 256];
        tables[at / 256][at % 256] = sum << 8 ^ tables[0][(sum >> 24) as usize];
        at += 1;
    }
    tables
};

/// The sum with more bytes behind it, eight at a time.
fn added(sum: u32, bytes: &[u8]) -> u32 {
    let (blocks, rest) = bytes.as_chunks::<8>();
    let sum = blocks.iter().fold(sum, |sum, block| {
        let first = sum.to_be_bytes();
        (0..4).fold(0, |sum, at| {
            sum ^ TABLES[7 - at][usize::from(block[at] ^ first[at])]
                ^ TABLES[3 - at][usize::from(block[4 + at])]
        })
    });
    rest.iter().fold(sum, |sum, &byte| sum << 8 ^ TABLES[0][usize::from((sum >> 24) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_its_checksum_says() {
        let by_bits = |bytes: &[u8]| {
            bytes.iter().fold(0_u32, |sum, byte| {
                (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
                    sum << 1 ^ if sum >> 31 == 0 { 0 } else { 0x04c1_1db7 }
                })
            })
        };
        let bytes: Vec<u8> = (0..=255).cycle().take(1003).collect();
        assert_eq!(checksum(&bytes), by_bits(&bytes));
        let head = [&b"OggS\0\x02"[..], &[9, 0, 0, 0, 0, 0, 0, 0], b"abcd", &[0; 8], &[2, 3, 255]]
            .concat();
        let mut page = [head, vec![7; 258]].concat();
        let sum = checksum(&page);
        page[CHECKSUM].copy_from_slice(&sum.to_le_bytes());
        let more = [&page[..], b"more"].concat();
        let found = Page::of(&more).expect("a page");
        assert!(found.begins && found.serial == *b"abcd" && found.segments == [3, 255]);
        assert_eq!(found.granule_position, 9);
        assert_eq!((found.body, found.length), (&[7; 258][..], page.len()));
        assert_eq!(Page::of(&page[..page.len() - 1]), None);
        page[40] ^= 1;
        assert_eq!(Page::of(&page), None);
    }
}
