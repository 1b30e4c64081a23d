//! Behind an edge that signs assertions: what curl and a browser see through it, and at home beside it.

use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use crate::support::Server;
use crate::support::client::Client;
use crate::support::edge::{CLIENT_ID, CLIENT_SECRET, Edge, SIGNED_IN};
use crate::support::issuer::{AUDIENCE, Issuer, Key};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "30"])
        .args(arguments)
        .output()
        .expect("curl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_script_with_a_service_token_uploads_polls_and_downloads_through_the_edge() {
    let key = Arc::new(Key::rsa("one"));
    let issuer = Arc::new(Issuer::start(&[&key]));
    let server = Server::with(&[
        ("CF_TEAM_DOMAIN", &issuer.address),
        ("CF_AUDIENCE", AUDIENCE),
        ("ALLOWED_EMAILS", "ann@example.org"),
        ("ACCESS_SERVICE_TOKENS", &format!("{CLIENT_ID}=nas@example.org")),
    ]);
    let edge = Edge::start(&server.address, issuer, key);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("take 1.wav");
    std::fs::write(&file, plain_wav(2)).expect("a file");
    let id = format!("CF-Access-Client-Id: {CLIENT_ID}");
    let secret = format!("CF-Access-Client-Secret: {CLIENT_SECRET}");
    let api_key = format!("x-api-key: {KEY}");
    let field = format!("file=@{}", file.display());
    let at = |path: &str| format!("http://{}{path}", edge.address);
    assert!(
        curl(&["-o", "/dev/null", "-w", "%{http_code}", &at("/api/v1/me")]).ends_with("302"),
        "not let in"
    );
    for (more, owner) in [(vec![], "nas@example.org"), (vec!["-H", api_key.as_str()], "owner")] {
        let with = |rest: &[&str]| {
            let mut arguments = vec!["-H", id.as_str(), "-H", secret.as_str()];
            arguments.extend(&more);
            arguments.extend(rest);
            curl(&arguments)
        };
        let told: Value =
            serde_json::from_str(&with(&["-F", "format=flac", "-F", &field, &at("/upload")]))
                .expect("JSON");
        let job = told["job_id"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned();
        crate::support::wait_for("it is done", 30, || {
            with(&[&at(&format!("/status/{job}"))]).contains("\"status\":\"done\"")
        });
        let shown: Value =
            serde_json::from_str(&with(&[&at(&format!("/api/v1/jobs/{job}"))])).expect("JSON");
        assert_eq!(shown["owner"], owner);
        let result = folder.path().join("result.flac");
        with(&["-o", result.to_str().expect("a path"), &at(&format!("/download/{job}"))]);
        assert!(std::fs::read(&result).expect("a result").starts_with(b"fLaC"));
    }
    // A forged assertion does not reach us through the edge, and is none beside it.
    let forged = format!("Cf-Access-Jwt-Assertion: {}", "a.b.c");
    assert!(
        curl(&["-H", &forged, "-o", "/dev/null", "-w", "%{http_code}", &at("/api/v1/me")])
            .ends_with("302")
    );
    let direct = format!("http://{}/api/v1/me", server.address);
    assert!(
        curl(&["-H", &forged, "-o", "/dev/null", "-w", "%{http_code}", &direct]).ends_with("401")
    );
}

#[test]
fn the_tunnel_and_the_local_network_both_sign_in_at_the_same_time() {
    let key = Arc::new(Key::rsa("one"));
    let issuer = Arc::new(Issuer::start(&[&key]));
    let server = Server::with(&[
        ("CF_TEAM_DOMAIN", &issuer.address),
        ("CF_AUDIENCE", AUDIENCE),
        ("ALLOWED_EMAILS", "ann@example.org"),
        ("PUBLIC_URL", "https://mill.example.org,http://192.168.1.5:8000"),
    ]);
    let edge = Edge::start(&server.address, issuer, key);
    // Through the tunnel: the browser's own host and origin, a person's assertion.
    let outside = Client::new(&edge.address, None)
        .at_host("mill.example.org")
        .with("Origin", "https://mill.example.org")
        .with("Cookie", SIGNED_IN);
    let me = outside.get("/api/v1/me");
    assert_eq!(me.json()["email"], "ann@example.org", "{}", me.text());
    assert!(me.header("strict-transport-security").is_some());
    let token = me.header("x-csrf-token").expect("a token").to_owned();
    let outside = outside.with("X-CSRF-Token", &token);
    let uploaded = outside.upload("a.wav", &plain_wav(1), &[]);
    assert_eq!(uploaded.status, 200, "{}", uploaded.text());
    // At home, past the edge: the link, over plain http, under the other name.
    let inside =
        server.stranger().at_host("192.168.1.5:8000").with("Origin", "http://192.168.1.5:8000");
    let link = server.token();
    let signed_in = inside.post_form("/login", &format!("token={link}"));
    let cookie = signed_in
        .header("set-cookie")
        .and_then(|c| c.split(';').next())
        .expect("a cookie")
        .to_owned();
    let inside = inside.signed_in(&cookie);
    assert_eq!(inside.upload("a.wav", &plain_wav(1), &[]).status, 200);
    let foreign = server.stranger().at_host("192.168.1.5:8000").signed_in(&cookie);
    let foreign = foreign.with("Origin", "http://192.168.1.6:8000");
    assert_eq!(foreign.upload("a.wav", &plain_wav(1), &[]).code(), "csrf_failed");
}
