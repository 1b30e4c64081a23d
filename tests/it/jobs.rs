//! A job from upload to download, and every turn it can take.

use std::path::PathBuf;
use std::time::Duration;

use crate::support::recording::{decoded_samples, plain_wav};
use crate::support::{Server, wait_for};

fn saved(server: &Server, name: &str, seconds: u32) -> PathBuf {
    let path = server.folder.path().join(name);
    std::fs::write(&path, plain_wav(seconds)).expect("a file");
    path
}

#[test]
fn a_recording_goes_in_and_its_conversion_comes_out() {
    let server = Server::start();
    let client = server.client();
    let id =
        client.submit(&saved(&server, "take 1.wav", 5), &[("format", "mp3"), ("bitrate", "128k")]);
    let status = client.wait(&id);
    assert_eq!(status["status"], "done", "{status}");
    assert_eq!(status["progress"], 100.0);
    assert_eq!(status["output_filename"], "take 1.mp3");
    let job = &status["job"];
    assert_eq!(job["input"]["codec"], "pcm_s16le");
    assert_eq!(job["input"]["duration_seconds"], 5.0);
    assert_eq!(job["options"], serde_json::json!({"format": "mp3", "bitrate": "128k"}));
    assert_eq!(job["output"]["encoder"], "libmp3lame");
    assert_eq!(job["output"]["download_url"], format!("/download/{id}"));
    assert!(job["progress"]["frames_encoded"].as_u64().is_some_and(|frames| frames > 190), "{job}");

    let download = client.get(&format!("/download/{id}"));
    assert_eq!(download.status, 200);
    assert_eq!(download.header("content-type"), Some("audio/mpeg"));
    assert_eq!(
        download.header("content-disposition"),
        Some("attachment; filename=\"take 1.mp3\"; filename*=UTF-8''take%201.mp3")
    );
    let file = server.folder.path().join("got.mp3");
    std::fs::write(&file, &download.body).expect("a file");
    assert_eq!(decoded_samples(&file), 5 * 44_100);
    assert_eq!(client.get(&format!("/api/v1/jobs/{id}")).json()["status"], "done");
}

#[test]
fn what_is_done_to_a_job_is_in_the_audit_log() {
    let server = Server::start();
    let (client, path) = (server.client(), saved(&server, "take.wav", 1));
    let id = client.submit(&path, &[]);
    client.wait(&id);
    let broken = client.upload("letter.mp3", &b"not a sound. ".repeat(400), &[]);
    assert_eq!(broken.status, 415);
    let long =
        client.submit(&saved(&server, "long.wav", 600), &[("format", "flac"), ("quality", "12")]);
    assert_eq!(client.post(&format!("/api/v1/jobs/{long}/cancel")).status, 202);
    assert_eq!(client.post(&format!("/api/v1/jobs/{long}/cancel")).status, 409);
    assert_eq!(client.post(&format!("/api/v1/jobs/{long}/retry")).status, 202);
    for job in [&id, &long] {
        assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{job}"), None).status, 204);
    }
    let log = client.get("/api/v1/audit?check=true").json();
    let entries = log["entries"].as_array().expect("entries");
    let of = |job: &str| -> Vec<&str> {
        let own = entries.iter().filter(|entry| entry["target"] == job).rev();
        own.map(|entry| entry["action"].as_str().expect("an action")).collect()
    };
    assert_eq!(of(&id), ["job.create", "job.delete"]);
    assert_eq!(of(&long), ["job.create", "job.cancel", "job.retry", "job.delete"]);
    let create =
        entries.iter().find(|entry| entry["target"] == *id && entry["action"] == "job.create");
    let create = create.expect("the first");
    assert_eq!((&create["actor"], &create["method"]), (&"owner".into(), &"key".into()));
    assert_eq!((&create["address"], &create["outcome"]), (&"127.0.0.1".into(), &"done".into()));
    assert_eq!(create["detail"], serde_json::json!({"filename": "take.wav", "bytes": 176_444}));
    assert_eq!(log["chain"]["whole"], true);
    assert_eq!(log["usage_chain"], serde_json::json!({"whole": true, "entries": 1}));
    assert_eq!(log["head"]["seq"], entries[0]["seq"]);
    let head = log["head"]["hash"].as_str().expect("a hash").to_owned();
    assert_eq!(head.len(), 64);
    let server = server.kill_and_restart();
    crate::support::wait_for("the log of the system has it", 10, || server.log().contains(&head));
}

