//! Frames of FLAC (RFC 9639 section 9).

/// Where a frame's own number starts.
const NUMBER: usize = 4;

/// Samples per channel of a frame, by its header; `None` when it is none.
#[must_use]
pub fn samples(frame: &[u8]) -> Option<u32> {
    let number = number_bytes(frame)?;
    let own = |at: usize| frame.get(NUMBER + number + at).copied().map(u32::from);
    match u32::from(frame[2] >> 4) {
        0 => None,
        1 => Some(192),
        code @ 2..=5 => Some(144 << code),
        6 => Some(own(0)? + 1),
        7 => Some((own(0)? << 8 | own(1)?) + 1),
        code => Some(1 << code),
    }
}

/// Whether a frame's bytes are those its last two, a CRC-16 (section 9.3), were made of.
#[must_use]
pub fn is_sound(frame: &[u8]) -> bool {
    // Over everything with its checksum behind it, the sum is nothing.
    frame.len() > 2 && crc_16(frame) == 0
}

/// The frame as the one of this number in its stream: number and both checksums anew. `None` when
/// it is no frame, or counts in another way than by frames of one size (section 9.1.5).
#[must_use]
pub fn renumbered(frame: &[u8], number: u32) -> Option<Vec<u8>> {
    const SUM_8: usize = 1;
    const SUM_16: usize = 2;
    let before = number_bytes(frame)?;
    if frame[1] & 1 != 0 {
        return None;
    }
    // Block size and sample rate may follow the number (sections 9.1.6 and 9.1.7).
    let block_size = match frame[2] >> 4 {
        6 => 1,
        7 => 2,
        _ => 0,
    };
    let sample_rate = match frame[2] & 0x0f {
        12 => 1,
        13 | 14 => 2,
        _ => 0,
    };
    let own = NUMBER + before..NUMBER + before + block_size + sample_rate;
    let header = own.end + SUM_8;
    let (rest, sum) = frame.get(header..)?.split_last_chunk::<SUM_16>()?;
    let mut renumbered = Vec::with_capacity(frame.len() + 6);
    renumbered.extend_from_slice(&frame[..NUMBER]);
    put_number(&mut renumbered, number);
    renumbered.extend_from_slice(&frame[own]);
    renumbered.push(crc_8(&renumbered));
    // What the rest adds to the sum stays the same: it need not be gone through again.
    let change = crc_16(&frame[..header]) ^ crc_16(&renumbered);
    let sum = u16::from_be_bytes(*sum) ^ followed_by_zeros(change, rest.len());
    renumbered.extend_from_slice(rest);
    renumbered.extend_from_slice(&sum.to_be_bytes());
    Some(renumbered)
}

/// How many bytes the frame's own number takes: its first one says so (section 9.1.5).
fn number_bytes(frame: &[u8]) -> Option<usize> {
    if !matches!(frame, [0xff, 0xf8 | 0xf9, ..]) {
        return None;
    }
    match frame.get(NUMBER)?.leading_ones() {
        0 => Some(1),
        bytes @ 2..=7 => Some(bytes as usize),
        _ => None,
    }
}

/// Writes a number as UTF-8 would, in up to six bytes.
fn put_number(into: &mut Vec<u8>, number: u32) {
    if number < 0x80 {
        into.push(number.to_le_bytes()[0]);
        return;
    }
    let more = (1..6).find(|more| number < 1 << (5 * more + 6)).unwrap_or(6);
    let lead = 0xff_u8 << (7 - more.min(6));
    let six_bits = |at: u32| (number >> (6 * at)).to_le_bytes()[0];
    into.push(lead | six_bits(more) & (0x3f >> more));
    into.extend((0..more).rev().map(|at| 0x80 | six_bits(at) & 0x3f));
}

/// Polynomial 0x07 (section 9.1.8).
fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ byte, |sum, _| sum << 1 ^ if sum & 0x80 == 0 { 0 } else { 0x07 })
    })
}

