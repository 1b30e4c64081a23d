//! `kill -9` again and again while jobs are made, copied, tried again, deleted and downloaded: what was
//! acknowledged is there, what was deleted is gone, files and books agree. `AUDIOMILL_LONG=1` makes
//! 300 rounds of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ring::digest;
use serde_json::{Value, json};

use crate::support::client::{Answer, BOUNDARY, Client, form};
use crate::support::recording::plain_wav;
use crate::support::{Server, wait_for};

const JOBS: &str = "/api/v1/jobs";

/// What the server has said, kept by those who heard it.
#[derive(Default)]
struct Heard {
    /// Jobs it has acknowledged.
    made: Mutex<BTreeSet<String>>,
    /// Jobs it has said to be deleted.
    deleted: Mutex<BTreeSet<String>>,
    /// Jobs whose deletion was asked for, whatever came of it.
    maybe_deleted: Mutex<BTreeSet<String>>,
    /// Takes that were sent, each under its own key.
    takes: AtomicU32,
}

fn send_take(client: &Client, take: u32) -> Option<Answer> {
    let notes = json!({ "take": take }).to_string();
    let seconds = 1 + take % 4;
    let body = form("a.wav", &plain_wav(seconds), &[("format", "flac"), ("metadata", &notes)]);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let client = client.with("Idempotency-Key", &format!("take-{take}"));
    client.try_request("POST", JOBS, Some((&kind, &body)))
}

fn list(client: &Client) -> Vec<Value> {
    let (mut jobs, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{JOBS}?limit=500{after}")).json();
        jobs.extend(page["jobs"].as_array().expect("jobs").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => return jobs,
        }
    }
}

fn id_of(job: &Value) -> String {
    job["id"].as_str().unwrap_or_else(|| panic!("{job}")).to_owned()
}

/// One of those that are there, another one each time.
fn any(jobs: &Mutex<BTreeSet<String>>, turn: u32) -> Option<String> {
    let jobs = jobs.lock().expect("the jobs");
    let place = turn.wrapping_mul(2_654_435_761) as usize;
    jobs.iter().nth(place.checked_rem(jobs.len())?).cloned()
}

/// Works until the server is gone.
fn work(client: &Client, heard: &Heard, kind: u32, over: &AtomicBool) {
    let mut turn = kind;
    while !over.load(Ordering::Acquire) {
        turn = turn.wrapping_add(7);
        let some = any(&heard.made, turn);
        let alive = match (kind, some) {
            (0 | 1, _) | (_, None) => {
                let take = heard.takes.fetch_add(1, Ordering::AcqRel);
                let answer = send_take(client, take);
                if let Some(made) = answer.as_ref().filter(|answer| answer.status == 201) {
                    heard.made.lock().expect("the jobs").insert(id_of(&made.json()));
                }
                answer.is_some()
            }
            (2, Some(job)) => {
                let of = json!({"of": job}).to_string();
                let asked = format!(
                    r#"{{"input": {{"job": "{job}"}}, "options": {{"format": "mp3"}}, "metadata": {of}}}"#
                );
                let content = Some(("application/json", asked.as_bytes()));
                let answer = client.try_request("POST", JOBS, content);
                if let Some(made) = answer.as_ref().filter(|answer| answer.status == 201) {
                    heard.made.lock().expect("the jobs").insert(id_of(&made.json()));
                }
                std::thread::sleep(Duration::from_millis(30));
                answer.is_some()
            }
            (3, Some(job)) => {
                heard.maybe_deleted.lock().expect("the jobs").insert(job.clone());
                let answer = client.try_request("DELETE", &format!("{JOBS}/{job}"), None);
                if answer.as_ref().is_some_and(|answer| answer.status == 204) {
                    heard.deleted.lock().expect("the jobs").insert(job.clone());
                    heard.made.lock().expect("the jobs").remove(&job);
                }
                std::thread::sleep(Duration::from_millis(90));
                answer.is_some()
            }
            (_, Some(job)) => {
                let act = if turn.is_multiple_of(2) { "cancel" } else { "retry" };
                let answer = client.try_request("POST", &format!("{JOBS}/{job}/{act}"), None);
                let read = client.try_request("GET", &format!("/download/{job}"), None);
                std::thread::sleep(Duration::from_millis(40));
                answer.is_some() && read.is_some()
            }
        };
        if !alive {
            return;
        }
    }
}

