//! `audiomill` on a terminal: commands, exit codes, what is left behind.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::recording::{decoded_samples, music, plain_wav, stream_entry};
use crate::support::{AUDIOMILL, wait_for};

fn run(arguments: &[&str]) -> Output {
    Command::new(AUDIOMILL).args(arguments).stdin(Stdio::null()).output().expect("audiomill runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_target_decodes_to_the_length_of_its_source() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = music(folder.path(), "in.wav", 3, &[]);
    for (name, options) in [
        ("a.mp3", &[][..]),
        ("a.m4a", &[]),
        ("a.opus", &[]),
        ("a.ogg", &[]),
        ("a.flac", &[]),
        ("b.m4a", &["--format", "alac"]),
        ("a.wav", &[]),
        ("a.aiff", &[]),
    ] {
        let output = folder.path().join(name);
        let mut arguments =
            vec!["convert", input.to_str().expect("a path"), output.to_str().expect("a path")];
        arguments.extend_from_slice(options);
        let ran = run(&arguments);
        assert!(ran.status.success(), "{name}: {}", stderr(&ran));
        let rate = if name == "a.opus" { 48_000 } else { 44_100 };
        let samples = decoded_samples(&output);
        // AAC without an edit list's end: the last frame is whole.
        let slack = if name == "a.m4a" { 1024 } else { 0 };
        assert!((3 * rate..=3 * rate + slack).contains(&samples), "{name}: {samples} samples");
    }
}

#[test]
fn sound_of_any_channel_layout_fits_every_target() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let surround = music(folder.path(), "in.ac3", 1, &["-ac", "6"]);
    assert_eq!(stream_entry(&surround, "channel_layout"), "5.1(side)");
    let quad = music(folder.path(), "in.wav", 1, &["-af", "pan=quad|c0=c0|c1=c1|c2=c0|c3=c1"]);
    // libav names no layout for Speex.
    let unnamed = music(folder.path(), "in.spx", 1, &["-ar", "16000", "-ac", "1"]);
    for (input, in_stereo_codecs) in [(&surround, 2), (&quad, 2), (&unnamed, 1)] {
        for target in ["mp3", "m4a", "opus", "ogg", "flac", "wav", "aiff"] {
            let output = folder.path().join("out").with_extension(target);
            let ran = run(&[
                "convert",
                "--force",
                input.to_str().expect("a path"),
                output.to_str().expect("a path"),
            ]);
            assert!(ran.status.success(), "{} {target}: {}", input.display(), stderr(&ran));
            let channels = stream_entry(&output, "channels");
            let wanted = stream_entry(input, "channels");
            let wanted = if target == "mp3" { in_stereo_codecs.to_string() } else { wanted };
            assert_eq!(channels, wanted, "{} {target}", input.display());
        }
    }
}

