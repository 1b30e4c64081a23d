//! What is in a source: opened under limits, told as owned facts.

use std::io::{self, Read, Seek, SeekFrom};
use std::time::Instant;

use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Dictionary, Error};
use serde::Serialize;

use super::failure::{Failure, FailureCode, Stage};
use super::ffi::input::{self, StreamFacts, StreamKind};
use super::ffi::log::CaptureGuard;
use super::io::{ReadSeek, Source, Watch, source_io};
use super::limits::Limits;
use super::metadata::{Chapter, Metadata, read};
use super::prescan::{self, CutOff, Verdict};
use super::sniff::{HEAD_BYTES, Kind, sniff};
use super::stage::{failed, stopped};

/// Demuxers that may be opened, by libav's names. Playlists, scripts, texts, pictures, devices and
/// emulators are not on it.
const DEMUXERS: &str = "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,matroska,\
mov,mp3,mpc,mpc8,mpeg,mpegts,ogg,shn,tak,tta,voc,w64,wav,wv";

/// Decoders that may be opened, by libav's names (`mp3float`, not only `mp3`). The two picture
/// decoders give covers a size; nothing here decodes moving pictures.
const DECODERS: &str = "aac,aac_latm,ac3,adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,alac,amrnb,\
amrwb,ape,dca,dsd_lsbf,dsd_lsbf_planar,dsd_msbf,dsd_msbf_planar,eac3,flac,g722,g726,gsm,gsm_ms,\
mjpeg,mlp,mp1,mp1float,mp2,mp2float,mp3,mp3float,mpc7,mpc8,opus,pcm_alaw,pcm_f32be,pcm_f32le,\
pcm_f64be,pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,\
pcm_u8,png,shorten,speex,tak,truehd,tta,vorbis,wavpack,wmalossless,wmapro,wmav1,wmav2";

/// Facts of a source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// The container in one word.
    pub container: String,
    /// Length as the container claims or its bit rate suggests.
    pub duration_seconds: Option<f64>,
    /// The audio streams, in container order.
    #[serde(rename = "streams")]
    pub audio: Vec<AudioStream>,
    /// Number of attached pictures.
    pub covers: usize,
    /// Chapters, by time.
    pub chapters: Vec<Chapter>,
    /// Texts and pictures as far as they do not depend on the stream that is chosen.
    #[serde(skip)]
    pub metadata: Metadata,
    /// Whether the file brings so many tags that they were not read.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_unread_tags: bool,
    /// Whether the length is no more than the size of the file by its bit rate.
    #[serde(skip)]
    pub is_length_guessed: bool,
    /// Samples per channel, where libav counts them wrongly.
    #[serde(skip)]
    pub samples: Option<u64>,
    /// Streams with texts in no known encoding, of their own or of the container.
    #[serde(skip)]
    pub guessed_texts: Vec<usize>,
    /// Tags of the container, in order.
    #[serde(serialize_with = "tags_as_map")]
    pub tags: Vec<(String, String)>,
}

/// One audio stream that can be decoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AudioStream {
    /// Position in the container.
    pub index: usize,
    /// libav's name of the codec.
    pub codec: String,
    /// libav's decoder that will be taken.
    #[serde(skip)]
    pub decoder: String,
    /// Samples per second and channel.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Significant bits of a sample where the codec is lossless, else 0.
    pub bits_per_sample: u32,
    /// Whether the samples are floating point.
    #[serde(skip)]
    pub is_float: bool,
    /// Bits per second as the file claims; 0 when it does not.
    pub bit_rate: u64,
    /// The codec's profile, by libav's number.
    #[serde(skip)]
    pub profile: i32,
    /// Length as the container claims.
    pub duration_seconds: Option<f64>,
    /// Whether the container marks it as the default.
    pub is_default: bool,
    /// Tags of the stream, in order.
    #[serde(serialize_with = "tags_as_map")]
    pub tags: Vec<(String, String)>,
}

