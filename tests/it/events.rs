//! Streams of events: what happens to jobs, told as it happens and again to who missed it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Server;
use crate::support::client::Client;
use crate::support::recording::plain_wav;

/// One event.
#[derive(Clone, Debug)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
}

/// A client's end of a stream.
struct Stream {
    lines: BufReader<TcpStream>,
    head: String,
}

fn listen(client: &Client, path: &str, seen: Option<u64>) -> Stream {
    let key = client.header("x-api-key").expect("a key");
    let seen = seen.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
    let mut stream = client.connect();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n{seen}\r\n");
    stream.write_all(head.as_bytes()).expect("sent");
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(lines.read_line(&mut head).expect("a head") > 0, "{head}");
    }
    Stream { lines, head }
}

impl Stream {
    /// The next event; `None` when the stream has ended.
    fn next(&mut self) -> Option<Event> {
        let (mut id, mut name, mut data) = (None, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("a line") == 0 {
                return None;
            }
            // Sizes of chunks stand between the lines, and look like none of ours.
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.parse().ok(),
                Some(("event", value)) => value.clone_into(&mut name),
                Some(("data", value)) => value.clone_into(&mut data),
                Some(_) | None if line.starts_with("0\r") => return None,
                Some(_) | None => {}
            }
            if !data.is_empty() && line.trim().is_empty() {
                let data = serde_json::from_str(&data).expect("JSON");
                return Some(Event { id, name, data });
            }
        }
    }

    fn until_done(&mut self) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next() {
            let is_done = event.name == "done";
            seen.push(event);
            if is_done {
                break;
            }
        }
        seen
    }
}

fn submit(client: &Client, seconds: u32, options: &[(&str, &str)]) -> String {
    let answer = client.upload("a.wav", &plain_wav(seconds), options);
    answer.json()["job_id"].as_str().expect("an id").to_owned()
}

/// Some seconds of work for one core.
const LONG: [(&str, &str); 3] = [("format", "flac"), ("quality", "12"), ("threads", "1")];

#[test]
fn a_jobs_stream_tells_states_progress_and_the_end_and_then_ends() {
    let server = Server::start();
    let client = server.client();
    let job = submit(&client, 300, &LONG);
    let mut stream = listen(&client, &format!("/api/v1/jobs/{job}/events"), None);
    assert!(stream.head.contains("text/event-stream"), "{}", stream.head);
    assert!(stream.head.to_lowercase().contains("x-accel-buffering: no"), "{}", stream.head);
    let told = stream.until_done();
    assert!(stream.next().is_none(), "nothing more comes");
    let states: Vec<&str> = told
        .iter()
        .filter(|event| event.name != "progress")
        .filter_map(|e| e.data["status"].as_str())
        .collect();
    assert_eq!(states.last(), Some(&"done"), "{states:?}");
    let percents: Vec<f64> = told
        .iter()
        .filter(|event| event.name == "progress")
        .filter_map(|event| event.data["progress"]["percent"].as_f64())
        .collect();
    assert!(percents.len() >= 2, "{percents:?}");
    assert!(percents.is_sorted(), "{percents:?}");
    let ids: Vec<u64> = told.iter().filter_map(|event| event.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let done = told.last().expect("an event");
    assert_eq!(done.data["id"], job.as_str());
    assert!(done.data["output"]["bytes"].is_u64());
    // Who has seen the end is told that there is nothing more; who has not is told of it.
    let seen = listen(&client, &format!("/api/v1/jobs/{job}/events"), done.id);
    assert!(seen.head.starts_with("HTTP/1.1 204"), "{}", seen.head);
    let missed = done.id.map(|id| id - 1);
    let mut again = listen(&client, &format!("/api/v1/jobs/{job}/events"), missed);
    assert_eq!(again.next().map(|event| event.name), Some(String::from("done")));
    assert!(again.next().is_none());
}

#[test]
fn the_stream_of_all_jobs_tells_what_was_missed_and_nobody_elses() {
    let server = Server::start();
    let (ann, bob) = (server.another("ann@example.org"), server.another("bob@example.org"));
    let mut stream = listen(&ann, "/api/v1/events", None);
    let first = submit(&ann, 1, &[]);
    let told = stream.until_done();
    assert_eq!(told.last().map(|event| event.data["id"].clone()), Some(first.clone().into()));
    let seen = told.last().and_then(|event| event.id);
    drop(stream);
    let missed: Vec<String> = (0..3).map(|_| submit(&ann, 1, &[])).collect();
    missed.iter().for_each(|job| drop(ann.wait(job)));
    let of_bob = submit(&bob, 1, &[]);
    bob.wait(&of_bob);
    let mut stream = listen(&ann, "/api/v1/events", seen);
    let mut again = Vec::new();
    while again.len() < 3 {
        let event = stream.next().expect("an event");
        assert_eq!(event.name, "done");
        again.push(event.data["id"].as_str().expect("an id").to_owned());
    }
    let (mut expected, mut told) = (missed.clone(), again.clone());
    expected.sort();
    told.sort();
    assert_eq!(told, expected, "each once, and not Bob's");
    // A number from another database, or none at all, is taken for "nothing seen".
    for odd in ["999999", "x", "-1"] {
        let client = ann.with("Last-Event-ID", odd);
        assert_eq!(client.request("HEAD", "/api/v1/events", None).status, 200, "{odd}");
    }
}

#[test]
fn who_comes_while_jobs_run_is_told_of_them() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let running = submit(&client, 1800, &LONG);
    let waiting = submit(&client, 1, &[]);
    crate::support::wait_for("it runs", 30, || client.status(&running)["status"] == "processing");
    let mut stream = listen(&client, "/api/v1/events", None);
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 2 {
        let event = stream.next().expect("an event");
        if event.name == "state" {
            let id = event.data["id"].as_str().expect("an id").to_owned();
            told.insert(id, event.data["status"].clone());
        }
    }
    assert_eq!(told.get(&running), Some(&"processing".into()));
    assert_eq!(told.get(&waiting), Some(&"queued".into()));
    client.post(&format!("/api/v1/jobs/{running}/cancel"));
    let ended = loop {
        let event = stream.next().expect("an event");
        if event.name == "done" {
            break event;
        }
    };
    assert_eq!(ended.data["status"], "cancelled");
}

