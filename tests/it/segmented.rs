//! One file on several cores is what it is on one.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audiomill::base::{CancelToken, StopReason};
use audiomill::media::convert::Output;
use audiomill::media::cores::Cores;
use audiomill::media::options::parse;
use audiomill::media::request::{Exactness, Request};
use audiomill::media::{Conversion, FailureCode, Limits, Progress, Sink, Source, convert};

use crate::support::disk::{Stuck, decoded_at_standstill};
use crate::support::recording::{decoded_samples, ffmpeg, music};

/// Enough for several pieces on four cores.
const SECONDS: u32 = 45;

type Options<'a> = &'a [(&'a str, &'a str)];

/// Converts in this process; what was done, and the bytes.
fn converted(source: &Path, options: Options<'_>, cores: usize) -> (Output, Vec<u8>) {
    let request = parse(None, options.iter().copied()).expect("options");
    requested(source, request, cores)
}

fn requested(source: &Path, request: Request, cores: usize) -> (Output, Vec<u8>) {
    let told = format!("{request:?}");
    let length = std::fs::metadata(source).expect("a file").len();
    let source = Source::new(std::fs::File::open(source).expect("opened"), Some(length));
    let mut place = tempfile::tempfile().expect("a temporary file");
    let sink = Sink::new(place.try_clone().expect("the same file"), 1 << 32);
    let conversion = Conversion {
        request,
        adjustment: None,
        limits: Limits::default(),
        seat: Cores::new(cores).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let done = convert(&conversion, source, sink, &mut |_, _| {});
    let done = done.unwrap_or_else(|failure| panic!("{told}: {failure:?}"));
    let mut bytes = Vec::new();
    place.seek(SeekFrom::Start(0)).expect("at its start");
    place.read_to_end(&mut bytes).expect("read");
    (done, bytes)
}

/// A hash of the decoded samples, as 32-bit integers.
fn decoded(bytes: &[u8], folder: &Path) -> Vec<u8> {
    let file = folder.join("decoded");
    std::fs::write(&file, bytes).expect("written");
    let path = file.to_str().expect("a path");
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "warning", "-i", path, "-c:a", "pcm_s32le", "-f", "md5", "-"])
        .output()
        .expect("the ffmpeg command");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn sources(folder: &Path) -> Vec<(&'static str, PathBuf)> {
    let kinds: [(&str, &[&str]); 5] = [
        ("stereo, 16 bits", &["-c:a", "pcm_s16le"]),
        ("stereo, 24 bits", &["-c:a", "pcm_s24le"]),
        ("stereo, 32 bits", &["-c:a", "pcm_s32le"]),
        ("mono, 16 bits", &["-ac", "1", "-c:a", "pcm_s16le"]),
        ("5.1, 16 bits", &["-af", "pan=5.1|c0=c0|c1=c1|c2=c0|c3=c1|c4=c0|c5=c1"]),
    ];
    let made = |(at, (told, options)): (usize, (&'static str, &[&str]))| {
        (told, music(folder, &format!("{at}.wav"), SECONDS, options))
    };
    kinds.into_iter().enumerate().map(made).collect()
}

#[test]
fn lossless_pieces_are_bit_by_bit_what_one_encoder_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let targets: [&[(&str, &str)]; 10] = [
        &[("format", "flac")],
        &[("format", "flac"), ("quality", "0")],
        &[("format", "flac"), ("quality", "8")],
        &[("format", "flac"), ("quality", "12"), ("channels", "1")],
        &[("format", "alac")],
        &[("format", "tta")],
        &[("format", "wav")],
        &[("format", "wav"), ("bit_depth", "32f")],
        &[("format", "aiff"), ("bit_depth", "24")],
        &[("format", "flac"), ("start", "1.5"), ("end", "40.25")],
    ];
    for (told, source) in sources(folder.path()) {
        for target in targets {
            let (serial, expected) = converted(&source, target, 1);
            assert_eq!((serial.segments(), serial.serial_because), (1, Some("one_core")));
            let (done, bytes) = converted(&source, target, 4);
            assert!(done.segments() > 2, "{told} to {target:?}: {} pieces", done.segments());
            assert_eq!(done.serial_because, None);
            assert!(bytes == expected, "{told} to {target:?}: other bytes");
            assert_eq!(done.samples, serial.samples);
        }
        let (serial, expected) = converted(&source, &[("format", "wv")], 1);
        let (done, bytes) = converted(&source, &[("format", "wv")], 4);
        assert!(done.segments() > 2 && done.samples == serial.samples);
        // Its encoder remembers what came before: other bytes, the same sound.
        let sounds = [&expected, &bytes].map(|bytes| decoded(bytes, folder.path()));
        assert_eq!(sounds[0], sounds[1], "{told} to WavPack");
    }
}

