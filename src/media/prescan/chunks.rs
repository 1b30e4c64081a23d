//! RIFF WAVE, AVI, AIFF and others that are made of chunks: an ID3 chunk, a list of texts.

use std::io;

use super::{FRAMES_MAX, Walk, Weight, big_endian, id3};

/// Weighs INFO lists and hides heavy ID3 chunks; `number` reads the container's numbers.
pub(super) fn weigh(walk: &mut Walk<'_>, start: u64, number: fn([u8; 4]) -> u32) -> io::Result<()> {
    let mut at = start + 12;
    // RF64 (EBU Tech 3306) says the length of its sound in 64 bits.
    let mut long_sound = 0;
    while walk.goes_on() {
        let header: [u8; 8] = walk.read_at(at)?;
        let mut length = u64::from(number([header[4], header[5], header[6], header[7]]));
        if &header[..4] == b"data" && length == u64::from(u32::MAX) && long_sound > 0 {
            length = long_sound;
        }
        match &header[..4] {
            b"fmt " => {
                walk.bytes_per_second = number(walk.read_at(at + 16)?);
            }
            b"data" => walk.promised(at + 8, length)?,
            b"ds64" => long_sound = u64::from_le_bytes(walk.read_at(at + 16)?),
            b"id3 " | b"ID3 " => {
                id3::weigh_at(walk, at + 8)?;
            }
            b"LIST" => {
                let kind: [u8; 4] = walk.read_at(at + 8)?;
                match &kind {
                    b"INFO" => weigh_list(walk, at + 8, at + 8 + length, number)?,
                    // The sound of AVI; all other lists are read as if their chunks stood outside.
                    b"movi" => {}
                    _ => {
                        at += 12;
                        continue;
                    }
                }
            }
            _ => {}
        }
        // Chunks begin at even places.
        at = at.saturating_add(8).saturating_add(length).saturating_add(length % 2);
    }
    Ok(())
}

/// DSF (Sony's specification, version 1.01) says where its ID3 tag is.
pub(super) fn hide_heavy_in_dsf(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let tag = u64::from_le_bytes(walk.read_at(start + 20)?);
    if tag > 0 {
        id3::weigh_at(walk, tag)?;
    }
    Ok(())
}

/// FLV (Adobe's specification, version 10.1, annex E): scripts among its tags. Real ones have a few
/// hundred bytes, or an index of some kilobytes; what goes beyond that in all is hidden. Whether it
/// came to the end.
pub(super) fn hide_heavy_in_flv(walk: &mut Walk<'_>, start: u64) -> io::Result<bool> {
    const SCRIPT: u8 = 18;
    const SCRIPTS_MAX: u64 = 1 << 17;
    let (mut at, mut scripts) = (start + 9 + 4, 0);
    for _ in 0..FRAMES_MAX {
        let header: [u8; 4] = walk.read_at(at)?;
        let length = u64::from(big_endian(&header[1..4]));
        if header[0] & 0x1f == SCRIPT {
            scripts += length;
            if scripts > SCRIPTS_MAX {
                walk.hide_from_libav(at, &[0]);
            }
        }
        at += 11 + length + 4;
    }
    Ok(false)
}

/// Wave64 (Sony's specification, version 1.0): chunks named by 16 bytes, one of them with texts.
pub(super) fn weigh_w64(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    const HEADER: u64 = 24;
    const SUMMARY_LIST: u128 = 0xbc94_5f92_5a52_d211_86dc_00c0_4f8e_db8a;
    const FORMAT: u128 = 0x666d_7420_f3ac_d311_8cd1_00c0_4f8e_db8a;
    const DATA: u128 = 0x6461_7461_f3ac_d311_8cd1_00c0_4f8e_db8a;
    let mut at = start + 40;
    while walk.goes_on() {
        let name = u128::from_be_bytes(walk.read_at(at)?);
        // The header counts, and chunks begin at whole multiples of 8.
        let length = u64::from_le_bytes(walk.read_at(at + 16)?).max(HEADER);
        if name == FORMAT {
            walk.bytes_per_second = u32::from_le_bytes(walk.read_at(at + HEADER + 8)?);
        } else if name == DATA {
            walk.promised(at + HEADER, length - HEADER)?;
        } else if name == SUMMARY_LIST {
            let entries = u64::from(u32::from_le_bytes(walk.read_at(at + HEADER)?));
            walk.found(at, b"junk", Weight { entries, bytes: length });
        }
        at = at.saturating_add(length.saturating_add(length.wrapping_neg() % 8));
    }
    Ok(())
}