#[test]
fn a_range_is_cut_to_the_sample_and_tags_are_what_was_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let source = folder.path().join("in.wav");
    std::fs::write(&source, plain_wav(3)).expect("written");
    let input = path("in.wav");
    let convert = |name: &str, options: &[&str]| {
        let output = path(name);
        let mut arguments = vec!["convert", "--force", &input, &output];
        arguments.extend_from_slice(options);
        run(&arguments)
    };
    // Two halves of a cut are the whole.
    assert!(convert("a.wav", &["--end", "1.23456"]).status.success());
    assert!(convert("b.wav", &["--start", "1.23456", "--title", "Part 2"]).status.success());
    let samples = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).expect("read");
        let data = bytes.windows(4).position(|window| window == b"data").expect("a data chunk");
        let length = u32::from_le_bytes(bytes[data + 4..data + 8].try_into().expect("4 bytes"));
        bytes[data + 8..][..length as usize].to_vec()
    };
    let joined = [samples("a.wav"), samples("b.wav")].concat();
    assert!(joined == samples("in.wav"), "a cut loses or doubles samples");
    assert_eq!(samples("a.wav").len() / 4, 54_444);
    assert!(convert("c.opus", &["--start", "0:01", "--duration", "1.5"]).status.success());
    assert_eq!(decoded_samples(&folder.path().join("c.opus")), 72_000);
    let behind = convert("d.wav", &["--start", "3.5"]);
    assert_eq!(behind.status.code(), Some(1));
    assert!(stderr(&behind).contains("3.000 s long: nothing lies behind"), "{}", stderr(&behind));
    let nowhere = convert("e.ac3", &["--title", "x"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(stderr(&nowhere).contains("AC-3 has no place for tags"), "{}", stderr(&nowhere));
    assert_eq!(entries(folder.path()), ["a.wav", "b.wav", "c.opus", "in.wav"]);
}

#[test]
fn what_libav_or_a_container_cannot_take_is_said_and_nothing_dies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let convert = |input: &Path, name: &str, options: &[&str]| {
        let output = folder.path().join(name);
        let paths = [input, &output].map(|path| path.to_str().expect("a path"));
        run(&[&["convert", "--force"][..], options, &paths].concat())
    };
    // libav's encoder would end the process.
    let one = folder.path().join("one.wav");
    std::fs::write(&one, [&plain_wav(1)[..40], &[4, 0, 0, 0, 1, 0, 2, 0]].concat())
        .expect("written");
    let tiny = convert(&one, "a.tta", &[]);
    assert_eq!(tiny.status.code(), Some(1));
    assert!(stderr(&tiny).contains("TTA cannot end with so few samples"), "{}", stderr(&tiny));
    assert!(convert(&one, "a.flac", &[]).status.success());
    // A cover that MP4 has no number for.
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tags.py");
    let webp = folder.path().join("cover.webp");
    std::fs::write(&webp, b"RIFF\x20\0\0\0WEBPVP8 \x14\0\0\0aaaaaaaaaaaaaaaaaaaa")
        .expect("written");
    let covered = music(folder.path(), "covered.flac", 1, &[]);
    let paths = [&covered, &webp].map(|path| path.to_str().expect("a path"));
    let written = Command::new("/usr/bin/python3").args([script, "write"]).args(paths).status();
    assert!(written.expect("python3").success());
    let said = convert(&covered, "b.m4a", &[]);
    assert!(said.status.success(), "{}", stderr(&said));
    assert!(stderr(&said).contains("others are left out"), "{}", stderr(&said));
    // Eight channels stay eight where the encoder has a layout of eight.
    let eight = music(folder.path(), "eight.wav", 1, &["-ac", "8"]);
    assert!(convert(&eight, "d.m4a", &["--format", "alac"]).status.success());
    assert_eq!(stream_entry(&folder.path().join("d.m4a"), "channels"), "8");
}

#[test]
fn a_plan_is_told_and_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = |name: &str, more: &[&str], arguments: &[&str]| {
        let input = music(folder.path(), name, 2, more);
        let output = folder.path().join("out.mp3");
        let paths = [&input, &output].map(|path| path.to_str().expect("a path"));
        let ran = run(&[&["convert", "--plan"][..], arguments, &paths].concat());
        assert!(ran.status.success(), "{}", stderr(&ran));
        let told: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        told["planned"].clone()
    };
    let standard = plan("a.wav", &[], &[]);
    assert_eq!(standard["bitrate_bps"], 192_000);
    // What a lossy source has lost does not come back.
    assert_eq!(plan("b.mp3", &["-b:a", "64k"], &[])["bitrate_bps"], 64_000);
    assert_eq!(plan("c.m4a", &["-ac", "1", "-b:a", "50k"], &[])["bitrate_bps"], 56_000);
    assert_eq!(plan("d.mp3", &["-b:a", "64k"], &["--format", "ogg"])["quality"], 0);
    assert_eq!(plan("d.mp3", &["-b:a", "64k"], &["--bitrate", "128k"])["bitrate_bps"], 128_000);
    let shrunk = plan("e.wav", &["-c:a", "pcm_s24le"], &["--format", "flac", "--bit-depth", "16"]);
    assert_eq!(shrunk["dither"], true);
    assert_eq!(plan("f.wav", &[], &["--preset", "podcast"])["loudness_lufs"], -16.0);
    assert!(!folder.path().join("out.mp3").exists());
}

