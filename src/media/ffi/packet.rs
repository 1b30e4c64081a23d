//! What a packet says of its samples, for copying it into another container.

use ffmpeg_next::codec::packet::Flags;
use ffmpeg_next::codec::packet::side_data::Type;
use ffmpeg_next::codec::{Id, Parameters};
use ffmpeg_next::ffi::{
    AV_PKT_FLAG_DISCARD, AVPacketSideDataType, AVVorbisParseContext, av_get_audio_frame_duration2,
    av_packet_copy_props, av_packet_get_side_data, av_packet_new_side_data, av_vorbis_parse_frame,
    av_vorbis_parse_free, av_vorbis_parse_init,
};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Packet, Rational, Rescale};

use crate::media::bits::{flac, opus};

/// Bytes of `AV_PKT_DATA_SKIP_SAMPLES`: two 32-bit counts, two reasons.
const SKIP_BYTES: usize = 10;

/// Samples per channel that a decoder drops of the packet: at its start and at its end.
#[must_use]
pub fn skipped_samples(packet: &Packet) -> (u32, u32) {
    let number = |data: &[u8], at: usize| {
        let bytes = data.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    };
    let found = packet.side_data().find(|data| data.kind() == Type::SkipSamples);
    found.map_or((0, 0), |found| (number(found.data(), 0), number(found.data(), 4)))
}

/// Whether the packet brings new codec headers, which a container has no second place for.
#[must_use]
pub fn changes_headers(packet: &Packet) -> bool {
    packet.side_data().any(|data| matches!(data.kind(), Type::NewExtraData | Type::ParamChange))
}

/// Whether a decoder needs the packet but nothing of it is heard: it lies before an edit's start.
#[must_use]
pub fn is_dropped(packet: &Packet) -> bool {
    use ffmpeg_next::packet::Ref;
    // SAFETY: the packet is alive.
    unsafe { (*packet.as_ptr()).flags & AV_PKT_FLAG_DISCARD != 0 }
}

/// Leaves of the packet's flags that it stands alone, as every packet of sound does.
pub fn forget_flags(packet: &mut Packet) {
    packet.set_flags(Flags::KEY);
}

/// The packet with other bytes.
#[must_use]
pub fn with_data(packet: &Packet, data: &[u8]) -> Packet {
    use ffmpeg_next::packet::{Mut, Ref};
    let mut other = Packet::copy(data);
    // SAFETY: both packets are alive; the first is only read. Without memory the side data is lost.
    unsafe { av_packet_copy_props(other.as_mut_ptr(), packet.as_ptr()) };
    other
}

/// A packet without sound that brings new codec headers, behind so many samples. `None` without
/// memory.
#[must_use]
pub fn of_new_headers(headers: &[u8], samples: u64) -> Option<Packet> {
    use ffmpeg_next::packet::Mut;
    let mut packet = Packet::empty();
    let kind = AVPacketSideDataType::AV_PKT_DATA_NEW_EXTRADATA;
    // SAFETY: the packet is ours; libav returns null or as many bytes as asked for.
    unsafe {
        let data = av_packet_new_side_data(packet.as_mut_ptr(), kind, headers.len());
        if data.is_null() {
            return None;
        }
        std::ptr::copy_nonoverlapping(headers.as_ptr(), data, headers.len());
    }
    packet.set_pts(i64::try_from(samples).ok());
    packet.set_dts(i64::try_from(samples).ok());
    Some(packet)
}

/// Says that a decoder drops `samples` at the start of the packet, and of those behind it if it has
/// fewer. Without memory it says nothing.
pub fn set_skip(packet: &mut Packet, samples: u32) {
    set_skipped(packet, 0, samples);
}

/// Says that a decoder drops `samples` at the end of the packet. Without memory it says nothing.
pub fn set_discard(packet: &mut Packet, samples: u32) {
    set_skipped(packet, 4, samples);
}

/// One of the two counts of [`skipped_samples`]; `at` is 0 or 4.
fn set_skipped(packet: &mut Packet, at: usize, samples: u32) {
    use ffmpeg_next::packet::Mut;
    let kind = AVPacketSideDataType::AV_PKT_DATA_SKIP_SAMPLES;
    // SAFETY: the packet is borrowed mutably; libav returns null or that many bytes it owns.
    unsafe {
        let raw = packet.as_mut_ptr();
        let mut size = 0;
        let mut data = av_packet_get_side_data(raw, kind, &raw mut size);
        if data.is_null() || size < SKIP_BYTES {
            if samples == 0 {
                return;
            }
            data = av_packet_new_side_data(raw, kind, SKIP_BYTES);
            if data.is_null() {
                return;
            }
            data.write_bytes(0, SKIP_BYTES);
        }
        let count = samples.to_le_bytes();
        std::ptr::copy_nonoverlapping(count.as_ptr(), data.add(at), count.len());
    }
}

