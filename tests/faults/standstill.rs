//! A call of libav that does not return, where no flag is seen: its job ends, the next one gets
//! another thread.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::recording::{music, plain_wav};

/// A library before libavutil in which a tag named "stall" takes half a minute.
const STALLING: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <strings.h>
#include <unistd.h>
int av_dict_set(void **dictionary, const char *key, const char *value, int flags) {
    int (*set)(void **, const char *, const char *, int) = dlsym(RTLD_NEXT, "av_dict_set");
    if (key && !strcasecmp(key, "stall")) sleep(30);
    return set(dictionary, key, value, flags);
}
"#;

fn stalling_library(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("stall.c"), folder.join("libstall.so"));
    std::fs::write(&source, STALLING).expect("written");
    let built = Command::new("gcc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status()
        .expect("gcc, which the build needs too");
    assert!(built.success());
    library
}

#[test]
fn a_job_in_which_nothing_moves_ends_and_the_next_one_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = stalling_library(folder.path()).display().to_string();
    let file = music(folder.path(), "stall.flac", 1, &["-metadata", "STALL=x"]);
    let server =
        Server::with(&[("WORKERS", "1"), ("STUCK_SECONDS", "2"), ("LD_PRELOAD", &library)]);
    let client = server.client();
    let started = Instant::now();
    let bytes = std::fs::read(file).expect("read");
    let stuck = client.upload("stall.flac", &bytes, &[("format", "mp3")]);
    let stuck = stuck.json()["job_id"].as_str().expect("an id").to_owned();
    let next = client.upload("a.wav", &plain_wav(1), &[("format", "mp3")]);
    let next = next.json()["job_id"].as_str().expect("an id").to_owned();
    let job = client.wait(&stuck)["job"].take();
    assert_eq!(job["status"], "failed", "{job}");
    assert_eq!(job["error"]["code"], "timed_out", "{job}");
    let message = job["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("Nothing moved in it"), "{message}");
    assert_eq!(client.wait(&next)["status"], "done");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    crate::support::wait_for("the log names it", 10, || server.log().contains("given up"));

    // One that is cancelled leaves its place too, and the server can still stop.
    let again = client.upload("stall.flac", &bytes, &[("format", "mp3")]);
    let again = again.json()["job_id"].as_str().expect("an id").to_owned();
    let cancel = format!("/api/v1/jobs/{again}/cancel");
    assert!(client.request("POST", &cancel, None).status < 300);
    let last = client.upload("b.wav", &plain_wav(1), &[("format", "mp3")]);
    assert_eq!(client.wait(last.json()["job_id"].as_str().expect("an id"))["status"], "done");
}