#[test]
fn killed_again_and_again_nothing_acknowledged_is_lost_and_the_books_agree() {
    let rounds: u64 = if std::env::var_os("AUDIOMILL_LONG").is_some() { 300 } else { 15 };
    let mut server = Server::with(&[("WORKERS", "2"), ("QUEUE_LIMIT", "100000")]);
    let heard = Arc::new(Heard::default());
    let mut slowest_start = Duration::ZERO;
    for round in 0..rounds {
        let over = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..5)
            .map(|kind| {
                let (client, heard) = (server.client(), Arc::clone(&heard));
                let over = Arc::clone(&over);
                std::thread::spawn(move || work(&client, &heard, kind, &over))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(150 + round * 61 % 700));
        let started = Instant::now();
        server = server.kill_and_restart();
        slowest_start = slowest_start.max(started.elapsed());
        over.store(true, Ordering::Release);
        workers.into_iter().for_each(|worker| worker.join().expect("it only asks"));
    }
    let client = server.client();
    // Who never heard an answer asks again under the same key.
    let takes = heard.takes.load(Ordering::Acquire);
    for take in 0..takes {
        let answer = send_take(&client, take).expect("an answer");
        // One that was deleted since is not made anew.
        assert!(matches!(answer.status, 201 | 404), "{take}: {}", answer.text());
    }
    wait_for("everything has ended", 300, || {
        ["receiving", "queued", "processing"].iter().all(|status| {
            client.get(&format!("{JOBS}?status={status}")).json()["total"].as_u64() == Some(0)
        })
    });
    let jobs: BTreeMap<String, Value> =
        list(&client).into_iter().map(|job| (id_of(&job), job)).collect();
    let total = client.get(JOBS).json()["total"].as_u64();
    assert_eq!(total, Some(jobs.len() as u64), "the total is what the list holds");
    let maybe = heard.maybe_deleted.lock().expect("the jobs").clone();
    for job in heard.made.lock().expect("the jobs").iter() {
        assert!(
            jobs.contains_key(job) || maybe.contains(job),
            "{job} was acknowledged and is lost"
        );
    }
    for job in heard.deleted.lock().expect("the jobs").iter() {
        assert!(!jobs.contains_key(job), "{job} was deleted and is back");
    }
    let mut of_take: BTreeMap<u64, u32> = BTreeMap::new();
    let (mut outputs, mut done) = (0, 0);
    for (id, job) in &jobs {
        let status = job["status"].as_str().expect("a state");
        assert!(["done", "cancelled"].contains(&status), "{id} is {job}");
        if let Some(take) = job["metadata"]["take"].as_u64() {
            *of_take.entry(take).or_default() += 1;
        }
        let artifacts = job["artifacts"].as_array().expect("artifacts");
        if status == "done" {
            done += 1;
            assert_eq!(artifacts.len(), 1, "{id}");
        }
        for artifact in artifacts {
            outputs += 1;
            let download = client.get(&format!("/download/{id}"));
            let hash = digest::digest(&digest::SHA256, &download.body);
            let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(artifact["sha256"], hash.as_str(), "{id}");
            assert_eq!(artifact["bytes"].as_u64(), Some(download.body.len() as u64));
        }
    }
    assert!(of_take.values().all(|made| *made == 1), "each take made one job: {of_take:?}");
    let log = client.get("/api/v1/audit?check=true&limit=1").json();
    assert_eq!(
        (&log["chain"]["whole"], &log["usage_chain"]["whole"]),
        (&json!(true), &json!(true))
    );
    let usage = client.get("/api/v1/usage").json();
    assert!(usage["conversions"]["used"].as_u64() >= Some(done), "{usage} of {done}");
    // The next start has nothing to put away, and every byte that is counted is there.
    let server = server.kill_and_restart();
    let files = server.files();
    let sources = files.iter().filter(|file| file.contains("/input/")).count();
    assert_eq!(files.len(), sources + outputs, "{files:?}");
    let bytes: u64 =
        files.iter().map(|file| std::fs::metadata(file).map_or(0, |data| data.len())).sum();
    let told = server.client().get("/api/v1/usage").json()["storage_mb"]["used"].as_f64();
    let expected = (bytes as f64 / f64::from(1 << 20) * 10.0).round() / 10.0;
    assert_eq!(told, Some(expected), "bytes that are counted and bytes that are there");
    println!(
        "{rounds} kills, {takes} takes, {} jobs at the end, {} deleted; the slowest start {:.1} s",
        jobs.len(),
        heard.deleted.lock().expect("the jobs").len(),
        slowest_start.as_secs_f64()
    );
    assert!(slowest_start < Duration::from_secs(30), "{slowest_start:?}");
}
