//! Webhooks: who is told of a job's end, with which signature, how often, and who may not be told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use crate::support::client::{Answer, BOUNDARY, Client, form};
use crate::support::recording::plain_wav;
use crate::support::{Server, wait_for};

const JOBS: &str = "/api/v1/jobs";
const HOOKS: &str = "/api/v1/webhooks";

/// What somebody was told.
#[derive(Clone, Debug)]
struct Told {
    head: String,
    body: String,
}

impl Told {
    fn header(&self, name: &str) -> String {
        let wanted = format!("{name}: ");
        let found = self.head.lines().find(|line| line.to_lowercase().starts_with(&wanted));
        found.map(|line| line[wanted.len()..].trim().to_owned()).unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A server of somebody's, which answers what it is told to.
struct Listener {
    address: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Listener {
    /// Answers these in turn, the last one for ever.
    fn start(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let (told, mut left) = (Arc::default(), answers.to_vec());
        let one = Self { address, told: Arc::clone(&told) };
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(stream.try_clone().expect("a stream"));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if lines.read_line(&mut head).unwrap_or(0) == 0 {
                        break;
                    }
                }
                let length = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                });
                let mut body = vec![0; length.unwrap_or(0)];
                if lines.read_exact(&mut body).is_err() {
                    continue;
                }
                let body = String::from_utf8_lossy(&body).into_owned();
                told.lock().expect("told").push(Told { head, body });
                let answer = if left.len() > 1 { left.remove(0) } else { left[0] };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {answer}\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret"
                );
            }
        });
        one
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().expect("told").clone()
    }

    fn wait(&self, count: usize) -> Vec<Told> {
        wait_for("somebody is told", 40, || self.told().len() >= count);
        self.told()
    }
}

fn open() -> Server {
    Server::with(&[("OUTBOUND_ALLOW_PRIVATE", "true"), ("PUBLIC_URL", "https://mill.example.org")])
}

fn post(client: &Client, path: &str, asked: &Value) -> Answer {
    client.request("POST", path, Some(("application/json", asked.to_string().as_bytes())))
}

