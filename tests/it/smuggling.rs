//! Requests whose end two readers could see at different places: what lies inside one request never
//! becomes another, directly and behind nginx.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::support::client::parse_answer;
use crate::support::nginx::Nginx;
use crate::support::{Answer, Server};

/// A request that nobody sent on purpose.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// What comes back until the other side closes, or has kept silent for a while.
fn answered(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    // It may refuse before everything is sent.
    let _ = stream.write_all(bytes);
    let mut answer = vec![0; 64 * 1024];
    let first = stream.read(&mut answer).unwrap_or(0);
    answer.truncate(first);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn answer(address: &str, bytes: &[u8]) -> Option<Answer> {
    parse_answer(&answered(address, bytes))
}

/// Requests with another inside, or behind an end that only some see.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let post = |headers: &str, body: &str| {
        format!("POST /login HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n{body}").into_bytes()
    };
    let inside = SMUGGLED.len();
    let chunk = format!("{inside:x}\r\n{SMUGGLED}\r\n0\r\n\r\n");
    let behind = format!("0\r\n\r\n{SMUGGLED}");
    let length = format!("Content-Length: {inside}");
    let chunked = "Transfer-Encoding: chunked";
    let mut flood = String::new();
    for _ in 0..2000 {
        let _ = write!(flood, "1;{}\r\na\r\n", "x=y;".repeat(20));
    }
    vec![
        ("CL.TE", post(&format!("Content-Length: {}\r\n{chunked}", behind.len()), &behind)),
        ("TE.CL", post(&format!("{chunked}\r\nContent-Length: 4"), &chunk)),
        ("TE.TE", post(&format!("{chunked}\r\nTransfer-Encoding: x\r\n{length}"), &behind)),
        ("TE: xchunked", post(&format!("Transfer-Encoding: xchunked\r\n{length}"), SMUGGLED)),
        ("TE: chunked, identity", post("Transfer-Encoding: chunked, identity", &behind)),
        ("TE: identity", post(&format!("Transfer-Encoding: identity\r\n{length}"), SMUGGLED)),
        ("TE with a space", post(&format!("Transfer-Encoding : chunked\r\n{length}"), SMUGGLED)),
        ("TE with a tab", post(&format!("Transfer-Encoding:\tchunked\r\n{length}"), &behind)),
        ("TE with VT", post(&format!("Transfer-Encoding: \x0bchunked\r\n{length}"), SMUGGLED)),
        ("TE folded", post(&format!("Transfer-Encoding:\r\n chunked\r\n{length}"), SMUGGLED)),
        ("CL twice, different", post(&format!("Content-Length: 0\r\n{length}"), SMUGGLED)),
        ("CL twice, the other way", post(&format!("{length}\r\nContent-Length: 0"), SMUGGLED)),
        ("CL twice, alike", post(&format!("{length}\r\n{length}"), SMUGGLED)),
        ("CL list", post(&format!("Content-Length: 0, {inside}"), SMUGGLED)),
        ("CL +", post(&format!("Content-Length: +{inside}"), SMUGGLED)),
        ("CL -", post("Content-Length: -1", SMUGGLED)),
        ("CL hex", post(&format!("Content-Length: 0x{inside:x}"), SMUGGLED)),
        ("CL two numbers", post(&format!("Content-Length: 0 {inside}"), SMUGGLED)),
        ("CL beyond 64 bits", post("Content-Length: 18446744073709551616", SMUGGLED)),
        ("CL empty", post("Content-Length: ", SMUGGLED)),
        ("chunk of 0x", post(chunked, &format!("0x0\r\n\r\n{SMUGGLED}"))),
        ("chunk beyond 64 bits", post(chunked, &format!("10000000000000000\r\n\r\n{SMUGGLED}"))),
        ("chunk of less than nothing", post(chunked, &format!("-1\r\n\r\n{SMUGGLED}"))),
        ("chunk ended by LF", post(chunked, &format!("1\na\n0\n\n{SMUGGLED}"))),
        ("chunk that is longer", post(chunked, &format!("1\r\nabc\r\n0\r\n\r\n{SMUGGLED}"))),
        ("chunk extensions", post(chunked, &format!("{flood}{SMUGGLED}"))),
        ("chunk extension with LF", post(chunked, &format!("1;a\nb\r\na\r\n0\r\n\r\n{SMUGGLED}"))),
        ("trailer", post(chunked, &format!("0\r\n{length}\r\nX: y\n\n{SMUGGLED}"))),
        ("NUL in a header", post(&format!("X: a\0b\r\n{length}"), SMUGGLED)),
        ("LF in a header's name", post(&format!("X\nY: a\r\n{length}"), SMUGGLED)),
        ("CR alone", post(&format!("X: a\r{chunked}\r\n{length}"), SMUGGLED)),
        ("folded", post(&format!("X: a\r\n b\r\n{length}"), SMUGGLED)),
        ("no colon", post(&format!("nothing\r\n{length}"), SMUGGLED)),
        ("HTTP/1.0 with TE", format!("POST /login HTTP/1.0\r\nHost: x\r\n{chunked}\r\n\r\n{behind}").into_bytes()),
        ("no Host", format!("GET /healthz HTTP/1.1\r\n\r\n{SMUGGLED}").into_bytes()),
        ("two Hosts", format!("GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n{SMUGGLED}").into_bytes()),
        ("a line ended twice", format!("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\r\n\r\n{SMUGGLED}").into_bytes()),
        ("a target with a line break", format!("GET /a\r\nX: y HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}").into_bytes()),
        ("h2c", format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: {inside}\r\n\r\n{SMUGGLED}").into_bytes()),
        ("a refused upload", {
            let head = "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b";
            format!("{head}\r\n{length}\r\n\r\n{SMUGGLED}").into_bytes()
        }),
    ]
}

