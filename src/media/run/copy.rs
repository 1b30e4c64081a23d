//! One thread: packets go from the demuxer to the muxer as they are, timed anew by their samples.
//!
//! The source's timestamps are not taken over: Matroska and FLV round them to milliseconds, streams
//! jump. A decoder goes by samples too, so both outputs are equally long.

use ffmpeg_next::{Error, Packet};

use super::super::bits::flac;
use super::super::failure::{Failure, FailureCode, Stage};
use super::super::ffi::output::StreamOrigin;
use super::super::ffi::packet::{self, PacketSamples};
use super::super::io::{Sink, Watch};
use super::super::limits::Limits;
use super::super::metadata::Metadata;
use super::super::plan::Plan;
use super::super::request::Format;
use super::super::stage::decode::Decode;
use super::super::stage::demux::{Demux, Pulled};
use super::super::stage::mux::{self, Mux, Packets};
use super::super::stage::{failed, stopped};
use super::reader::{Read, is_chained_header};
use super::serial::Ran;
use super::spent::Spent;

/// Samples before the first one that is heard: AAC has 2112 or 2624, MP3 up to 3528. More is a cut
/// that somebody made with an edit list: what was cut off must not come back.
const PRIMING_MAX: u64 = 4096;
/// The same of Opus, which begins to sound right later: ours has 240 ms where it begins in the middle.
const PRIMING_MAX_OPUS: u64 = 48 * 240;
/// What encoders have of it at the most; the rest is sound.
const PRIMING_OF_ENCODERS: u64 = 2624;

/// How copying ended.
pub enum Copy {
    /// The output is whole.
    Done(Ran),
    /// The packets cannot be copied, for this reason; what was written is worth nothing.
    Impossible(String),
}

/// Everything the driver works with.
pub struct Copying<'a> {
    /// What was decided.
    pub plan: &'a Plan,
    /// Ceilings.
    pub limits: &'a Limits,
    /// Stops it, and is told how far it is.
    pub watch: &'a Watch,
    /// Where the bytes go.
    pub sink: &'a Sink,
    /// What stands beside the sound.
    pub metadata: &'a Metadata,
    /// Samples that the source says are heard, where it says so to the sample.
    pub declared_samples: Option<u64>,
    /// The source's container.
    pub container: &'a str,
}

/// Why a step did not work.
enum Stop {
    Impossible(String),
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A packet and the samples that are heard of it.
struct Timed {
    packet: Packet,
    samples: u64,
}

/// The packets up to the first one of which something is heard.
struct Leading {
    packets: Vec<Timed>,
    /// Samples that are not heard.
    priming: u32,
    /// Samples by which the demuxer's clock is late.
    late: u64,
}

/// What is written so far.
struct Written {
    mux: Mux,
    /// Where the next packet starts; the priming lies before 0.
    next_pts: i64,
    packets: u64,
    coded_bytes: u64,
    damaged_packets: u64,
    /// Samples at the end that a decoder drops.
    dropped: u64,
    /// Samples at the start that it drops.
    priming: u32,
}

impl Copying<'_> {
    /// Copies the packets of the plan's stream. Blocks until done; cancel is seen at every packet.
    ///
    /// # Errors
    /// Stopped, a limit, a source or sink that fails.
    pub fn run(&self, mut demux: Demux) -> Result<Copy, Failure> {
        self.watch.progress.enter(Stage::Encoding);
        match self.carry_out(&mut demux) {
            Ok(ran) => Ok(Copy::Done(ran)),
            Err(Stop::Impossible(reason)) => Ok(Copy::Impossible(reason)),
            Err(Stop::Failed(failure)) => Err(failure),
        }
    }

