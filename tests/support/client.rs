//! HTTP/1.1 over a plain socket, one request a connection: tests see every byte.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// A client of one server.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    host: String,
    headers: Vec<(String, String)>,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

pub const BOUNDARY: &str = "a-boundary-of-the-tests";

impl Client {
    pub fn new(address: &str, key: Option<&str>) -> Self {
        let headers =
            key.map(|key| (String::from("x-api-key"), key.to_owned())).into_iter().collect();
        Self { address: address.to_owned(), host: address.to_owned(), headers }
    }

    /// What it sends under this name.
    pub fn header(&self, name: &str) -> Option<String> {
        let sent = self.headers.iter().find(|(sent, _)| sent.eq_ignore_ascii_case(name));
        sent.map(|(_, value)| value.clone())
    }

    /// The same client, which calls the server by another name.
    pub fn at_host(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }

    /// The same client with one more header.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// With a session's cookie, and the token that its page would have got.
    pub fn signed_in(&self, cookie: &str) -> Self {
        let client = self.with("Cookie", cookie);
        let answer = client.get("/api/v1/me");
        assert_eq!(answer.status, 200, "{}", answer.text());
        client.with("X-CSRF-Token", answer.header("x-csrf-token").expect("a token"))
    }

    pub fn connect(&self) -> TcpStream {
        self.try_connect().expect("the server listens")
    }

    fn try_connect(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Some(stream)
    }

    pub fn request(&self, method: &str, path: &str, body: Option<(&str, &[u8])>) -> Answer {
        self.try_request(method, path, body).expect("an answer")
    }

    /// None from a server that is gone, or goes before it has answered.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> Option<Answer> {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.host);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some((kind, body)) = body {
            head.push_str(&format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut stream = self.try_connect()?;
        stream.write_all(head.as_bytes()).ok()?;
        if let Some((_, body)) = body {
            // A server that refuses early may close before everything is sent.
            let _ = stream.write_all(body);
        }
        read_answer(&mut stream)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None)
    }

    pub fn post(&self, path: &str) -> Answer {
        self.request("POST", path, Some(("application/json", b"")))
    }

    pub fn post_form(&self, path: &str, form: &str) -> Answer {
        self.request("POST", path, Some(("application/x-www-form-urlencoded", form.as_bytes())))
    }

    /// `POST /upload` of a file with options before it.
    pub fn upload(&self, filename: &str, content: &[u8], options: &[(&str, &str)]) -> Answer {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request("POST", "/upload", Some((&kind, &form(filename, content, options))))
    }

    /// Uploads a file that must be taken; its job's id.
    pub fn submit(&self, file: &Path, options: &[(&str, &str)]) -> String {
        let content = std::fs::read(file).expect("a readable file");
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let answer = self.upload(name, &content, options);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["job_id"].as_str().expect("an id").to_owned()
    }

    pub fn status(&self, job: &str) -> Value {
        self.get(&format!("/status/{job}")).json()
    }

    /// Waits until a job has ended; its status answer.
    pub fn wait(&self, job: &str) -> Value {
        let mut last = Value::Null;
        super::wait_for("the job ends", 120, || {
            last = self.status(job);
            matches!(last["status"].as_str(), Some("done" | "error"))
        });
        last
    }
}

/// The body of an upload form.
pub fn form(filename: &str, content: &[u8], options: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in options {
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{filename}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(content);
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    body
}

/// Reads one answer until the server closes.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            // A reset after the answer still leaves the answer.
            Err(_) if !bytes.is_empty() => break,
            Err(_) => return None,
        }
    }
    parse_answer(&bytes)
}

pub fn parse_answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(Answer { status, headers, body: bytes[end + 4..].to_vec() })
}
