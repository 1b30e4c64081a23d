//! Packets of Opus (RFC 6716 section 3.1).

/// Samples at 48 kHz of a packet, by its table of contents; `None` when it is none.
#[must_use]
pub fn samples(packet: &[u8]) -> Option<u32> {
    let toc = *packet.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config % 4)],
        config @ 12..=15 => [480, 960][usize::from(config % 2)],
        config => [120, 240, 480, 960][usize::from(config % 4)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 0x3f),
    };
    Some(frame * frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_packet_is_in_its_first_bytes() {
        assert_eq!(samples(&[31 << 3]), Some(960));
        assert_eq!(samples(&[1 << 3 | 1]), Some(1920));
        assert_eq!(samples(&[13 << 3 | 3, 3]), Some(2880));
        assert_eq!(samples(&[3]), None);
        assert_eq!(samples(&[]), None);
    }
}
