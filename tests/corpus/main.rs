//! The corpus of real files: what its manifest says must come out, comes out.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it sees and fails loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod tags;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::recording::decoded_samples;
use support::{AUDIOMILL, corpus};

/// Sample counts that are not those of the first part's rate resampled by the command: a format
/// change in mid-stream, where the seam keeps what the command drops.
const MIDSTREAM: &[&str] = &["flac/uncommon/01 - changing samplerate.flac"];

/// A conversion of a file of this corpus is done within this time.
const PATIENCE: Duration = Duration::from_secs(60);

struct Row {
    path: String,
    expected: String,
    samples: u64,
    note: String,
}

fn manifest(corpus: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(corpus.join("manifest.tsv")).expect("a manifest");
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().expect("a header").split('\t').collect();
    let at = |name: &str| names.iter().position(|column| *column == name).expect("a column");
    let (path, expected, samples, note) =
        (at("path"), at("expected"), at("samples_per_channel"), at("note"));
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            Row {
                path: cells[path].replace("\\\\", "\\"),
                expected: cells[expected].to_owned(),
                samples: cells[samples].trim().parse().unwrap_or(0),
                note: cells[note].to_owned(),
            }
        })
        .collect()
}

/// Exit code and stderr of a conversion; a hang is killed and has no code.
fn convert_to(input: &Path, output: &Path, options: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(AUDIOMILL)
        .arg("convert")
        .args([input, output])
        .arg("--force")
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("audiomill runs");
    let started = Instant::now();
    while child.try_wait().expect("its state").is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().expect("killed");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("its output");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Warnings that speak of something else than damage.
fn speaks_of_damage(stderr: &str) -> bool {
    stderr.contains("damaged") || stderr.contains("breaks off")
}

fn judge(row: &Row, code: Option<i32>, stderr: &str, output: &Path) -> Result<(), String> {
    let fails_in_words = code == Some(1) && stderr.trim().len() > 20;
    if row.expected == "error" || (row.samples == 0 && row.note.contains("0 samples")) {
        return if fails_in_words {
            Ok(())
        } else {
            Err(format!("should fail in words: {code:?} {stderr}"))
        };
    }
    if row.expected == "partial" && row.note.contains("refusal is also fine") && fails_in_words {
        return Ok(());
    }
    if code != Some(0) {
        return Err(format!("should be converted: {code:?} {stderr}"));
    }
    let samples = decoded_samples(output);
    // What other decoders find behind the junk: a second of MP3.
    if row.path.ends_with("garbage-prefix.mp3") && samples == 44_100 {
        return Ok(());
    }
    if samples != row.samples && !MIDSTREAM.contains(&row.path.as_str()) {
        return Err(format!("{samples} samples instead of {}", row.samples));
    }
    if row.expected == "partial" && !speaks_of_damage(stderr) {
        return Err(format!("should be done with a warning: {stderr}"));
    }
    Ok(())
}

#[test]
fn every_file_of_the_corpus_does_what_its_row_says() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("out.wav");
    let rows = manifest(&corpus);
    let mut wrong = Vec::new();
    for row in &rows {
        // A result of the row before must not be taken for this one's.
        let _ = std::fs::remove_file(&output);
        let (code, stderr) = convert_to(&corpus.join(&row.path), &output, &["--bit-depth", "16"]);
        if let Err(why) = judge(row, code, &stderr, &output) {
            wrong.push(format!("{} ({}): {why}", row.path, row.expected));
        }
    }
    println!("{} files of the corpus, {} wrong", rows.len(), wrong.len());
    assert!(rows.len() > 100 && wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where libav is wrong without a word.
#[test]
fn what_libav_gets_wrong_in_silence_comes_out_right_or_is_refused() {
    let Some(corpus) = corpus() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("out.wav");
    let (code, said) = convert_to(&corpus.join("flac/bear_32bit.flac"), &output, &[]);
    assert!(code == Some(1) && said.contains("32 bits a sample"), "{code:?} {said}");

    // The same samples in both orders of bytes.
    let little = folder.path().join("little.wav");
    let rifx = std::fs::read(corpus.join("wav/RIFX-16bit-mono.wav")).expect("read");
    let (code, said) = convert_to(&corpus.join("wav/RIFX-16bit-mono.wav"), &little, &[]);
    assert_eq!(code, Some(0), "{said}");
    let riff = std::fs::read(little).expect("read");
    let data = |bytes: &[u8]| {
        bytes.windows(4).position(|window| window == b"data").expect("a data chunk") + 8
    };
    let (turned, plain) = (&rifx[data(&rifx)..], &riff[data(&riff)..]);
    let count = 48_000;
    let sample = |bytes: &[u8], at: usize| [bytes[2 * at], bytes[2 * at + 1]];
    for at in 0..count {
        let big = i16::from_be_bytes(sample(turned, at));
        assert_eq!(i16::from_le_bytes(sample(plain, at)), big, "sample {at}");
    }
}
