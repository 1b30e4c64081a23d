//! `kill -9`: acknowledged work is done after the next start, and nothing else is left.

use crate::support::recording::{decoded_samples, plain_wav};
use crate::support::{Server, wait_for};

fn check_whole(server: &Server, id: &str, samples: u64) {
    let download = server.client().get(&format!("/download/{id}"));
    assert_eq!(download.status, 200);
    let file = server.folder.path().join("got.flac");
    std::fs::write(&file, &download.body).expect("a file");
    let decoded = decoded_samples(&file);
    // The command gives all of the last AAC frame.
    let padded = if download.header("content-type") == Some("audio/mp4") { 1024 } else { 1 };
    assert!((samples..samples + padded).contains(&decoded), "{decoded} of {samples} samples");
}

#[test]
fn a_conversion_that_is_killed_is_finished_by_the_next_start() {
    // On every core: one that reads for all, and each for itself.
    let targets = [
        [("format", "flac"), ("quality", "12")],
        [("format", "mp3"), ("quality", "0")],
        [("format", "opus"), ("bitrate", "128k")],
        [("format", "ogg"), ("quality", "5")],
        [("format", "m4a"), ("bitrate", "160k")],
    ];
    for options in &targets {
        let server = Server::with(&[]);
        let client = server.client();
        let answer = client.upload("long.wav", &plain_wav(600), options);
        let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
        wait_for("it is in the middle", 60, || {
            client.status(&id)["progress"].as_f64().is_some_and(|p| p > 5.0)
        });
        let server = server.kill_and_restart();
        let status = server.client().wait(&id);
        assert_eq!(status["status"], "done", "{options:?}: {status}");
        assert_eq!(status["job"]["progress"]["attempt"], 2);
        let output = &status["job"]["output"];
        let on_one = output["serial_because"] == "one_core";
        assert!(on_one || output["segments"].as_u64() > Some(1), "{output}");
        let rate = status["job"]["output"]["sample_rate"].as_u64().expect("a rate");
        check_whole(&server, &id, 600 * rate);
        assert_eq!(server.files().len(), 2, "source and result, nothing of the first attempt");
    }
}
