//! Every bad input gets a clear answer, leaves nothing behind, and the server serves on.

use std::io::Write;
use std::process::Command;

use crate::support::client::{BOUNDARY, Client, form, read_answer};
use crate::support::recording::{music, plain_wav};
use crate::support::{AUDIOMILL, Server, wait_for};

fn raw_form(client: &Client, body: &str) -> (u16, String) {
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = client.request("POST", "/upload", Some((&kind, body.as_bytes())));
    (answer.status, answer.code())
}

#[test]
fn what_is_refused_is_refused_in_words_and_leaves_nothing() {
    let server = Server::with(&[("MAX_UPLOAD_MB", "1")]);
    let client = server.client();
    let wav = plain_wav(1);
    type Refused<'a> = (&'a str, &'a [u8], &'a [(&'a str, &'a str)], u16, &'a str);
    let refused: &[Refused<'_>] = &[
        ("a.mp3", b"", &[], 400, "empty_file"),
        ("a.mp3", b"\x89PNG\r\n\x1a\n", &[], 415, "not_audio"),
        ("a.mp3", b"just some words\n", &[], 415, "not_audio"),
        ("a.mp3", b"#EXTM3U\n/etc/passwd\n", &[], 415, "type_not_accepted"),
        ("a.wav", b"ffconcat version 1.0\nfile x\n", &[], 415, "type_not_accepted"),
        ("a.mp3", b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", &[], 415, "type_not_accepted"),
        ("a.m4a", b"<?xml version=\"1.0\"?><MPD></MPD>", &[], 415, "type_not_accepted"),
        ("a.wav", &wav, &[("format", "xyz")], 422, "format_unknown"),
        ("a.wav", &wav, &[("bitrat", "1k")], 422, "option_unknown"),
        ("a.wav", &wav, &[("bitrate", "lots")], 422, "option_invalid"),
        ("a.wav", &wav, &[("format", "flac"), ("bitrate", "192k")], 422, "option_unsupported"),
        ("a.wav", &wav, &[("threads", "many")], 422, "option_invalid"),
        ("a.wav", &vec![0; (1 << 20) + 1], &[], 413, "too_large"),
        ("a.wav", &vec![0; 2 << 20], &[], 413, "too_large"),
    ];
    for (name, content, options, status, code) in refused {
        let answer = client.upload(name, content, options);
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{}", answer.text());
        let problem = answer.json();
        assert_eq!(problem["error"], problem["detail"]);
        assert_eq!(answer.header("x-request-id"), problem["request_id"].as_str());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(server.files(), [""; 0]);
    assert_eq!(client.get("/api/v1/jobs").json()["total"], 0);
    assert_eq!(client.get("/readyz").status, 200, "the server serves on");
}

#[test]
fn forms_that_are_none_are_told_so() {
    let server = Server::start();
    let client = server.client();
    let part = |name: &str, more: &str, value: &str| {
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n{value}\r\n"
        )
    };
    let end = format!("--{BOUNDARY}--\r\n");
    let file = part("file", "; filename=\"a.wav\"", "RIFF");
    assert_eq!(
        raw_form(&client, &format!("{}{end}", part("format", "", "mp3"))),
        (400, "no_file".into())
    );
    let none = part("file", "; filename=\"\"", "");
    assert_eq!(raw_form(&client, &format!("{none}{end}")), (400, "no_file".into()));
    let no_file = client.upload("", b"", &[]);
    assert_eq!(no_file.json()["error"], "No file");
    let wav = String::from("RIFF\u{1}\u{2}");
    let two = format!(
        "{}{}{end}",
        part("file", "; filename=\"a\"", &wav),
        part("file", "; filename=\"b\"", &wav)
    );
    assert_eq!(raw_form(&client, &two), (400, "two_files".into()));
    assert_eq!(raw_form(&client, &file), (400, "body_cut_off".into()));
    assert_eq!(raw_form(&client, "--wrong\r\n\r\n"), (400, "body_cut_off".into()));
    let many: String = (0..40).map(|_| part("metadata", "", "x")).collect();
    assert_eq!(raw_form(&client, &format!("{many}{end}")), (400, "malformed_form".into()));
    let long = part("format", "", &"m".repeat(5000));
    assert_eq!(raw_form(&client, &format!("{long}{end}")), (400, "malformed_form".into()));
    let json = client.request("POST", "/upload", Some(("application/json", b"{}")));
    assert_eq!((json.status, json.code().as_str()), (415, "not_a_form"));
    assert_eq!(server.files(), [""; 0]);
}

#[test]
fn a_wrong_name_with_right_content_works_and_no_name_is_a_path() {
    let server = Server::start();
    let client = server.client();
    let long = format!("{}.mp3", "n".repeat(4096));
    for (sent, shown) in [
        ("picture.png", "picture.mp3"),
        ("../../etc/passwd", "passwd.mp3"),
        ("a%22b.wav", "a\"b.mp3"),
        ("tab\there.wav", "tab\u{fffd}here.mp3"),
        (long.as_str(), ""),
    ] {
        let answer = client.upload(sent, &plain_wav(1), &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let status = client.wait(answer.json()["job_id"].as_str().expect("an id"));
        let name = status["output_filename"].as_str().expect("a name");
        assert!(shown.is_empty() && name.len() <= 260 || name == shown, "{sent}: {name}");
    }
    for file in server.files() {
        let stem =
            std::path::Path::new(&file).file_stem().and_then(|s| s.to_str()).unwrap_or_default();
        assert!(stem == "original" || stem.len() == 36, "{file}");
    }
}

#[test]
fn content_that_only_a_decoder_can_judge_fails_as_a_job_with_the_cause() {
    let server = Server::start();
    let client = server.client();
    let mut noise = vec![0_u8; 5000];
    let mut state = 7_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = (state >> 24) as u8 | 0x80;
    }
    noise[0] = 0x13;
    for (content, code) in [
        (noise, "not_audio"),
        (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), "corrupt_input"),
        (b"OggS\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "corrupt_input"),
        (plain_wav(1)[..44].to_vec(), "empty_output"),
    ] {
        let answer = client.upload("a.mp3", &content, &[]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let status = client.wait(answer.json()["job_id"].as_str().expect("an id"));
        assert_eq!(status["job"]["error"]["code"], code, "{status}");
        assert_eq!(status["error"], status["job"]["error"]["message"]);
        assert_eq!(status["job"]["status"], "failed");
    }
}

#[test]
fn a_client_that_hangs_up_halfway_leaves_nothing() {
    let server = Server::start();
    let client = server.client();
    let body = form("a.wav", &plain_wav(30), &[]);
    for share in [0, 10, 50, 99] {
        let mut stream = client.connect();
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\n\
             Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
            crate::support::server::KEY,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("a sent head");
        stream.write_all(&body[..body.len() * share / 100]).expect("a sent part");
    }
    wait_for("nothing is left", 10, || server.files().is_empty());
    assert_eq!(client.get("/api/v1/jobs").json()["total"], 0);
}

#[test]
fn a_form_cut_at_any_byte_makes_no_job() {
    let server = Server::start();
    let client = server.client();
    let wav = &plain_wav(1)[..300];
    let whole = form("take.wav", wav, &[("format", "flac")]);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    // The closing line is whole without its line end.
    for cut in 0..whole.len() - 2 {
        let answer = client.request("POST", "/upload", Some((&kind, &whole[..cut])));
        let said = (answer.status, answer.code());
        let expected = ["body_cut_off", "malformed_form", "no_file"];
        assert!(said.0 == 400 && expected.contains(&said.1.as_str()), "cut at {cut}: {said:?}");
        // The same bytes of a longer promised body, then silence for good.
        let mut stream = client.connect();
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nConnection: close\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            crate::support::server::KEY,
            whole.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&whole[..cut]).expect("sent");
        stream.shutdown(std::net::Shutdown::Write).expect("half closed");
        if let Some(answer) = read_answer(&mut stream) {
            assert_eq!(answer.status, 400, "cut at {cut}: {}", answer.text());
        }
    }
    wait_for("nothing is left behind", 5, || server.files().is_empty());
    assert_eq!(client.get("/api/v1/jobs").json()["total"], 0);
    let answer = client.request("POST", "/upload", Some((&kind, &whole[..whole.len() - 2])));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_file_of_any_size_is_stopped_at_the_limit_without_being_told_its_length() {
    let server = Server::with(&[("MAX_UPLOAD_MB", "1")]);
    let client = server.client();
    let mut stream = client.connect();
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        crate::support::server::KEY
    );
    stream.write_all(head.as_bytes()).expect("a sent head");
    let start = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
    );
    let mut chunk = |bytes: &[u8]| {
        let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        stream.write_all(&framed).is_ok()
    };
    assert!(chunk(start.as_bytes()));
    let sent = (0..160).take_while(|_| chunk(&[1; 64 * 1024])).count();
    // It is cut off while the client is still sending: the kernel's buffers hold a few MB.
    assert!(sent >= 16, "the limit itself fits");
    if let Some(answer) = read_answer(&mut stream) {
        assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    }
    wait_for("nothing is left", 10, || server.files().is_empty());
}