    fn carry_out(&self, demux: &mut Demux) -> Result<Ran, Stop> {
        // Headers that no decoder takes are not worth copying.
        if Decode::open(demux.input(), self.plan.stream, &self.plan.decoder).is_err() {
            return Err(Stop::Impossible(String::from("its headers are damaged")));
        }
        let mut samples = PacketSamples::of(demux.input(), self.plan.stream).ok_or_else(|| {
            Stop::Impossible(String::from("the length of its packets is not known"))
        })?;
        let Leading { packets: leading, priming, late } = self.leading(demux, &mut samples)?;
        if u64::from(priming) > PRIMING_OF_ENCODERS && !self.says_priming() {
            return Err(Stop::Impossible(String::from(
                "what lies before its start would be heard",
            )));
        }
        let header = leading.last().and_then(|last| self.fixed_header(&last.packet));
        let origin = StreamOrigin { input: demux.input(), index: self.plan.stream };
        let packets = Packets::Copied { origin, priming, sample_time: samples.sample_time() };
        let mux = mux::prepare(self.plan, self.sink, self.metadata, self.watch)
            .and_then(|prepared| prepared.start(self.plan, packets, self.metadata))
            .map_err(|error| self.refused(error))?;
        let mut written = Written {
            mux,
            next_pts: -i64::from(priming),
            packets: 0,
            coded_bytes: 0,
            damaged_packets: 0,
            dropped: 0,
            priming,
        };
        let rate = samples.sample_time().denominator();
        let mut leading = leading.into_iter();
        let mut held = leading.next();
        let mut broken_off = false;
        loop {
            let is_leading = leading.len() > 0;
            let next = match leading.next() {
                Some(timed) => timed,
                None => match self.pull(demux, &mut broken_off)? {
                    None => break,
                    Some(packet) => self.timed(packet, &mut samples)?,
                },
            };
            match self.fixed_header(&next.packet) {
                found if found == header => {}
                // Something else follows the sound, or lies in it.
                None => {
                    written.damaged_packets += 1;
                    continue;
                }
                Some(_) => return Err(changing()),
            }
            if !is_leading && is_cut(held.as_ref(), &next.packet) {
                return Err(Stop::Impossible(String::from("it is cut in the middle")));
            }
            self.check_frame(&next.packet)?;
            if let Some(ready) = held.replace(next) {
                self.write(&mut written, ready, rate)?;
            }
        }
        if let Some(last) = held {
            let claimed = samples.claimed(&last.packet);
            self.write_last(&mut written, last, claimed, late, rate)?;
        }
        self.finish(written, rate, broken_off)
    }

    fn leading(&self, demux: &mut Demux, samples: &mut PacketSamples) -> Result<Leading, Stop> {
        let mut packets = Vec::new();
        let (mut priming, mut before, mut late) = (0, 0, 0);
        loop {
            let mut broken_off = false;
            let Some(packet) = self.pull(demux, &mut broken_off)? else {
                return Err(Stop::Failed(nothing(broken_off)));
            };
            let is_dropped = packet::is_dropped(&packet);
            let (skipped, _) = packet::skipped_samples(&packet);
            let mut timed = self.timed(packet, samples)?;
            // The first packet of Vorbis only prepares the second (Vorbis I, section 4.3.8). Where one
            // page holds everything, libav's demuxer counts it all the same, and cuts the last one.
            if packets.is_empty() && samples.first_is_silent() {
                if self.container == "ogg" && demux.is_at_zero(&timed.packet) {
                    late = timed.samples;
                }
                timed.samples = 0;
            }
            // A skip that is longer than its packet reaches into the next ones.
            priming = priming.max(before + u64::from(skipped));
            if is_dropped {
                before += timed.samples;
                priming = priming.max(before);
            }
            if priming > self.priming_max() {
                return Err(Stop::Impossible(String::from("its beginning is cut off")));
            }
            packets.push(timed);
            if !is_dropped {
                let priming = u32::try_from(priming).unwrap_or(0);
                return Ok(Leading { packets, priming, late });
            }
        }
    }

    fn priming_max(&self) -> u64 {
        let codec = self.plan.copied.as_ref().map(|copied| copied.codec.as_str());
        if codec == Some("opus") { PRIMING_MAX_OPUS } else { PRIMING_MAX }
    }

