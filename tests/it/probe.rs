//! `POST /api/v1/probe`: what is in a file and what would be made of it, without doing it.

use std::process::Command;

use serde_json::Value;

use crate::support::recording::{ffmpeg, music, plain_wav};
use crate::support::{AUDIOMILL, Server};

const RAW: &str = "application/octet-stream";

#[test]
fn a_file_is_told_about_and_nothing_is_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = music(folder.path(), "a.mp3", 3, &["-b:a", "128k", "-metadata", "title=Тест"]);
    let bytes = std::fs::read(&file).expect("read");
    let server = Server::start();
    let client = server.client();
    let files = server.files();
    let raw = client.request("POST", "/api/v1/probe", Some((RAW, &bytes)));
    assert_eq!(raw.status, 200, "{}", raw.text());
    let told = raw.json();
    assert_eq!(told["container"], "mp3");
    assert_eq!(told["tags"]["title"], "Тест");
    assert_eq!(told["streams"][0]["codec"], "mp3");
    assert!((told["duration_seconds"].as_f64().expect("a length") - 3.0).abs() < 0.1, "{told}");
    assert_eq!(told.get("planned"), None, "no format, no plan");
    // What the command line says of it.
    let said = Command::new(AUDIOMILL).arg("probe").arg(&file).output().expect("audiomill runs");
    assert_eq!(serde_json::from_slice::<Value>(&said.stdout).expect("JSON"), told);

    let copied = client.request("POST", "/api/v1/probe?format=mp3", Some((RAW, &bytes))).json();
    assert_eq!(copied["planned"]["copied"], true, "{copied}");
    assert_eq!(copied["planned"]["bitrate_bps"], 128_000);
    let form =
        crate::support::client::form("a.mp3", &bytes, &[("format", "opus"), ("channels", "1")]);
    let kind = format!("multipart/form-data; boundary={}", crate::support::client::BOUNDARY);
    let encoded = client.request("POST", "/api/v1/probe", Some((&kind, &form))).json();
    let planned = &encoded["planned"];
    assert_eq!(planned["encoder"], "libopus", "{encoded}");
    assert_eq!([&planned["sample_rate"], &planned["channels"]], [48_000, 1]);
    assert_eq!(server.files(), files, "nothing is kept");
}

#[test]
fn what_cannot_be_told_about_is_refused_in_words() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let picture = folder.path().join("a.png");
    let shown = picture.display().to_string();
    ffmpeg(&["-f", "lavfi", "-i", "testsrc=s=80x80", "-frames:v", "1", &shown]);
    let picture = std::fs::read(picture).expect("read");
    let wav = plain_wav(1);
    let server = Server::with(&[("MAX_UPLOAD_MB", "1")]);
    let client = server.client();
    for (path, bytes, status, code) in [
        ("/api/v1/probe", &picture[..], 415, "not_audio"),
        ("/api/v1/probe", b"#EXTM3U\nhttp://127.0.0.1/a.mp3\n", 415, "type_not_accepted"),
        ("/api/v1/probe", b"", 400, "empty_file"),
        ("/api/v1/probe", b"OggS but nothing that follows", 422, "corrupt_input"),
        ("/api/v1/probe", &vec![7; 2 << 20], 413, "too_large"),
        ("/api/v1/probe?format=mp9", &wav, 422, "format_unknown"),
        ("/api/v1/probe?format=mp3&colour=red", &wav, 422, "option_unknown"),
        ("/api/v1/probe?format=mp3&channels=6", &wav, 422, "option_unsupported"),
        ("/api/v1/probe?format=mp3&stream=5", &wav, 422, "option_unsupported"),
    ] {
        let answer = client.request("POST", path, Some((RAW, bytes)));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (status, code),
            "{path}: {}",
            answer.text()
        );
    }
    let stranger = server.stranger().request("POST", "/api/v1/probe", Some((RAW, &wav)));
    assert_eq!(stranger.status, 401);
}
