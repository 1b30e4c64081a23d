//! As many samples come out as went in: every target, every usual source.
//!
//! The table `samples.md` beside this file is what comes out of the long run; with
//! `AUDIOMILL_WRITE_TABLES=1` that writes it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::AUDIOMILL;
use crate::support::recording::{decoded_samples, music, stream_entry};

const RATES: [u32; 6] = [8_000, 22_050, 44_100, 48_000, 96_000, 192_000];
const CHANNELS: [u16; 3] = [1, 2, 6];
const DEPTHS: [Depth; 4] = [Depth::Int(16), Depth::Int(24), Depth::Int(32), Depth::Float];
const TARGETS: [&str; 15] = [
    "mp3", "opus", "ogg", "flac", "alac", "wav", "aiff", "wv", "tta", "mka", "webm", "m4a", "m4b",
    "aac", "ac3",
];
/// So many of them, from the first, are exact.
const EXACT: usize = 13;
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/samples.md");

#[derive(Clone, Copy)]
enum Depth {
    Int(u16),
    Float,
}

/// A WAV file of 0.7 seconds and a few samples, written without any tool.
fn source(folder: &Path, rate: u32, channels: u16, depth: Depth) -> (PathBuf, u64) {
    let (tag, bits) = match depth {
        Depth::Int(bits) => (1_u16, bits),
        Depth::Float => (3, 32),
    };
    let count = rate * 7 / 10 + 13;
    let mut data = Vec::new();
    for at in 0..count {
        for channel in 0..channels {
            let hz = 220.0 + 110.0 * f64::from(channel);
            let value = 0.4 * (f64::from(at) * hz * std::f64::consts::TAU / f64::from(rate)).sin();
            #[expect(clippy::cast_possible_truncation, reason = "a sample of the wanted depth")]
            match depth {
                Depth::Float => data.extend_from_slice(&(value as f32).to_le_bytes()),
                Depth::Int(bits) => {
                    let whole = (value * f64::from(i32::MAX)) as i32;
                    data.extend_from_slice(&whole.to_le_bytes()[4 - usize::from(bits / 8)..]);
                }
            }
        }
    }
    let block = channels * bits / 8;
    let mut wav = b"RIFF".to_vec();
    let length = u32::try_from(data.len()).expect("small");
    wav.extend_from_slice(&(length + 36).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt \x10\0\0\0");
    wav.extend_from_slice(&tag.to_le_bytes());
    wav.extend_from_slice(&channels.to_le_bytes());
    wav.extend_from_slice(&rate.to_le_bytes());
    wav.extend_from_slice(&(rate * u32::from(block)).to_le_bytes());
    wav.extend_from_slice(&block.to_le_bytes());
    wav.extend_from_slice(&bits.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&length.to_le_bytes());
    wav.extend_from_slice(&data);
    let path = folder.join("source.wav");
    std::fs::write(&path, wav).expect("written");
    (path, u64::from(count))
}

/// The samples that a reader of edit lists plays: the length of the one edit (ISO/IEC 14496-12
/// section 8.6.6), in the movie's time scale, which is the sample rate.
pub(crate) fn edited_samples(file: &Path) -> u64 {
    let bytes = std::fs::read(file).expect("read");
    let at = |name: &[u8; 4]| {
        bytes.windows(4).position(|window| window == name).expect("an MP4 box") + 4
    };
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let rate: u32 = stream_entry(file, "sample_rate").parse().expect("a rate");
    assert_eq!(number(at(b"mvhd") + 12), rate, "the movie's time scale");
    let edits = at(b"elst");
    assert_eq!((bytes[edits], number(edits + 4)), (0, 1), "one edit in a 32-bit list");
    u64::from(number(edits + 8))
}

/// What libvorbis itself decodes: libav loses or doubles a packet of streams of one page.
fn oggdec_samples(file: &Path, channels: u16) -> u64 {
    let output = Command::new("oggdec").args(["-Q", "-R", "-o", "-"]).arg(file).output();
    let output = output.expect("the oggdec command");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.len() as u64 / 2 / u64::from(channels)
}

/// A hash of the decoded samples, as 32-bit integers.
fn decoded(file: &Path) -> Vec<u8> {
    let path = file.to_str().expect("a path");
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", path, "-c:a", "pcm_s32le", "-f", "md5", "-"])
        .output();
    output.expect("the ffmpeg command").stdout
}

#[test]
fn as_many_samples_come_out_as_went_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // How many samples more than expected, by target and rate of the source.
    let mut more: BTreeMap<(usize, usize), Vec<i64>> = BTreeMap::new();
    let is_long = std::env::var_os("AUDIOMILL_LONG").is_some();
    for (column, rate) in RATES.into_iter().enumerate() {
        for (place, channels) in CHANNELS.into_iter().enumerate() {
            for (other, depth) in DEPTHS.into_iter().enumerate() {
                // One source of each rate covers every number of channels and every depth between
                // them; the long run takes all.
                if !is_long && (place != column % CHANNELS.len() || other != column % DEPTHS.len())
                {
                    continue;
                }
                let (input, count) = source(folder.path(), rate, channels, depth);
                let sound = decoded(&input);
                for (row, target) in TARGETS.into_iter().enumerate() {
                    let extension = if target == "alac" { "m4a" } else { target };
                    let output = folder.path().join(format!("out.{extension}"));
                    let ran = Command::new(AUDIOMILL)
                        .args(["convert", "--force", "--format", target])
                        .args([&input, &output])
                        .output()
                        .expect("audiomill runs");
                    let what = format!("{rate} Hz, {channels} channels to {target}");
                    assert!(
                        ran.status.success(),
                        "{what}: {}",
                        String::from_utf8_lossy(&ran.stderr)
                    );
                    let out: u64 = stream_entry(&output, "sample_rate").parse().expect("a rate");
                    let expected = (count * out + u64::from(rate) / 2) / u64::from(rate);
                    let found = match target {
                        "m4a" | "m4b" => edited_samples(&output),
                        "ogg" => oggdec_samples(&output, channels),
                        _ => decoded_samples(&output),
                    };
                    let difference = found.cast_signed() - expected.cast_signed();
                    more.entry((row, column)).or_default().push(difference);
                    let holds = match (target, depth) {
                        ("wav" | "aiff" | "wv", _) | (_, Depth::Int(16 | 24)) => true,
                        (_, Depth::Int(_) | Depth::Float) => false,
                    };
                    let is_lossless =
                        matches!(target, "flac" | "alac" | "wav" | "aiff" | "wv" | "tta");
                    if is_lossless && holds {
                        assert!(decoded(&output) == sound, "{what}: not bit by bit the same");
                    }
                }
            }
        }
    }
    for (row, target) in TARGETS.iter().enumerate().take(EXACT) {
        for (column, rate) in RATES.iter().enumerate() {
            let differences = &more[&(row, column)];
            assert!(
                differences.iter().all(|one| *one == 0),
                "{target}, {rate} Hz: {differences:?}"
            );
        }
    }
    // What `formats` says of the other two.
    for (row, said) in [(EXACT, 1024..=2047), (EXACT + 1, 0..=1535)] {
        let of_row = more.iter().filter(|((at, _), _)| *at == row);
        for difference in of_row.flat_map(|(_, differences)| differences) {
            assert!(said.contains(difference), "{}: {difference}", TARGETS[row]);
        }
    }
    if is_long {
        compare_table(&more);
    }
}