#[test]
fn who_comes_back_is_told_of_progress_whatever_else_goes_on() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let running = submit(&client, 1800, &LONG);
    crate::support::wait_for("it runs", 30, || client.status(&running)["status"] == "processing");
    let mut stream = listen(&client, "/api/v1/events", None);
    let seen = loop {
        let event = stream.next().expect("an event");
        if event.name == "progress" {
            break client.get(&format!("/api/v1/jobs/{running}")).json();
        }
    };
    assert_eq!(seen["status"], "processing");
    drop(stream);
    // Somebody else's jobs come and go all the time.
    let bob = server.another("bob@example.org");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Acquire) {
                submit(&bob, 1, &[]);
            }
        });
        let mut stream = listen(&client, "/api/v1/events", Some(1));
        let started = Instant::now();
        let mut progress = 0;
        while progress < 6 {
            progress += u32::from(stream.next().is_some_and(|event| event.name == "progress"));
        }
        over.store(true, std::sync::atomic::Ordering::Release);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    });
    client.post(&format!("/api/v1/jobs/{running}/cancel"));
}

#[test]
fn a_key_that_is_revoked_hears_no_more() {
    let server = Server::start();
    let made = r#"{"name": "listener", "scopes": ["jobs:read", "jobs:write"]}"#;
    let made = server.client().request(
        "POST",
        "/api/v1/keys",
        Some(("application/json", made.as_bytes())),
    );
    let (id, key) = (made.json()["id"].clone(), made.json()["key"].clone());
    let client = Client::new(&server.address, key.as_str());
    let mut stream = listen(&client, "/api/v1/events", None);
    let revoked = server.client().request(
        "DELETE",
        &format!("/api/v1/keys/{}", id.as_str().expect("an id")),
        None,
    );
    assert_eq!(revoked.status, 204);
    let started = Instant::now();
    while stream.next().is_some() {}
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
}

#[test]
fn every_job_that_waits_is_told_of_however_many() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let gate = submit(&client, 1800, &LONG);
    crate::support::wait_for("it runs", 30, || client.status(&gate)["status"] == "processing");
    let first = submit(&client, 1, &[]);
    let copied = format!(r#"{{"input": {{"job": "{first}"}}}}"#);
    for _ in 0..229 {
        let answer =
            client.request("POST", "/api/v1/jobs", Some(("application/json", copied.as_bytes())));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    let mut stream = listen(&client, "/api/v1/events", None);
    let mut told = std::collections::BTreeSet::new();
    while told.len() < 231 {
        let event = stream.next().expect("an event");
        if event.name == "state" {
            told.insert(event.data["id"].to_string());
        }
    }
    // A change that was missed is told to who comes back, page by page.
    let mut stream = listen(&client, "/api/v1/events", Some(0));
    let mut again = std::collections::BTreeSet::new();
    while again.len() < 231 {
        let event = stream.next().expect("an event");
        if event.name == "state" {
            again.insert(event.data["id"].to_string());
        }
    }
    assert_eq!(told, again);
    client.post(&format!("/api/v1/jobs/{gate}/cancel"));
}

#[test]
fn a_stream_ends_with_the_server_and_with_its_job() {
    let mut server = Server::start();
    let client = server.client();
    let job = submit(&client, 1800, &LONG);
    let mut of_job = listen(&client, &format!("/api/v1/jobs/{job}/events"), None);
    assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{job}"), None).status, 204);
    while of_job.next().is_some() {}
    let mut stream = listen(&client, "/api/v1/events", None);
    let started = Instant::now();
    server.signal("-TERM");
    while stream.next().is_some() {}
    assert!(server.wait_exit(Duration::from_secs(10)).success());
    assert!(started.elapsed() < Duration::from_secs(8), "a listener holds no shutdown up");
}

#[test]
fn an_account_has_so_many_streams_and_they_are_given_back() {
    let server = Server::start();
    let client = server.client();
    let open: Vec<Stream> = (0..16).map(|_| listen(&client, "/api/v1/events", None)).collect();
    let refused = client.get("/api/v1/events");
    assert_eq!((refused.status, refused.code().as_str()), (429, "too_many"));
    assert!(refused.header("retry-after").is_some());
    let other = server.another("bob@example.org");
    assert_eq!(other.request("HEAD", "/api/v1/events", None).status, 200);
    drop(open);
    crate::support::wait_for("they are given back", 40, || {
        client.request("HEAD", "/api/v1/events", None).status == 200
    });
}