impl AudioStream {
    /// Whether the codec keeps every bit of its samples.
    #[must_use]
    pub fn is_lossless(&self) -> bool {
        self.bits_per_sample > 0 || self.is_float
    }
}

impl Probe {
    /// Takes the pre-skip of Opus in Ogg off its length: libav's is the granule position at its end
    /// (RFC 7845 section 4.3).
    fn forget_pre_skip(&mut self, input: &Input) {
        let facts = input::streams(input);
        let [stream] = &mut self.audio[..] else { return };
        if self.container != "ogg" || stream.codec != "opus" {
            return;
        }
        let pre_skip = facts.iter().find(|facts| facts.index == stream.index);
        let pre_skip = pre_skip.map_or(0.0, |facts| facts.priming_seconds);
        for seconds in [&mut stream.duration_seconds, &mut self.duration_seconds] {
            *seconds = seconds.map(|seconds| (seconds - pre_skip).max(0.0));
        }
    }

    /// Takes the file at its word: libav cuts the length of PCM in RIFF and Wave64 down to what is
    /// there, without a word.
    fn promise(&mut self, cut_off: CutOff) {
        let [stream] = &mut self.audio[..] else { return };
        if !stream.codec.starts_with("pcm_") {
            return;
        }
        for seconds in [&mut stream.duration_seconds, &mut self.duration_seconds] {
            *seconds = Some(cut_off.promised_seconds);
        }
        self.is_length_guessed = false;
    }
}

impl AudioStream {
    /// Big-endian samples in place of little-endian ones: libav 5.1 does not turn RIFX around.
    fn turn_around(&mut self) {
        for name in [&mut self.codec, &mut self.decoder] {
            if let Some(stem) = name.strip_suffix("le").filter(|stem| stem.starts_with("pcm_")) {
                *name = format!("{stem}be");
            }
        }
    }

    /// Why the linked libav gives no sound of it, though it has no word on that.
    #[must_use]
    pub fn undecodable(&self) -> Option<&'static str> {
        const DECODES_32_BITS: u32 = 60;
        let (major, _, _) = super::ffi::version::codec_library();
        (self.codec == "flac" && self.bits_per_sample > 24 && major < DECODES_32_BITS).then_some(
            "FLAC with 32 bits a sample is read from FFmpeg 6 on; this server is built with an older one.",
        )
    }
}

