//! Sound whose codec may stay is copied: the same packets, as long as before, or encoded anew with a
//! word on why not.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::recording::{decoded_samples, ffmpeg, music};
use crate::support::{AUDIOMILL, Server};

/// What a copy must be like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// The same packets, and as many samples decoded.
    Same,
    /// The same sound; the containers frame it differently.
    SameSound,
    /// The same packets; a word says that the target cannot tell where the sound starts.
    StartsLate,
    /// As `SameSound`, and this many samples: the padding that the source's reader leaves in goes.
    Samples(u64),
}

/// How a source is made (arguments of `ffmpeg` and its name), and what it is copied to.
type Pairs = (&'static [&'static str], &'static str, &'static [(&'static str, Expected)]);
const PAIRS: &[Pairs] = {
    use Expected::{Same, SameSound, Samples, StartsLate};
    &[
        (&["-c:a", "libmp3lame", "-q:a", "3"], "vbr.mp3", &[("mp3", Same), ("mka", StartsLate)]),
        (&["-c:a", "libmp3lame"], "cbr.mp3", &[("mp3", Same)]),
        (&["-c:a", "libmp3lame", "-q:a", "3", "-write_xing", "0"], "bare.mp3", &[("mp3", Same)]),
        (&["-c:a", "libmp3lame", "-ar", "22050", "-ac", "1"], "low.mp3", &[("mp3", Same)]),
        // Without a start that is not heard, MP3 cannot say that an end is not.
        (&["-c:a", "libmp3lame"], "mp3.mka", &[("mp3", Samples(116 * 1152)), ("mka", Same)]),
        (&["-c:a", "libmp3lame"], "mp3.flv", &[("mp3", SameSound)]),
        (&["-c:a", "libmp3lame"], "mp3.ts", &[("mp3", SameSound)]),
        (&["-c:a", "aac"], "aac.m4a", &[("m4a", Same), ("m4b", Same), ("mka", StartsLate)]),
        (&["-c:a", "aac"], "raw.aac", &[("aac", Same), ("m4a", SameSound), ("mka", SameSound)]),
        (&["-c:a", "aac"], "aac.ts", &[("aac", Same), ("m4a", SameSound)]),
        (&["-c:a", "aac"], "aac.flv", &[("aac", SameSound), ("m4a", Same)]),
        (&["-c:a", "libopus"], "opus.opus", &[("opus", Same), ("mka", Same), ("webm", Same)]),
        (&["-c:a", "libopus"], "opus.webm", &[("opus", Same), ("mka", Same), ("webm", Same)]),
        (
            &["-c:a", "libopus", "-frame_duration", "60", "-b:a", "12k", "-ac", "1"],
            "speech.webm",
            &[("opus", Same)],
        ),
        // The end of the edit is heeded, which libav does not do when it reads MP4.
        (&["-c:a", "libopus"], "opus.mp4", &[("opus", Samples(SAMPLES_48K))]),
        (&["-c:a", "libvorbis"], "vorbis.ogg", &[("ogg", Same), ("mka", Same), ("webm", Same)]),
        (&["-c:a", "libvorbis"], "vorbis.mka", &[("ogg", Same), ("webm", Same)]),
        (&["-c:a", "ac3"], "ac3.ac3", &[("ac3", Same), ("mka", Same)]),
        (&["-c:a", "ac3"], "ac3.ts", &[("ac3", Same)]),
        (&["-c:a", "flac"], "flac.flac", &[("flac", Same)]),
        (&["-c:a", "flac"], "flac.ogg", &[("flac", Same)]),
        (&["-c:a", "flac"], "flac.mka", &[("flac", Same)]),
        (&["-c:a", "alac"], "alac.m4a", &[("alac", Same)]),
        (&["-c:a", "wavpack"], "wavpack.wv", &[("wv", Same)]),
        (&["-c:a", "tta"], "tta.tta", &[("tta", Same)]),
    ]
};
const SAMPLES: u64 = 3 * 44_100;
const SAMPLES_48K: u64 = 3 * 48_000;

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn convert(options: &[&str], input: &Path, output: &Path) -> Output {
    let ran = Command::new(AUDIOMILL).arg("convert").args(options).args([input, output]).output();
    ran.expect("audiomill runs")
}

fn plan(options: &[&str], input: &Path) -> Value {
    let ran = convert(&[&["--plan"], options].concat(), input, Path::new("-"));
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice::<Value>(&ran.stdout).expect("JSON")["planned"].take()
}

fn is_copied(options: &[&str], input: &Path) -> bool {
    plan(options, input)["copied"].as_bool().expect("a word on copying")
}

/// The hash of every packet of the sound.
fn packets(file: &Path) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a:0", "-show_packets", "-show_data_hash", "md5"])
        .args(["-show_entries", "packet=data_hash", "-of", "csv=p=0:s=,"])
        .arg(file)
        .output()
        .expect("the ffprobe command");
    // Side data shares the lines of some packets.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split([',', '\n']).filter(|field| field.starts_with("MD5")).collect::<Vec<_>>().join("\n")
}

fn sound(file: &Path) -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(file)
        .args(["-map", "0:a:0", "-f", "s16le", "-"])
        .output();
    output.expect("the ffmpeg command").stdout
}

