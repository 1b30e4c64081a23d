//! The real server as a process of its own, so that it can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::Client;

pub const KEY: &str = "a-static-key-of-the-tests-0123456789";

/// What the tests send that no log may hold: the log of every server of theirs is searched for it.
const SECRETS: [&str; 8] = [
    KEY,
    "for development",
    "for+development",
    "a word 4 the mill",
    "a+word+4+the+mill",
    "7 green bottles",
    "7+green+bottles",
    super::edge::CLIENT_SECRET,
];

/// A running server. Dropping it kills it, searches its log for secrets and removes its folder.
pub struct Server {
    child: Child,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    log: Arc<Mutex<String>>,
    pub address: String,
    pub sign_in_link: String,
    pub folder: Arc<tempfile::TempDir>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self::launch(folder, settings, Vec::new(), Command::new(super::AUDIOMILL))
    }

    /// With arguments behind `serve`.
    pub fn with_arguments(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self::launch(folder, settings, arguments, Command::new(super::AUDIOMILL))
    }

    /// Starts the server under another command, which takes the server's as its last arguments.
    pub fn under(mut wrapper: Command, settings: &[(&str, &str)]) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let settings = settings.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        wrapper.arg(super::AUDIOMILL);
        Self::launch(folder, settings, Vec::new(), wrapper)
    }

    fn launch(
        folder: Arc<tempfile::TempDir>,
        settings: Vec<(String, String)>,
        arguments: Vec<String>,
        mut command: Command,
    ) -> Self {
        command.arg("serve").args(&arguments);
        set(&mut command, &folder, &settings)
            .stdin(Stdio::null())
            // A server that outlives its test must not hold the test runner's output open.
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut sign_in_link, mut address) = (String::new(), String::new());
        for line in lines.by_ref().map_while(Result::ok) {
            log.lock().expect("the log").push_str(&format!("{line}\n"));
            if let Some((_, at)) = line.split_once("listens on http://") {
                address = at.split(',').next().unwrap_or_default().to_owned();
            }
            if line.trim().starts_with("http") {
                sign_in_link = line.trim().to_owned();
                break;
            }
        }
        assert!(!sign_in_link.is_empty(), "no link: {}", log.lock().expect("the log"));
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().expect("the log").push_str(&format!("{line}\n"));
            }
        });
        Self { child, settings, arguments, log, address, sign_in_link, folder }
    }

    /// A client with the static key.
    pub fn client(&self) -> Client {
        Client::new(&self.address, Some(KEY))
    }

    /// A client with a key of another account, which is made.
    pub fn another(&self, email: &str) -> Client {
        let mut command = Command::new(super::AUDIOMILL);
        command.args(["user", "add", email, "--test"]);
        let output = set(&mut command, &self.folder, &self.settings).output().expect("it runs");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let key = told.split_whitespace().find(|word| word.starts_with("am_"));
        Client::new(&self.address, Some(key.expect("a key")))
    }

    /// A client without any credential.
    pub fn stranger(&self) -> Client {
        Client::new(&self.address, None)
    }

    /// A one-time sign-in link, made beside the server.
    pub fn new_link(&self) -> String {
        let mut command = Command::new(super::AUDIOMILL);
        command.args(["user", "link"]);
        let output = set(&mut command, &self.folder, &self.settings).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The token of the printed link, or of a new one where none is printed.
    pub fn token(&self) -> String {
        let link = match self.sign_in_link.contains("token=") {
            true => self.sign_in_link.clone(),
            false => self.new_link(),
        };
        link.split("token=").nth(1).expect("a token").to_owned()
    }

    /// A client with a session cookie, got by the printed link.
    pub fn browser(&self) -> Client {
        let token = self.token();
        let answer = self.stranger().post_form("/login", &format!("token={token}"));
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie");
        self.stranger().signed_in(cookie.split(';').next().expect("a pair"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    /// `kill -9`, then the same server again on the same folder.
    pub fn kill_and_restart(mut self) -> Self {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
        self.restart()
    }

    /// The same server again, once this one has ended.
    pub fn restart(mut self) -> Self {
        self.child.wait().expect("gone");
        let (folder, settings) = (Arc::clone(&self.folder), self.settings.clone());
        Self::launch(folder, settings, self.arguments.clone(), Command::new(super::AUDIOMILL))
    }

    /// Ended, and started again on the same folder with these settings changed.
    pub fn restart_with(mut self, changed: &[(&str, &str)]) -> Self {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
        for (name, value) in changed {
            self.settings.retain(|(known, _)| known != name);
            self.settings.push(((*name).to_owned(), (*value).to_owned()));
        }
        let (folder, settings) = (Arc::clone(&self.folder), self.settings.clone());
        Self::launch(folder, settings, self.arguments.clone(), Command::new(super::AUDIOMILL))
    }

    /// Waits for the process to end.
    pub fn wait_exit(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status;
            }
            assert!(Instant::now() < end, "still running after {within:?}: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Files that the process has open whose path has this in it. (The database's pool opens files of
    /// its own when many ask at once.)
    pub fn open_files(&self, part: &str) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("its files");
        let targets = files.flatten().flat_map(|file| std::fs::read_link(file.path()));
        targets.filter(|target| target.to_string_lossy().contains(part)).count()
    }

    /// Files of the stores, staged ones included.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        for store in ["uploads", "transcoded"] {
            walk(&self.data().join(store), &mut found);
        }
        // The mark that says whose the store is stays.
        found.retain(|file| !file.ends_with("/.audiomill"));
        found
    }
}

/// The settings of a server of these tests.
fn set<'a>(
    command: &'a mut Command,
    folder: &tempfile::TempDir,
    settings: &[(String, String)],
) -> &'a mut Command {
    command
        .env("LISTEN", "127.0.0.1:0")
        .env("DATA_DIR", folder.path().join("data"))
        .env("PORTAL_AUTH_KEY", KEY)
        .env("MIN_FREE_MB", "0")
        .env("RATE_LIMIT_PER_MINUTE", "0")
        .env("LOG_FORMAT", "text")
        .envs(settings.iter().cloned())
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            walk(&entry.path(), found);
        } else {
            found.push(entry.path().display().to_string());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A tracer's tracee outlives the tracer, so children go first.
        let pid = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        for child in children.unwrap_or_default().split_whitespace() {
            let _ = Command::new("kill").args(["-9", child]).status();
        }
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the server's log ---\n{}", self.log());
            return;
        }
        let log = self.log();
        // What is said at the start to whoever sits there is no line of the log.
        let log = log.split_once(&self.sign_in_link).map_or("", |(_, after)| after);
        let token = self.sign_in_link.split("token=").nth(1);
        for secret in SECRETS.into_iter().chain(token) {
            assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
        }
    }
}
