//! WavPack (version 5 file format): blocks know the number of their first sample.

use ffmpeg_next::Packet;

use super::Misfit;

/// Bytes of a block's header, and where its parts stand.
const HEADER: usize = 32;
const SIZE: usize = 4;
const INDEX_HIGH: usize = 10;
const INDEX: usize = 16;

/// Numbers the blocks.
#[derive(Default)]
pub struct WavPack {
    samples: u64,
}

impl WavPack {
    /// The blocks of a packet with their place in the whole stream: 40 bits, the upper eight apart.
    pub fn pass(&mut self, mut packet: Packet) -> Result<Packet, Misfit> {
        const MISFIT: Misfit = Misfit("a block of WavPack is not as expected");
        let index = self.samples.to_le_bytes();
        self.samples += u64::try_from(packet.duration()).map_err(|_| MISFIT)?;
        let mut rest = packet.data_mut().unwrap_or_default();
        while !rest.is_empty() {
            let size = rest.get(SIZE..SIZE + 4).and_then(|size| size.try_into().ok());
            let length = size.map_or(0, |size| u32::from_le_bytes(size) as usize + 8);
            if length < HEADER || length > rest.len() || !rest.starts_with(b"wvpk") {
                return Err(MISFIT);
            }
            let (block, next) = rest.split_at_mut(length);
            block[INDEX_HIGH] = index[4];
            block[INDEX..INDEX + 4].copy_from_slice(&index[..4]);
            rest = next;
        }
        Ok(packet)
    }
}
