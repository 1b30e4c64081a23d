//! A disk that fills up: a clear answer, nothing left behind, and it works again once there is room.

use std::path::Path;
use std::process::Command;

use crate::support::Server;
use crate::support::recording::plain_wav;

/// A small file system of its own. Mounting needs root; without it the test says that it is skipped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(folder.path())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: a small disk cannot be mounted here (not root?)");
            return None;
        }
        Some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still hold a file for a moment: let go lazily.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn with_stores_on(disk: &SmallDisk) -> Server {
    let path = |name: &str| disk.path().join(name).display().to_string();
    Server::with(&[
        ("UPLOAD_DIR", &path("uploads")),
        ("OUTPUT_DIR", &path("transcoded")),
        ("WORKERS", "1"),
    ])
}

fn used_bytes(disk: &SmallDisk) -> u64 {
    let output = Command::new("du")
        .args(["-sb", "--apparent-size"])
        .arg(disk.path())
        .output()
        .expect("du runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().next().and_then(|bytes| bytes.parse().ok()).expect("a number")
}

#[test]
fn an_upload_that_does_not_fit_is_507_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount(4) else { return };
    let server = with_stores_on(&disk);
    let client = server.client();
    let told = client.upload("a.wav", &plain_wav(60), &[]);
    assert_eq!((told.status, told.code().as_str()), (507, "disk_full"), "{}", told.text());
    assert!(told.header("retry-after").is_some());
    assert!(used_bytes(&disk) < 100_000, "nothing is left");
    let small = client.upload("a.wav", &plain_wav(1), &[]);
    assert_eq!(small.status, 200, "the server serves on: {}", small.text());
    assert_eq!(client.wait(small.json()["job_id"].as_str().expect("an id"))["status"], "done");
}

#[test]
fn a_database_that_filled_its_disk_works_again_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(2) else { return };
    let url = format!("sqlite:{}", disk.path().join("mill.db").display());
    let server = Server::with(&[("DATABASE_URL", &url), ("WORKERS", "1")]);
    let client = server.client();
    let filler = disk.path().join("filler");
    // Filled to the last byte: the write ends in ENOSPC by design.
    let _ = std::fs::write(&filler, vec![0; 4 << 20]);
    let mut refused = 0;
    for _ in 0..40 {
        let answer = client.upload("a.wav", &plain_wav(1), &[]);
        if answer.status != 200 {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (507, "disk_full"),
                "{}",
                answer.text()
            );
            refused += 1;
        }
    }
    assert!(refused > 0, "the database did run out of room");
    std::fs::remove_file(&filler).expect("room");
    let answer = client.upload("b.wav", &plain_wav(1), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(client.wait(answer.json()["job_id"].as_str().expect("an id"))["status"], "done");
    assert_eq!(client.get("/readyz").status, 200);
}

#[test]
fn an_output_that_does_not_fit_fails_in_words_and_can_be_tried_again() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let server = with_stores_on(&disk);
    let client = server.client();
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 1_500_000]).expect("a filler");
    let id = {
        let answer =
            client.upload("a.wav", &plain_wav(25), &[("format", "wav"), ("bit_depth", "32")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["job_id"].as_str().expect("an id").to_owned()
    };
    let status = client.wait(&id);
    assert_eq!(status["job"]["error"]["code"], "disk_full", "{status}");
    assert_eq!(status["job"]["progress"]["attempt"], 3, "it was tried three times");
    assert!(used_bytes(&disk) < 6_500_000, "nothing of the output is left");
    std::fs::remove_file(&filler).expect("room");
    let smaller = client.upload("b.wav", &plain_wav(1), &[]);
    assert_eq!(client.wait(smaller.json()["job_id"].as_str().expect("an id"))["status"], "done");
}

#[test]
fn a_conversion_stops_at_the_space_that_stays_free_and_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(128) else { return };
    let path = |name: &str| disk.path().join(name).display().to_string();
    let server = Server::with(&[
        ("UPLOAD_DIR", &path("uploads")),
        ("OUTPUT_DIR", &path("transcoded")),
        ("MIN_FREE_MB", "20"),
        ("WORKERS", "1"),
    ]);
    let client = server.client();
    let options = [("format", "flac"), ("quality", "12"), ("threads", "1")];
    let answer = client.upload("a.wav", &plain_wav(170), &options);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    crate::support::wait_for("it runs", 30, || client.status(&id)["status"] == "processing");
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 80 << 20]).expect("a filler");
    crate::support::wait_for("it waits", 30, || client.status(&id)["status"] == "pending");
    assert_eq!(client.status(&id)["job"]["error"]["code"], "disk_full");
    let refused = client.upload("b.wav", &plain_wav(1), &[]);
    assert_eq!((refused.status, refused.code().as_str()), (507, "disk_full"));
    std::thread::sleep(std::time::Duration::from_secs(8));
    assert_eq!(client.status(&id)["job"]["progress"]["attempt"], 1, "it is not tried in vain");
    std::fs::remove_file(&filler).expect("room");
    assert_eq!(client.wait(&id)["status"], "done");
    assert_eq!(client.status(&id)["job"]["progress"]["attempt"], 2);
}