fn tags_as_map<S: serde::Serializer>(tags: &[(String, String)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(tags.iter().map(|(key, value)| (key, value)))
}

/// An opened source together with its facts.
pub struct Opened {
    /// The demuxer.
    pub input: Input,
    /// Its facts.
    pub probe: Probe,
    /// Where it came from, as libav is to see it when it is opened again.
    pub source: Source,
}

/// Opens a source. Blocks while it reads; cancel is seen at every read.
///
/// # Errors
/// A [`Failure`] of stage `reading` that says what the content is or lacks. The caller attaches
/// the log lines.
pub fn open(
    source: Source,
    limits: &Limits,
    watch: &Watch,
    log: &CaptureGuard,
) -> Result<Opened, Failure> {
    watch.progress.enter(Stage::Reading);
    let cannot_read = |error: io::Error| cannot_read(&error, watch);
    let head = source.peek(HEAD_BYTES).map_err(cannot_read)?;
    if head.is_empty() {
        return Err(Failure::new(FailureCode::EmptyFile, Stage::Reading, "The file is empty."));
    }
    let kind = sniff(&head);
    let weighed = source.with(|stream| prescan::scan(&mut Watched { stream, watch }));
    let weighed = weighed.map_err(cannot_read)?;
    let Verdict::Fine { overlays, is_heavy_for_all, cut_off, samples } = weighed else {
        let message = "The file brings more tags than this server takes.";
        return Err(Failure::new(FailureCode::LimitExceeded, Stage::Reading, message));
    };
    let source = source.overlaid(overlays);
    // lofty takes as long over them as libav does.
    let tagged = if is_heavy_for_all {
        Metadata::default()
    } else {
        let tagged = source.with(|stream| read::tagged(&mut Watched { stream, watch }));
        tagged.map_err(cannot_read)?
    };
    let started = Instant::now();
    let opened = open_input(&source, limits, watch);
    tracing::debug!(milliseconds = started.elapsed().as_millis(), "source opened");
    let input = opened.map_err(|error| cannot_open(error, kind, watch, log))?;
    let mut probe = examine(&input, kind, limits)?;
    if head.starts_with(b"RIFX") {
        probe.audio.iter_mut().for_each(AudioStream::turn_around);
    }
    probe.samples = samples;
    probe.forget_pre_skip(&input);
    if let Some(cut_off) = cut_off {
        probe.promise(cut_off);
    }
    probe.metadata = tagged.or(read::of_input(&input));
    probe.has_unread_tags = is_heavy_for_all;
    probe.covers = probe.metadata.pictures.len();
    probe.chapters.clone_from(&probe.metadata.chapters);
    Ok(Opened { input, probe, source })
}

/// Opens a source again that [`open`] has taken before.
///
/// # Errors
/// As [`open`].
pub fn reopen(
    source: &Source,
    limits: &Limits,
    watch: &Watch,
    log: &CaptureGuard,
) -> Result<Input, Failure> {
    open_input(source, limits, watch).map_err(|error| cannot_open(error, Kind::Unknown, watch, log))
}

/// A stream that is read until it is to stop.
struct Watched<'a> {
    stream: &'a mut dyn ReadSeek,
    watch: &'a Watch,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.watch.cancel.is_stopped() {
            return Err(io::Error::other("stopped"));
        }
        self.watch.progress.moved();
        self.stream.read(buffer)
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.stream.seek(target)
    }
}

fn cannot_read(error: &io::Error, watch: &Watch) -> Failure {
    if let Some(reason) = watch.cancel.reason() {
        return stopped(reason, Stage::Reading);
    }
    let message = format!("The source cannot be read: {error}.");
    Failure::new(FailureCode::InputGone, Stage::Reading, message)
}

fn open_input(source: &Source, limits: &Limits, watch: &Watch) -> Result<Input, Error> {
    let mut options = Dictionary::new();
    // Custom I/O needs no protocol at all; nested opens are refused by the empty list.
    options.set("protocol_whitelist", "");
    options.set("format_whitelist", DEMUXERS);
    options.set("codec_whitelist", DECODERS);
    options.set("max_streams", &limits.streams.to_string());
    let cancel = watch.cancel.clone();
    ffmpeg_next::format::input_from_stream_with_interrupt(
        source_io(source, watch)?,
        None,
        Some(options),
        move || cancel.is_stopped(),
    )
}

fn cannot_open(error: Error, kind: Kind, watch: &Watch, log: &CaptureGuard) -> Failure {
    let refused_format = log.lines().iter().any(|line| line.text.contains("not on whitelist"));
    let (code, message) = match kind {
        Kind::Other { name } => (FailureCode::NotAudio, format!("This is {name}, not audio.")),
        Kind::Playlist { name } => (
            FailureCode::UnsupportedFormat,
            format!("This is {name}: it names other files and holds no sound itself."),
        ),
        Kind::Media { .. } | Kind::Unknown if refused_format => (
            FailureCode::UnsupportedFormat,
            String::from("This kind of file is not opened by this server."),
        ),
        Kind::Media { extension, .. } => (
            FailureCode::CorruptInput,
            format!(
                "The file starts like {extension} but is damaged or cut off: nothing in it can be read."
            ),
        ),
        Kind::Unknown => (
            FailureCode::NotAudio,
            String::from("This is not audio, or a kind of audio that is not known here."),
        ),
    };
    failed(error, Failure::new(code, Stage::Reading, message), watch)
}