fn source(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let plain = folder.join("plain.wav");
    if !plain.exists() {
        music(folder, "plain.wav", 3, &["-metadata", "title=Тест"]);
    }
    let path = folder.join(name);
    ffmpeg(&[&["-i", text(&plain)], arguments, &[text(&path)]].concat());
    path
}

#[test]
fn what_may_stay_is_copied_packet_by_packet() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (arguments, name, targets) in PAIRS {
        let input = source(folder.path(), name, arguments);
        for (target, expected) in *targets {
            let what = format!("{name} to {target}");
            let extension = if *target == "alac" { "m4a" } else { target };
            let output = folder.path().join(format!("out.{extension}"));
            assert!(is_copied(&["--format", target], &input), "{what}: not planned");
            let ran = convert(&["--force", "--format", target], &input, &output);
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{what}: {said}");
            let starts_late = *expected == Expected::StartsLate;
            assert_eq!(said.contains("ms come before it"), starts_late, "{what}: {said}");
            assert!(starts_late || said.is_empty(), "{what}: {said}");
            let is_sample_exact = *expected == Expected::Same;
            if is_sample_exact || starts_late {
                assert!(packets(&output) == packets(&input), "{what}: other packets");
            }
            match expected {
                Expected::Same | Expected::SameSound => {
                    assert!(sound(&output) == sound(&input), "{what}: another sound");
                }
                Expected::StartsLate => {}
                Expected::Samples(samples) => {
                    assert_eq!(decoded_samples(&output), *samples, "{what}");
                }
            }
        }
    }
}

#[test]
fn what_was_asked_for_decides_whether_it_is_copied() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mp3 = source(folder.path(), "a.mp3", &["-b:a", "128k"]);
    let flac = source(folder.path(), "a.flac", &["-sample_fmt", "s16"]);
    for options in [
        &[][..],
        &["--sample-rate", "44100"],
        &["--channels", "2"],
        &["--title", "Other"],
        &["--tags", "drop", "--cover", "drop", "--chapters", "drop"],
        &["--loudness", "off"],
        &["--reencode", "auto"],
    ] {
        assert!(is_copied(&[&["--format", "mp3"], options].concat(), &mp3), "{options:?}");
    }
    for options in [
        &["--bitrate", "192k"][..],
        &["--quality", "2"],
        &["--sample-rate", "48000"],
        &["--channels", "1"],
        &["--start", "1"],
        &["--duration", "1"],
        &["--loudness", "-16"],
        &["--reencode", "always"],
    ] {
        assert!(!is_copied(&[&["--format", "mp3"], options].concat(), &mp3), "{options:?}");
    }
    assert!(is_copied(&["--format", "flac", "--bit-depth", "16"], &flac));
    assert!(!is_copied(&["--format", "flac", "--bit-depth", "24"], &flac));
    assert!(!is_copied(&["--format", "flac", "--quality", "8"], &flac));
    // Another format's codec is encoded; lossless sound does not grow a lossy target.
    assert!(!is_copied(&["--format", "opus"], &mp3) && !is_copied(&["--format", "mka"], &flac));
    let planned = plan(&["--format", "mp3"], &mp3);
    assert_eq!(planned["codec"], "mp3");
    assert_eq!(planned["encoder"], Value::Null);
    assert_eq!(planned["bitrate_bps"], 128_000);
    assert_eq!([&planned["sample_rate"], &planned["channels"]], [44_100, 2]);
}

