//! SIGTERM: what runs is finished or handed back within the deadline, and the exit code is 0.

use std::time::{Duration, Instant};

use crate::support::recording::{music, plain_wav};
use crate::support::{Server, wait_for};

const FLAC: [(&str, &str); 2] = [("format", "flac"), ("quality", "12")];

fn running_job(server: &Server, wav: &[u8], options: &[(&str, &str)]) -> String {
    let client = server.client();
    let answer = client.upload("a.wav", wav, options);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    wait_for("it runs", 60, || client.status(&id)["progress"].as_f64().is_some_and(|p| p > 0.5));
    assert_eq!(client.status(&id)["status"], "processing", "a longer recording is needed");
    id
}

#[test]
fn work_that_can_be_finished_is_finished() {
    // On one core, and on more: read by one, and each for itself.
    let cases: [(&str, &[(&str, &str)]); 5] = [
        ("1", &FLAC),
        ("2", &FLAC),
        ("2", &[("format", "mp3"), ("quality", "0")]),
        ("2", &[("format", "opus")]),
        ("2", &[("format", "m4a")]),
    ];
    for (workers, options) in cases {
        let mut server = Server::with(&[("WORKERS", workers)]);
        let id = running_job(&server, &plain_wav(300), options);
        server.signal("-TERM");
        let status = server.wait_exit(Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{}", server.log());
        let server = server.restart();
        let status = server.client().wait(&id);
        assert_eq!(
            (status["status"].as_str(), status["job"]["progress"]["attempt"].as_u64()),
            (Some("done"), Some(1)),
            "{options:?}: {status}"
        );
        let output = &status["job"]["output"];
        let on_one = workers == "1" || output["serial_because"] == "one_core";
        assert!(on_one || output["segments"].as_u64() > Some(1), "{output}");
    }
}

#[test]
fn while_it_stops_no_core_is_kept_for_jobs_that_will_not_come() {
    let mut server = Server::with(&[("WORKERS", "2")]);
    let client = server.client();
    let submit = |seconds: u32| {
        let answer = client.upload("a.wav", &plain_wav(seconds), &FLAC);
        answer.json()["job_id"].as_str().expect("an id").to_owned()
    };
    let (shorter, longer, waiting) = (submit(120), submit(300), submit(300));
    wait_for("both run", 60, || {
        [&shorter, &longer].iter().all(|id| client.status(id)["status"] == "processing")
    });
    server.signal("-TERM");
    assert_eq!(server.wait_exit(Duration::from_secs(30)).code(), Some(0), "{}", server.log());
    let server = server.restart();
    let client = server.client();
    assert_eq!(client.post(&format!("/api/v1/jobs/{waiting}/cancel")).status, 202);
    let job = client.wait(&longer)["job"].take();
    assert_eq!((&job["status"], &job["progress"]["attempt"]), (&"done".into(), &1.into()), "{job}");
    let output = &job["output"];
    let on_one = output["serial_because"] == "one_core";
    assert!(on_one || output["segments"].as_u64() > Some(1), "{output}");
}

#[test]
fn work_that_cannot_is_handed_back_and_done_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // Small to upload and long to encode.
    let narrow = music(folder.path(), "a.wav", 7200, &["-ar", "8000", "-ac", "1"]);
    let narrow = std::fs::read(narrow).expect("read");
    let wide = [("format", "m4a"), ("sample_rate", "96000"), ("channels", "2")];
    let plain = plain_wav(2400);
    for (workers, wav, options) in [("1", &plain, &FLAC[..]), ("2", &narrow, &wide)] {
        let mut server = Server::with(&[("WORKERS", workers)]);
        let id = running_job(&server, wav, options);
        let started = Instant::now();
        server.signal("-TERM");
        let status = server.wait_exit(Duration::from_secs(30));
        assert_eq!(status.code(), Some(0), "{}", server.log());
        assert!(started.elapsed() < Duration::from_secs(25));
        let server = server.restart();
        let client = server.client();
        wait_for("it runs again", 30, || client.status(&id)["status"] == "processing");
        assert_eq!(client.status(&id)["job"]["progress"]["attempt"], 2, "{options:?}");
        assert_eq!(client.request("DELETE", &format!("/api/v1/jobs/{id}"), None).status, 204);
        wait_for("nothing of it is left", 10, || server.files().is_empty());
    }
}

#[test]
fn an_idle_server_stops_at_once_and_a_second_one_waits_for_nobody() {
    let mut server = Server::start();
    let started = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait_exit(Duration::from_secs(5)).code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_server_with_another_database_does_not_take_the_files_for_orphans() {
    let mut server = Server::start();
    let answer = server.client().upload("a.wav", &plain_wav(1), &[]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(server.client().wait(&id)["status"], "done");
    server.signal("-TERM");
    server.wait_exit(Duration::from_secs(5));
    let files = server.files();
    let mistyped = std::process::Command::new(crate::support::AUDIOMILL)
        .arg("serve")
        .env("LISTEN", "127.0.0.1:0")
        .env("DATA_DIR", server.data())
        .env("DATABASE_URL", format!("sqlite:{}", server.folder.path().join("typo.db").display()))
        .output()
        .expect("audiomill runs");
    assert_eq!(mistyped.status.code(), Some(2));
    let said = String::from_utf8_lossy(&mistyped.stderr).into_owned();
    assert!(said.contains("holds files of another database"), "{said}");
    assert_eq!(server.files(), files);
}

#[test]
fn two_servers_never_share_a_folder() {
    let server = Server::start();
    let elsewhere = server.folder.path().join("elsewhere");
    let database = format!("sqlite:{}", server.data().join("audiomill.db").display());
    for (data, url) in [(server.data(), ""), (elsewhere, database.as_str())] {
        let second = std::process::Command::new(crate::support::AUDIOMILL)
            .arg("serve")
            .env("LISTEN", "127.0.0.1:0")
            .env("DATA_DIR", data)
            .env("DATABASE_URL", url)
            .output()
            .expect("audiomill runs");
        assert_eq!(second.status.code(), Some(2));
        let said = String::from_utf8_lossy(&second.stderr).into_owned();
        assert!(said.contains("another audiomill is running on"), "{said}");
    }
}

#[test]
fn who_is_just_signing_in_is_answered_before_the_end() {
    const PASSWORD: &str = "a word 4 the mill";
    let mut server =
        Server::with(&[("REGISTRATION", "open"), ("LOGIN_ATTEMPTS_PER_MINUTE", "100")]);
    let fields = format!(r#"{{"email": "ann@example.org", "password": "{PASSWORD}"}}"#);
    let content = Some(("application/json", fields.as_bytes()));
    assert_eq!(server.stranger().request("POST", "/auth/register", content).status, 201);
    let form = format!("email=ann@example.org&password={}", PASSWORD.replace(' ', "+"));
    let answers: Vec<_> = (0..4)
        .map(|_| {
            let (client, form) = (server.stranger(), form.clone());
            std::thread::spawn(move || client.post_form("/login", &form).status)
        })
        .collect();
    std::thread::sleep(Duration::from_millis(30));
    server.signal("-TERM");
    let answers: Vec<u16> =
        answers.into_iter().map(|answer| answer.join().expect("an answer")).collect();
    assert!(answers.iter().all(|status| *status == 303), "{answers:?}");
    assert_eq!(server.wait_exit(Duration::from_secs(30)).code(), Some(0), "{}", server.log());
    let server = server.restart();
    let log = server.client().get("/api/v1/audit?action=sign_in&check=true").json();
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(4), "{log}");
    assert_eq!(log["chain"]["whole"], true);
}