/// CAF (Apple's specification, version 1.0): chunks with lengths of 64 bits, one of them with texts.
pub(super) fn weigh_caf(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let mut at = start + 8;
    while walk.goes_on() {
        let header: [u8; 12] = walk.read_at(at)?;
        let length = u64::from_be_bytes(walk.read_at(at + 4)?);
        if &header[..4] == b"info" {
            let entries = u64::from(u32::from_be_bytes(walk.read_at(at + 12)?));
            walk.found(at, b"free", Weight { entries, bytes: length });
        }
        at = at.saturating_add(12).saturating_add(length);
    }
    Ok(())
}

fn weigh_list(
    walk: &mut Walk<'_>,
    start: u64,
    end: u64,
    number: fn([u8; 4]) -> u32,
) -> io::Result<()> {
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
    walk.found(start, b"junk", weight);
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
        let ds64 = [&b"RF64\xff\xff\xff\xffWAVEds64\x10\0\0\0________"[..], &2_u64.to_le_bytes()];
        let mut long = wav(b"id3 ", &id3::tests::tag(5000, 3));
        long.splice(..12, ds64.concat());
        long[40..44].copy_from_slice(&[0xff; 4]);
        assert_eq!(hidden(long), [57]);
    }

    #[test]
    fn dsf_caf_and_flv_have_their_own_places() {
        let flv = |length: u32| {
            let size = &length.to_be_bytes()[1..];
            [&b"FLV\x01\x04\0\0\0\x09\0\0\0\0\x12"[..], size, &[0; 7]].concat()
        };
        assert!(hidden(flv(9000)).is_empty());
        assert_eq!(hidden(flv(900_000)), [13]);
        let script = [&b"\x12\0\xff\xff\0\0\0\0\0\0\0"[..], &[0; 0xffff], &[0; 4]].concat();
        let many = [&b"FLV\x01\x04\0\0\0\x09\0\0\0\0"[..], &script.repeat(4)].concat();
        let third = 13 + 2 * script.len() as u64;
        assert_eq!(hidden(many), [third, third + script.len() as u64]);
        let w64 = |entries: u32| {
            let list = 0xbc94_5f92_5a52_d211_86dc_00c0_4f8e_db8a_u128.to_be_bytes();
            let length = 31_u64.to_le_bytes();
            let body = [&length[..], &entries.to_le_bytes(), &[0; 4]].concat();
            let first = [&b"fmt "[..], &[0; 12], &length, &[0; 8]].concat();
            [&b"riff"[..], &[0; 36], &first, &list, &body].concat()
        };
        assert!(hidden(w64(9)).is_empty());
        assert_eq!(hidden(w64(100_000)), [72]);

        let dsf = |frames| {
            [&b"DSD "[..], &[0; 16], &28_u64.to_le_bytes(), &id3::tests::tag(frames, 3)].concat()
        };
        assert!(hidden(dsf(9)).is_empty());
        assert_eq!(hidden(dsf(5000)), [31]);
        let caf = |entries: u32| {
            [&b"caff\0\x01\0\0info"[..], &8_u64.to_be_bytes(), &entries.to_be_bytes(), b"a\0b\0"]
                .concat()
        };
        assert!(hidden(caf(9)).is_empty());
        assert_eq!(hidden(caf(100_000)), [8]);
    }
}