#[test]
fn a_recording_that_breaks_off_is_told_with_both_lengths() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, options) in [
        ("a.wav", &["-c:a", "pcm_s16le"][..]),
        ("float.wav", &["-c:a", "pcm_f32le"]),
        ("law.wav", &["-c:a", "pcm_alaw"]),
        ("long.wav", &["-rf64", "always"]),
        ("a.w64", &[]),
        ("a.flac", &[]),
        ("a.aiff", &[]),
    ] {
        let file = music(folder.path(), name, 10, options);
        let bytes = std::fs::read(&file).expect("read");
        std::fs::write(&file, &bytes[..bytes.len() * 6 / 10]).expect("cut off");
        let output = folder.path().join("out.mp3");
        let ran =
            Command::new(AUDIOMILL).args(["convert", "--force"]).args([&file, &output]).output();
        let ran = ran.expect("audiomill runs");
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{name}: {said}");
        let both = "breaks off at 0:0";
        assert!(said.contains(both) && said.contains("promises 0:10"), "{name}: {said}");
    }
    // Who writes into a pipe cannot know: no false alarm.
    let piped = folder.path().join("piped.wav");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=d=2", "-f", "wav", "-"])
        .output()
        .expect("the ffmpeg command");
    std::fs::write(&piped, made.stdout).expect("written");
    let output = folder.path().join("out.flac");
    let ran = Command::new(AUDIOMILL).args(["convert", "--force"]).args([&piped, &output]).output();
    let ran = ran.expect("audiomill runs");
    assert!(ran.status.success() && ran.stderr.is_empty());
}
