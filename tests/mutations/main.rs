//! Damaged files of every container, in one process: none ends it, none holds it up, nothing leaks.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it sees and fails loudly"
)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audiomill::base::CancelToken;
use audiomill::media::cores::Cores;
use audiomill::media::request::Reencode;
use audiomill::media::{Conversion, Format, Limits, Progress, Request, Sink, Source, convert};
use support::recording::{ffmpeg, music};

/// Name, and how `ffmpeg` makes it.
const SEEDS: &[(&str, &[&str])] = &[
    ("a.mp3", &["-q:a", "4"]),
    ("bare.mp3", &["-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0"]),
    ("a.m4a", &["-c:a", "aac"]),
    ("front.m4a", &["-c:a", "aac", "-movflags", "faststart"]),
    ("fragments.mp4", &["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"]),
    ("lossless.m4a", &["-c:a", "alac"]),
    ("a.mov", &["-c:a", "pcm_s16be"]),
    ("a.aac", &["-c:a", "aac"]),
    ("a.ogg", &["-c:a", "libvorbis"]),
    ("a.opus", &["-c:a", "libopus"]),
    ("flac.oga", &["-c:a", "flac"]),
    ("a.flac", &["-c:a", "flac"]),
    ("a.wav", &["-c:a", "pcm_s16le"]),
    ("float.wav", &["-c:a", "pcm_f32le"]),
    ("adpcm.wav", &["-c:a", "adpcm_ms"]),
    ("a.w64", &["-c:a", "pcm_s24le"]),
    ("a.aiff", &["-c:a", "pcm_s16be", "-write_id3v2", "1"]),
    ("a.caf", &["-c:a", "alac"]),
    ("a.au", &["-c:a", "pcm_mulaw"]),
    ("a.mka", &["-c:a", "libopus"]),
    ("vorbis.webm", &["-c:a", "libvorbis"]),
    ("a.wv", &["-c:a", "wavpack"]),
    ("a.tta", &["-c:a", "tta"]),
    ("a.ac3", &["-c:a", "ac3"]),
    ("a.wma", &["-c:a", "wmav2"]),
    ("a.flv", &["-c:a", "libmp3lame"]),
    ("a.ts", &["-c:a", "libmp3lame"]),
    ("a.avi", &["-c:a", "libmp3lame"]),
];

/// How many damaged files, ten times as many with `AUDIOMILL_LONG`; the first tenth warms allocators and caches up before memory is looked at.
const FILES: usize = 1008;

/// Far more than any takes on an idle machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a leak of a kilobyte a file would be, ten times over.
const GROWTH_KB: u64 = 10_000;

/// A row of numbers that is the same in every run (xorshift, Marsaglia 2003).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (most.max(1) as u64)).expect("small")
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self.below(7) {
            0 => {
                for _ in 0..=self.below(40) {
                    let at = self.below(length);
                    bytes[at] ^= 1 << self.below(8);
                }
            }
            // Headers are where it hurts.
            1 => {
                for _ in 0..=self.below(12) {
                    let at = self.below(length.min(1024));
                    bytes[at] ^= 1 << self.below(8);
                }
            }
            2 => bytes.truncate(self.below(length)),
            3 => {
                let at = self.below(length);
                let end = length.min(at + 1 + self.below(600));
                bytes.drain(at..end);
            }
            4 => {
                let at = self.below(length.saturating_sub(4));
                let value = [0_u32, 0x7fff_ffff, u32::MAX, 1 << 28][self.below(4)].to_be_bytes();
                bytes[at..(at + 4).min(length)].copy_from_slice(&value[..4.min(length - at)]);
            }
            5 => {
                let at = self.below(length);
                let end = length.min(at + 1 + self.below(4000));
                let part = bytes[at..end].to_vec();
                let place = self.below(length);
                bytes.splice(place..place, part);
            }
            _ => {
                let at = self.below(length.min(4096));
                let end = length.min(at + 1 + self.below(64));
                for byte in &mut bytes[at..end] {
                    *byte = u8::try_from(self.0 & 0xff).unwrap_or(0);
                    self.below(2);
                }
            }
        }
    }
}

fn seeds(folder: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let plain = music(folder, "plain.wav", 1, &[]).display().to_string();
    let texts =
        ["-metadata", "title=Тест", "-metadata", "artist=Somebody", "-metadata", "track=3/12"];
    let made = SEEDS.iter().map(|(name, arguments)| {
        let path = folder.join(name);
        let output = path.display().to_string();
        ffmpeg(&[&["-i", &plain][..], &texts, arguments, &[&output]].concat());
        (*name, std::fs::read(path).expect("read"))
    });
    made.collect()
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a size");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Probes and converts; how it ended, in a word.
fn run(bytes: Vec<u8>, format: Format, reencode: Reencode) -> &'static str {
    let length = Some(bytes.len() as u64);
    let source = Source::new(Cursor::new(bytes), length);
    // What it says is as good as what it does not.
    let _ = convert::examine(&source, &Limits::default(), &CancelToken::default());
    let conversion = Conversion {
        request: Request { reencode, ..Request::new(format) },
        adjustment: None,
        limits: Limits { decoded_seconds: 600.0, ..Limits::default() },
        seat: Cores::new(2).join(),
        cancel: CancelToken::default(),
        progress: Arc::new(Progress::default()),
    };
    let sink = Sink::new(Cursor::new(Vec::new()), 256 << 20);
    match convert::convert(&conversion, source, sink, &mut |_, _| {}) {
        Ok(_) => "done",
        Err(failure) => failure.code.as_str(),
    }
}

#[test]
fn a_thousand_damaged_files_end_in_a_result_or_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let seeds = seeds(folder.path());
    // Found here after a crash: the file that was being read.
    let last = std::env::temp_dir().join("audiomill-last-mutation");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut ends = std::collections::BTreeMap::new();
    let (mut slowest, mut warm_kb) = (Duration::ZERO, 0);
    let files = if std::env::var_os("AUDIOMILL_LONG").is_some() { 10 * FILES } else { FILES };
    for at in 0..files {
        let (name, seed) = &seeds[at % seeds.len()];
        let mut bytes = seed.clone();
        for _ in 0..=dice.below(2) {
            if !bytes.is_empty() {
                dice.damage(&mut bytes);
            }
        }
        std::fs::write(&last, &bytes).expect("written");
        let format = Format::ALL[dice.below(Format::ALL.len())];
        let reencode = if at % 2 == 0 { Reencode::Auto } else { Reencode::Always };
        let started = Instant::now();
        let end = run(bytes, format, reencode);
        let took = started.elapsed();
        slowest = slowest.max(took);
        assert!(took < PATIENCE, "{name} number {at} to {}: {took:?}", format.as_str());
        assert_ne!(
            end,
            "internal",
            "{name} number {at} to {}: see {}",
            format.as_str(),
            last.display()
        );
        *ends.entry(end).or_insert(0_u32) += 1;
        if at == files / 10 {
            warm_kb = resident_kb();
        }
    }
    let now_kb = resident_kb();
    println!(
        "{FILES} damaged files: {ends:?}; slowest {slowest:?}; {warm_kb} kB, then {now_kb} kB"
    );
    assert!(ends["done"] > 300, "most damage leaves something: {ends:?}");
    assert!(now_kb < warm_kb + GROWTH_KB, "{warm_kb} kB grew to {now_kb} kB");
    std::fs::remove_file(last).expect("removed");
}
