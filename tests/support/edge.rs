//! A stand-in for the edge in front of us: it lets in who shows a service token or has signed in there,
//! and says so in a signed assertion, as Cloudflare Access does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use super::issuer::{Issuer, Key};

pub const CLIENT_ID: &str = "one.access";
pub const CLIENT_SECRET: &str = "the-secret-of-the-service-token-0123456789";
/// A cookie of the edge's own, which stands for a person who has signed in.
pub const SIGNED_IN: &str = "edge_session=ann";

/// An edge that listens.
pub struct Edge {
    pub address: String,
}

impl Edge {
    /// Stands in front of `origin`, and signs with `key`.
    pub fn start(origin: &str, issuer: Arc<Issuer>, key: Arc<Key>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let origin = origin.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (origin, issuer, key) = (origin.clone(), Arc::clone(&issuer), Arc::clone(&key));
                std::thread::spawn(move || pass_on(stream, &origin, &issuer, &key));
            }
        });
        Self { address }
    }
}

fn pass_on(mut client: TcpStream, origin: &str, issuer: &Issuer, key: &Key) {
    let mut reader = BufReader::new(client.try_clone().expect("a second handle"));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let has = |name: &str, value: &str| {
        head.iter().any(|line| {
            line.split_once(':')
                .is_some_and(|(sent, rest)| sent.eq_ignore_ascii_case(name) && rest.trim() == value)
        })
    };
    let has_part = |name: &str, part: &str| {
        head.iter().any(|line| {
            line.to_ascii_lowercase().starts_with(&format!("{name}:")) && line.contains(part)
        })
    };
    let is_service =
        has("CF-Access-Client-Id", CLIENT_ID) && has("CF-Access-Client-Secret", CLIENT_SECRET);
    let claims = if is_service {
        issuer.service(CLIENT_ID)
    } else if has_part("cookie", SIGNED_IN) {
        issuer.person("ann@example.org")
    } else {
        let _ = client.write_all(
            b"HTTP/1.1 302 Found\r\nLocation: https://team.example/cdn-cgi/access/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        );
        return;
    };
    // What a client says of itself in these names never arrives.
    let kept = head.iter().filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        !name.starts_with("cf-access") && !name.starts_with("x-forwarded") && name != "connection"
    });
    let mut passed = kept.cloned().collect::<Vec<_>>().join("\r\n");
    let address = client.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
    passed.push_str(&format!(
        "\r\nCf-Access-Jwt-Assertion: {}\r\nX-Forwarded-For: 192.0.2.7, {address}\r\nX-Forwarded-Proto: https\r\nCF-Connecting-IP: 192.0.2.7\r\nConnection: close\r\n\r\n",
        key.sign(&claims)
    ));
    let Ok(mut server) = TcpStream::connect(origin) else { return };
    if server.write_all(passed.as_bytes()).is_err() {
        return;
    }
    let mut back = server.try_clone().expect("a second handle");
    let mut to_client = client.try_clone().expect("a second handle");
    let answering = std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut buffer = [0; 64 * 1024];
    while let Ok(read) = reader.read(&mut buffer) {
        if read == 0 || server.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = answering.join();
}
