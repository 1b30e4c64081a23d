//! ASF (Advanced Systems Format specification, sections 3.11, 4.7 and 4.8): lists of attributes in
//! the header and in its extension.

use std::io;

use super::{Walk, Weight};

const EXTENDED_CONTENT: u128 = 0x40a4_d0d2_07e3_d211_97f0_00a0_c95e_a850;
const METADATA: u128 = 0xeacb_f8c5_af5b_7748_8467_aa8c_44fa_4cca;
const METADATA_LIBRARY: u128 = 0x941c_2344_9894_d149_a141_1d13_4e45_7054;
const DATA: u128 = 0x3626_b275_8e66_cf11_a6d9_00aa_0062_ce6c;
const HEADER_EXTENSION: u128 = 0xb503_bf5f_2ea9_cf11_8ee3_00c0_0c20_5365;

/// Weighs the lists. The header's own size does not count: libav reads on to the sound.
pub(super) fn weigh(walk: &mut Walk<'_>, start: u64) -> io::Result<()> {
    let end = walk.length()?;
    visit(walk, start + 30, end, 0)
}

/// Objects are an identifier of 16 bytes, a size of 8 that counts both, and their content.
fn visit(walk: &mut Walk<'_>, mut at: u64, end: u64, depth: u8) -> io::Result<()> {
    while walk.goes_on() {
        if at.saturating_add(24) > end || depth > 1 {
            break;
        }
        let id = u128::from_be_bytes(walk.read_at(at)?);
        let size = u64::from_le_bytes(walk.read_at(at + 16)?);
        if size < 24 {
            break;
        }
        match id {
            EXTENDED_CONTENT | METADATA | METADATA_LIBRARY => {
                let entries = u64::from(u16::from_le_bytes(walk.read_at(at + 24)?));
                walk.found(at, &[0; 16], Weight { entries, bytes: size });
            }
            DATA => break,
            // A reserved identifier, a reserved number and a size stand before its objects.
            HEADER_EXTENSION => {
                visit(walk, at + 46, at.saturating_add(size), depth + 1)?;
            }
            _ => {}
        }
        at = at.saturating_add(size);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;
    use super::*;

    fn object(id: u128, body: &[u8]) -> Vec<u8> {
        [&id.to_be_bytes()[..], &(body.len() as u64 + 24).to_le_bytes(), body].concat()
    }

    #[test]
    fn heavy_lists_are_hidden_all_together() {
        let file = |count: u16| {
            let list = object(EXTENDED_CONTENT, &[&count.to_le_bytes()[..], &[7; 40]].concat());
            let inner = object(METADATA_LIBRARY, &[&count.to_le_bytes()[..], &[7; 40]].concat());
            let outer = object(HEADER_EXTENSION, &[&[0; 22][..], &inner].concat());
            let body = [&2_u32.to_le_bytes()[..], &[1, 2], &list, &outer].concat();
            object(0x3026_b275_8e66_cf11_a6d9_00aa_0062_ce6c, &body)
        };
        assert!(hidden(file(40)).is_empty());
        assert_eq!(hidden(file(3000)), [30, 30 + 66 + 46]);
    }
}