#[test]
fn lossless_pieces_are_what_the_command_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let flac =
        |level: &'static str| -> [(&str, &str); 2] { [("format", "flac"), ("quality", level)] };
    let levels = ["0", "5", "8", "12"].map(|level| (level, flac(level)));
    let theirs = levels.map(|(level, _)| ["-compression_level", level]);
    let mut cases: Vec<Case<'_>> =
        vec![("m4a", &[("format", "alac")], &["-c:a", "alac"]), ("tta", &[("format", "tta")], &[])];
    cases.extend(
        levels.iter().zip(&theirs).map(|((_, ours), theirs)| ("flac", &ours[..], &theirs[..])),
    );
    for (told, source) in sources(folder.path()) {
        let bits = if told.ends_with("16 bits") { "16" } else { "24" };
        let (little, big) = (format!("pcm_s{bits}le"), format!("pcm_s{bits}be"));
        let pcm: [Case<'_>; 2] = [
            ("wav", &[("format", "wav"), ("bit_depth", bits)], &["-c:a", &little]),
            ("aiff", &[("format", "aiff"), ("bit_depth", bits)], &["-c:a", &big]),
        ];
        for (extension, ours, theirs) in cases.iter().chain(&pcm) {
            let request = parse(None, ours.iter().copied()).expect("options");
            let request = Request { exactness: Exactness::BitExact, ..request };
            let (done, bytes) = requested(&source, request, 4);
            assert!(done.segments() > 2, "{told} to {ours:?}: {} pieces", done.segments());
            let expected = folder.path().join("theirs").with_extension(extension);
            let paths = [&source, &expected].map(|path| path.to_str().expect("a UTF-8 path"));
            let exact = ["-bitexact", "-map_metadata", "-1", paths[1]];
            ffmpeg(&[&["-i", paths[0], "-map", "0:a:0"], &theirs[..], &exact].concat());
            let expected = std::fs::read(&expected).expect("theirs");
            assert!(bytes == expected, "{told} to {ours:?}: other bytes than the command's");
        }
    }
}

#[test]
fn what_does_not_pay_is_not_split() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let short = music(folder.path(), "short.wav", 5, &[]);
    let (done, _) = converted(&short, &[("format", "flac")], 4);
    assert_eq!((done.segments(), done.serial_because), (1, Some("short")), "five seconds");
    let long = music(folder.path(), "long.wav", SECONDS, &[]);
    let (done, _) = converted(&long, &[("format", "flac"), ("threads", "1")], 4);
    assert_eq!((done.segments(), done.serial_because), (1, Some("one_core")));
    let (done, _) = converted(&long, &[("format", "flac"), ("threads", "2")], 4);
    assert!(done.segments() > 1);
}

/// Converts to FLAC with this limit on the output, under this token.
fn attempted(
    bytes: &[u8],
    cores: usize,
    limit: u64,
    cancel: &CancelToken,
) -> Result<(Output, Vec<u8>), FailureCode> {
    attempted_to("flac", bytes, cores, limit, cancel)
}

fn attempted_to(
    format: &str,
    bytes: &[u8],
    cores: usize,
    limit: u64,
    cancel: &CancelToken,
) -> Result<(Output, Vec<u8>), FailureCode> {
    let source = Source::new(std::io::Cursor::new(bytes.to_vec()), Some(bytes.len() as u64));
    let mut place = tempfile::tempfile().expect("a temporary file");
    let sink = Sink::new(place.try_clone().expect("the same file"), limit);
    let conversion = Conversion {
        request: parse(None, [("format", format), ("reencode", "always")]).expect("options"),
        adjustment: None,
        limits: Limits::default(),
        seat: Cores::new(cores).join(),
        cancel: cancel.clone(),
        progress: Arc::new(Progress::default()),
    };
    let done = convert(&conversion, source, sink, &mut |_, _| {});
    let done = done.map_err(|failure| failure.code)?;
    let mut made = Vec::new();
    place.seek(SeekFrom::Start(0)).expect("at its start");
    place.read_to_end(&mut made).expect("read");
    Ok((done, made))
}

#[test]
fn cancel_a_full_disk_and_damage_are_as_on_one_core() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flac = music(folder.path(), "in.flac", SECONDS, &[]);
    let mut bytes = std::fs::read(flac).expect("read");
    let whole = u64::MAX >> 1;
    let free = CancelToken::default();
    let formats = ["flac", "mp3", "opus", "ogg"];
    for (format, cores) in formats.into_iter().flat_map(|format| [(format, 1), (format, 4)]) {
        let full = attempted_to(format, &bytes, cores, 500_000, &free);
        assert_eq!(full.err(), Some(FailureCode::OutputLimit), "{format}, {cores} cores");
        let cancel = CancelToken::default();
        let stopper = cancel.clone();
        let stop = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20));
            stopper.stop(StopReason::Cancelled);
        });
        let started = std::time::Instant::now();
        let stopped = attempted_to(format, &bytes, cores, whole, &cancel);
        assert!(started.elapsed().as_secs() < 20);
        stop.join().expect("stopped");
        // Quick machines may be done by then.
        assert!(stopped.is_ok() || stopped.err() == Some(FailureCode::Cancelled));
    }
    let middle = bytes.len() / 2;
    bytes[middle..middle + 3000].fill(0x55);
    let codes = |done: &Output| done.warnings.iter().map(|one| one.code).collect::<Vec<_>>();
    for format in formats {
        let done = |cores: usize| attempted_to(format, &bytes, cores, whole, &free).expect("done");
        let (one, four) = (done(1), done(4));
        // Behind the damage one lane may go on alone.
        assert!(four.0.segments() > 1, "{format}: {} pieces", four.0.segments());
        assert_eq!(one.0.samples, four.0.samples, "{format}");
        assert!(one.1 == four.1 || format != "flac", "{format}: other bytes");
        assert_eq!((codes(&one.0), codes(&four.0)), (vec!["damaged"], vec!["damaged"]));
    }
}

