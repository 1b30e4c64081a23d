//! What the tests share: a real server process, a small HTTP client, generated recordings.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub mod client;
pub mod disk;
pub mod edge;
pub mod issuer;
pub mod nginx;
pub mod recording;
pub mod server;

pub use client::{Answer, Client};
pub use server::Server;

use std::path::PathBuf;

/// The binary under test.
pub const AUDIOMILL: &str = env!("CARGO_BIN_EXE_audiomill");

/// The shared corpus, or `None` with a loud word when it is not there.
pub fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let path = std::env::var_os("AUDIOMILL_CORPUS").map_or(beside, PathBuf::from);
    if path.join("manifest.tsv").is_file() {
        return Some(path);
    }
    eprintln!(
        "skipped: the corpus is not at {}; AUDIOMILL_CORPUS names another place",
        path.display()
    );
    None
}

/// Waits until `is_so` holds, and fails with `what` when it does not within `seconds`.
pub fn wait_for(what: &str, seconds: u64, mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "not within {seconds} s: {what}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Runs a program with `input` on its stdin: whether it ended well, its stdout, its stderr.
pub fn run(
    program: &str,
    arguments: &[&str],
    settings: &[(&str, &str)],
    input: &str,
) -> (bool, String, String) {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut child = Command::new(program)
        .args(arguments)
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // It may not read what it does not want.
    let _ = child.stdin.take().expect("its stdin").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}
