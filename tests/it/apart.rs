//! Recordings that several cores read apart, each a part of it.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audiomill::base::{CancelToken, StopReason};
use audiomill::media::convert::Output;
use audiomill::media::cores::Cores;
use audiomill::media::options::parse;
use audiomill::media::{Conversion, Failure, FailureCode, Limits, Progress, Sink, Source, convert};
use serde_json::Value;

use crate::support::disk::{Stuck, decoded_at_standstill};
use crate::support::recording::music;

/// More than one reader keeps at work: with so many, every format is read in parts.
const MANY: usize = 10;
/// Enough for parts of AAC, which are a minute long at the least.
const LONG_SECONDS: u32 = 130;

/// What was done, the bytes, and the shape of the sound.
type Made = (Output, Vec<u8>, Value);

struct Attempt<'a> {
    options: &'a [(&'a str, &'a str)],
    cores: usize,
    limit: u64,
    cancel: CancelToken,
}

impl Attempt<'_> {
    fn at(&self, source: &[u8]) -> Result<Made, Failure> {
        let source = Source::new(std::io::Cursor::new(source.to_vec()), Some(source.len() as u64));
        let mut place = tempfile::tempfile().expect("a temporary file");
        let sink = Sink::new(place.try_clone().expect("the same file"), self.limit);
        let conversion = Conversion {
            cancel: self.cancel.clone(),
            ..conversion(self.options, &Cores::new(self.cores))
        };
        let done = convert(&conversion, source, sink, &mut |_, _| {})?;
        let mut bytes = Vec::new();
        place.seek(SeekFrom::Start(0)).expect("at its start");
        place.read_to_end(&mut bytes).expect("read");
        let shape = conversion.progress.shape(|shape| shape.scaled(500, None).to_json());
        Ok((done, bytes, shape))
    }
}

fn conversion(options: &[(&str, &str)], cores: &Cores) -> Conversion {
    Conversion {
        request: parse(None, options.iter().copied()).expect("options"),
        adjustment: None,
        limits: Limits::default(),
        seat: cores.join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    }
}

fn made(source: &[u8], options: &[(&str, &str)], cores: usize) -> Made {
    let cancel = CancelToken::default();
    let attempt = Attempt { options, cores, limit: u64::MAX >> 1, cancel };
    attempt.at(source).unwrap_or_else(|failure| panic!("{options:?}: {failure:?}"))
}

fn recording(folder: &Path, name: &str, seconds: u32, options: &[&str]) -> Vec<u8> {
    std::fs::read(music(folder, name, seconds, options)).expect("read")
}

/// Codes of the warnings.
fn codes(done: &Output) -> Vec<&'static str> {
    done.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn parts_of_every_kind_of_source_are_bit_by_bit_the_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sources: [(&str, &[&str]); 11] = [
        ("a.wav", &[]),
        ("b.wav", &["-ar", "48000", "-c:a", "pcm_s24le"]),
        ("c.flac", &[]),
        ("d.m4a", &["-c:a", "alac"]),
        ("e.mp3", &["-b:a", "128k"]),
        ("f.mp3", &["-q:a", "4", "-write_xing", "0"]),
        ("g.opus", &["-b:a", "96k"]),
        ("h.wv", &[]),
        ("i.aiff", &[]),
        ("j.w64", &["-ar", "22050", "-ac", "1"]),
        ("k.caf", &[]),
    ];
    let targets: [&[(&str, &str)]; 4] = [
        &[("format", "alac")],
        &[("format", "tta")],
        &[("format", "alac"), ("sample_rate", "48000")],
        &[("format", "alac"), ("sample_rate", "32000"), ("channels", "1")],
    ];
    for (name, options) in sources {
        let source = recording(folder.path(), name, 45, options);
        for target in targets {
            let target = [target, &[("reencode", "always")]].concat();
            let told = format!("{name} to {target:?}");
            let (serial, expected, shape) = made(&source, &target, 1);
            let (done, bytes, same_shape) = made(&source, &target, MANY);
            assert!(done.segments() > 1, "{told}: {} parts", done.segments());
            assert!(bytes == expected, "{told}: other bytes");
            assert_eq!((done.samples, codes(&done)), (serial.samples, codes(&serial)), "{told}");
            assert!(same_shape == shape, "{told}: the sound looks different");
        }
    }
}