fn compare_table(more: &BTreeMap<(usize, usize), Vec<i64>>) {
    let mut table = String::from(
        "# How many samples come out\n\nMade by `tests/it/samples.rs` from recordings of 0.7 s and 13 samples in mono, stereo and 5.1,\n\
         with 16, 24, 32 bits and in floating point: what `ffmpeg` decodes from the output, compared with\n\
         the source (resampled: the nearest number). Ogg is judged by `oggdec`, M4A and M4B by their edit\n\
         list.\n\n\
         | target, source at |",
    );
    RATES.iter().for_each(|rate| {
        let _ = write!(table, " {} kHz |", f64::from(*rate) / 1000.0);
    });
    let _ = write!(table, "\n|{}\n", "---|".repeat(RATES.len() + 1));
    for (row, target) in TARGETS.into_iter().enumerate() {
        let _ = write!(table, "| {target} |");
        for column in 0..RATES.len() {
            let differences = &more[&(row, column)];
            let (least, most) = (differences.iter().min(), differences.iter().max());
            let cell = match (least.copied().unwrap_or(0), most.copied().unwrap_or(0)) {
                (0, 0) => String::from("exact"),
                (least, most) if least == most => format!("{least:+}"),
                (least, most) => format!("{least:+} to {most:+}"),
            };
            let _ = write!(table, " {cell} |");
        }
        table.push('\n');
    }
    if std::env::var_os("AUDIOMILL_WRITE_TABLES").is_some() {
        std::fs::write(TABLE, &table).expect("the table is written");
    }
    let known = std::fs::read_to_string(TABLE).unwrap_or_default();
    assert!(known == table, "{TABLE} is not what came out:\n{table}");
}

#[test]
fn a_single_page_of_vorbis_is_as_long_as_it_says() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let convert = |from: &Path, to: &Path| {
        let ran = Command::new(AUDIOMILL).args(["convert", "--force"]).args([from, to]).output();
        let ran = ran.expect("audiomill runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{said}");
    };
    for count in [777_u64, 12_345, 22_050, 39_690] {
        let filter = format!("atrim=end_sample={count}");
        let wav = music(folder.path(), "in.wav", 2, &["-af", &filter]);
        let vorbis = path("in.ogg");
        convert(&wav, &vorbis);
        assert_eq!(oggdec_samples(&vorbis, 2), count);
        convert(&vorbis, &path("out.wav"));
        assert_eq!(decoded_samples(&path("out.wav")), count, "decoded");
        convert(&vorbis, &path("out.ogg"));
        assert_eq!(oggdec_samples(&path("out.ogg"), 2), count, "copied");
    }
}
