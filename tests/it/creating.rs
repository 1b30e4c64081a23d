//! Jobs made through the API: by a form or by another job's file, once under a key, waited for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::client::{Answer, BOUNDARY, Client, form};
use crate::support::recording::plain_wav;

const JOBS: &str = "/api/v1/jobs";

fn post(client: &Client, path: &str, fields: &[(&str, &str)], seconds: u32) -> Answer {
    let body = form("take 1.wav", &plain_wav(seconds), fields);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    client.request("POST", path, Some((&kind, &body)))
}

fn post_json(client: &Client, path: &str, asked: &Value) -> Answer {
    client.request("POST", path, Some(("application/json", asked.to_string().as_bytes())))
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

#[test]
fn a_form_makes_a_job_with_notes_and_a_priority() {
    let server = Server::start();
    let client = server.client();
    let fields = [
        ("format", "flac"),
        ("priority", "3"),
        ("metadata", r#"{"album": 7, "who": "Ana"}"#),
        ("type", "transcode"),
    ];
    let made = post(&client, JOBS, &fields, 2);
    assert_eq!(made.status, 201, "{}", made.text());
    let id = id(&made);
    assert_eq!(made.header("location"), Some(format!("{JOBS}/{id}").as_str()));
    let job = made.json();
    assert_eq!(
        (&job["priority"], &job["metadata"]),
        (&json!(3), &json!({"album": 7, "who": "Ana"}))
    );
    assert_eq!(job["options"], json!({"format": "flac"}));
    assert_eq!(client.wait(&id)["status"], "done");
    let listed = client.get(JOBS).json();
    assert_eq!(listed["jobs"][0]["metadata"]["who"], "Ana");
}

#[test]
fn what_cannot_be_asked_for_is_refused_with_its_name() {
    let server = Server::start();
    let client = server.client();
    let long = json!({"note": "x".repeat(5000)}).to_string();
    for (field, code, named) in [
        (("priority", "11"), "option_invalid", "-10 to 10"),
        (("priority", "high"), "option_invalid", "-10 to 10"),
        (("metadata", "[1]"), "option_invalid", "JSON object"),
        (("metadata", "{"), "option_invalid", "JSON object"),
        (("type", "transcribe"), "unsupported_type", "transcode"),
        (("speed", "2"), "option_unknown", "speed"),
        (("format", "mp9"), "format_unknown", "mp9"),
    ] {
        let refused = post(&client, JOBS, &[field], 1);
        assert_eq!(refused.code(), code, "{field:?}: {}", refused.text());
        assert!(refused.text().contains(named), "{field:?}: {}", refused.text());
    }
    let unknown = "01890000-0000-7000-8000-000000000000";
    for (asked, status, code) in [
        (json!({"input": {"job": unknown}}), 404, "not_found"),
        (json!({"input": {"job": "x"}}), 404, "not_found"),
        (json!({"input": {}}), 400, "bad_request"),
        (json!({}), 400, "bad_request"),
        (json!({"input": {"job": unknown}, "colour": 1}), 400, "bad_request"),
        (json!({"input": {"url": "https://example.org/a.wav"}}), 400, "unsupported_input"),
        (json!({"input": {"upload": unknown}}), 400, "unsupported_input"),
        (json!({"input": {"job": unknown, "use": "both"}}), 400, "bad_request"),
        (json!({"type": "translate", "input": {"job": unknown}}), 400, "unsupported_type"),
        (json!({"input": {"job": unknown}, "priority": 1.5}), 422, "option_invalid"),
        (json!({"input": {"job": unknown}, "metadata": long}), 422, "option_invalid"),
        (json!({"input": {"job": unknown}, "options": {"format": ["mp3"]}}), 422, "option_invalid"),
        (json!({"input": {"job": unknown}, "options": {"bitrate": "1k"}}), 422, "option_invalid"),
    ] {
        let refused = post_json(&client, JOBS, &asked);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (status, code),
            "{asked}: {}",
            refused.text()
        );
    }
    let kind = client.request("POST", JOBS, Some(("text/plain", b"take")));
    assert_eq!((kind.status, kind.code().as_str()), (415, "not_json"));
    for wait in ["26", "-1", "soon"] {
        let refused = post(&client, &format!("{JOBS}?wait={wait}"), &[], 1);
        assert_eq!((refused.status, refused.code().as_str()), (400, "query_invalid"), "{wait}");
    }
    let key = client.with("Idempotency-Key", "two words");
    assert_eq!(post(&key, JOBS, &[], 1).status, 400);
    assert_eq!(client.get(JOBS).json()["total"], 0);
    assert!(server.files().iter().all(|file| !file.contains("original")), "{:?}", server.files());
}

#[test]
fn another_jobs_source_or_result_makes_a_job_without_an_upload() {
    let server = Server::start();
    let client = server.client();
    let first = id(&post(&client, JOBS, &[("format", "flac")], 2));
    let early = json!({"input": {"job": first, "use": "output"}});
    client.wait(&first);
    let also = json!({"input": {"job": first}, "options": {"format": "mp3", "quality": 4}, "priority": -2});
    let made = post_json(&client, JOBS, &also);
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.json()["options"], json!({"format": "mp3", "quality": "4"}));
    assert_eq!(made.json()["input"]["filename"], "take 1.wav");
    let also = id(&made);
    assert_eq!(client.wait(&also)["status"], "done");
    let again = post_json(&client, JOBS, &early);
    assert_eq!(again.json()["input"]["filename"], "take 1.flac", "{}", again.text());
    let of_output = id(&again);
    assert_eq!(client.wait(&of_output)["status"], "done");
    // The source goes with the last job that has it.
    let sources = || server.files().iter().filter(|file| file.contains("original")).count();
    assert_eq!(sources(), 1);
    assert_eq!(client.request("DELETE", &format!("{JOBS}/{first}"), None).status, 204);
    assert_eq!(sources(), 1, "the second job has it still");
    assert_eq!(client.post(&format!("{JOBS}/{also}/retry")).status, 409);
    assert_eq!(client.request("DELETE", &format!("{JOBS}/{also}"), None).status, 204);
    assert_eq!(sources(), 0);
    assert_eq!(client.get(&format!("/download/{of_output}")).status, 200);
    let gone = post_json(&client, JOBS, &json!({"input": {"job": first}}));
    assert_eq!((gone.status, gone.code().as_str()), (404, "not_found"));
}