/// What a byte makes of the sum with polynomial 0x8005, and with 1 to 7 zeros behind it.
const CRC_16: [[u16; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = sum << 1 ^ if sum & 0x8000 == 0 { 0 } else { 0x8005 };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut at = 256;
    while at < 8 * 256 {
        let sum = tables[at / 256 - 1][at % 256];
        tables[at / 256][at % 256] = sum << 8 ^ tables[0][(sum >> 8) as usize];
        at += 1;
    }
    tables
};

/// The sum of section 9.3 with so many bytes of zeros behind what it was made of: times x to the power
/// of eight times that, modulo the polynomial.
fn followed_by_zeros(mut sum: u16, mut bytes: usize) -> u16 {
    let mut power = 1 << 8;
    while bytes > 0 {
        if bytes & 1 == 1 {
            sum = product(sum, power);
        }
        power = product(power, power);
        bytes >>= 1;
    }
    sum
}

/// The product of two polynomials modulo that of section 9.3.
fn product(a: u16, b: u16) -> u16 {
    (0..16).rev().fold(0, |sum: u16, bit| {
        let shifted = sum << 1 ^ if sum & 0x8000 == 0 { 0 } else { 0x8005 };
        if b >> bit & 1 == 1 { shifted ^ a } else { shifted }
    })
}

/// The sum of section 9.3, eight bytes at a time.
fn crc_16(bytes: &[u8]) -> u16 {
    let tables = &CRC_16;
    let (blocks, rest) = bytes.as_chunks::<8>();
    let sum = blocks.iter().fold(0_u16, |sum, block| {
        let [high, low] = sum.to_be_bytes();
        tables[7][usize::from(block[0] ^ high)]
            ^ tables[6][usize::from(block[1] ^ low)]
            ^ (2..8).fold(0, |sum, at| sum ^ tables[7 - at][usize::from(block[at])])
    });
    rest.iter().fold(sum, |sum, byte| sum << 8 ^ tables[0][usize::from((sum >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_proves_itself() {
        // CRC-16/UMTS and CRC-8/SMBUS of "123456789".
        assert_eq!((crc_16(b"123456789"), crc_8(b"123456789")), (0xfee8, 0xf4));
        assert!(is_sound(b"123456789\xfe\xe8"));
        assert!(!is_sound(b"123456788\xfe\xe8") && !is_sound(b"") && !is_sound(b"\0\0"));
    }

    #[test]
    fn the_length_of_a_frame_is_in_its_header() {
        let length =
            |size: u8, more: &[u8]| samples(&[&[0xff, 0xf8, size << 4, 0][..], more].concat());
        assert_eq!(length(12, &[5]), Some(4096));
        assert_eq!(length(5, &[5]), Some(4608));
        assert_eq!(length(1, &[5]), Some(192));
        assert_eq!(length(6, &[5, 99]), Some(100));
        assert_eq!(length(7, &[0xc2, 0x80, 1, 0]), Some(257));
        assert_eq!(length(0, &[5]), None);
        assert_eq!(length(7, &[5, 1]), None);
        assert_eq!(length(12, &[0x80]), None);
        assert_eq!(samples(b"RIFF"), None);
    }

    #[test]
    fn a_sum_with_zeros_behind_it_needs_no_zeros() {
        for zeros in [0, 1, 2, 7, 255, 8191] {
            let bytes = [&b"some bytes"[..], &vec![0; zeros]].concat();
            assert_eq!(followed_by_zeros(crc_16(b"some bytes"), zeros), crc_16(&bytes), "{zeros}");
        }
    }

    #[test]
    fn a_number_is_written_as_utf_8_would() {
        for number in [0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x1_0000, 0x10_ffff] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, number);
            let expected = char::from_u32(number).expect("a character").to_string();
            assert_eq!(bytes, expected.as_bytes(), "{number:x}");
        }
        let mut most = Vec::new();
        put_number(&mut most, 0x7fff_ffff);
        assert_eq!(most, [0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf]);
        let mut five = Vec::new();
        put_number(&mut five, 0x20_0000);
        assert_eq!(five, [0xf8, 0x88, 0x80, 0x80, 0x80]);
    }

    #[test]
    fn a_frame_with_another_number_is_still_sound() {
        let header = [0xff, 0xf8, 0x79, 0x18, 5, 0x0f, 0xff];
        let mut frame = header.to_vec();
        frame.push(crc_8(&frame));
        frame.extend_from_slice(b"the sound");
        let sum = crc_16(&frame);
        frame.extend_from_slice(&sum.to_be_bytes());
        assert_eq!(renumbered(&frame, 5).as_deref(), Some(&frame[..]));
        let moved = renumbered(&frame, 70_000).expect("a frame");
        assert!(is_sound(&moved) && moved.len() == frame.len() + 3);
        assert_eq!(samples(&moved), Some(4096));
        assert_eq!(crc_8(&moved[..11]), 0, "the header and its sum");
        assert_eq!(renumbered(&moved, 5), Some(frame));
        assert_eq!(renumbered(&header, 5), None);
        assert_eq!(renumbered(b"RIFF", 5), None);
    }
}
