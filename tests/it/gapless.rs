//! Parts of a recording join without a gap or a click; a seek lands where it should.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::samples::edited_samples;
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

/// Left and right of every sample that `ffmpeg` decodes, after these input options, at `rate`.
fn samples(file: &Path, rate: usize, before: &[&str]) -> Vec<i16> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error"])
        .args(before)
        .arg("-i")
        .arg(file)
        .args(["-ar", &rate.to_string(), "-ac", "2", "-f", "s16le", "-"])
        .output()
        .expect("the ffmpeg command");
    let (pairs, _) = output.stdout.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// The largest step between neighbouring samples of a channel.
fn largest_step(sound: &[i16], from: usize, to: usize) -> i32 {
    let step = |at: usize| (i32::from(sound[at + 2]) - i32::from(sound[at])).abs();
    (from * 2..to * 2).map(step).max().unwrap_or(0)
}

/// One way to make the parts, and what they must be.
struct Part {
    options: &'static [&'static str],
    extension: &'static str,
    rate: usize,
    joins: Joins,
}

#[derive(Clone, Copy, PartialEq)]
enum Joins {
    /// Bit by bit what the source is.
    Exactly,
    /// Without a step that is not in the sound.
    Smoothly,
}

const PARTS: [Part; 14] = {
    use Joins::{Exactly, Smoothly};
    const fn part(
        options: &'static [&'static str],
        extension: &'static str,
        rate: usize,
        joins: Joins,
    ) -> Part {
        Part { options, extension, rate, joins }
    }
    [
        part(&[], "flac", RATE, Exactly),
        part(&["--format", "alac"], "m4a", RATE, Exactly),
        part(&[], "wav", RATE, Exactly),
        part(&[], "wv", RATE, Exactly),
        part(&["--sample-rate", "48000"], "flac", 48_000, Smoothly),
        part(&["--bitrate", "192k"], "mp3", RATE, Smoothly),
        part(&["--quality", "2"], "mp3", RATE, Smoothly),
        part(&["--sample-rate", "22050"], "mp3", 22_050, Smoothly),
        part(&[], "m4a", RATE, Smoothly),
        part(&[], "opus", 48_000, Smoothly),
        part(&["--bitrate", "32k"], "opus", 48_000, Smoothly),
        part(&[], "webm", 48_000, Smoothly),
        part(&["--bitrate", "96k"], "mka", 48_000, Smoothly),
        part(&[], "ogg", RATE, Smoothly),
    ]
};

/// The sound of a part, as every reader must hear it that heeds what the file says of its start and
/// end.
fn heard(part: &Part, file: &Path) -> Vec<Vec<i16>> {
    let other = match part.extension {
        "mp3" => Some(&["mpg123", "-q", "-e", "s16", "-s"][..]),
        "opus" => Some(&["opusdec", "--quiet", "--no-dither"][..]),
        "ogg" => Some(&["oggdec", "-Q", "-R", "-o", "-"][..]),
        _ => None,
    };
    let mut heard = Vec::new();
    if let Some([program, arguments @ ..]) = other {
        let output = if part.extension == "opus" { &["-"][..] } else { &[] };
        let decoded = Command::new(program).args(arguments).arg(file).args(output).output();
        let decoded = decoded.expect("another decoder");
        assert!(decoded.status.success(), "{}", String::from_utf8_lossy(&decoded.stderr));
        let (pairs, _) = decoded.stdout.as_chunks::<2>();
        heard.push(pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect());
    }
    if part.extension == "ogg" {
        // libav loses or doubles a packet of streams of one page.
        return heard;
    }
    let mut sound = samples(file, part.rate, &[]);
    if part.extension == "m4a" {
        // libav 5.1 does not cut the end.
        let end = usize::try_from(edited_samples(file)).expect("a length");
        assert!(end * 2 <= sound.len(), "an edit list longer than the sound");
        sound.truncate(end * 2);
    }
    heard.push(sound);
    heard
}

#[test]
fn a_track_cut_in_two_joins_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    // Low tones: a click of any kind stands out against their gentle slope.
    let source = path(folder, "source.wav");
    let tones = "aevalsrc=exprs=0.4*sin(110*2*PI*t)|0.4*sin(165*2*PI*t):s=44100:d=4";
    ffmpeg(&["-f", "lavfi", "-i", tones, &source.display().to_string()]);
    let whole = samples(&source, RATE, &[]);
    // In the middle; so early that little lies before it; so late that little lies behind.
    for cut in [2 * RATE + 123, 777, 4 * RATE - 1500] {
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let at = format!("{:.9}", cut as f64 / 44_100.0);
        for part in &PARTS {
            let told = format!("{} {:?} at {cut}", part.extension, part.options);
            let [first, second] =
                ["first", "second"].map(|name| path(folder, &format!("{name}.{}", part.extension)));
            convert(&[part.options, &["--end", &at]].concat(), &source, &first);
            convert(&[part.options, &["--start", &at]].concat(), &source, &second);
            for (one, two) in heard(part, &first).into_iter().zip(heard(part, &second)) {
                let resampled = |samples: usize| (samples * part.rate + RATE / 2) / RATE;
                assert_eq!(one.len() / 2, resampled(cut), "{told}: the first part");
                assert_eq!(two.len() / 2, resampled(4 * RATE - cut), "{told}: the second part");
                let cut = one.len() / 2;
                let joined = [one, two].concat();
                if part.joins == Joins::Exactly {
                    assert!(joined == whole, "{told}: not bit by bit the same");
                    continue;
                }
                let [start, end] = [part.rate / 2, part.rate].map(|at| at + part.rate / 2);
                let usual = largest_step(&joined, start, end);
                let (from, to) = (cut.saturating_sub(2000), (cut + 2000).min(joined.len() / 2 - 1));
                let seam = largest_step(&joined, from, to);
                assert!(seam <= usual * 3 / 2 + 64, "{told}: a step of {seam}, elsewhere {usual}");
            }
        }
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
        let whole = samples(&output, RATE, &[]);
        for second in [3.217, 17.9, 26.5] {
            let from = samples(&output, RATE, &["-ss", &second.to_string()]);
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