#[test]
fn nobody_makes_a_job_of_anothers_file() {
    let server = Server::start();
    let ann = id(&post(&server.client(), JOBS, &[], 1));
    server.client().wait(&ann);
    let bob = server.another("bob@example.org");
    for which in ["input", "output"] {
        let asked = json!({"input": {"job": ann, "use": which}});
        let refused = post_json(&bob, JOBS, &asked);
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    }
    assert_eq!(bob.get(JOBS).json()["total"], 0);
}

#[test]
fn one_request_waits_for_the_end_or_answers_the_running_job() {
    let server = Server::start();
    let client = server.client();
    let done = post(&client, &format!("{JOBS}?wait=25"), &[("format", "mp3")], 5);
    assert_eq!((done.status, &done.json()["status"]), (200, &json!("done")), "{}", done.text());
    assert!(done.json()["output"]["download_url"].is_string());
    let started = Instant::now();
    let long = [("format", "flac"), ("quality", "12"), ("threads", "1")];
    let running = post(&client, &format!("{JOBS}?wait=1"), &long, 1800);
    assert_eq!(running.status, 202, "{}", running.text());
    assert!(started.elapsed() < Duration::from_secs(15));
    assert!(
        ["queued", "processing"].contains(&running.json()["status"].as_str().expect("a state"))
    );
    let failed = client.request(
        "POST",
        &format!("{JOBS}?wait=25"),
        Some((
            &format!("multipart/form-data; boundary={BOUNDARY}"),
            &form("x.wav", &plain_wav(1)[..44], &[]),
        )),
    );
    assert_eq!(
        (failed.status, &failed.json()["status"]),
        (200, &json!("failed")),
        "{}",
        failed.text()
    );
}

#[test]
fn the_same_request_under_a_key_makes_one_job_and_another_request_none() {
    let server = Server::start();
    let client = server.client().with("Idempotency-Key", "take-1");
    let first = post(&client, JOBS, &[("format", "mp3")], 1);
    assert_eq!((first.status, first.header("idempotent-replayed")), (201, None));
    let again = post(&client, JOBS, &[("format", "mp3")], 1);
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, Some("true")));
    assert_eq!(id(&first), id(&again));
    let other = post(&client, JOBS, &[("format", "flac")], 1);
    assert_eq!((other.status, other.code().as_str()), (422, "idempotency_key_reused"));
    let longer = post(&client, JOBS, &[("format", "mp3")], 2);
    assert_eq!((longer.status, longer.code().as_str()), (422, "idempotency_key_reused"));
    let asked = json!({"input": {"job": id(&first)}});
    assert_eq!(post_json(&client, JOBS, &asked).status, 422);
    server.client().wait(&id(&first));
    assert_eq!(server.client().get(JOBS).json()["total"], 1);
    // Somebody else's key of the same name is theirs.
    let bob = server.another("bob@example.org").with("Idempotency-Key", "take-1");
    let of_bob = post(&bob, JOBS, &[("format", "mp3")], 1);
    assert_eq!((of_bob.status, of_bob.header("idempotent-replayed")), (201, None));
    assert_ne!(id(&of_bob), id(&first));
    let sources = server.files().iter().filter(|file| file.contains("original")).count();
    assert_eq!(sources, 2, "what was sent again is not kept");
    // A crash does not forget it.
    let server = server.kill_and_restart();
    let client = server.client().with("Idempotency-Key", "take-1");
    assert_eq!(id(&post(&client, JOBS, &[("format", "mp3")], 1)), id(&first));
}

