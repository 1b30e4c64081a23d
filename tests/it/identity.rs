//! The engine makes, byte by byte, what the `ffmpeg` command makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::recording::{ffmpeg, music};
use crate::support::{AUDIOMILL, corpus};

struct Case {
    extension: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
}

const fn case(
    extension: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
) -> Case {
    Case { extension, ours, theirs }
}

const LOSSY: [Case; 11] = [
    case("mp3", &["--bitrate", "192k"], &["-b:a", "192k"]),
    case("mp3", &["--quality", "2"], &["-q:a", "2"]),
    case("m4a", &["--bitrate", "128k"], &["-c:a", "aac", "-b:a", "128k"]),
    case("opus", &["--bitrate", "96k"], &["-b:a", "96k"]),
    case("ogg", &[], &["-c:a", "libvorbis", "-q:a", "5"]),
    case("m4b", &["--bitrate", "96k"], &["-f", "ipod", "-c:a", "aac", "-b:a", "96k"]),
    case("aac", &["--bitrate", "128k"], &["-b:a", "128k"]),
    case("ac3", &["--bitrate", "192k"], &["-b:a", "192k"]),
    case("mka", &["--bitrate", "96k"], &["-c:a", "libopus", "-b:a", "96k"]),
    case("webm", &["--bitrate", "96k"], &["-c:a", "libopus", "-b:a", "96k"]),
    case(
        "mp3",
        &["--sample-rate", "32000", "--channels", "1", "--bitrate", "96k"],
        &["-ar", "32000", "-ac", "1", "-b:a", "96k"],
    ),
];
const LOSSLESS: [Case; 4] = [
    case("flac", &[], &[]),
    case("m4a", &["--format", "alac"], &["-c:a", "alac"]),
    case("wv", &[], &[]),
    case("tta", &[], &[]),
];
const PCM_16: [Case; 2] =
    [case("wav", &[], &["-c:a", "pcm_s16le"]), case("aiff", &[], &["-c:a", "pcm_s16be"])];
const PCM_24: [Case; 2] =
    [case("wav", &[], &["-c:a", "pcm_s24le"]), case("aiff", &[], &["-c:a", "pcm_s24be"])];

fn compare(folder: &Path, input: &Path, case: &Case) {
    let (ours, theirs) = (folder.join("ours"), folder.join("theirs"));
    let ours = ours.with_extension(case.extension);
    let theirs = theirs.with_extension(case.extension);
    let output = Command::new(AUDIOMILL)
        .arg("convert")
        .args([input, &ours])
        .args(["--bitexact", "--force"])
        .args(case.ours)
        .output()
        .expect("audiomill runs");
    let what = format!("{} {:?}", input.display(), case.ours);
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let mut arguments = vec!["-i", text(input), "-map", "0:a:0"];
    arguments.extend_from_slice(case.theirs);
    arguments.extend_from_slice(&["-bitexact", "-map_metadata", "-1", text(&theirs)]);
    ffmpeg(&arguments);
    let same = std::fs::read(&ours).expect("ours") == std::fs::read(&theirs).expect("theirs");
    assert!(same, "{what} to {} differs from the command's", case.extension);
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

#[test]
fn wav_to_every_target_is_what_the_command_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inputs = [
        (music(folder.path(), "a.wav", 7, &[]), &PCM_16),
        (music(folder.path(), "b.wav", 9, &["-ar", "8000", "-ac", "1"]), &PCM_16),
        (music(folder.path(), "c.wav", 5, &["-ar", "48000", "-c:a", "pcm_s24le"]), &PCM_24),
    ];
    for (input, pcm) in &inputs {
        for case in LOSSY.iter().chain(&LOSSLESS).chain(*pcm) {
            compare(folder.path(), input, case);
        }
    }
}

#[test]
fn compressed_sources_to_every_target_are_what_the_command_makes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let of = |name: &str, more: &[&str]| music(folder.path(), name, 6, more);
    let inputs: Vec<PathBuf> = vec![
        of("xing.mp3", &["-b:a", "128k"]),
        of("bare.mp3", &["-b:a", "128k", "-write_xing", "0", "-id3v2_version", "0"]),
        of("last.m4a", &["-c:a", "aac"]),
        of("first.m4a", &["-c:a", "aac", "-movflags", "+faststart"]),
        of("in.flac", &["-sample_fmt", "s32", "-ar", "48000"]),
        of("in.ogg", &["-c:a", "libvorbis"]),
        of("in.opus", &[]),
        of("in.webm", &["-c:a", "libopus"]),
        of("in.wma", &["-c:a", "wmav2"]),
        of("in.ac3", &["-b:a", "192k"]),
    ];
    for input in &inputs {
        let pcm = if input.ends_with("in.flac") { &PCM_24 } else { &PCM_16 };
        for case in LOSSY[..10].iter().chain(&LOSSLESS).chain(pcm) {
            compare(folder.path(), input, case);
        }
    }
}

#[test]
fn real_music_of_the_corpus_is_what_the_command_makes() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["aac-mp4/music-moov-end.m4a", "aac-mp4/librivox-sonnet-9s.aac"] {
        for case in LOSSY[..10].iter().chain(&LOSSLESS).chain(&PCM_16) {
            compare(folder.path(), &corpus.join(name), case);
        }
    }
}
