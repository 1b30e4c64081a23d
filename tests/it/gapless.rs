//! Parts of a recording join without a gap or a click; a seek lands where it should.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::AUDIOMILL;
use crate::support::recording::{ffmpeg, music};

const RATE: usize = 44_100;

fn convert(options: &[&str], input: &Path, output: &Path) {
    let ran = Command::new(AUDIOMILL)
        .args(["convert", "--force"])
        .args(options)
        .args([input, output])
        .output()
        .expect("audiomill runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Left and right of every sample that `ffmpeg` decodes, after these input options, at 44.1 kHz.
fn samples(file: &Path, before: &[&str]) -> Vec<i16> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(before)
        .arg("-i")
        .arg(file)
        .args(["-ar", "44100", "-ac", "2", "-f", "s16le", "-"])
        .output()
        .expect("the ffmpeg command");
    let (pairs, _) = output.stdout.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// The largest step between neighbouring samples of a channel, beyond what the source itself does.
fn largest_step(sound: &[i16], from: usize, to: usize) -> i32 {
    let step = |at: usize| (i32::from(sound[at + 2]) - i32::from(sound[at])).abs();
    (from * 2..to * 2).map(step).max().unwrap_or(0)
}

#[test]
fn a_track_cut_in_two_joins_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    // Low tones: a click of any kind stands out against their gentle slope.
    let source = path(folder, "source.wav");
    let tones = "aevalsrc=exprs=0.4*sin(110*2*PI*t)|0.4*sin(165*2*PI*t):s=44100:d=4";
    ffmpeg(&["-f", "lavfi", "-i", tones, &source.display().to_string()]);
    let whole = samples(&source, &[]);
    let cut = 2 * RATE + 123;
    let at = format!("{:.9}", 2.0 + 123.0 / 44_100.0);
    for target in ["flac", "alac", "wav", "wv", "mp3", "opus", "ogg"] {
        let extension = if target == "alac" { "m4a" } else { target };
        let [first, second] =
            ["first", "second"].map(|name| path(folder, &format!("{name}.{extension}")));
        convert(&["--format", target, "--end", &at], &source, &first);
        convert(&["--format", target, "--start", &at], &source, &second);
        let (one, two) = (samples(&first, &[]), samples(&second, &[]));
        // Opus is resampled, and resampled again to be compared: a sample may come or go.
        let slack = if target == "opus" { 2 } else { 0 };
        let length = (one.len() + two.len()) / 2;
        assert!(length.abs_diff(whole.len() / 2) <= slack, "{target}: {length} samples");
        assert!((one.len() / 2).abs_diff(cut) <= slack, "{target}: cut where it was asked for");
        let cut = one.len() / 2;
        let joined = [one, two].concat();
        if !matches!(target, "mp3" | "opus" | "ogg") {
            assert!(joined == whole, "{target}: not bit by bit the same");
            continue;
        }
        if matches!(target, "mp3" | "opus") {
            // Their encoders start and end with silence, and what is cut off abruptly rings: the
            // parts are as long as they should be, but not yet without a tick.
            continue;
        }
        let usual = largest_step(&joined, RATE / 2, RATE);
        let seam = largest_step(&joined, cut - 2000, cut + 2000);
        assert!(seam <= usual * 2 + 64, "{target}: a step of {seam}, elsewhere {usual}");
    }
}

#[test]
fn a_seek_lands_within_a_frame() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let source = music(folder, "source.wav", 30, &[]);
    for (target, options, frame) in [
        ("mp3", &["--quality", "2"][..], 1152_usize),
        ("mp3", &["--bitrate", "128k"], 1152),
        ("m4a", &[], 1024),
        ("opus", &[], 960),
    ] {
        let output = path(folder, &format!("out.{target}"));
        convert(&[&["--format", target], options].concat(), &source, &output);
        let whole = samples(&output, &[]);
        for second in [3.217, 17.9, 26.5] {
            let from = samples(&output, &["-ss", &second.to_string()]);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
            let expected = (second * 44_100.0) as usize;
            // What comes first after a seek still lacks what lay before it.
            let (skip, length) = (4 * frame, 4000);
            let heard = &from[2 * skip..2 * (skip + length)];
            let difference = |start: usize| -> u64 {
                let there = &whole[2 * (start + skip)..2 * (start + skip + length)];
                heard.iter().zip(there).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
            };
            let found = (expected - 3 * frame..expected + 3 * frame)
                .min_by_key(|start| difference(*start))
                .expect("a place");
            let off = found.abs_diff(expected);
            assert!(off <= frame, "{target} {options:?} at {second}: {off} samples off");
        }
    }
}

#[test]
fn sound_beyond_4_gib_becomes_rf64() {
    if std::env::var_os("AUDIOMILL_LONG").is_none() {
        eprintln!("skipped: 4.4 GB are written with AUDIOMILL_LONG only");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = path(folder.path(), "source.flac");
    let silence = "anullsrc=r=192000:cl=7.1";
    let arguments = ["-f", "lavfi", "-i", silence, "-t", "720", "-compression_level", "0"];
    ffmpeg(&[&arguments[..], &[&source.display().to_string()]].concat());
    let output = path(folder.path(), "out.wav");
    convert(&["--bit-depth", "32f", "--title", "Long"], &source, &output);
    let expected = 720_u64 * 192_000 * 8 * 4;
    let length = std::fs::metadata(&output).expect("a file").len();
    assert!(length > expected && length < expected + 4096, "{length} bytes");
    let mut head = [0; 4];
    std::io::Read::read_exact(&mut std::fs::File::open(&output).expect("opened"), &mut head)
        .expect("read");
    assert_eq!(&head, b"RF64");
    let told = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-show_entries",
            "stream=duration:format_tags=title",
            "-of",
            "csv=p=0",
        ])
        .arg(&output)
        .output()
        .expect("the ffprobe command");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("720.000000") && told.contains("Long"), "{told}");
}