#[test]
fn a_recording_that_changes_in_the_middle_is_the_same_on_any_number_of_cores() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let part = |name: &str, options: &[&str]| {
        std::fs::read(music(folder.path(), name, 20, options)).expect("read")
    };
    // MP3 that becomes mono at another rate.
    let xing = ["-write_xing", "0", "-id3v2_version", "0"];
    let first = part("a.mp3", &xing);
    let second = part("b.mp3", &[&xing[..], &["-ac", "1", "-ar", "22050"]].concat());
    let bytes = [first, second].concat();
    let free = CancelToken::default();
    let made = [1, 4].map(|cores| attempted(&bytes, cores, u64::MAX >> 1, &free).expect("done"));
    assert!(made[1].0.segments() > 2 && made[0].1 == made[1].1);
}

#[test]
fn a_disk_that_stands_still_holds_the_encoders_up() {
    const MINUTES: u32 = 6;
    let wav = crate::support::recording::plain_wav(MINUTES * 60);
    let source = Source::new(std::io::Cursor::new(wav.clone()), Some(wav.len() as u64));
    let is_free = Arc::new(AtomicBool::new(false));
    let stuck = Stuck::after(1 << 20, &is_free);
    let progress = Arc::new(Progress::default());
    let conversion = Conversion {
        request: parse(None, [("format", "wav"), ("bit_depth", "24")]).expect("options"),
        adjustment: None,
        limits: Limits::default(),
        seat: Cores::new(4).join(),
        cancel: CancelToken::default(),
        progress: Arc::clone(&progress),
    };
    let sink = Sink::new(stuck, u64::MAX >> 1);
    let work = std::thread::spawn(move || convert(&conversion, source, sink, &mut |_, _| {}));
    let decoded = decoded_at_standstill(&progress);
    let whole = u64::from(MINUTES) * 60 * 44_100;
    assert!(decoded < whole / 2, "{decoded} of {whole} samples wait in memory");
    is_free.store(true, Ordering::Relaxed);
    let done = work.join().expect("no panic").expect("done");
    assert_eq!(done.samples, whole);
}

#[test]
fn recordings_of_hours_are_whole() {
    let hours: u32 = if std::env::var_os("AUDIOMILL_LONG").is_some() {
        10
    } else {
        eprintln!("skipped: ten hours (they are converted with AUDIOMILL_LONG); one hour is");
        1
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let narrow = ["-ar", "8000", "-ac", "1"];
    let hour = music(folder.path(), "hour.wav", 3600, &narrow);
    let [wav, flac] = ["a.wav", "a.flac"].map(|name| folder.path().join(name));
    let text = |path: &Path| path.to_str().expect("a path").to_owned();
    let more = (hours - 1).to_string();
    ffmpeg(&["-stream_loop", &more, "-i", &text(&hour), "-c", "copy", &text(&wav)]);
    ffmpeg(&["-i", &text(&wav), &text(&flac)]);
    let conversions: [(&Path, Options<'_>); 6] = [
        (&wav, &[("format", "flac")]),
        (&flac, &[("format", "alac")]),
        (&flac, &[("format", "mp3"), ("bitrate", "32k")]),
        (&wav, &[("format", "opus"), ("bitrate", "64k"), ("sample_rate", "48000")]),
        (&wav, &[("format", "ogg"), ("bitrate", "32k")]),
        (&wav, &[("format", "m4a"), ("bitrate", "32k")]),
    ];
    for (source, options) in conversions {
        let options = [options, &[("reencode", "always")]].concat();
        let format = options[0].1;
        let told = format!("{} to {format}", source.display());
        let (done, bytes) = converted(source, &options, 4);
        let seconds = u64::from(hours) * 3600;
        assert_eq!(done.samples, seconds * u64::from(done.sample_rate), "{told}");
        assert!(done.segments() > 3, "{told}: {} pieces", done.segments());
        assert!(done.warnings.is_empty(), "{told}: {:?}", done.warnings);
        if ["flac", "alac"].contains(&format) {
            let (_, expected) = converted(source, &options, 1);
            assert!(bytes == expected, "{told}: other bytes");
            continue;
        }
        let made = folder.path().join(format!("made.{format}"));
        std::fs::write(&made, &bytes).expect("written");
        let heard = decoded_samples(&made);
        // The command gives all of the last AAC frame.
        let padded = if format == "m4a" { 1024 } else { 1 };
        let whole = seconds * u64::from(done.sample_rate);
        assert!((whole..whole + padded).contains(&heard), "{told}: {heard} of {whole}");
    }
}
