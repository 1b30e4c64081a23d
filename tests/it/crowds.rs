//! Many connections that want little: the others do not wait for them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::support::Server;
use crate::support::client::{BOUNDARY, form};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

/// Longer than this nobody waits, also where other tests run beside.
const HELD_UP: Duration = Duration::from_secs(2);

/// Asks for health `times` times; the slowest answer but one in a hundred.
fn p99(server: &Server, times: usize) -> Duration {
    let client = server.stranger();
    let mut taken: Vec<Duration> = (0..times)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(client.get("/healthz").status, 200);
            started.elapsed()
        })
        .collect();
    taken.sort();
    taken[times * 99 / 100 - 1]
}

/// Two thousand sockets are more than a process usually may open.
fn open_many() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, connecting fails and says so.
    let _ =
        setrlimit(Resource::Nofile, rustix::process::Rlimit { current: limit.maximum, ..limit });
}

fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    let mut byte = [0; 64];
    match stream.read(&mut byte) {
        Ok(0) => true,
        Ok(_) => is_closed(stream),
        Err(error) => {
            !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
        }
    }
}

#[test]
fn five_hundred_slow_heads_are_closed_and_hold_nobody_up() {
    open_many();
    let server = Server::start();
    let mut slow: Vec<TcpStream> = (0..500).map(|_| server.client().connect()).collect();
    let head = b"GET /healthz HTTP/1.1\r\nHost: a-host-of-many-letters\r\n";
    let started = Instant::now();
    let mut worst = Duration::ZERO;
    for byte in head.iter().take(14) {
        for stream in &mut slow {
            // Closed ones refuse it.
            let _ = stream.write_all(std::slice::from_ref(byte));
        }
        worst = worst.max(p99(&server, 100));
        let next = started
            + Duration::from_secs(1) * u32::try_from(started.elapsed().as_secs() + 1).expect("few");
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let closed = slow.iter_mut().filter_map(|stream| is_closed(stream).then_some(())).count();
    println!(
        "500 slow heads: {closed} closed after {:?}, p99 meanwhile {worst:?}",
        started.elapsed()
    );
    assert_eq!(closed, 500);
    assert!(worst < HELD_UP, "{worst:?}");
}

#[test]
fn two_thousand_idle_sockets_leave_room_for_the_next() {
    open_many();
    let server = Server::start();
    let mut idle: Vec<TcpStream> = Vec::new();
    for _ in 0..2000 {
        idle.push(server.client().connect());
    }
    let slowest = p99(&server, 200);
    let open = idle.iter_mut().filter_map(|stream| (!is_closed(stream)).then_some(())).count();
    println!("2000 idle sockets: {open} still open, p99 {slowest:?}");
    assert!(open <= 1024, "{open}");
    assert!(slowest < HELD_UP, "{slowest:?}");
    drop(idle);
    assert_eq!(server.client().get("/api/v1/jobs").status, 200);
}

#[test]
fn slow_bodies_and_stalled_readers_are_ended_and_hold_nobody_up() {
    const EACH: usize = 200;
    open_many();
    let server = Server::start();
    let client = server.client();
    let answer = client.upload("long.wav", &plain_wav(120), &[("format", "wav")]);
    let id = answer.json()["job_id"].as_str().expect("an id").to_owned();
    client.wait(&id);
    let mut readers: Vec<TcpStream> = (0..EACH).map(|_| client.connect()).collect();
    for stream in &mut readers {
        let head = format!("GET /download/{id} HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("sent");
    }
    let content = form("slow.wav", &plain_wav(1), &[]);
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: x\r\nx-api-key: {KEY}\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        content.len()
    );
    let mut senders: Vec<TcpStream> = (0..EACH).map(|_| client.connect()).collect();
    for stream in &mut senders {
        stream.write_all(head.as_bytes()).expect("sent");
        stream.write_all(&content[..300]).expect("sent");
    }
    crate::support::wait_for("all are at it", 30, || {
        server.open_files("/transcoded/users/") == EACH && server.open_files(".part") == EACH
    });
    let started = Instant::now();
    let mut worst = Duration::ZERO;
    let mut ended = (None, None);
    while ended.0.is_none() || ended.1.is_none() {
        let since = started.elapsed();
        assert!(since < Duration::from_secs(150), "{ended:?}");
        for stream in &mut senders {
            // Ended ones refuse it.
            let _ = stream.write_all(b"x");
        }
        worst = worst.max(p99(&server, 100));
        if server.open_files(".part") == 0 {
            ended.0.get_or_insert(since);
        }
        if server.open_files("/transcoded/users/") == 0 {
            ended.1.get_or_insert(since);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!(worst < HELD_UP, "{worst:?}");
    println!("{EACH} slow bodies and {EACH} stalled readers: ended after {ended:?}, p99 {worst:?}");
    let mut told = [0; 12];
    senders[0].read_exact(&mut told).expect("an answer");
    assert_eq!(&told, b"HTTP/1.1 408");
    assert_eq!(client.get("/api/v1/jobs").json()["total"], 1, "what came in part is no job");
    assert_eq!(server.files().len(), 2, "{:?}", server.files());
}
