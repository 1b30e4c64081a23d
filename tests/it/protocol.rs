//! HTTP as it should be spoken, and as it should not.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

#[test]
fn every_answer_carries_the_security_headers_and_a_request_id() {
    let server = Server::start();
    let client = server.client();
    for path in ["/upload", "/login", "/healthz", "/api/v1/jobs", "/nowhere", "/status/x"] {
        let answer = client.get(path);
        for name in [
            "content-security-policy",
            "x-content-type-options",
            "referrer-policy",
            "cache-control",
            "x-request-id",
        ] {
            assert!(answer.header(name).is_some(), "{path} has no {name}");
        }
    }
    // Anything stricter makes browsers send `Origin: null` with our own forms.
    assert_eq!(client.get("/login").header("referrer-policy"), Some("same-origin"));
    let page = client.get("/upload");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let build = page
        .text()
        .split("/_app/")
        .nth(1)
        .and_then(|rest| rest.split('/').next().map(str::to_owned));
    let asset = client.get(&format!("/_app/{}/app.css", build.expect("a build")));
    assert_eq!(
        (asset.status, asset.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert!(asset.header("cache-control").is_some_and(|caching| caching.contains("immutable")));
}

#[test]
fn an_unknown_method_is_405_with_the_known_ones() {
    let server = Server::start();
    let answer = server.client().request("PUT", "/upload", None);
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, POST, HEAD")));
    assert_eq!(server.client().get("/nowhere").status, 404);
}

#[test]
fn a_refusal_comes_before_100_continue() {
    let (server, full) = (Server::start(), Server::with(&[("MIN_FREE_MB", "1000000000")]));
    for (server, key, length, status) in [
        (&server, "wrong", 1000, 401),
        (&server, KEY, 99_999_999_999_u64, 413),
        (&full, KEY, 1000, 507),
    ] {
        let head = format!(
            "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nExpect: 100-continue\r\n\
             Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut stream = server.client().connect();
        stream.write_all(head.as_bytes()).expect("sent");
        let answer = crate::support::client::read_answer(&mut stream).expect("an answer");
        assert_eq!(answer.status, status, "not 100 first");
    }
}

#[test]
fn silent_and_slow_connections_are_closed() {
    let server = Server::start();
    let started = Instant::now();
    let mut silent = server.client().connect();
    let mut partial = server.client().connect();
    partial.write_all(b"PRI").expect("sent");
    let mut slow = server.client().connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHo").expect("sent");
    for stream in [&mut silent, &mut partial, &mut slow] {
        stream.set_read_timeout(Some(Duration::from_secs(25))).expect("a timeout");
        let mut end = Vec::new();
        // Closed in good order or reset: either way it ends, and not by our own timeout.
        let _ = stream.read_to_end(&mut end);
        assert!(started.elapsed() < Duration::from_secs(20), "closed by the server");
    }
    assert_eq!(server.client().get("/healthz").status, 200);
}

#[test]
fn http_2_without_tls_is_spoken_too() {
    let server = Server::start();
    let output = std::process::Command::new("curl")
        .args(["-sS", "--http2-prior-knowledge", "-o", "-", "-w", " %{http_version} %{http_code}"])
        .arg(format!("http://{}/healthz", server.address))
        .output()
        .expect("curl runs");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with(" 2 200"), "{output:?}");
}

#[test]
fn the_host_that_http_2_names_decides_on_the_cookie() {
    let server = Server::with(&[("PUBLIC_URL", "https://audio.example.org,http://mill.lan")]);
    for (host, begins) in [("audio.example.org", "__Host-"), ("mill.lan", "audiomill_")] {
        let link = server.new_link();
        let (_, token) = link.split_once("token=").expect("a token");
        let output = std::process::Command::new("curl")
            .args(["-sS", "-i", "--http2-prior-knowledge", "--noproxy", "*"])
            .args(["-H", &format!("Host: {host}"), "-d", &format!("token={token}")])
            .arg(format!("http://{}/login", server.address))
            .output()
            .expect("curl runs");
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(answer.starts_with("HTTP/2 303"), "{answer}");
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = cookie.expect("a cookie");
        assert!(cookie.starts_with(begins), "{host}: {cookie}");
        assert_eq!(cookie.contains("; Secure"), begins == "__Host-", "{host}: {cookie}");
    }
}

#[test]
fn a_long_path_fills_no_log() {
    let server = Server::start();
    let path = format!("/{}end", "é%20".repeat(700));
    assert_eq!(server.client().get(&path.replace('é', "%C3%A9")).status, 404);
    crate::support::wait_for("it is in the log", 5, || server.log().contains("%C3%A9%20"));
    let log = server.log();
    let longest = log.lines().map(str::len).max().expect("lines");
    assert!(longest < 2000 && !log.contains("end "), "{longest}");
}

#[test]
fn a_download_that_is_broken_off_frees_its_file() {
    let server = Server::start();
    let client = server.client();
    let answer = client.upload("a.wav", &plain_wav(60), &[("format", "wav")]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    client.wait(&id);
    let open = || server.open_files("/transcoded/users/");
    let before = open();
    for _ in 0..50 {
        let mut stream = client.connect();
        let head = format!("GET /download/{id} HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\n\r\n", KEY);
        stream.write_all(head.as_bytes()).expect("sent");
        let mut some = [0; 1000];
        stream.read_exact(&mut some).expect("a beginning");
    }
    crate::support::wait_for("the files are closed", 10, || open() <= before);
}