#[test]
fn sound_that_changes_in_mid_stream_is_encoded_anew_with_a_word() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let joined = |name: &str, parts: &[&PathBuf]| {
        let bytes = parts.iter().map(|part| std::fs::read(part).expect("read"));
        let path = folder.path().join(name);
        std::fs::write(&path, bytes.collect::<Vec<_>>().concat()).expect("written");
        path
    };
    let bare = ["-write_xing", "0", "-id3v2_version", "0"];
    let high = source(folder.path(), "high.mp3", &bare);
    let low = source(folder.path(), "low.mp3", &[&bare[..], &["-ar", "22050"]].concat());
    let one = source(folder.path(), "one.opus", &["-c:a", "libopus"]);
    let two = source(folder.path(), "two.ogg", &["-c:a", "libvorbis"]);
    for (input, target, samples) in [
        (joined("rates.mp3", &[&high, &low]), "mp3", 2 * SAMPLES),
        (joined("chain.opus", &[&one, &one]), "opus", 2 * SAMPLES_48K),
        (joined("chain.ogg", &[&two, &two]), "ogg", 2 * SAMPLES),
    ] {
        let output = folder.path().join(format!("out.{target}"));
        let ran = convert(&["--force"], &input, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        assert!(said.contains("could not be copied, it changes in mid-stream"), "{said}");
        assert!(!said.contains("damaged"), "{target}: {said}");
        // Each part brings its priming or padding of a few packets.
        let found = decoded_samples(&output);
        assert!(found >= samples && found < samples + 8 * 1152, "{target}: {found}, not {samples}");
    }
}

#[test]
fn a_beginning_that_an_edit_list_cuts_off_does_not_come_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = source(folder.path(), "edited.m4a", &["-c:a", "aac", "-movflags", "faststart"]);
    std::fs::write(&input, with_edit_from(&input, 1024 + 44_100)).expect("written");
    let output = folder.path().join("out.m4a");
    let ran = convert(&[], &input, &output);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("its beginning is cut off"), "{said}");
    let found = decoded_samples(&output);
    assert!(found < 2 * 44_100 + 2048, "{found} samples");
}

#[test]
fn cover_and_chapters_come_along_with_copied_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chapters = folder.path().join("chapters.txt");
    let list = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle=One\n\
                [CHAPTER]\nTIMEBASE=1/1\nSTART=1\nEND=3\ntitle=Two\n";
    std::fs::write(&chapters, list).expect("written");
    let plain = music(folder.path(), "plain.wav", 3, &[]);
    let input = folder.path().join("book.m4a");
    ffmpeg(&["-i", text(&plain), "-i", text(&chapters), "-map_chapters", "1", text(&input)]);
    let output = folder.path().join("book.m4b");
    let ran = convert(&["--artist", "Somebody"], &input, &output);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(packets(&output), packets(&input));
    let told = Command::new("ffprobe")
        .args(["-v", "error", "-show_chapters", "-show_format", "-of", "json"])
        .arg(&output)
        .output()
        .expect("the ffprobe command");
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told["chapters"][1]["tags"]["title"], "Two");
    assert_eq!(told["format"]["tags"]["artist"], "Somebody");
    let bytes = std::fs::read(&output).expect("read");
    assert_eq!(&bytes[4..8], b"ftyp");
    let first = u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
    assert_eq!(&bytes[first + 4..first + 8], b"moov", "the index stands in front");
}

/// The file with the start of its only edit moved (ISO/IEC 14496-12 section 8.6.6).
fn with_edit_from(file: &Path, start: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(file).expect("read");
    let at = bytes.windows(4).position(|window| window == b"elst").expect("an edit list") + 12;
    assert_eq!(bytes[at + 4..at + 8], 1024_u32.to_be_bytes(), "the start of the only edit");
    bytes[at + 4..at + 8].copy_from_slice(&start.to_be_bytes());
    bytes
}

