//! FLAC (RFC 9639): frames are numbered, and the header knows their sizes and a sum of the sound.

use ffmpeg_next::codec::packet::side_data::Type;
use ffmpeg_next::format::Sample;
use ffmpeg_next::{Error, Packet, frame};

use super::{Listener, Misfit};
use crate::media::bits::flac;
use crate::media::ffi::md5::Md5;
use crate::media::ffi::packet;

/// Bytes of STREAMINFO (section 8.2), and where its parts stand.
const STREAMINFO: usize = 34;
const FRAME_SIZES: usize = 4;
const TOTAL_SAMPLES: usize = 13;
const SOUND_SUM: usize = 18;

/// Numbers the frames and completes the header.
pub struct Flac {
    frames: u32,
    least_bytes: u32,
    most_bytes: u32,
    samples: u64,
    streaminfo: Option<[u8; STREAMINFO]>,
    /// Until somebody hears with it.
    pub sum: Option<SoundSum>,
}

impl Flac {
    /// For the first frame on.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            frames: 0,
            least_bytes: u32::MAX,
            most_bytes: 0,
            samples: 0,
            streaminfo: None,
            sum: Some(SoundSum { sum: Md5::new()?, packed: Vec::new() }),
        })
    }

    /// A frame with its number in the whole stream. The header that each encoder ends with is kept.
    pub fn pass(&mut self, packet: Packet) -> Result<Option<Packet>, Misfit> {
        let Some(data) = packet.data().filter(|data| !data.is_empty()) else {
            let header = packet.side_data().find(|data| data.kind() == Type::NewExtraData);
            if let Some(header) = header {
                self.streaminfo = header.data().first_chunk().copied();
            }
            return Ok(None);
        };
        let renumbered = flac::renumbered(data, self.frames);
        let renumbered = renumbered.ok_or(Misfit("a frame of FLAC is not as expected"))?;
        self.frames += 1;
        let bytes = u32::try_from(renumbered.len()).unwrap_or(u32::MAX);
        self.least_bytes = self.least_bytes.min(bytes);
        self.most_bytes = self.most_bytes.max(bytes);
        self.samples += u64::from(flac::samples(&renumbered).unwrap_or(0));
        Ok(Some(packet::with_data(&packet, &renumbered)))
    }

    /// The header of the whole, as the encoder's last word.
    pub fn end(self, listener: Listener) -> Option<Packet> {
        let mut streaminfo = self.streaminfo?;
        let sizes = [self.least_bytes, self.most_bytes].map(u32::to_be_bytes);
        for (at, size) in [FRAME_SIZES, FRAME_SIZES + 3].into_iter().zip(sizes) {
            streaminfo[at..at + 3].copy_from_slice(&size[1..]);
        }
        // 36 bits, the upper four of them beside the sample size.
        let samples = self.samples.to_be_bytes();
        streaminfo[TOTAL_SAMPLES] = streaminfo[TOTAL_SAMPLES] & 0xf0 | samples[3] & 0x0f;
        streaminfo[TOTAL_SAMPLES + 1..SOUND_SUM].copy_from_slice(&samples[4..]);
        streaminfo[SOUND_SUM..].copy_from_slice(&listener.0.sum.finish());
        packet::of_new_headers(&streaminfo, self.samples)
    }
}

/// The sum over all samples that the header keeps: MD5 over little-endian samples, interleaved, in as
/// many bytes as they need (section 8.2).
pub struct SoundSum {
    sum: Md5,
    packed: Vec<u8>,
}

impl SoundSum {
    /// The next frame, as FLAC's encoder takes it: 16 bits, or 24 in the upper part of 32.
    pub fn add(&mut self, frame: &frame::Audio) {
        let samples = frame.samples() * usize::from(frame.channels());
        match frame.format() {
            Sample::I16(_) => {
                let bytes = &frame.data(0)[..samples * 2];
                if cfg!(target_endian = "little") {
                    self.sum.update(bytes);
                } else {
                    let (pairs, _) = bytes.as_chunks::<2>();
                    self.packed.clear();
                    self.packed.extend(pairs.iter().flat_map(|[high, low]| [*low, *high]));
                    self.sum.update(&self.packed);
                }
            }
            _ => {
                let (words, _) = frame.data(0)[..samples * 4].as_chunks::<4>();
                self.packed.clear();
                self.packed.extend(words.iter().flat_map(|word| {
                    let [_, low, middle, high] = i32::from_ne_bytes(*word).to_le_bytes();
                    [low, middle, high]
                }));
                self.sum.update(&self.packed);
            }
        }
    }
}