fn examine(input: &Input, kind: Kind, limits: &Limits) -> Result<Probe, Failure> {
    let streams = input::streams(input);
    let audio: Vec<&StreamFacts> =
        streams.iter().filter(|stream| stream.kind == StreamKind::Audio).collect();
    let Some(first) = audio.first() else {
        return Err(match kind {
            Kind::Other { name } => Failure::new(
                FailureCode::NotAudio,
                Stage::Reading,
                format!("This is {name}, not audio."),
            ),
            Kind::Media { .. } | Kind::Playlist { .. } | Kind::Unknown => Failure::new(
                FailureCode::NoAudioStream,
                Stage::Reading,
                "There is no sound in this file.",
            ),
        });
    };
    if audio.iter().all(|stream| stream.is_encrypted) {
        return Err(Failure::new(
            FailureCode::Encrypted,
            Stage::Reading,
            "The sound in this file is encrypted; it can be converted only after its protection is removed.",
        ));
    }
    let usable: Vec<AudioStream> = audio
        .iter()
        .filter(|stream| !stream.is_encrypted)
        .filter_map(|stream| audio_stream(stream))
        .collect();
    if usable.is_empty() {
        return Err(Failure::new(
            FailureCode::UnsupportedCodec,
            Stage::Reading,
            format!(
                "The sound is coded as \"{}\", which this server does not decode.",
                first.codec
            ),
        ));
    }
    for stream in &usable {
        // Zero means "not known before the first frame"; frames are checked one by one.
        if stream.sample_rate != 0 || stream.channels != 0 {
            limits.check_shape(stream.sample_rate, stream.channels)?;
        }
    }
    Ok(Probe {
        container: container_word(&input::container(input)),
        duration_seconds: input::duration_seconds(input),
        samples: None,
        is_length_guessed: input::is_duration_guessed(input),
        audio: usable,
        covers: 0,
        chapters: Vec::new(),
        metadata: Metadata::default(),
        has_unread_tags: false,
        guessed_texts: streams
            .iter()
            .map(|stream| stream.index)
            .filter(|&index| input::has_guessed_texts(input, index))
            .collect(),
        tags: container_tags(input),
    })
}

/// The container's tags; what libav calls the author of an AIFF file is its artist (AIFF, "AUTH").
fn container_tags(input: &Input) -> Vec<(String, String)> {
    let mut tags = input::tags(input);
    if input::container(input) == "aiff" {
        for (name, _) in &mut tags {
            if name == "author" {
                *name = String::from("artist");
            }
        }
    }
    tags
}

fn audio_stream(stream: &StreamFacts) -> Option<AudioStream> {
    let decoder = stream.decoder.clone()?;
    DECODERS.split(',').any(|allowed| allowed == decoder).then(|| AudioStream {
        index: stream.index,
        codec: stream.codec.clone(),
        decoder,
        sample_rate: stream.sample_rate,
        channels: stream.channels,
        bits_per_sample: stream.bits_per_sample,
        is_float: stream.is_float,
        bit_rate: stream.bit_rate,
        profile: stream.profile,
        duration_seconds: stream.duration_seconds,
        is_default: stream.is_default,
        tags: stream.tags.clone(),
    })
}

/// libav names a demuxer after everything it opens; people want one word.
fn container_word(names: &str) -> String {
    match names {
        "mov,mp4,m4a,3gp,3g2,mj2" => "mp4",
        "matroska,webm" => "matroska",
        one => one,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_opens_other_files_is_on_the_lists() {
        for denied in
            ["hls", "dash", "concat", "sdp", "rtp", "rtsp", "image2", "lavfi", "tty", "srt"]
        {
            assert!(!DEMUXERS.split(',').any(|allowed| allowed == denied), "{denied}");
        }
        assert!(!DECODERS.contains("magicyuv") && !DECODERS.contains(char::is_whitespace));
    }
}