#[test]
fn tags_of_stream_and_container_reach_the_output() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input =
        music(folder.path(), "in.ogg", 1, &["-metadata", "title=Mühle", "-metadata", "artist=B"]);
    for name in ["a.mp3", "a.m4a", "a.flac", "a.opus", "a.aiff"] {
        let output = folder.path().join(name);
        let ran =
            run(&["convert", input.to_str().expect("a path"), output.to_str().expect("a path")]);
        assert!(ran.status.success(), "{name}: {}", stderr(&ran));
        let probe = run(&["probe", output.to_str().expect("a path")]);
        let probe: Value = serde_json::from_slice(&probe.stdout).expect("JSON");
        let all = format!("{} {}", probe["tags"], probe["streams"][0]["tags"]);
        assert!(all.contains("Mühle") && all.contains("\"B\""), "{name}: {all}");
    }
}

#[test]
fn an_output_is_whole_or_not_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in.wav");
    std::fs::write(&input, plain_wav(1)).expect("a file");
    let (input, output) = (input.to_str().expect("a path"), folder.path().join("out.mp3"));
    let output_text = output.to_str().expect("a path");
    std::fs::write(&output, "precious").expect("a file");

    let refused = run(&["convert", input, output_text]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("exists; --force overwrites it"), "{}", stderr(&refused));
    assert_eq!(std::fs::read(&output).expect("the file"), b"precious");

    let broken = folder.path().join("broken.wav");
    std::fs::write(&broken, b"RIFF\0\0\0\0WAVE").expect("a file");
    let failed = run(&["convert", broken.to_str().expect("a path"), output_text, "--force"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(std::fs::read(&output).expect("the file"), b"precious", "a failure leaves it alone");

    assert!(run(&["convert", input, output_text, "--force"]).status.success());
    assert_ne!(std::fs::read(&output).expect("the file"), b"precious");
    assert_eq!(entries(folder.path()), ["broken.wav", "in.wav", "out.mp3"]);
}

#[test]
fn wrong_usage_is_2_and_says_what_would_work() {
    for (arguments, says) in [
        (&["convert", "a.wav", "a.xyz"][..], "say --format"),
        (&["convert", "a.wav", "a.mp3", "--bitrate", "9999k"], "8k to 512k"),
        (
            &["convert", "a.wav", "a.flac", "--bitrate", "192k"],
            "FLAC is lossless and takes no bitrate",
        ),
        (&["convert", "a.wav", "a.mp3", "--threads", "many"], "0 to 1024"),
        (&["convert", "a.wav", "a.mp3", "--nonsense"], "unexpected argument"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["serve", "--workers", "none"], "WORKERS is \"none\""),
        (&["serve", "--config", "/nowhere.toml"], "/nowhere.toml cannot be read"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
    let missing = run(&["convert", "/nowhere.wav", "/tmp/never.mp3"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        stderr(&missing).contains("/nowhere.wav: no such file or directory"),
        "{}",
        stderr(&missing)
    );
}

#[test]
fn stdin_and_stdout_are_a_hyphen() {
    let mut child = Command::new(AUDIOMILL)
        .args(["convert", "-", "-", "--format", "flac", "--progress", "none"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("audiomill runs");
    let mut stdin = child.stdin.take().expect("its stdin");
    std::thread::spawn(move || stdin.write_all(&plain_wav(1)));
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success() && output.stdout.starts_with(b"fLaC"));
}

#[test]
fn progress_as_json_rises_to_100() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in.wav");
    std::fs::write(&input, plain_wav(60)).expect("a file");
    let output = folder.path().join("out.mp3");
    let ran = run(&[
        "convert",
        input.to_str().expect("a path"),
        output.to_str().expect("a path"),
        "--progress",
        "json",
    ]);
    let lines: Vec<Value> = stderr(&ran)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let percents: Vec<f64> = lines.iter().filter_map(|line| line["percent"].as_f64()).collect();
    assert!(percents.windows(2).all(|pair| pair[0] <= pair[1]), "{percents:?}");
    assert_eq!(percents.last(), Some(&100.0));
    let last = lines.last().expect("a line");
    assert!(
        last["frames_encoded"].as_u64().is_some_and(|frames| frames >= 60 * 44_100 / 1152),
        "{last}"
    );
}

#[test]
fn an_interrupt_ends_it_with_130_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, out) = (folder.path().join("in.wav"), folder.path().join("out"));
    std::fs::write(&input, plain_wav(900)).expect("a file");
    std::fs::create_dir(&out).expect("a folder");
    let mut child = Command::new(AUDIOMILL)
        .arg("convert")
        .args([input.as_path(), &out.join("out.mp3")])
        .stdin(Stdio::null())
        .spawn()
        .expect("audiomill runs");
    wait_for("it has begun to write", 30, || !entries(&out).is_empty());
    std::thread::sleep(Duration::from_millis(100));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    assert_eq!(entries(&out), [""; 0]);
}

#[test]
fn paths_are_bytes_and_a_pipe_is_a_source() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join(OsStr::from_bytes(b"caf\xe9.wav"));
    let output = folder.path().join(OsStr::from_bytes(b"caf\xe9.mp3"));
    std::fs::write(&input, plain_wav(1)).expect("a file");
    let ran = Command::new(AUDIOMILL).arg("convert").args([&input, &output]).output();
    assert!(ran.expect("audiomill runs").status.success());
    assert!(output.exists());

    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, plain_wav(1)))
    };
    let from_pipe = folder.path().join("pipe.mp3");
    let ran = Command::new(AUDIOMILL)
        .arg("convert")
        .args([&pipe, &from_pipe])
        .output()
        .expect("audiomill runs");
    assert!(ran.status.success(), "{}", stderr(&ran));
    writer.join().expect("no panic").expect("written");
}

