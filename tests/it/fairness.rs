//! Whose job comes next.

use serde_json::json;

use crate::support::Server;
use crate::support::client::{BOUNDARY, Client, form};
use crate::support::recording::plain_wav;

/// Some seconds of work for one core.
const LONG: [(&str, &str); 3] = [("format", "flac"), ("quality", "12"), ("threads", "1")];

fn submit(client: &Client, seconds: u32, options: &[(&str, &str)]) -> String {
    let body = form("a.wav", &plain_wav(seconds), options);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = client.request("POST", "/api/v1/jobs", Some((&kind, &body)));
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn state(client: &Client, job: &str) -> String {
    client.get(&format!("/api/v1/jobs/{job}")).json()["status"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// When a job was begun.
fn begun(client: &Client, job: &str) -> String {
    client.wait(job)["job"]["started_at"].as_str().expect("a time").to_owned()
}

#[test]
fn a_long_batch_holds_up_nobody_elses_short_job() {
    let server = Server::with(&[("WORKERS", "1")]);
    let (ann, bob) = (server.another("ann@example.org"), server.another("bob@example.org"));
    let batch: Vec<String> = (0..5).map(|_| submit(&ann, 1800, &LONG)).collect();
    crate::support::wait_for("it runs", 30, || state(&ann, &batch[0]) == "processing");
    let short = submit(&bob, 2, &[("format", "mp3")]);
    assert_eq!(
        bob.get(&format!("/api/v1/jobs/{short}")).json()["queue_position"].as_u64().unwrap_or(1),
        1
    );
    assert_eq!(bob.wait(&short)["status"], "done");
    assert_eq!(state(&ann, &batch[0]), "processing", "it did not have to wait for that");
    assert_eq!(state(&ann, &batch[1]), "queued", "nobody has two at once for it");
    for job in &batch {
        ann.post(&format!("/api/v1/jobs/{job}/cancel"));
    }
}

#[test]
fn owners_take_turns_and_priority_counts_among_ones_own() {
    let server = Server::with(&[("WORKERS", "1")]);
    let (ann, bob) = (server.another("ann@example.org"), server.another("bob@example.org"));
    // Both seats are taken while the lines are made.
    let gates = [(&ann, submit(&ann, 1800, &LONG)), (&bob, submit(&bob, 1800, &LONG))];
    for (client, gate) in &gates {
        crate::support::wait_for("it runs", 30, || state(client, gate) == "processing");
    }
    let ordinary: Vec<String> = (0..3).map(|_| submit(&ann, 1, &[])).collect();
    let urgent = submit(&ann, 1, &[("priority", "5")]);
    let later = submit(&ann, 1, &[("priority", "-5")]);
    let place =
        |job: &str| ann.get(&format!("/api/v1/jobs/{job}")).json()["queue_position"].clone();
    assert_eq!(
        [&urgent, &ordinary[0], &later].map(|job| place(job)),
        [json!(1), json!(2), json!(5)]
    );
    let of_bob: Vec<String> = (0..2).map(|_| submit(&bob, 1, &[("priority", "-10")])).collect();
    for (client, gate) in &gates {
        client.post(&format!("/api/v1/jobs/{gate}/cancel"));
    }
    let times = |client: &Client, jobs: &[String]| -> Vec<String> {
        jobs.iter().map(|job| begun(client, job)).collect()
    };
    let own = times(&ann, &[vec![urgent], ordinary, vec![later]].concat());
    assert!(own.is_sorted(), "the most urgent first, then the oldest: {own:?}");
    let bobs = times(&bob, &of_bob);
    assert!(bobs[1] < own[3], "two of Bob's do not come after four of Ann's: {bobs:?} {own:?}");
}

#[test]
fn totals_are_what_lists_hold_whatever_happens() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let check = || {
        let all = client.get("/api/v1/jobs?limit=500").json();
        assert_eq!(all["total"], all["jobs"].as_array().expect("jobs").len());
        for status in ["queued", "processing", "done", "failed", "cancelled"] {
            let some = client.get(&format!("/api/v1/jobs?status={status}&limit=500")).json();
            let jobs = some["jobs"].as_array().expect("jobs");
            assert!(jobs.iter().all(|job| job["status"] == status));
        }
    };
    let done = submit(&client, 1, &[]);
    client.wait(&done);
    let gate = submit(&client, 1800, &LONG);
    crate::support::wait_for("it runs", 30, || state(&client, &gate) == "processing");
    let waiting: Vec<String> = (0..4).map(|_| submit(&client, 1, &[])).collect();
    let count =
        |status: &str| client.get(&format!("/api/v1/jobs?status={status}")).json()["total"].clone();
    assert_eq!(["done", "processing", "queued"].map(count), [json!(1), json!(1), json!(4)]);
    client.post(&format!("/api/v1/jobs/{}/cancel", waiting[0]));
    client.request("DELETE", &format!("/api/v1/jobs/{}", waiting[1]), None);
    assert_eq!(["cancelled", "queued"].map(count), [json!(1), json!(2)]);
    client.post(&format!("/api/v1/jobs/{}/retry", waiting[0]));
    assert_eq!(["cancelled", "queued"].map(count), [json!(0), json!(3)]);
    check();
    let server = server.kill_and_restart();
    let client = server.client();
    let count =
        |status: &str| client.get(&format!("/api/v1/jobs?status={status}")).json()["total"].clone();
    client.request("DELETE", &format!("/api/v1/jobs/{gate}"), None);
    for job in waiting.iter().filter(|job| **job != waiting[1]) {
        client.wait(job);
    }
    assert_eq!(["done", "queued", "processing"].map(count), [json!(4), json!(0), json!(0)]);
    assert_eq!(client.get("/api/v1/jobs").json()["total"], 4);
}

#[test]
fn an_idle_server_begins_at_once() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let mut waits: Vec<i64> = (0..15)
        .map(|_| {
            let job = submit(&client, 1, &[]);
            let job = client.wait(&job)["job"].clone();
            let at = |name: &str| job[name].as_str().map(milliseconds).expect("a time");
            at("started_at") - at("created_at")
        })
        .collect();
    waits.sort_unstable();
    // A worker that is not woken looks once a second.
    assert!(waits[waits.len() * 4 / 5] < 300, "{waits:?}");
}

/// The milliseconds of a time within its hour; jobs of this test are not that old.
fn milliseconds(time: &str) -> i64 {
    let number = |from: usize, to: usize| time[from..to].parse::<i64>().expect("a number");
    (number(14, 16) * 60 + number(17, 19)) * 1000 + number(20, 23)
}