#[test]
fn a_download_can_be_resumed_checked_and_asked_about() {
    let server = Server::start();
    let client = server.client();
    let id = client.submit(&saved(&server, "a.wav", 2), &[("format", "flac")]);
    client.wait(&id);
    let path = format!("/download/{id}");
    let whole = client.get(&path);
    let etag = whole.header("etag").expect("a validator").to_owned();
    let part = client.with("Range", "bytes=100-199").with("If-Range", &etag).get(&path);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[100..200]));
    assert_eq!(
        part.header("content-range"),
        Some(format!("bytes 100-199/{}", whole.body.len()).as_str())
    );
    let stale = client.with("Range", "bytes=100-").with("If-Range", "\"other\"").get(&path);
    assert_eq!((stale.status, stale.body.len()), (200, whole.body.len()));
    let beyond = client.with("Range", "bytes=99999999-").get(&path);
    assert_eq!((beyond.status, beyond.code().as_str()), (416, "range_not_satisfiable"));
    assert_eq!(
        beyond.header("content-range"),
        Some(format!("bytes */{}", whole.body.len()).as_str())
    );
    assert_eq!(client.with("If-None-Match", &etag).get(&path).status, 304);
    let head = client.request("HEAD", &path, None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(whole.body.len().to_string().as_str()));
    assert_eq!(head.header("etag"), Some(etag.as_str()));
}

#[test]
fn percent_rises_and_never_falls_and_is_100_only_when_done() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let id = client.submit(&saved(&server, "long.wav", 600), &[]);
    let mut seen = Vec::new();
    loop {
        let status = client.status(&id);
        let progress = status["progress"].as_f64().expect("a number");
        if status["status"] == "done" {
            assert!((progress - 100.0).abs() < f64::EPSILON);
            break;
        }
        assert!(progress < 100.0, "{status}");
        seen.push(progress);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(seen.windows(2).all(|pair| pair[0] <= pair[1]), "{seen:?}");
    seen.dedup();
    assert!(seen.len() >= 5, "{seen:?}");
}

#[test]
fn a_running_job_can_be_cancelled_and_tried_again_without_a_new_upload() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let id = client.submit(&saved(&server, "long.wav", 600), &[]);
    wait_for("it runs", 30, || client.status(&id)["progress"].as_f64().is_some_and(|p| p > 1.0));
    let cancelled = client.post(&format!("/api/v1/jobs/{id}/cancel"));
    assert_eq!((cancelled.status, cancelled.json()["status"].as_str()), (202, Some("cancelled")));
    assert_eq!(client.status(&id)["status"], "error");
    assert_eq!(client.post(&format!("/api/v1/jobs/{id}/cancel")).status, 409);
    assert_eq!(client.get(&format!("/download/{id}")).status, 404);
    wait_for("only the source is kept", 10, || server.files().len() == 1);
    let again = client.post(&format!("/api/v1/jobs/{id}/retry"));
    assert_eq!(again.status, 202, "{}", again.text());
    assert_eq!(client.wait(&id)["status"], "done");
    assert_eq!(client.post(&format!("/api/v1/jobs/{id}/retry")).status, 409);
}

#[test]
fn cancelled_and_tried_again_at_once_it_shows_the_new_attempt() {
    let server = Server::with(&[("WORKERS", "2")]);
    let client = server.client();
    let id = client.submit(&saved(&server, "long.wav", 600), &[]);
    for _ in 0..8 {
        wait_for("it runs", 30, || {
            client.status(&id)["progress"].as_f64().is_some_and(|p| p > 0.0)
        });
        assert_eq!(client.post(&format!("/api/v1/jobs/{id}/cancel")).status, 202);
        assert_eq!(client.post(&format!("/api/v1/jobs/{id}/retry")).status, 202);
    }
    assert_eq!(client.wait(&id)["status"], "done");
}

#[test]
fn no_job_is_split_while_others_wait() {
    let server = Server::with(&[("WORKERS", "2")]);
    let client = server.client();
    let ahead = [(); 2].map(|()| client.submit(&saved(&server, "long.wav", 1200), &[]));
    let options = [("format", "flac"), ("quality", "12")];
    let batch: Vec<String> =
        (0..6).map(|_| client.submit(&saved(&server, "a.wav", 60), &options)).collect();
    for id in ahead {
        assert_eq!(client.post(&format!("/api/v1/jobs/{id}/cancel")).status, 202);
    }
    let ended: Vec<_> = batch.iter().map(|id| client.wait(id)).collect();
    assert!(ended.iter().all(|status| status["status"] == "done"), "{ended:?}");
    // Behind the last but one a core is idle again.
    for status in &ended[..4] {
        let output = &status["job"]["output"];
        assert_eq!(output["segments"], 1, "{output}");
        let because = output["serial_because"].as_str().expect("a word");
        assert!(["busy", "one_core"].contains(&because), "{output}");
    }
}

