//! APEv2 at the end of a file (<https://wiki.hydrogenaud.io/index.php?title=APEv2_specification>).

use std::io;

use super::{Walk, Weight};

/// Footer of a tag, and of an ID3v1 tag behind it.
const FOOTER: u64 = 32;
const ID3V1: u64 = 128;

/// Hides a heavy tag's footer, by which libav finds it.
pub(super) fn hide_heavy(walk: &mut Walk<'_>) -> io::Result<()> {
    let length = walk.length()?;
    for behind in [0, ID3V1] {
        let Some(at) = length.checked_sub(FOOTER + behind) else { continue };
        let footer: [u8; 20] = walk.read_at(at)?;
        let number = |at: usize| {
            u64::from(u32::from_le_bytes([
                footer[at],
                footer[at + 1],
                footer[at + 2],
                footer[at + 3],
            ]))
        };
        let weight = Weight { entries: number(16), bytes: number(12) };
        if footer.starts_with(b"APETAGEX") && weight.is_heavy() {
            walk.hide(at, &[0; 8]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;

    #[test]
    fn a_heavy_tag_loses_its_footer() {
        let file = |items: u32, behind: &[u8]| {
            let size = 100_000_u32.to_le_bytes();
            let footer =
                [&b"APETAGEX"[..], &[0xd0, 7, 0, 0], &size[..], &items.to_le_bytes(), &[0; 12]];
            [&[7; 100][..], &footer.concat(), behind].concat()
        };
        assert!(hidden(file(40, b"")).is_empty());
        assert_eq!(hidden(file(60_000, b"")), [100]);
        assert_eq!(hidden(file(60_000, &[b'T'; 128])), [100]);
    }
}