    fn pull(&self, demux: &mut Demux, broken_off: &mut bool) -> Result<Option<Packet>, Stop> {
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Encoding).into());
        }
        match demux.pull() {
            Pulled::Packet(packet) => Ok(Some(packet)),
            Pulled::End => Ok(None),
            Pulled::Broken(error) => {
                let ours =
                    self.watch.cancel.is_stopped() || self.watch.source_fault.get().is_some();
                if ours {
                    let message = "The source cannot be read.";
                    let gone = Failure::new(FailureCode::InputGone, Stage::Reading, message);
                    return Err(failed(error, gone, self.watch).into());
                }
                *broken_off = true;
                Ok(None)
            }
        }
    }

    fn timed(&self, packet: Packet, samples: &mut PacketSamples) -> Result<Timed, Stop> {
        if packet::changes_headers(&packet) || self.is_header(&packet) {
            return Err(changing());
        }
        let count = samples.count(&packet).ok_or_else(|| {
            Stop::Impossible(String::from("the length of one of its packets is not known"))
        })?;
        let (_, dropped) = packet::skipped_samples(&packet);
        Ok(Timed { packet, samples: count.saturating_sub(u64::from(dropped)) })
    }

    /// Whether the packet is a codec header that starts another stream behind the first: chained Ogg.
    fn is_header(&self, packet: &Packet) -> bool {
        let data = packet.data().unwrap_or_default();
        match self.plan.copied.as_ref().map(|copied| copied.codec.as_str()) {
            Some("opus") => is_chained_header(packet),
            // Packets of sound start with a 0 bit (Vorbis I, section 4.2.1).
            Some("vorbis") => data.first().is_some_and(|first| first & 1 == 1),
            Some(_) | None => false,
        }
    }

    /// The bits of the packet's own header that must stay as they are: a change of rate or channels
    /// needs another container, or another decoder.
    fn fixed_header(&self, packet: &Packet) -> Option<[u8; 3]> {
        let codec = self.plan.copied.as_ref().map(|copied| copied.codec.as_str());
        match packet.data()? {
            // ISO/IEC 11172-3 section 2.4.1.3: version and layer, rate, whether it is mono.
            [0xff, one, two, three, ..] if codec == Some("mp3") => {
                let is_header = one & 0xe6 == 0xe2
                    && one & 0x18 != 0x08
                    && two & 0xf0 != 0xf0
                    && two & 0x0c != 0x0c;
                is_header.then_some([one & 0x1e, two & 0x0c, u8::from(three >> 6 == 3)])
            }
            // RFC 9639 section 9.1: rate, channels, depth. Two channels come in four ways.
            [0xff, one, two, three, ..] if codec == Some("flac") && one & 0xfe == 0xf8 => {
                let channels = if three >> 4 < 8 { three >> 4 } else { 1 };
                Some([two & 0x0f, channels, three & 0x0e])
            }
            // ADTS, ISO/IEC 14496-3 section 1.A.2.2: profile, rate, channels.
            [0xff, one, two, three, ..] if codec == Some("aac") && one & 0xf6 == 0xf0 => {
                Some([one & 0x08, two & 0xfd, three >> 6])
            }
            _ => None,
        }
    }

    /// FLAC brings its own proof; damage would be copied with it.
    fn check_frame(&self, packet: &Packet) -> Result<(), Stop> {
        let is_flac = self.plan.copied.as_ref().is_some_and(|copied| copied.codec == "flac");
        if is_flac && !flac::is_sound(packet.data().unwrap_or_default()) {
            return Err(Stop::Impossible(String::from("it is damaged")));
        }
        Ok(())
    }

    fn write(&self, written: &mut Written, timed: Timed, rate: i32) -> Result<(), Stop> {
        let Timed { mut packet, samples } = timed;
        let duration = i64::try_from(samples).unwrap_or(i64::MAX);
        packet.set_pts(Some(written.next_pts));
        packet.set_dts(Some(written.next_pts));
        packet.set_duration(duration);
        written.next_pts = written.next_pts.saturating_add(duration);
        written.packets += 1;
        written.coded_bytes += packet.size() as u64;
        written.damaged_packets += u64::from(packet.is_corrupt());
        written.dropped += u64::from(packet::skipped_samples(&packet).1);
        packet::forget_flags(&mut packet);
        written.mux.push(packet).map_err(|error| self.refused(error))?;
        let seconds = seconds(written.next_pts, rate);
        self.limits.check_length(seconds)?;
        self.watch.progress.decoded(samples, seconds);
        self.watch.progress.encoded();
        Ok(())
    }

    /// The last packet is heard as far as the source says.
    fn write_last(
        &self,
        written: &mut Written,
        mut last: Timed,
        claimed: Option<u64>,
        late: u64,
        rate: i32,
    ) -> Result<(), Stop> {
        let dropped = u64::from(packet::skipped_samples(&last.packet).1);
        let whole = last.samples + dropped;
        if self.plan.format == Format::Mp3 && written.priming == 0 {
            // Without a start that is not heard, MP3 cannot say that an end is not.
            last.samples = whole;
            return self.write(written, last, rate);
        }
        last.samples = whole - dropped.saturating_sub(late);
        if let Some(claimed) = claimed {
            last.samples = last.samples.min(claimed + late);
        }
        let end = u64::try_from(written.next_pts).unwrap_or(0) + last.samples;
        if let Some(excess) = self.declared_samples.and_then(|declared| end.checked_sub(declared))
            && excess < last.samples
        {
            last.samples -= excess;
        }
        let mut dropped = whole - last.samples;
        if self.plan.format == Format::Mp3 {
            // The muxer keeps one number, and the padding may begin a packet earlier.
            dropped += written.dropped;
        }
        packet::set_discard(&mut last.packet, u32::try_from(dropped).unwrap_or(u32::MAX));
        self.write(written, last, rate)
    }

    fn finish(&self, written: Written, rate: i32, broken_off: bool) -> Result<Ran, Stop> {
        if written.next_pts <= 0 {
            return Err(nothing(broken_off).into());
        }
        if let Some(reason) = self.watch.cancel.reason() {
            return Err(stopped(reason, Stage::Writing).into());
        }
        let samples = u64::try_from(written.next_pts).unwrap_or(0);
        if self.plan.format == Format::Flac
            && self.declared_samples.is_some_and(|declared| declared != samples)
        {
            // Its header, with a checksum over all samples, would be wrong.
            return Err(Stop::Impossible(String::from("it is not as long as its header says")));
        }
        self.watch.progress.enter(Stage::Writing);
        let damaged_packets = written.damaged_packets;
        let coded_bytes = written.coded_bytes;
        let coded_samples = samples + u64::from(written.priming);
        written.mux.finish(self.sink, self.watch).map_err(|error| self.refused(error))?;
        Ok(Ran {
            complaints: 0,
            spent: Spent::default(),
            samples_encoded: samples,
            coded_bytes,
            coded_samples,
            sample_rate: u32::try_from(rate).unwrap_or(0),
            channels: self.plan.channels,
            priming_heard: if self.says_priming() { 0 } else { written.priming },
            tamed: 0,
            seams: Vec::new(),
            serial_because: None,
            read: Read {
                decoded_seconds: seconds(written.next_pts, rate),
                damaged_packets,
                broken_off,
            },
        })
    }

    /// Whether the output tells readers which samples at the start are not to be heard.
    fn says_priming(&self) -> bool {
        let codec = self.plan.copied.as_ref().map(|copied| copied.codec.as_str());
        match self.plan.format {
            // libav's muxer writes Matroska's codec delay for Opus only.
            Format::Mka => codec == Some("opus"),
            Format::Aac | Format::Ac3 => false,
            Format::Mp3
            | Format::M4a
            | Format::M4b
            | Format::Opus
            | Format::Ogg
            | Format::Webm
            | Format::Flac
            | Format::Alac
            | Format::Wv
            | Format::Tta
            | Format::Wav
            | Format::Aiff => true,
        }
    }

    /// What libav's "no" means: ours, or a reason to encode anew.
    fn refused(&self, error: Error) -> Stop {
        let ours = self.watch.cancel.is_stopped() || self.watch.sink_fault.get().is_some();
        if !ours {
            return Stop::Impossible(format!("the container does not take it ({error})"));
        }
        let message = format!("The output cannot be written: {error}.");
        let otherwise = Failure::new(FailureCode::Internal, Stage::Writing, message);
        failed(error, otherwise, self.watch).into()
    }
}

/// Whether something between a packet and the next is not heard: an edit in the middle, a joint.
fn is_cut(before: Option<&Timed>, next: &Packet) -> bool {
    let (skipped, dropped) = packet::skipped_samples(next);
    let ended = before.is_some_and(|timed| packet::skipped_samples(&timed.packet).1 > 0);
    packet::is_dropped(next) || skipped > 0 || (ended && dropped == 0)
}

fn changing() -> Stop {
    Stop::Impossible(String::from("it changes in mid-stream"))
}

fn nothing(broken_off: bool) -> Failure {
    if broken_off {
        let message = "The file is damaged: its sound cannot be read.";
        return Failure::new(FailureCode::CorruptInput, Stage::Reading, message);
    }
    let message = "The file was read to its end and no sound came out.";
    Failure::new(FailureCode::EmptyOutput, Stage::Reading, message)
}

#[expect(clippy::cast_precision_loss, reason = "a time for people")]
fn seconds(samples: i64, rate: i32) -> f64 {
    samples.max(0) as f64 / f64::from(rate.max(1))
}
