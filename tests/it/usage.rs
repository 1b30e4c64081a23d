//! Plans and what is used of them.

use serde_json::json;

use crate::support::client::{Answer, Client};
use crate::support::recording::plain_wav;
use crate::support::{AUDIOMILL, Server};

/// A server with a plan, and a client of an account that has it.
fn under(plan: &str) -> (Server, Client, tempfile::TempDir) {
    under_with(plan, &[])
}

fn under_with(plan: &str, settings: &[(&str, &str)]) -> (Server, Client, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mill.toml");
    std::fs::write(&file, format!("[plans.free]\n{plan}\n")).expect("a file");
    let server = Server::with_arguments(&["--config", file.to_str().expect("a path")], settings);
    let data = server.data();
    let settings = [("DATA_DIR", data.to_str().expect("a path"))];
    let added = crate::support::run(
        AUDIOMILL,
        &["user", "add", "ann@example.org", "--test"],
        &settings,
        "",
    );
    let key = added.1.split_whitespace().find(|word| word.starts_with("am_")).expect("a key");
    let client = Client::new(&server.address, Some(key));
    (server, client, folder)
}

fn upload(client: &Client, seconds: u32) -> Answer {
    client.upload("a.wav", &plain_wav(seconds), &[])
}

#[test]
fn what_is_used_is_written_down_with_the_job_and_added_up() {
    let (server, ann, _folder) = under("conversions = 2\naudio_minutes = 10");
    for seconds in [6, 12] {
        let answer = upload(&ann, seconds);
        let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
        assert_eq!(ann.wait(&job)["status"], "done");
    }
    let usage = ann.get("/api/v1/usage").json();
    assert_eq!(usage["plan"], "free");
    assert_eq!(usage["conversions"], json!({"used": 2, "limit": 2}));
    assert_eq!(usage["audio_minutes"], json!({"used": 0.3, "limit": 10}));
    assert!(usage["api_calls"]["used"].as_u64().is_some_and(|calls| calls >= 4), "{usage}");
    assert!(usage["storage_mb"]["used"].as_f64().is_some_and(|mb| mb > 0.2), "{usage}");
    let entries = usage["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 2);
    assert_eq!(
        (&entries[0]["service"], &entries[0]["endpoint"]),
        (&json!("transcode"), &json!("/upload"))
    );
    assert_eq!(entries[0]["audio_duration_seconds"], 12.0);
    let refused = upload(&ann, 1);
    assert_eq!((refused.status, refused.code().as_str()), (402, "plan_limit"));
    assert!(refused.text().contains("2 conversions"), "{}", refused.text());
    // Before a byte of the file is sent.
    let mut stream = ann.connect();
    use std::io::Write as _;
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n",
        ann.header("x-api-key").expect("a key")
    );
    stream.write_all(head.as_bytes()).expect("sent");
    assert_eq!(crate::support::client::read_answer(&mut stream).expect("an answer").status, 402);
    assert_eq!(
        server.client().get("/api/v1/usage").json()["conversions"]["used"],
        0,
        "the owner's own"
    );
    let id = ann.get("/api/v1/me").json()["id"].as_str().expect("an id").to_owned();
    let change = |body: &str| {
        let content = Some(("application/json", body.as_bytes()));
        server.client().request("PATCH", &format!("/api/v1/users/{id}"), content)
    };
    assert_eq!(change("{\"plan\": \"gold\"}").status, 422);
    assert_eq!(change("{\"plan\": \"pro\"}").json()["plan"], "pro");
    assert_eq!(upload(&ann, 1).status, 200, "a plan without limits");
}

#[test]
fn many_at_once_do_not_slip_past_the_plan() {
    let (_server, ann, _folder) = under("conversions = 3");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| upload(&ann, 1).status)).collect();
        asked.into_iter().map(|asked| asked.join().expect("no panic")).collect()
    });
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(200), count(402)), (3, 5), "{statuses:?}");
}

#[test]
fn storage_is_given_back_by_deleting_and_requests_are_not() {
    let (server, ann, _folder) = under("storage_mb = 1\napi_calls = 40");
    // 0.7 MB.
    let answer = upload(&ann, 4);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
    let refused = upload(&ann, 4);
    assert_eq!(refused.status, 402);
    assert!(refused.text().contains("1 MB are full"), "{}", refused.text());
    ann.wait(&job);
    assert_eq!(ann.request("DELETE", &format!("/api/v1/jobs/{job}"), None).status, 204);
    assert_eq!(upload(&ann, 4).status, 200);
    while ann.get("/api/v1/me").status == 200 {}
    let over = ann.get("/api/v1/me");
    assert_eq!((over.status, over.code().as_str()), (429, "too_many"));
    assert!(over.text().contains("40 requests") && over.header("retry-after").is_some());
    assert_eq!(server.client().get("/api/v1/me").status, 200, "nobody else's");
}

#[test]
fn trying_again_does_not_slip_past_the_plan_either() {
    let (_server, ann, _folder) = under("conversions = 1");
    let broken = ann.upload("a.mp3", &[&[0xff, 0xfb, 0x90, 0x00][..], &[0; 3000]].concat(), &[]);
    let job = broken.json()["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(ann.wait(&job)["status"], "error");
    let answer = upload(&ann, 1);
    let done = answer.json()["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(ann.wait(&done)["status"], "done");
    let refused = ann.post(&format!("/api/v1/jobs/{job}/retry"));
    assert_eq!((refused.status, refused.code().as_str()), (402, "plan_limit"));
}

#[test]
fn a_minute_that_has_begun_is_not_used_up() {
    let (_server, ann, _folder) = under("audio_minutes = 1");
    for (seconds, used) in [(35, 0.6), (24, 1.0), (2, 1.0)] {
        let answer = upload(&ann, seconds);
        assert_eq!(answer.status, 200, "59 seconds are less than a minute: {}", answer.text());
        ann.wait(answer.json()["job_id"].as_str().expect("an id"));
        assert_eq!(ann.get("/api/v1/usage").json()["audio_minutes"]["used"], used);
    }
    assert_eq!(upload(&ann, 1).status, 402);
}

#[test]
fn what_waits_does_not_slip_past_the_minutes() {
    let (server, client, _folder) = under_with("audio_minutes = 1", &[("WORKERS", "1")]);
    // Others keep the one worker busy, and the one for newcomers.
    let long = [("format", "flac"), ("quality", "12"), ("threads", "1")];
    for other in [server.client(), server.another("bob@example.org")] {
        let answer = other.upload("long.wav", &plain_wav(600), &long);
        let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
        crate::support::wait_for("it runs", 60, || other.status(&job)["status"] == "processing");
    }
    let jobs: Vec<String> = (0..4)
        .map(|_| {
            let answer = client.upload("a.wav", &plain_wav(50), &[("format", "flac")]);
            assert_eq!(answer.status, 200, "{}", answer.text());
            answer.json()["job_id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let ended: Vec<_> = jobs.iter().map(|job| client.wait(job)).collect();
    let done = ended.iter().filter(|job| job["status"] == "done").count();
    assert_eq!(done, 2, "the one that crosses the limit is done: {ended:?}");
    let last = &ended[3]["job"]["error"];
    assert_eq!((&last["code"], &last["stage"]), (&json!("plan_limit"), &json!("waiting")));
    assert_eq!(client.upload("a.wav", &plain_wav(1), &[]).status, 402);
}
