//! The shape of the sound: where it is loud and where it is silent, while a job runs and afterwards.

use std::path::Path;

use serde_json::Value;

use crate::support::recording::{ffmpeg, music, plain_wav};
use crate::support::{Server, wait_for};

/// A second of silence, one at half of full scale, one at full scale; the right channel is silent.
fn steps(folder: &Path) -> Vec<u8> {
    let path = folder.join("steps.wav");
    let expression = "floor(t)/2*sin(440*2*PI*t)|0";
    let source = format!("aevalsrc=exprs={expression}:s=48000:d=3");
    ffmpeg(&["-f", "lavfi", "-i", &source, &path.display().to_string()]);
    std::fs::read(path).expect("read")
}

fn levels(waveform: &Value) -> Vec<i64> {
    let data = waveform["data"].as_array().expect("numbers");
    data.iter().map(|level| level.as_i64().expect("a number")).collect()
}

#[test]
fn a_finished_job_has_the_shape_of_its_sound() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let client = server.client();
    let wav = steps(folder.path());
    let id = client.upload("steps.wav", &wav, &[("format", "flac")]).json()["job_id"].clone();
    let id = id.as_str().expect("an id");
    assert_eq!(client.wait(id)["status"], "done");
    let waveform = client.get(&format!("/api/v1/jobs/{id}/waveform?points=300")).json();
    let of = |name: &str| waveform[name].as_u64().expect("a number");
    assert_eq!((of("version"), of("channels"), of("bits")), (2, 1, 8));
    assert_eq!(of("sample_rate"), 48_000);
    let length = of("length");
    assert!(length <= 300 && (length - 1) * of("samples_per_pixel") < 3 * 48_000);
    assert!(length * of("samples_per_pixel") >= 3 * 48_000, "all of it");
    let levels = levels(&waveform);
    assert_eq!(levels.len() as u64, 2 * length);
    let at = |second: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let pixel =
            (second * 48_000.0) as usize / usize::try_from(of("samples_per_pixel")).expect("small");
        (levels[2 * pixel], levels[2 * pixel + 1])
    };
    assert_eq!(at(0.5), (0, 0));
    let (low, high) = at(1.5);
    assert!((-65..=-62).contains(&low) && (62..=65).contains(&high), "{low} {high}");
    let (low, high) = at(2.5);
    assert!(low <= -125 && high >= 125, "{low} {high}");

    let picture =
        client.get(&format!("/api/v1/jobs/{id}/waveform?format=png&points=400&height=80"));
    assert_eq!(picture.header("content-type"), Some("image/png"));
    let file = folder.path().join("shape.png");
    std::fs::write(&file, &picture.body).expect("written");
    let shown = file.display().to_string();
    ffmpeg(&["-i", &shown, "-f", "null", "-"]);
    assert_eq!(picture.body[16..24], [0, 0, 1, 144, 0, 0, 0, 80], "400 by 80 points");

    for wrong in ["points=0", "points=4097", "format=gif", "height=9999", "colour=red"] {
        let answer = client.get(&format!("/api/v1/jobs/{id}/waveform?{wrong}"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "query_invalid"), "{wrong}");
    }
    let deleted = client.request("DELETE", &format!("/api/v1/jobs/{id}"), None);
    assert_eq!(deleted.status, 204);
    assert_eq!(client.get(&format!("/api/v1/jobs/{id}/waveform")).status, 404);
}

#[test]
fn a_running_job_shows_the_shape_so_far() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let options = [("format", "flac"), ("quality", "12")];
    let answer = client.upload("long.wav", &plain_wav(1500), &options);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/jobs/{id}/waveform?points=480");
    let mut lengths = Vec::new();
    wait_for("two different lengths", 60, || {
        let waveform = client.get(&path);
        if waveform.status == 200 {
            lengths.push(waveform.json()["length"].as_u64().expect("a length"));
            lengths.dedup();
        }
        lengths.len() >= 3
    });
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert!(lengths[0] < 400, "not all of it at once: {lengths:?}");
    assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{id}"), None).status, 204);
}

#[test]
fn what_was_not_decoded_has_none_and_says_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start();
    let client = server.client();
    let file = music(folder.path(), "a.mp3", 2, &[]);
    let id = client.submit(&file, &[("format", "mp3")]);
    let job = client.wait(&id)["job"].take();
    assert_eq!(job["output"]["copied"], true, "{job}");
    assert_eq!(job["output"]["encoder"], Value::Null);
    let answer = client.get(&format!("/api/v1/jobs/{id}/waveform"));
    assert_eq!((answer.status, answer.code().as_str()), (404, "not_ready"));
    assert!(answer.text().contains("copied"), "{}", answer.text());
}