#[test]
fn waiting_jobs_know_their_place_and_the_line_has_an_end() {
    let server = Server::with(&[("WORKERS", "1"), ("QUEUE_LIMIT", "2")]);
    let client = server.client();
    let file = saved(&server, "long.wav", 600);
    let first = client.submit(&file, &[]);
    wait_for("the first runs", 30, || client.status(&first)["status"] == "processing");
    let (second, third) = (client.submit(&file, &[]), client.submit(&file, &[]));
    assert_eq!(client.status(&second)["job"]["queue_position"], 1);
    assert_eq!(client.status(&third)["job"]["queue_position"], 2);
    assert_eq!(client.status(&third)["status"], "pending");
    let refused = client.upload("x.wav", &plain_wav(1), &[]);
    assert_eq!((refused.status, refused.code().as_str()), (503, "queue_full"));
    assert!(refused.header("retry-after").is_some());
    for id in [&first, &second, &third] {
        assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{id}"), None).status, 204);
        assert_eq!(client.get(&format!("/api/v1/jobs/{id}")).status, 404);
    }
    wait_for("nothing is left of them", 10, || server.files().is_empty());
}

#[test]
fn the_list_is_newest_first_and_comes_in_pages() {
    let server = Server::start();
    let client = server.client();
    let file = saved(&server, "a.wav", 1);
    let ids: Vec<String> = (0..3).map(|_| client.submit(&file, &[])).collect();
    for id in &ids {
        client.wait(id);
    }
    let shown = |path: &str| -> Vec<String> {
        let page = client.get(path).json();
        let jobs = page["jobs"].as_array().expect("a list");
        jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(shown("/api/v1/jobs"), [ids[2].clone(), ids[1].clone(), ids[0].clone()]);
    let first = client.get("/api/v1/jobs?limit=2").json();
    assert_eq!(first["total"], 3);
    let cursor = first["next_cursor"].as_str().expect("a cursor");
    assert_eq!(shown(&format!("/api/v1/jobs?limit=2&cursor={cursor}")), [ids[0].clone()]);
    assert_eq!(shown("/api/v1/jobs?offset=1&limit=1"), [ids[1].clone()]);
    assert!(shown("/api/v1/jobs?status=failed").is_empty());
    for wrong in
        ["limit=0", "limit=501", "status=lost", "cursor=x", "colour=red", "type=transcribe"]
    {
        assert_eq!(client.get(&format!("/api/v1/jobs?{wrong}")).status, 400, "{wrong}");
    }
    let etag = client.get("/api/v1/jobs").header("etag").expect("a validator").to_owned();
    assert_eq!(client.with("If-None-Match", &etag).get("/api/v1/jobs").status, 304);
}

#[test]
fn a_job_nobody_has_is_unknown_on_every_route() {
    let server = Server::start();
    let client = server.client();
    for id in ["01900000-0000-7000-8000-000000000000", "x", "..%2f..%2fetc"] {
        let status = client.get(&format!("/status/{id}"));
        assert_eq!((status.status, status.json()["status"].as_str()), (404, Some("not_found")));
        assert_eq!(status.header("content-type"), Some("application/json"));
        assert_eq!(client.get(&format!("/download/{id}")).status, 404);
        assert_eq!(client.get(&format!("/api/v1/jobs/{id}")).status, 404);
        assert_eq!(client.post(&format!("/api/v1/jobs/{id}/cancel")).status, 404);
        assert_eq!(client.post(&format!("/api/v1/jobs/{id}/retry")).status, 404);
        assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{id}"), None).status, 404);
    }
}

#[test]
fn a_job_that_takes_too_long_is_ended_and_says_so() {
    let server = Server::with(&[("JOB_TIMEOUT_SECONDS", "1")]);
    let client = server.client();
    let id =
        client.submit(&saved(&server, "long.wav", 1800), &[("format", "opus"), ("quality", "10")]);
    let status = client.wait(&id);
    assert_eq!(status["job"]["error"]["code"], "timed_out", "{status}");
    assert_eq!(server.files().len(), 1, "only the source is kept");
}