#[test]
fn nothing_inside_a_request_becomes_another() {
    let server = Server::start();
    let mut seen = String::new();
    for (shape, bytes) in shapes() {
        let answer = String::from_utf8_lossy(&answered(&server.address, &bytes)).into_owned();
        let _ = write!(seen, "{shape}: {}; ", answer.split(' ').nth(1).unwrap_or("closed"));
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{shape}: {answer}");
        assert!(!server.log().contains("/smuggled"), "{shape}: {answer}");
    }
    println!("{seen}");
    // This is how one that did would be seen.
    let two = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n{SMUGGLED}");
    answered(&server.address, two.as_bytes());
    crate::support::wait_for("it is in the log", 5, || server.log().contains("/smuggled"));
}

#[test]
fn behind_nginx_nobody_is_asked_what_nginx_has_not_read() {
    let server = Server::start();
    let nginx = Nginx::start(&server.address);
    let smuggled = |text: String| text.matches("/smuggled").count();
    let mut passed_on = 0;
    for (number, (shape, bytes)) in shapes().into_iter().enumerate() {
        answered(&nginx.address, &bytes);
        // The next client has the same connection to the server, and gets its own answer.
        let own = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        for _ in 0..2 {
            let answer = answer(&nginx.address, own.as_bytes()).expect(shape);
            assert_eq!(answer.status, 200, "{shape}: {}", answer.text());
            assert_eq!(answer.json()["status"], "ready", "{shape}");
        }
        crate::support::wait_for("the log is written", 5, || {
            server.log().matches("/readyz").count() == 2 * (number + 1)
        });
        // nginx takes some ends that we do not take; what is behind them is a request of its own there.
        passed_on = smuggled(server.log());
        assert!(passed_on <= smuggled(nginx.requests()), "{shape}: {}", nginx.requests());
    }
    println!("{passed_on} seen behind ends that nginx takes");
    assert!(smuggled(nginx.requests()) > 0, "it would be seen");
}

#[test]
fn what_cannot_be_read_in_one_way_only_is_refused() {
    let server = Server::start();
    let refused =
        ["no Host", "two Hosts", "CL twice, different", "folded", "NUL in a header", "CL +"];
    for (shape, bytes) in shapes().iter().filter(|(shape, _)| refused.contains(shape)) {
        let answer = answer(&server.address, bytes).expect(shape);
        assert_eq!(answer.status, 400, "{shape}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(9000));
    assert_eq!(answer(&server.address, long.as_bytes()).map(|answer| answer.status), Some(414));
    let wide = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(60_000));
    assert_eq!(answer(&server.address, wide.as_bytes()).map(|answer| answer.status), Some(431));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(101));
    assert_eq!(answer(&server.address, many.as_bytes()).map(|answer| answer.status), Some(431));
}