#[test]
fn what_cannot_be_read_in_parts_is_read_in_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let whole = |name: &str, options: &[&str]| recording(folder.path(), name, 45, options);
    let mut damaged = whole("damaged.mp3", &["-b:a", "128k"]);
    let middle = damaged.len() / 2;
    damaged[middle..middle + 3000].fill(0x55);
    let mut torn = whole("torn.flac", &[]);
    torn.truncate(torn.len() * 2 / 3);
    let mut changing = recording(folder.path(), "1.mp3", 30, &["-b:a", "128k"]);
    changing.extend(recording(folder.path(), "2.mp3", 30, &["-b:a", "64k", "-ac", "1"]));
    // Three times as long as it is, by its own word.
    let mut boasting = whole("boasting.wav", &[]);
    let length = u32::try_from(boasting.len()).expect("small") * 3;
    boasting[4..8].copy_from_slice(&length.to_le_bytes());
    let data = boasting.windows(4).position(|word| word == b"data").expect("a chunk");
    boasting[data + 4..data + 8].copy_from_slice(&length.to_le_bytes());
    // Half of such a file may be missed by who looks for a place in it, and nothing sounds wrong.
    let twice = |name: &str, options: &[&str]| whole(name, options).repeat(2);
    let silence = ["-af", "volume=0:enable='between(t,3,43)'", "-c:a", "flac"];
    let sources = [
        ("two silences", twice("silence.oga", &silence)),
        ("Opus twice", twice("twice.opus", &["-b:a", "96k"])),
        ("FLAC twice", twice("twice.flac", &[])),
        ("MP3 twice", twice("twice.mp3", &["-b:a", "96k"])),
        ("damaged", damaged),
        ("torn", torn),
        ("changing", changing),
        ("boasting", boasting),
        ("noise in its decoder", whole("a.m4a", &["-c:a", "aac"])),
        ("guessed timestamps", whole("a.ogg", &["-c:a", "libvorbis"])),
    ];
    for (told, source) in sources {
        for format in ["alac", "tta"] {
            let target = [("format", format), ("reencode", "always")];
            let (serial, expected, shape) = made(&source, &target, 1);
            let (done, bytes, same_shape) = made(&source, &target, MANY);
            assert!(bytes == expected, "{told} to {format}: other bytes");
            assert_eq!((done.samples, codes(&done)), (serial.samples, codes(&serial)), "{told}");
            assert!(same_shape == shape, "{told} to {format}: the sound looks different");
            assert_eq!(serial.serial_because, Some("one_core"));
            println!("{told} to {format}: {} pieces, {:?}", done.segments(), done.serial_because);
        }
    }
}

#[test]
fn aac_of_long_recordings_is_read_in_parts_and_has_few_seams() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sources: [(&str, &[&str]); 4] = [
        ("a.wav", &[]),
        ("b.wav", &["-c:a", "pcm_f32le"]),
        ("c.mp3", &["-b:a", "192k"]),
        ("d.flac", &["-sample_fmt", "s32", "-ar", "48000"]),
    ];
    for (name, options) in sources {
        let source = recording(folder.path(), name, LONG_SECONDS, options);
        let target = [("format", "m4a"), ("bitrate", "96k")];
        let (serial, expected, _) = made(&source, &target, 1);
        let (done, bytes, _) = made(&source, &target, 4);
        assert_eq!((done.segments(), done.serial_because), (2, None), "{name}");
        assert_eq!((done.samples, codes(&done)), (serial.samples, codes(&serial)), "{name}");
        let growth = bytes.len() as f64 / expected.len() as f64 - 1.0;
        assert!(growth.abs() < 0.005, "{name}: {growth:+.4} of the size");
    }
}

#[test]
fn cancel_and_a_full_disk_are_as_on_one_core() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = recording(folder.path(), "a.flac", 60, &[]);
    for format in ["alac", "mp3", "opus", "ogg", "m4a", "tta"] {
        let options = [("format", format)];
        let free = CancelToken::default();
        let full = Attempt { options: &options, cores: MANY, limit: 300_000, cancel: free };
        let code = full.at(&source).err().map(|failure| failure.code);
        assert_eq!(code, Some(FailureCode::OutputLimit), "{format}");
        let cancel = CancelToken::default();
        let stopper = cancel.clone();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(30));
            stopper.stop(StopReason::Cancelled);
        });
        let attempt = Attempt { options: &options, cores: MANY, limit: u64::MAX >> 1, cancel };
        let stopped = attempt.at(&source).err().map(|failure| failure.code);
        stop.join().expect("stopped");
        // Quick machines may be done by then.
        assert!(stopped.is_none_or(|code| code == FailureCode::Cancelled), "{format}: {stopped:?}");
    }
}

