//! One file on several cores is what it is on one.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use audiomill::base::CancelToken;
use audiomill::media::convert::Output;
use audiomill::media::cores::Cores;
use audiomill::media::options::parse;
use audiomill::media::{Conversion, Limits, Progress, Sink, Source, convert};

use crate::support::recording::music;

/// Enough for several pieces on four cores.
const SECONDS: u32 = 45;

/// Converts in this process; what was done, and the bytes.
fn converted(source: &Path, options: &[(&str, &str)], cores: usize) -> (Output, Vec<u8>) {
    let length = std::fs::metadata(source).expect("a file").len();
    let source = Source::new(std::fs::File::open(source).expect("opened"), Some(length));
    let mut place = tempfile::tempfile().expect("a temporary file");
    let sink = Sink::new(place.try_clone().expect("the same file"), 1 << 32);
    let conversion = Conversion {
        request: parse(None, options.iter().copied()).expect("options"),
        adjustment: None,
        limits: Limits::default(),
        cores: Cores::new(cores),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let done = convert(&conversion, source, sink, &mut |_, _| {});
    let done = done.unwrap_or_else(|failure| panic!("{options:?}: {failure:?}"));
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
    let kinds: [(&str, &[&str]); 4] = [
        ("stereo, 16 bits", &["-c:a", "pcm_s16le"]),
        ("stereo, 24 bits", &["-c:a", "pcm_s24le"]),
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
            assert_eq!((serial.segments, serial.serial_because), (1, Some("one_core")));
            let (done, bytes) = converted(&source, target, 4);
            assert!(done.segments > 2, "{told} to {target:?}: {} pieces", done.segments);
            assert_eq!(done.serial_because, None);
            assert!(bytes == expected, "{told} to {target:?}: other bytes");
            assert_eq!(done.samples, serial.samples);
        }
        let (serial, expected) = converted(&source, &[("format", "wv")], 1);
        let (done, bytes) = converted(&source, &[("format", "wv")], 4);
        assert!(done.segments > 2 && done.samples == serial.samples);
        // Its encoder remembers what came before: other bytes, the same sound.
        let sounds = [&expected, &bytes].map(|bytes| decoded(bytes, folder.path()));
        assert_eq!(sounds[0], sounds[1], "{told} to WavPack");
    }
}

#[test]
fn what_does_not_pay_is_not_split() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let short = music(folder.path(), "short.wav", 5, &[]);
    let (done, _) = converted(&short, &[("format", "flac")], 4);
    assert_eq!(done.segments, 1, "five seconds");
    let long = music(folder.path(), "long.wav", SECONDS, &[]);
    let (done, _) = converted(&long, &[("format", "flac"), ("threads", "1")], 4);
    assert_eq!((done.segments, done.serial_because), (1, Some("one_core")));
    let (done, _) = converted(&long, &[("format", "flac"), ("threads", "2")], 4);
    assert!(done.segments > 1);
}