#[test]
fn a_request_that_was_made_before_is_answered_whatever_has_happened_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mill.toml");
    std::fs::write(&file, "[plans.free]\nconversions = 2\n").expect("a file");
    let arguments = ["--config", file.to_str().expect("a path")];
    let server = Server::with_arguments(&arguments, &[]);
    let ann = server.another("ann@example.org");
    let take = ann.with("Idempotency-Key", "take");
    let first = id(&post(&take, JOBS, &[("format", "flac")], 1));
    ann.wait(&first);
    let copy = ann.with("Idempotency-Key", "copy");
    let asked = json!({"input": {"job": first}});
    let second = id(&post_json(&copy, JOBS, &asked));
    ann.wait(&second);
    assert_eq!(post(&ann, JOBS, &[("format", "flac")], 1).status, 402, "the plan is used up");
    assert_eq!(id(&post(&take, JOBS, &[("format", "flac")], 1)), first);
    assert_eq!(ann.request("DELETE", &format!("{JOBS}/{first}"), None).status, 204);
    assert_eq!(id(&post_json(&copy, JOBS, &asked)), second, "its source's job is gone");
    let gone = post(&take, JOBS, &[("format", "flac")], 1);
    assert_eq!((gone.status, gone.code().as_str()), (404, "not_found"), "nothing is made anew");
    let long = json!({"input": {"job": second}, "metadata": {"x": "y".repeat(70_000)}});
    let refused = post_json(&server.client(), JOBS, &long);
    assert_eq!((refused.status, refused.code().as_str()), (413, "too_large"));
}

