//! The engine opens the job's own file and nothing else: no sibling, no socket, no process.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::recording::plain_wav;
use crate::support::{AUDIOMILL, Server, corpus};

const TRACED: &str =
    "trace=execve,execveat,fork,vfork,clone,clone3,openat,open,openat2,socket,connect,bind";

/// Runs a conversion under strace; its exit code and the calls after the source was opened.
fn traced(input: &Path, folder: &Path) -> (Option<i32>, Vec<String>) {
    let log = folder.join("strace.log");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-e", TRACED, "-e", "signal=none", "-o"])
        .arg(&log)
        .arg(AUDIOMILL)
        .arg("convert")
        .args([input, &folder.join("out.wav")])
        .arg("--force")
        .current_dir(input.parent().expect("a folder"))
        .output()
        .expect("strace is installed (deploy/test sees to it)")
        .status;
    let log = std::fs::read_to_string(log).expect("a log");
    let name = input.file_name().expect("a name").to_string_lossy().into_owned();
    let after =
        log.lines().skip_while(|line| !line.contains(&name) || line.contains("execve")).skip(1);
    // A thread that was ending: strace cannot say in which call.
    let after = after.filter(|line| !line.contains(" ???("));
    (status.code(), after.map(str::to_owned).collect())
}

fn hostile(folder: &Path) -> Vec<PathBuf> {
    let canary = folder.join("canary.wav");
    std::fs::write(&canary, plain_wav(1)).expect("a canary");
    let texts: &[(&str, String)] = &[
        ("concat.mp3", String::from("ffconcat version 1.0\nfile canary.wav\n")),
        ("concat-absolute.mp3", format!("ffconcat version 1.0\nfile {}\n", canary.display())),
        (
            "hls.mp3",
            String::from(
                "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\ncanary.wav\n#EXT-X-ENDLIST\n",
            ),
        ),
        (
            "hls-http.mp3",
            String::from("#EXTM3U\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"),
        ),
        (
            "session.mp3",
            String::from(
                "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
            ),
        ),
        (
            "dash.m4a",
            String::from(
                "<?xml version=\"1.0\"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>",
            ),
        ),
        ("sub.mp3", String::from("1\n00:00:00,000 --> 00:00:01,000\nhello\n")),
        ("meta.mp3", String::from(";FFMETADATA1\ntitle=x\n")),
        ("vob.mp3", String::from("# VobSub index file, v7\n")),
        (
            "asx.wav",
            String::from("<asx version=\"3.0\"><entry><ref href=\"canary.wav\"/></entry></asx>"),
        ),
    ];
    texts
        .iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            std::fs::write(&path, text).expect("a file");
            path
        })
        .collect()
}

#[test]
fn hostile_playlists_open_nothing_they_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut files = hostile(folder.path());
    if let Some(corpus) = corpus() {
        let more = std::fs::read_dir(corpus.join("playlists")).expect("a folder").flatten();
        files.extend(
            more.map(|entry| entry.path())
                .filter(|path| path.file_stem().is_some_and(|stem| stem != "target")),
        );
    }
    let out = tempfile::tempdir().expect("a temporary folder");
    for file in &files {
        let (code, calls) = traced(file, out.path());
        assert_eq!(code, Some(1), "{} is refused", file.display());
        assert_eq!(calls, [""; 0], "{} opened something", file.display());
        assert!(!out.path().join("out.wav").exists());
    }
}

#[test]
fn a_conversion_opens_its_own_files_and_starts_no_process() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("in.wav");
    std::fs::write(&input, plain_wav(2)).expect("a file");
    let (code, calls) = traced(&input, folder.path());
    assert_eq!(code, Some(0));
    let home = folder.path().to_string_lossy().into_owned();
    for call in calls {
        // Threads of its own work on it.
        if call.contains("clone") && call.contains("CLONE_THREAD") {
            continue;
        }
        // The output's folder is opened once more to be flushed.
        assert!(call.contains("openat(") && call.contains(&home), "{call}");
    }
}

#[test]
fn the_server_starts_no_process_while_it_converts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("strace.log");
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-e",
        "trace=execve,execveat,fork,vfork,clone,clone3,socket",
        "-e",
        "signal=none",
        "-o",
    ]);
    strace.arg(&log);
    let server = Server::under(strace, &[]);
    let client = server.client();
    for format in ["mp3", "flac", "opus"] {
        let answer = client.upload("a.wav", &plain_wav(2), &[("format", format)]);
        assert_eq!(client.wait(answer.json()["job_id"].as_str().expect("an id"))["status"], "done");
    }
    drop(server);
    let log = std::fs::read_to_string(log).expect("a log");
    assert_eq!(log.matches("execve(").count(), 1, "only its own start");
    for line in log.lines().filter(|line| line.contains("clone") && line.contains("flags=")) {
        assert!(line.contains("CLONE_THREAD"), "a process was started: {line}");
    }
    assert!(!log.contains("fork("));
    let sockets = log.lines().filter(|line| line.contains("socket(AF_")).count();
    assert_eq!(sockets, 1, "the listener alone: {log}");
}