/// How many samples per channel each packet of a stream holds, at the stream's sample rate.
pub struct PacketSamples {
    counted_by: CountedBy,
    /// Whether the demuxer's time base counts samples, or parts of them.
    is_exact: bool,
    time_base: Rational,
    sample_time: Rational,
}

enum CountedBy {
    /// The table of contents of an Opus packet.
    Opus,
    /// The frame header of FLAC.
    Flac,
    /// The block sizes of Vorbis.
    Vorbis(VorbisParser),
    /// The demuxer where it is exact, else the codec's frame size or header.
    Codec(Parameters),
}

impl PacketSamples {
    /// A counter for stream `index`; `None` when there is no such stream or rate, or when nothing
    /// tells the number of samples.
    #[must_use]
    pub fn of(input: &Input, index: usize) -> Option<Self> {
        let stream = input.stream(index)?;
        let time_base = stream.time_base();
        // The owned copy stays when the input is gone.
        let mut parameters = Parameters::new();
        parameters.clone_from(&stream.parameters());
        // SAFETY: the parameters are ours; none of them is null.
        let rate = unsafe { (*parameters.as_ptr()).sample_rate };
        if rate <= 0 || time_base.numerator() <= 0 || time_base.denominator() <= 0 {
            return None;
        }
        let ticks = i64::from(rate) * i64::from(time_base.numerator());
        let is_exact = i64::from(time_base.denominator()) % ticks == 0;
        let counted_by = match parameters.id() {
            Id::OPUS => CountedBy::Opus,
            Id::FLAC => CountedBy::Flac,
            Id::VORBIS => CountedBy::Vorbis(VorbisParser::of(&parameters)?),
            _ => CountedBy::Codec(parameters),
        };
        Some(Self { counted_by, is_exact, time_base, sample_time: Rational(1, rate) })
    }

    /// Whether the codec's first packet gives no samples.
    #[must_use]
    pub fn first_is_silent(&self) -> bool {
        matches!(self.counted_by, CountedBy::Vorbis(_))
    }

    /// What the demuxer says is heard of a packet, where its time base counts samples.
    #[must_use]
    pub fn claimed(&self, packet: &Packet) -> Option<u64> {
        let samples = packet.duration().rescale(self.time_base, self.sample_time);
        u64::try_from(samples).ok().filter(|&samples| self.is_exact && samples > 0)
    }

    /// One sample: the unit of [`Self::count`].
    #[must_use]
    pub fn sample_time(&self) -> Rational {
        self.sample_time
    }

    /// The samples of the next packet of the stream; `None` when it cannot be told.
    pub fn count(&mut self, packet: &Packet) -> Option<u64> {
        let data = packet.data().unwrap_or_default();
        let length = i32::try_from(data.len()).unwrap_or(i32::MAX);
        let samples = match &mut self.counted_by {
            CountedBy::Opus => i64::from(opus::samples(data)?),
            CountedBy::Flac => i64::from(flac::samples(data)?),
            CountedBy::Vorbis(parser) => i64::from(parser.samples(data)?),
            // Fragments and last entries of MP4 have packets without a duration.
            CountedBy::Codec(_) if self.is_exact && packet.duration() > 0 => {
                packet.duration().rescale(self.time_base, self.sample_time)
            }
            CountedBy::Codec(parameters) => i64::from(
                // SAFETY: the parameters are ours; libav only reads them.
                unsafe { av_get_audio_frame_duration2(parameters.as_mut_ptr(), length) },
            ),
        };
        u64::try_from(samples).ok().filter(|&samples| samples > 0)
    }
}

/// libav's reader of Vorbis block sizes.
struct VorbisParser(*mut AVVorbisParseContext);

// SAFETY: the context belongs to this value alone and has no tie to a thread.
unsafe impl Send for VorbisParser {}

impl VorbisParser {
    fn of(parameters: &Parameters) -> Option<Self> {
        // SAFETY: the extradata holds as many bytes as it says, or is null with none; libav copies
        // what it needs and returns null when it cannot read it.
        let parser = unsafe {
            let parameters = parameters.as_ptr();
            av_vorbis_parse_init((*parameters).extradata, (*parameters).extradata_size)
        };
        (!parser.is_null()).then_some(Self(parser))
    }

    fn samples(&mut self, packet: &[u8]) -> Option<u32> {
        let length = i32::try_from(packet.len()).ok()?;
        // SAFETY: the context is alive; the packet holds `length` bytes and is only read.
        let samples = unsafe { av_vorbis_parse_frame(self.0, packet.as_ptr(), length) };
        u32::try_from(samples).ok()
    }
}

impl Drop for VorbisParser {
    fn drop(&mut self) {
        // SAFETY: made by `of`, freed once.
        unsafe { av_vorbis_parse_free(&raw mut self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_decoder_drops_is_said_and_read() {
        let mut packet = Packet::copy(&[1, 2, 3]);
        assert_eq!(skipped_samples(&packet), (0, 0));
        set_discard(&mut packet, 700);
        set_discard(&mut packet, 500);
        assert_eq!(skipped_samples(&packet), (0, 500));
    }
}