#[test]
fn priming_of_any_length_stays_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = source(folder.path(), "plain.m4a", &["-c:a", "aac", "-movflags", "faststart"]);
    for start in [1024, 2024, 2048, 2112, 2624] {
        let input = folder.path().join(format!("{start}.m4a"));
        std::fs::write(&input, with_edit_from(&plain, start)).expect("written");
        let output = folder.path().join("out.m4a");
        let ran = convert(&["--force"], &input, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{start}: {said}");
        assert!(sound(&output) == sound(&input), "{start}: another sound");
    }
}

#[test]
fn what_follows_the_sound_is_left_out_and_damage_is_not_copied() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mp3 = source(folder.path(), "a.mp3", &["-q:a", "3"]);
    let clean = packets(&mp3);
    for junk in [vec![0; 5000], vec![0xff; 3000], b"LYRICSBEGIN something LYRICS200".to_vec()] {
        let input = folder.path().join("tail.mp3");
        std::fs::write(&input, [std::fs::read(&mp3).expect("read"), junk].concat())
            .expect("written");
        let output = folder.path().join("out.mp3");
        let ran = convert(&["--force"], &input, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && !said.contains("could not be copied"), "{said}");
        assert_eq!(packets(&output), clean);
    }
    let flac = source(folder.path(), "a.flac", &[]);
    let mut bytes = std::fs::read(&flac).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0x55);
    let input = folder.path().join("bad.flac");
    std::fs::write(&input, bytes).expect("written");
    let output = folder.path().join("out.flac");
    let ran = convert(&["--force"], &input, &output);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && said.contains("it was encoded anew"), "{said}");
    let test = Command::new("flac").args(["-ts"]).arg(&output).output().expect("the flac command");
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    // A job says the same of its plan.
    let server = Server::start();
    let client = server.client();
    for (file, copied) in [(&flac, true), (&input, false)] {
        let bytes = std::fs::read(file).expect("read");
        let answer = client.upload("a.flac", &bytes, &[("format", "flac")]);
        let id = answer.json()["job_id"].as_str().expect("a job").to_owned();
        let job = client.wait(&id)["job"].take();
        assert_eq!(job["status"], "done", "{job}");
        assert_eq!([&job["planned"]["copied"], &job["output"]["copied"]], [copied; 2], "{job}");
    }
}

#[test]
fn the_sound_of_a_film_is_copied_without_a_word_on_its_pictures() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plain = music(folder.path(), "plain.wav", 2, &[]);
    for (name, codecs, target) in [
        ("film.mp4", ["mpeg4", "aac"], "m4a"),
        ("film.mkv", ["libx264", "libmp3lame"], "mp3"),
        ("film.webm", ["libvpx", "libopus"], "opus"),
    ] {
        let input = folder.path().join(name);
        let pictures = ["-f", "lavfi", "-i", "testsrc=s=64x64:d=2", "-i", text(&plain)];
        let coded = ["-c:v", codecs[0], "-c:a", codecs[1], text(&input)];
        ffmpeg(&[&pictures[..], &coded].concat());
        let output = folder.path().join(format!("out.{target}"));
        let ran = convert(&["--force"], &input, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.is_empty(), "{name}: {said}");
        assert_eq!(packets(&output), packets(&input), "{name}");
    }
}

#[test]
fn what_was_cut_away_is_not_heard_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let wav = music(folder.path(), "in.wav", 4, &[]);
    let cut = folder.path().join("cut.m4a");
    let ran = convert(&["--force", "--start", "1", "--end", "3"], &wav, &cut);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for (target, is_copied) in [("m4a", true), ("aac", false), ("mka", false)] {
        let output = folder.path().join(format!("again.{target}"));
        let ran = convert(&["--force"], &cut, &output);
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        assert_eq!(
            said.contains("what lies before its start would be heard"),
            !is_copied,
            "{said}"
        );
    }
}