fn submit(client: &Client, content: &[u8], fields: &[(&str, &str)]) -> String {
    let body = form("take 1.wav", content, fields);
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = client.request("POST", JOBS, Some((&kind, &body)));
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn deliveries(client: &Client) -> Vec<Value> {
    let all = client.get(&format!("{HOOKS}/deliveries")).json();
    all["deliveries"].as_array().unwrap_or_else(|| panic!("{all}")).clone()
}

#[test]
fn an_account_is_told_of_ends_signed_as_the_standard_says() {
    let server = open();
    let client = server.client();
    let listener = Listener::start(&["204 No Content"]);
    let made =
        post(&client, HOOKS, &json!({"url": listener.address, "events": ["done", "failed"]}));
    assert_eq!(made.status, 201, "{}", made.text());
    let job = submit(&client, &plain_wav(1), &[("format", "mp3"), ("metadata", r#"{"album": 7}"#)]);
    let told = listener.wait(1).remove(0);
    let document = told.json();
    assert_eq!(document["type"], "job.done");
    let data = &document["data"];
    assert_eq!((&data["id"], &data["status"]), (&json!(job), &json!("done")));
    assert_eq!(
        (&data["filename"], &data["metadata"]),
        (&json!("take 1.wav"), &json!({"album": 7}))
    );
    assert_eq!(data["output"]["filename"], "take 1.mp3");
    assert_eq!(data["url"], format!("https://mill.example.org/upload/jobs/{job}"));
    // The signature, by the specification and by the secret that the account is shown.
    let secret = client.get(HOOKS).json()["secret"].as_str().expect("a secret").to_owned();
    let secret = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let (id, time) = (told.header("webhook-id"), told.header("webhook-timestamp"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let tag = hmac::sign(&key, format!("{id}.{time}.{}", told.body).as_bytes());
    assert_eq!(told.header("webhook-signature"), format!("v1,{}", STANDARD.encode(tag)));
    assert_eq!(told.header("content-type"), "application/json");
    let failed = submit(&client, &plain_wav(1)[..44], &[]);
    let told = listener.wait(2).remove(1);
    assert_eq!(told.json()["type"], "job.failed");
    assert!(told.json()["data"]["error"]["message"].is_string());
    assert_eq!(told.json()["data"]["id"], failed.as_str());
    wait_for("it is written down", 10, || {
        deliveries(&client).iter().all(|row| row["status"] == "delivered")
    });
    let rows = deliveries(&client);
    assert_eq!((rows.len(), &rows[0]["answer"]), (2, &json!(204)));
    assert!(!json!(rows).to_string().contains("secret"), "what was answered is shown to nobody");
    // Whose jobs they are.
    let bob = server.another("bob@example.org");
    bob.wait(&submit(&bob, &plain_wav(1), &[]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(listener.told().len(), 2);
    let id = made.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(client.request("DELETE", &format!("{HOOKS}/{id}"), None).status, 204);
    assert_eq!(client.request("DELETE", &format!("{HOOKS}/{id}"), None).status, 404);
    assert_eq!(deliveries(&client), Vec::<Value>::new(), "they went with it");
}

#[test]
fn a_job_names_its_own_and_templates_suit_who_reads_them() {
    let server = open();
    let client = server.client();
    let listener = Listener::start(&["200 OK"]);
    let first = submit(&client, &plain_wav(1), &[("webhook_url", &listener.address)]);
    assert_eq!(listener.wait(1)[0].json()["data"]["id"], first.as_str());
    let discord = json!({
        "input": {"job": first},
        "webhook": {"url": listener.address, "template": {"content": "{{title}}", "tts": false}},
    });
    assert_eq!(post(&client, JOBS, &discord).status, 201);
    assert_eq!(listener.wait(2)[1].json(), json!({"content": "Ready: take 1.mp3", "tts": false}));
    let ntfy = json!({
        "input": {"job": first},
        "webhook": {"url": listener.address, "template": "{{message}} at {{url}}"},
    });
    let id = post(&client, JOBS, &ntfy).json()["id"].as_str().expect("an id").to_owned();
    let told = listener.wait(3).remove(2);
    assert_eq!(told.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        told.body,
        format!("Ready: take 1.mp3 at https://mill.example.org/upload/jobs/{id}")
    );
}

#[test]
fn who_does_not_answer_is_told_again_and_after_a_crash_too() {
    let server = open();
    let client = server.client();
    let listener = Listener::start(&["500 No", "200 OK"]);
    let job = submit(&client, &plain_wav(1), &[("webhook_url", &listener.address)]);
    let first = listener.wait(1).remove(0);
    wait_for("it is put off", 10, || deliveries(&client)[0]["attempts"] == 1);
    let row = deliveries(&client).remove(0);
    assert_eq!((&row["status"], &row["answer"]), (&json!("pending"), &json!(500)));
    assert!(row["next_attempt_at"].is_string() && row["problem"].is_string());
    let server = server.kill_and_restart();
    let second = listener.wait(2).remove(1);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"), "known again");
    assert_eq!(second.json()["data"]["id"], job.as_str());
    let client = server.client();
    wait_for("it is written down", 10, || deliveries(&client)[0]["status"] == "delivered");
    assert_eq!(deliveries(&client)[0]["attempts"], 2);
    // One that was deleted meanwhile is told of by what is left of it; a redirect is not followed.
    let elsewhere = Listener::start(&["200 OK"]);
    let answer = format!("302 Found\r\nLocation: {}", elsewhere.address);
    let redirecting = Listener::start(&[Box::leak(answer.into_boxed_str())]);
    submit(&client, &plain_wav(1), &[("webhook_url", &redirecting.address)]);
    redirecting.wait(1);
    wait_for("it is put off", 10, || deliveries(&client)[0]["answer"] == 302);
    assert_eq!(elsewhere.told().len(), 0);
}

#[test]
fn who_is_gone_is_told_no_more() {
    let server = open();
    let client = server.client();
    let listener = Listener::start(&["410 Gone"]);
    post(&client, HOOKS, &json!({"url": listener.address}));
    client.wait(&submit(&client, &plain_wav(1), &[]));
    listener.wait(1);
    wait_for("it is disabled", 10, || {
        client.get(HOOKS).json()["webhooks"][0]["disabled_at"].is_string()
    });
    client.wait(&submit(&client, &plain_wav(1), &[]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!((listener.told().len(), deliveries(&client).len()), (1, 1));
}

#[test]
fn nobody_is_told_within_the_servers_own_network_unless_it_is_allowed() {
    let server = Server::start();
    let client = server.client();
    let listener = Listener::start(&["200 OK"]);
    let port = listener.address.rsplit(':').next().expect("a port").to_owned();
    for url in [
        listener.address.clone(),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        String::from("http://169.254.169.254/latest/meta-data"),
        String::from("http://10.0.0.1/"),
        String::from("ftp://example.org/"),
        String::from("https://user:word@example.org/"),
        String::from("not an address"),
    ] {
        let refused = post(&client, HOOKS, &json!({ "url": url }));
        assert_eq!((refused.status, refused.code().as_str()), (422, "option_invalid"), "{url}");
        let body = form("a.wav", &plain_wav(1), &[("webhook_url", &url)]);
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let refused = client.request("POST", JOBS, Some((&kind, &body)));
        assert_eq!((refused.status, refused.code().as_str()), (422, "option_invalid"), "{url}");
    }
    // A name that leads there is found out when it is dialled.
    let named = format!("http://localhost:{port}/");
    assert_eq!(post(&client, HOOKS, &json!({ "url": named })).status, 201);
    client.wait(&submit(&client, &plain_wav(1), &[]));
    wait_for("it was tried", 20, || {
        deliveries(&client).first().is_some_and(|row| row["problem"].is_string())
    });
    let problem = deliveries(&client)[0]["problem"].to_string();
    assert!(problem.contains("no public address"), "{problem}");
    assert_eq!(listener.told().len(), 0);
    for (asked, named) in [
        (json!({"url": "https://example.org", "events": []}), "events"),
        (json!({"url": "https://example.org", "events": ["started"]}), "events"),
        (json!({"url": "https://example.org", "template": {"x": "{{secret}}"}}), "secret"),
        (json!({"url": "https://example.org", "template": 7}), "template"),
    ] {
        let refused = post(&client, HOOKS, &asked);
        assert_eq!(refused.status, 422, "{asked}");
        assert!(refused.text().contains(named), "{}", refused.text());
    }
}

#[test]
fn an_address_that_never_answers_holds_no_stop_up() {
    let mut server = open();
    let client = server.client();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", silent.local_addr().expect("an address"));
    client.wait(&submit(&client, &plain_wav(1), &[("webhook_url", &address)]));
    let (taken, _) = silent.accept().expect("it is asked");
    let started = std::time::Instant::now();
    server.signal("-TERM");
    assert!(server.wait_exit(Duration::from_secs(20)).success());
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    drop(taken);
}