#[test]
fn a_deletion_is_done_though_its_client_hangs_up() {
    use std::io::Write as _;
    let server = Server::start();
    let client = server.client();
    let jobs: Vec<String> =
        (0..30).map(|_| id(&post(&client, JOBS, &[("format", "flac")], 1))).collect();
    jobs.iter().for_each(|job| drop(client.wait(job)));
    for job in &jobs {
        let key = crate::support::server::KEY;
        let head = format!("DELETE {JOBS}/{job} HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\n\r\n");
        let mut stream = client.connect();
        stream.write_all(head.as_bytes()).expect("sent");
        std::thread::sleep(Duration::from_micros(600));
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
    // Those that were begun are done to their end: no file without its job.
    crate::support::wait_for("files and jobs agree", 20, || {
        let left = client.get(&format!("{JOBS}?limit=500")).json()["total"].as_u64();
        left == Some(server.files().len() as u64 / 2)
    });
    let megabytes = client.get("/api/v1/usage").json()["storage_mb"]["used"].as_f64();
    let bytes: u64 = server
        .files()
        .iter()
        .map(|file| std::fs::metadata(file).map_or(0, |data| data.len()))
        .sum();
    let there = (bytes as f64 / f64::from(1 << 20) * 10.0).round() / 10.0;
    assert_eq!(megabytes, Some(there));
}

#[test]
fn a_hundred_at_once_under_one_key_are_one_job() {
    let server = Server::with(&[("RATE_LIMIT_PER_MINUTE", "0")]);
    let client = server.client().with("Idempotency-Key", "storm");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let sent: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| post(&client, JOBS, &[("format", "mp3")], 1)))
            .collect();
        sent.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    let made: std::collections::BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(id).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!((answer.status, answer.code().as_str()), (409, "idempotency_key_in_use"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(server.client().get(JOBS).json()["total"], 1);
}

#[test]
fn a_job_tells_what_happened_to_it() {
    let server = Server::start();
    let client = server.client();
    let job = id(&post(&client, JOBS, &[("format", "mp3")], 1));
    client.wait(&job);
    let log = |job: &str| client.get(&format!("{JOBS}/{job}/logs")).json()["logs"].clone();
    let messages = |job: &str| -> Vec<String> {
        let lines = log(job);
        let lines = lines.as_array().expect("lines");
        lines.iter().map(|line| line["message"].as_str().expect("a sentence").to_owned()).collect()
    };
    assert_eq!(
        messages(&job),
        ["It waits for a worker.", "A worker has begun.", "The result is ready."]
    );
    assert_eq!(log(&job)[1]["details"], json!({"attempt": 1}));
    let broken = client.upload("x.wav", &plain_wav(1)[..44], &[]).json();
    let broken = broken["job_id"].as_str().expect("an id");
    client.wait(broken);
    let lines = log(broken);
    let last = lines.as_array().and_then(|lines| lines.last()).expect("a line").clone();
    assert_eq!(last["level"], "error");
    assert!(last["details"]["code"].is_string(), "{last}");
    assert_eq!(client.post(&format!("{JOBS}/{broken}/retry")).status, 202);
    client.wait(broken);
    assert!(messages(broken).contains(&String::from("It waits for another try.")));
    assert_eq!(server.another("bob@example.org").get(&format!("{JOBS}/{job}/logs")).status, 403);
}

#[test]
fn a_link_gives_a_result_to_whoever_has_it_and_for_a_while() {
    let server = Server::with(&[("SIGNED_URL_TTL_SECONDS", "3")]);
    let client = server.client();
    let job = id(&post(&client, &format!("{JOBS}?wait=25"), &[("format", "flac")], 2));
    let listed = client.get(&format!("{JOBS}/{job}/artifacts")).json();
    assert_eq!(listed["job_id"], job.as_str());
    let artifact = listed["artifacts"][0].clone();
    let artifact_id = artifact["id"].as_str().expect("an id");
    let link = client.get(&format!("/api/v1/artifacts/{artifact_id}/download")).json();
    assert_eq!((&link["expires_in_seconds"], &link["kind"]), (&json!(3), &json!("output")));
    let address = link["download_url"].as_str().expect("an address").to_owned();
    let anyone = server.stranger();
    let taken = anyone.get(&address);
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(taken.body, client.get(&format!("/download/{job}")).body);
    assert_eq!(taken.header("etag"), Some(format!("{}", artifact["sha256"]).as_str()));
    assert!(taken.header("content-disposition").is_some_and(|name| name.contains("take 1.flac")));
    let part = anyone.with("Range", "bytes=0-3").get(&address);
    assert_eq!((part.status, part.body.as_slice()), (206, b"fLaC".as_slice()));
    // Anything else than that link is none.
    for wrong in [
        address.replace("signature=", "signature=0"),
        address.replace("expires=", "expires=9"),
        address.split('&').next().expect("a part").to_owned() + "&signature=",
    ] {
        let refused = anyone.get(&wrong);
        assert_eq!((refused.status, refused.code().as_str()), (403, "link_invalid"), "{wrong}");
    }
    assert_eq!(anyone.get(address.split('?').next().expect("a path")).status, 401);
    let other = id(&post(&client, &format!("{JOBS}?wait=25"), &[], 1));
    let other = client.get(&format!("{JOBS}/{other}/artifacts")).json();
    let other = other["artifacts"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(anyone.get(&address.replace(artifact_id, &other)).status, 403, "one file, one link");
    let bob = server.another("bob@example.org");
    assert_eq!(bob.get(&format!("/api/v1/artifacts/{artifact_id}/download")).status, 403);
    assert_eq!(bob.get(&format!("/api/v1/artifacts/{artifact_id}/file")).status, 403);
    assert_eq!(client.get(&format!("/api/v1/artifacts/{artifact_id}/file")).status, 200);
    // It does not outlive its time, nor the file.
    std::thread::sleep(Duration::from_millis(3500));
    assert_eq!(anyone.get(&address).status, 403);
    let fresh = || {
        let link = client.get(&format!("/api/v1/artifacts/{artifact_id}/download")).json();
        link["download_url"].as_str().map(str::to_owned)
    };
    let address = fresh().expect("an address");
    assert_eq!(anyone.get(&address).status, 200);
    assert_eq!(client.request("DELETE", &format!("{JOBS}/{job}"), None).status, 204);
    assert_eq!(anyone.get(&address).status, 404);
    assert_eq!(fresh(), None);
    let log = client.get("/api/v1/audit?action=artifact.link").json();
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_link_outlives_a_new_secret_while_the_one_before_is_given() {
    const OLD: &str = "the first secret of this server, long";
    const NEW: &str = "the second secret of this server, long";
    let server = Server::with(&[("SECRET_KEY", OLD)]);
    let client = server.client();
    let job = id(&post(&client, &format!("{JOBS}?wait=25"), &[], 1));
    let artifacts = client.get(&format!("{JOBS}/{job}/artifacts")).json();
    let artifact = artifacts["artifacts"][0]["id"].as_str().expect("an id");
    let link = client.get(&format!("/api/v1/artifacts/{artifact}/download")).json();
    let address = link["download_url"].as_str().expect("an address");
    let server = server.restart_with(&[("SECRET_KEY", NEW), ("SECRET_KEY_PREVIOUS", OLD)]);
    assert_eq!(server.stranger().get(address).status, 200);
    let server = server.restart_with(&[("SECRET_KEY_PREVIOUS", "")]);
    assert_eq!(server.stranger().get(address).status, 403);
}
