//! Pages of other origins: who may read our answers, and what they are told.

use crate::support::Server;
use crate::support::client::Client;
use crate::support::server::KEY;

const APP: &str = "https://app.example.org";

#[test]
fn only_a_listed_origin_may_read_answers_and_never_with_a_cookie() {
    let server = Server::with(&[("CORS_ORIGINS", "https://app.example.org,http://localhost:5173")]);
    let preflight = |origin: &str, path: &str| {
        server
            .stranger()
            .with("Origin", origin)
            .with("Access-Control-Request-Method", "POST")
            .with("Access-Control-Request-Headers", "x-api-key,content-type")
            .request("OPTIONS", path, None)
    };
    for (origin, is_listed) in [
        (APP, true),
        ("http://localhost:5173", true),
        ("https://app.example.org.evil.com", false),
        ("https://evil.example.org", false),
        ("http://app.example.org", false),
        ("null", false),
    ] {
        let asked = preflight(origin, "/api/v1/jobs");
        let allowed = asked.header("access-control-allow-origin").map(str::to_owned);
        assert_eq!(asked.status, 200, "{origin}");
        assert_eq!(allowed.as_deref(), is_listed.then_some(origin), "{origin}");
        let read =
            Client::new(&server.address, Some(KEY)).with("Origin", origin).get("/api/v1/jobs");
        let allowed = read.header("access-control-allow-origin");
        assert_eq!((read.status, allowed), (200, is_listed.then_some(origin)), "{origin}");
        assert!(read.header("vary").is_some_and(|vary| vary.to_lowercase().contains("origin")));
        for answer in [&asked, &read] {
            assert!(answer.header("access-control-allow-credentials").is_none());
        }
    }
    // Caches keep answers to those who name no origin apart too.
    let quiet = server.client().get("/api/v1/jobs");
    assert!(quiet.header("vary").is_some_and(|vary| vary.to_lowercase().contains("origin")));
    let asked = preflight(APP, "/upload");
    let list = |name: &str| asked.header(name).expect(name).to_lowercase();
    for header in ["x-api-key", "authorization", "upload-offset", "tus-resumable"] {
        assert!(list("access-control-allow-headers").contains(header), "{header}");
    }
    assert!(list("access-control-allow-methods").contains("patch"));
    let refused = server.stranger().with("Origin", APP).get("/api/v1/jobs");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some(APP), "it may read why");
}

#[test]
fn without_the_setting_nothing_is_said_to_other_origins() {
    let server = Server::start();
    let client = server.client().with("Origin", APP);
    let read = client.get("/api/v1/jobs");
    assert!(read.status == 200 && read.header("access-control-allow-origin").is_none());
    let asked =
        client.with("Access-Control-Request-Method", "POST").request("OPTIONS", "/upload", None);
    assert_eq!(asked.status, 405);
    assert!(asked.header("access-control-allow-origin").is_none());
}

#[test]
fn somebody_who_asks_too_often_is_told_when_to_come_back_and_others_are_not() {
    let server = Server::with(&[("RATE_LIMIT_PER_MINUTE", "20")]);
    let from = |address: &str| server.stranger().with("X-Forwarded-For", address);
    let statuses: Vec<u16> =
        (0..22).map(|_| from("192.0.2.1").get("/api/v1/jobs").status).collect();
    assert_eq!(statuses[..20], [401; 20]);
    assert_eq!(statuses[20..], [429; 2]);
    let early = from("192.0.2.1").get("/api/v1/jobs");
    let wait: u64 = early.header("retry-after").and_then(|w| w.parse().ok()).expect("seconds");
    assert!((1..=3).contains(&wait) && early.code() == "too_many", "{wait}");
    assert_eq!(from("192.0.2.2").get("/api/v1/jobs").status, 401);
    assert_eq!(from("2001:db8::1").get("/api/v1/jobs").status, 401);
    let key = Client::new(&server.address, Some(KEY));
    let statuses: Vec<u16> = (0..25).map(|_| key.get("/api/v1/me").status).collect();
    assert_eq!(statuses[..20], [200; 20], "an account has its own");
    assert_eq!(statuses[20..], [429; 5]);
    assert_eq!(key.get("/healthz").status, 200, "health is never limited");
    crate::support::wait_for("the log says who keeps asking", 5, || {
        server.log().contains("repeated_401") && server.log().contains("192.0.2.1")
    });
    let other = Server::start();
    let denied: Vec<u16> = (0..12).map(|_| other.stranger().get("/api/v1/jobs").status).collect();
    assert_eq!(denied, [401; 12]);
    let metrics = other.client().get("/metrics").text();
    for line in [
        "audiomill_unauthenticated_total 12",
        "audiomill_repeated_unauthenticated_total 1",
        "audiomill_requests_total{endpoint=\"ListJobs\",status=\"401\"} 12",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(metrics.ends_with("# EOF\n"));
}