#[test]
fn a_device_stays_a_device_and_a_link_a_link() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in.wav");
    std::fs::write(&input, plain_wav(1)).expect("a file");
    let input = input.to_str().expect("a path");
    let into_null = run(&["convert", input, "/dev/null", "--format", "mp3", "--force"]);
    assert!(into_null.status.success(), "{}", stderr(&into_null));
    assert!(!std::fs::metadata("/dev/null").expect("a device").is_file());
    let (target, link) = (folder.path().join("target.mp3"), folder.path().join("link.mp3"));
    std::fs::write(&target, "old").expect("a file");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    assert!(run(&["convert", input, link.to_str().expect("a path"), "--force"]).status.success());
    assert!(std::fs::symlink_metadata(&link).expect("the link").is_symlink());
    assert_ne!(std::fs::read(&target).expect("the target"), b"old");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(AUDIOMILL)
        .args(["formats", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("audiomill runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("its end").code(), Some(0));
}

#[test]
fn an_interrupt_ends_it_while_it_waits_for_its_source() {
    let mut child = Command::new(AUDIOMILL)
        .args(["convert", "-", "-", "--format", "mp3"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("audiomill runs");
    // Kept open: waiting for a child closes its stdin, which would be an end of the source.
    let stdin = child.stdin.take();
    std::thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    drop(stdin);
}

#[test]
fn the_catalogue_lists_every_format_with_its_options() {
    let text = run(&["formats"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert_eq!(text.lines().take_while(|line| !line.is_empty()).count(), 16);
    assert!(text.contains("transcribe format=opus channels=1 bitrate=16k"), "{text}");
    let json: Value = serde_json::from_slice(&run(&["formats", "--json"]).stdout).expect("JSON");
    let names: Vec<_> =
        json.as_array().expect("a list").iter().map(|f| f["format"].clone()).collect();
    assert_eq!(
        names,
        [
            "mp3", "m4a", "opus", "flac", "wav", "ogg", "alac", "aiff", "m4b", "aac", "wv", "tta",
            "ac3", "mka", "webm"
        ]
    );
    assert!(json.as_array().expect("a list").iter().all(|f| f["available"] == true));
}
