//! A fatal signal on a job's own thread counts against the job; nothing else does.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::recording::plain_wav;
use crate::support::{Server, wait_for};

/// The thread that burns the most CPU: the one that converts.
fn busiest_thread(pid: u32) -> String {
    let ticks = |task: &Path| -> u64 {
        let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default().to_owned();
        after_name.split_whitespace().nth(11).and_then(|utime| utime.parse().ok()).unwrap_or(0)
    };
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let busiest = tasks.max_by_key(|task| ticks(&task.path())).expect("a thread");
    busiest.file_name().to_string_lossy().into_owned()
}

/// tgkill(2): a signal to one thread. No command sends one, so perl makes the call.
fn signal_thread(pid: u32, tid: &str, signal: u32) {
    let call = format!("exit(syscall(234, {pid}, {tid}, {signal}) == 0 ? 0 : 1)");
    assert!(Command::new("perl").args(["-e", &call]).status().expect("perl runs").success());
}

fn crash_its_job(mut server: Server, id: &str) -> Server {
    let client = server.client();
    wait_for("it is in the middle", 60, || {
        client.status(id)["progress"].as_f64().is_some_and(|p| p > 2.0)
    });
    let pid = server.pid();
    signal_thread(pid, &busiest_thread(pid), 11);
    let status = server.wait_exit(Duration::from_secs(10));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(11), "{status:?}");
    server.restart()
}

#[test]
fn a_job_that_crashes_the_server_twice_is_set_aside_and_the_others_are_done() {
    let server = Server::with(&[("WORKERS", "1")]);
    let client = server.client();
    let submit = |seconds, format| {
        let answer = client.upload("a.wav", &plain_wav(seconds), &[("format", format)]);
        answer.json()["job_id"].as_str().expect("an id").to_owned()
    };
    let (bad, good) = (submit(900, "mp3"), submit(1, "mp3"));
    let server = crash_its_job(server, &bad);
    let status = server.client().status(&bad);
    assert_ne!(status["status"], "error", "the first crash is tried again: {status}");
    let server = crash_its_job(server, &bad);
    let status = server.client().wait(&bad);
    assert_eq!(status["job"]["error"]["code"], "quarantined", "{status}");
    assert_eq!(server.client().wait(&good)["status"], "done");
    // Its content is known whatever it is called and whoever sends it, and nothing else is.
    let client = server.client();
    let retried = client.post(&format!("/api/v1/jobs/{bad}/retry"));
    assert_eq!(
        (retried.status, retried.code().as_str()),
        (422, "quarantined"),
        "{}",
        retried.text()
    );
    let bob = server.another("bob@example.org");
    let again = bob.upload("other name.wav", &plain_wav(900), &[("format", "flac")]);
    assert_eq!((again.status, again.code().as_str()), (422, "quarantined"), "{}", again.text());
    assert_eq!(bob.upload("b.wav", &plain_wav(2), &[]).status, 200);
    let asked = format!(r#"{{"input": {{"job": "{bad}"}}}}"#);
    let copied =
        client.request("POST", "/api/v1/jobs", Some(("application/json", asked.as_bytes())));
    assert_eq!((copied.status, copied.code().as_str()), (422, "quarantined"));
}

#[test]
fn a_kill_after_a_crash_is_no_second_crash() {
    let server = Server::with(&[("WORKERS", "1")]);
    let answer = server.client().upload("a.wav", &plain_wav(900), &[("format", "mp3")]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    let server = crash_its_job(server, &id);
    let client = server.client();
    wait_for("it runs again", 60, || {
        client.status(&id)["progress"].as_f64().is_some_and(|p| p > 1.0)
    });
    let server = server.kill_and_restart();
    let status = server.client().wait(&id);
    assert_eq!(status["status"], "done", "{status}");
}

#[test]
fn kill_9_never_counts_against_a_job() {
    let mut server = Server::with(&[("WORKERS", "1")]);
    let answer = server.client().upload("a.wav", &plain_wav(900), &[("format", "mp3")]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    for _ in 0..4 {
        let client = server.client();
        wait_for("it runs", 60, || {
            client.status(&id)["progress"].as_f64().is_some_and(|p| p > 1.0)
        });
        server = server.kill_and_restart();
    }
    let status = server.client().wait(&id);
    assert_eq!(status["status"], "done", "{status}");
    assert_eq!(status["job"]["progress"]["attempt"], 5);
}

#[test]
fn after_an_unexplained_death_the_jobs_that_were_running_go_one_at_a_time() {
    let server = Server::with(&[("WORKERS", "2")]);
    let client = server.client();
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let answer = client.upload("a.wav", &plain_wav(900), &[("format", "mp3")]);
            answer.json()["job_id"].as_str().expect("an id").to_owned()
        })
        .collect();
    let running = |server: &Server| {
        let list = server.client().get("/api/v1/jobs?status=processing").json();
        list["total"].as_u64().expect("a number")
    };
    wait_for("both run", 60, || running(&server) == 2);
    let server = server.kill_and_restart();
    wait_for("one runs", 60, || running(&server) == 1);
    for _ in 0..20 {
        assert!(running(&server) <= 1, "never two of them at once");
        std::thread::sleep(Duration::from_millis(50));
    }
    for id in &ids {
        assert_eq!(server.client().wait(id)["status"], "done");
    }
}
