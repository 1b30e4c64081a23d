//! Results on their way out: parts of them, their head alone, and what they are called.

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::client::Client;
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

fn converted(client: &Client, name: &str, options: &[(&str, &str)]) -> String {
    let answer = client.upload(name, &plain_wav(1), options);
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(client.wait(&id)["status"], "done");
    format!("/download/{id}")
}

#[test]
fn one_range_is_answered_in_part_and_every_odd_one_with_the_whole() {
    let server = Server::start();
    let client = server.client();
    let path = converted(&client, "a.wav", &[("format", "wav")]);
    let whole = client.get(&path).body;
    let (all, last) = (whole.len(), whole.len() - 1);
    let flood = format!("bytes={}", "0-0,".repeat(2500));
    for (range, expected) in [
        ("bytes=0-0", Some((0, 0))),
        ("bytes=0-99", Some((0, 99))),
        ("bytes=100-", Some((100, last))),
        ("bytes=-1", Some((last, last))),
        ("bytes=-100", Some((all - 100, last))),
        ("bytes=-99999999999", Some((0, last))),
        ("bytes=5-99999999999999999999999999", Some((5, last))),
        ("Bytes=1-2", Some((1, 2))),
        ("bytes=0-", Some((0, last))),
        ("bytes= 3-4", Some((3, 4))),
        ("bytes=9-3", None),
        ("bytes=-", None),
        ("bytes=", None),
        ("bytes", None),
        ("items=0-1", None),
        ("bytes=0-1,5-6", None),
        ("bytes=0-,0-,0-,0-", None),
        ("bytes=+1-2", None),
        ("bytes=0x1-2", None),
        ("bytes=1-2-3", None),
        (&flood, None),
    ] {
        let short = &range[..range.len().min(40)];
        let answer = client.with("Range", range).get(&path);
        match expected {
            Some((first, last)) => {
                assert_eq!(answer.status, 206, "{short}");
                assert_eq!(answer.body, whole[first..=last], "{short}");
                let told = format!("bytes {first}-{last}/{all}");
                assert_eq!(answer.header("content-range"), Some(told.as_str()), "{short}");
            }
            None => {
                assert_eq!((answer.status, answer.body.len()), (200, all), "{short}");
                assert!(answer.header("content-range").is_none(), "{short}");
            }
        }
    }
    for range in [format!("bytes={all}-"), String::from("bytes=-0")] {
        let answer = client.with("Range", &range).get(&path);
        assert_eq!((answer.status, answer.code().as_str()), (416, "range_not_satisfiable"));
        assert_eq!(answer.header("content-range"), Some(format!("bytes */{all}").as_str()));
    }
    // A flood of ranges costs what any header of its length costs.
    let time = |range: &str| {
        let client = client.with("Range", range).with("If-None-Match", "*");
        let started = Instant::now();
        for _ in 0..50 {
            assert_eq!(client.get(&path).status, 304);
        }
        started.elapsed() / 50
    };
    let (short, long) = (time("bytes=0-0"), time(&flood));
    println!("a request with one range {short:?}, with a list of 2500 {long:?}");
    assert!(long < short + Duration::from_millis(50), "{short:?} {long:?}");
}

#[test]
fn a_head_says_what_its_get_would_and_does_nothing() {
    let server = Server::start();
    let client = server.client();
    let path = converted(&client, "a.wav", &[]);
    let status = path.replace("download", "status");
    for path in [&path, &status, "/upload", "/api/v1/jobs", "/healthz", "/login"] {
        let (head, get) = (client.request("HEAD", path, None), client.get(path));
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}");
        let of = |answer: &crate::support::Answer| -> Vec<(String, String)> {
            let passing = ["date", "x-request-id"];
            let kept = answer.headers.iter().filter(|(name, _)| !passing.contains(&name.as_str()));
            let mut kept: Vec<_> = kept.cloned().collect();
            kept.sort();
            kept
        };
        assert_eq!(of(&head), of(&get), "{path}");
    }
    // Ranges are for GET (RFC 9110, section 14.2).
    assert_eq!(client.with("Range", "bytes=0-1").request("HEAD", &path, None).status, 200);
}

#[test]
fn hostile_names_are_files_of_that_name_for_curl_and_nothing_else() {
    let server = Server::start();
    let client = server.client();
    for (sent, kept) in [
        ("plain name.wav", "plain name.mp3"),
        ("na\u{ef}ve \u{20ac}.wav", "na_ve _.mp3"),
        ("%22; x=%22.wav", "_; x=_.mp3"),
        ("../../../etc/passwd", "passwd.mp3"),
        ("C:\\temp\\CON.wav", "CON.mp3"),
        ("%2e%2e%2fup.wav", "_2e_2e_2fup.mp3"),
        ("-rf.wav", "-rf.mp3"),
        ("\u{202e}vaw.exe", "_vaw.mp3"),
        ("\u{1f600}.wav", "_.mp3"),
    ] {
        let path = converted(&client, sent, &[]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new("curl")
            .args(["-sSfOJ", "-H", &format!("x-api-key: {KEY}")])
            .arg(format!("http://{}{path}", server.address))
            .current_dir(folder.path())
            .output()
            .expect("curl runs");
        assert!(output.status.success(), "{sent}: {output:?}");
        let files = std::fs::read_dir(folder.path()).expect("its folder").flatten();
        let names: Vec<String> =
            files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names, [kept], "{sent}");
        assert!(
            server
                .files()
                .iter()
                .all(|file| file.contains("/original.") || !file.contains("input"))
        );
    }
}

#[test]
fn a_download_that_has_begun_is_whole_also_when_its_job_is_deleted() {
    let server = Server::start();
    let client = server.client();
    let answer = client.upload("a.wav", &plain_wav(120), &[("format", "wav")]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    let bytes = client.wait(&id)["job"]["output"]["bytes"].as_u64().expect("its size");
    let mut stream = client.connect();
    let head = format!(
        "GET /download/{id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx-api-key: {KEY}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut first = [0; 1000];
    stream.read_exact(&mut first).expect("a beginning");
    assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{id}"), None).status, 204);
    assert_eq!(client.get(&format!("/download/{id}")).status, 404);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the rest");
    let whole = [&first[..], &rest].concat();
    let body = crate::support::client::parse_answer(&whole).expect("an answer").body;
    assert_eq!(body.len() as u64, bytes);
    crate::support::wait_for("it is gone", 5, || server.files().is_empty());
}
