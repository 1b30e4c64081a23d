//! Programs that share no code with libav find nothing to complain about in our outputs, and
//! decode from them what libav decodes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::AUDIOMILL;
use crate::support::recording::{ffmpeg, music};

/// Runs a referee: it must succeed; everything it says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A recording with tags, two covers and chapters, 3 seconds.
fn rich(folder: &Path) -> PathBuf {
    let plain = music(folder, "plain.flac", 3, &[]);
    for kind in ["jpg", "png"] {
        let cover = folder.join(format!("cover.{kind}"));
        ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=333x80", "-frames:v", "1", text(&cover)]);
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tags.py");
    let covers = ["cover.jpg", "cover.png"].map(|name| folder.join(name));
    said("/usr/bin/python3", &[script, "write", text(&plain), text(&covers[0]), text(&covers[1])]);
    plain
}

fn convert(input: &Path, name: &str) -> PathBuf {
    let output = input.with_file_name(name);
    said(AUDIOMILL, &["convert", "--force", text(input), text(&output)]);
    output
}

#[test]
fn validators_find_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = rich(folder.path());
    let file = |name| convert(&input, name);
    let flac = file("a.flac");
    said("flac", &["--test", "--silent", "--warnings-as-errors", text(&flac)]);
    let listed = said("metaflac", &["--list", text(&flac)]);
    assert_eq!(listed.matches("(VORBIS_COMMENT)").count(), 1, "{listed}");
    for (program, name) in [("opusinfo", "a.opus"), ("ogginfo", "a.ogg"), ("mp3val", "a.mp3")] {
        let report = said(program, &[text(&file(name))]);
        let complains =
            report.lines().find(|line| line.starts_with("WARNING") || line.contains("ERROR"));
        assert_eq!(complains, None, "{program}: {report}");
    }
    // The whole of every other container is walked over without a word.
    for name in ["a.m4a", "a.m4b", "a.wav", "a.aiff", "a.wv", "a.tta", "a.mka", "a.webm", "a.aac"] {
        let file = file(name);
        let arguments = ["-nostdin", "-v", "warning", "-i", text(&file), "-f", "null", "-"];
        let report = said("ffmpeg", &arguments);
        // libav says the first of any MP4 with a cover, its own included, and the third of a WAV
        // that has both kinds of tags.
        let known = [
            "timescale not set",
            "Last message repeated",
            "Discarding ID3 tags",
            "Guessed Channel",
            "Estimating duration",
        ];
        let complains = report.lines().find(|line| !known.iter().any(|known| line.contains(known)));
        assert_eq!(complains, None, "{name}");
    }
}

#[test]
fn other_decoders_give_the_same_samples() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = rich(folder.path());
    let count = |decoded: &Path| {
        let probe = ["-v", "error", "-show_entries", "stream=duration_ts", "-of", "csv=p=0"];
        let told = said("ffprobe", &[&probe[..], &[text(decoded)]].concat());
        told.trim().parse::<u64>().expect("a number of samples")
    };
    let wav = |name: &str| folder.path().join(name);
    let decoded = wav("flac.wav");
    said("flac", &["-d", "-s", "-f", "-o", text(&decoded), text(&convert(&input, "b.flac"))]);
    let sound = |file: &Path| {
        said(
            "ffmpeg",
            &[
                "-v",
                "error",
                "-i",
                text(file),
                "-map",
                "0:a",
                "-c:a",
                "pcm_s32le",
                "-f",
                "md5",
                "-",
            ],
        )
    };
    assert_eq!(sound(&decoded), sound(&input), "FLAC, decoded by flac");
    let decoded = wav("opus.wav");
    said("opusdec", &["--quiet", text(&convert(&input, "b.opus")), text(&decoded)]);
    assert_eq!(count(&decoded), 3 * 48_000, "Opus, decoded by opusdec");
    let decoded = wav("ogg.wav");
    said("oggdec", &["-Q", "-o", text(&decoded), text(&convert(&input, "b.ogg"))]);
    assert_eq!(count(&decoded), 3 * 44_100, "Vorbis, decoded by oggdec");
    let decoded = wav("mp3.wav");
    said("mpg123", &["-q", "-w", text(&decoded), text(&convert(&input, "b.mp3"))]);
    assert_eq!(count(&decoded), 3 * 44_100, "MP3, decoded by mpg123");
    let decoded = wav("wv.wav");
    said("wvunpack", &["-q", "-y", text(&convert(&input, "b.wv")), "-o", text(&decoded)]);
    assert_eq!(sound(&decoded), sound(&input), "WavPack, decoded by wvunpack");
}