/// A disk with a place that cannot be read.
struct Scratched {
    inner: Cursor<Vec<u8>>,
    scratch: Range<u64>,
}

impl Read for Scratched {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let at = self.inner.position();
        if self.scratch.contains(&at) {
            return Err(std::io::Error::other("the disk is scratched"));
        }
        let left = self.scratch.start.checked_sub(at).unwrap_or(u64::MAX);
        let most = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.inner.read(&mut bytes[..most])
    }
}

impl Seek for Scratched {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_source_that_can_no_longer_be_read_fails_as_on_one_core() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, format) in
        [("a.mp3", "alac"), ("b.flac", "mp3"), ("c.wav", "opus"), ("d.wav", "m4a")]
    {
        let whole = recording(folder.path(), name, LONG_SECONDS, &[]);
        let failed = |cores: usize, place: u64| {
            let length = whole.len() as u64;
            let inner = Cursor::new(whole.clone());
            // In one part, or in the middle of two.
            let from = length * place / 10;
            let scratch = from..from + (1 << 18);
            let source = Source::new(Scratched { inner, scratch }, Some(length));
            let conversion = conversion(&[("format", format)], &Cores::new(cores));
            let place = tempfile::tempfile().expect("a temporary file");
            let sink = Sink::new(place, u64::MAX >> 1);
            let failure = convert(&conversion, source, sink, &mut |_, _| {}).err();
            let failure = failure.unwrap_or_else(|| panic!("{name} to {format}: done"));
            let decoded = conversion.progress.snapshot().samples_decoded;
            assert!(decoded > 44_100, "{name} to {format}: it ended early, {failure:?}");
            (failure.code, failure.stage, failure.message)
        };
        for place in [5, 8] {
            let (one, many) = (failed(1, place), failed(MANY, place));
            assert_eq!(one, many, "{name} to {format}");
            assert!(one.2.contains("scratched"), "{name} to {format}: {}", one.2);
        }
    }
}

#[test]
fn a_disk_that_stands_still_holds_all_parts_up() {
    const MINUTES: u32 = 20;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flac = recording(folder.path(), "a.flac", MINUTES * 60, &[]);
    for options in [&[("format", "alac")][..], &[("format", "opus"), ("bitrate", "512k")]] {
        let source = Source::new(Cursor::new(flac.clone()), Some(flac.len() as u64));
        let is_free = Arc::new(AtomicBool::new(false));
        let stuck = Stuck::after(1 << 18, &is_free);
        let conversion = conversion(options, &Cores::new(2));
        let progress = Arc::clone(&conversion.progress);
        let sink = Sink::new(stuck, u64::MAX >> 1);
        let work = std::thread::spawn(move || convert(&conversion, source, sink, &mut |_, _| {}));
        let decoded = decoded_at_standstill(&progress);
        let whole = u64::from(MINUTES) * 60 * 44_100;
        assert!(
            decoded < whole * 3 / 4,
            "{options:?}: {decoded} of {whole} samples wait in memory"
        );
        is_free.store(true, Ordering::Relaxed);
        let done = work.join().expect("no panic").expect("done");
        assert_eq!(done.samples, u64::from(MINUTES * 60 * done.sample_rate), "{options:?}");
        assert!(done.segments() > 1, "{options:?}");
    }
}

#[test]
fn one_file_in_several_conversions_at_once_comes_out_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = recording(folder.path(), "a.mp3", 60, &["-b:a", "128k"]);
    let path = folder.path().join("a.mp3");
    let (_, expected, _) = made(&source, &[("format", "alac")], 1);
    let cores = Cores::new(MANY);
    let work: Vec<_> = (0..4)
        .map(|_| {
            let (path, conversion) = (path.clone(), conversion(&[("format", "alac")], &cores));
            std::thread::spawn(move || {
                let file = std::fs::File::open(path).expect("there");
                let length = file.metadata().expect("facts").len();
                let mut place = tempfile::tempfile().expect("a temporary file");
                let sink = Sink::new(place.try_clone().expect("the same file"), u64::MAX >> 1);
                let source = Source::new(file, Some(length));
                let done = convert(&conversion, source, sink, &mut |_, _| {}).expect("done");
                let mut bytes = Vec::new();
                place.seek(SeekFrom::Start(0)).expect("at its start");
                place.read_to_end(&mut bytes).expect("read");
                (done.segments(), bytes)
            })
        })
        .collect();
    let mut segments = 0;
    for one in work {
        let (own, bytes) = one.join().expect("no panic");
        segments += own;
        assert!(bytes == expected, "other bytes");
    }
    assert!(segments > 4, "none was split");
}