#[test]
fn nobody_is_signed_in_by_halves_while_the_disk_is_full() {
    let Some(disk) = SmallDisk::mount(2) else { return };
    let url = format!("sqlite:{}", disk.path().join("mill.db").display());
    let server = Server::with(&[("DATABASE_URL", &url), ("REGISTRATION", "open")]);
    let browser = server.browser();
    let token = server.new_link().split("token=").nth(1).expect("a token").to_owned();
    let filler = disk.path().join("filler");
    // Filled to the last byte: the write ends in ENOSPC by design.
    let _ = std::fs::write(&filler, vec![0; 4 << 20]);
    let sign_in = |accept: &str| {
        server.stranger().with("Accept", accept).post_form("/login", &format!("token={token}"))
    };
    // What room is left in the log of the database is used up by signing in and out.
    let register = |number: usize| {
        let fields =
            format!(r#"{{"email": "p{number}@example.org", "password": "a word 4 the mill"}}"#);
        let content = Some(("application/json", fields.as_bytes()));
        server.stranger().request("POST", "/auth/register", content)
    };
    let refused = (0..200).map(register).find(|answer| answer.status != 201).expect("it is full");
    assert_eq!((refused.status, refused.code().as_str()), (507, "disk_full"), "{}", refused.text());
    let refused = sign_in("application/json");
    assert_eq!((refused.status, refused.code().as_str()), (507, "disk_full"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some() && refused.header("set-cookie").is_none());
    let page = sign_in("text/html");
    assert!(page.status == 507 && page.text().contains("data-state=\"failed\""), "{}", page.text());
    assert_eq!(browser.get("/api/v1/me").status, 200, "who is signed in stays so");
    std::fs::remove_file(&filler).expect("room");
    assert_eq!(sign_in("text/html").status, 303, "the link was not spent");
    assert_eq!(server.client().get("/api/v1/audit?check=true").json()["chain"]["whole"], true);
}

#[test]
fn signing_in_waits_for_a_locked_database_and_then_says_so() {
    let server = Server::with(&[]);
    let database = server.data().join("audiomill.db");
    let mut other = Command::new("python3")
        .args(["-c", LOCK])
        .arg(&database)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut locked = String::new();
    let stdout = other.stdout.take().expect("its stdout");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut locked).expect("a line");
    assert_eq!(locked.trim(), "locked");
    let form = format!("token={}", server.token());
    let refused = server.stranger().post_form("/login", &form);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "database_busy"),
        "{}",
        refused.text()
    );
    assert_eq!(server.client().get("/api/v1/me").status, 200, "what only reads is answered");
    drop(other.stdin.take());
    other.wait().expect("it ends");
    assert_eq!(server.stranger().post_form("/login", &form).status, 303);
}

/// Holds the lock of a database until its stdin ends.
const LOCK: &str = "
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute('BEGIN EXCLUSIVE')
print('locked', flush=True)
sys.stdin.read()
";
