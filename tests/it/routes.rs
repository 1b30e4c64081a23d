//! Every route, and every kind of caller: who gets what.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use audiomill::http::endpoint::TABLE;
use serde_json::{Value, json};

use crate::support::Server;
use crate::support::client::Client;
use crate::support::issuer::{AUDIENCE, Issuer, Key, now};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

/// In the order in which they ask: the owner comes last, for what only they may do can be done once.
const CALLERS: [&str; 11] = [
    "other",
    "anonymous",
    "service",
    "no scope",
    "admin",
    "expired",
    "revoked",
    "ended",
    "owner",
    "session",
    "token",
];

const PASSWORD: &str = "a word 4 the mill";

/// What each gets. `J` is a finished job of the owner's.
const EXPECTED: &str = "
GET    /                         200 401 200 200 200 401 401 401 200 200 200
GET    /upload                   200 401 200 200 200 401 401 401 200 200 200
POST   /upload                   415 401 415 403 415 401 401 401 415 415 415
GET    /upload/{*view}           200 401 200 200 200 401 401 401 200 200 200
GET    /status/{id}              403 401 403 403 403 401 401 401 200 200 200
GET    /download/{id}            403 401 403 403 403 401 401 401 200 200 200
GET    /login                    200 200 200 200 200 200 200 200 200 200 200
POST   /login                    400 400 400 400 400 400 400 400 400 400 400
POST   /logout                   303 303 303 303 303 303 303 303 303 303 303
GET    /healthz                  200 200 200 200 200 200 200 200 200 200 200
GET    /health                   200 200 200 200 200 200 200 200 200 200 200
GET    /readyz                   200 200 200 200 200 200 200 200 200 200 200
GET    /metrics                  403 401 403 403 200 401 401 401 403 403 403
GET    /_app/{build}/{*file}     404 404 404 404 404 404 404 404 404 404 404
GET    /api/v1                   200 401 200 200 200 401 401 401 200 200 200
GET    /api/v1/                  200 401 200 200 200 401 401 401 200 200 200
GET    /api/v1/jobs              200 401 200 403 200 401 401 401 200 200 200
POST   /api/v1/jobs              415 401 415 403 415 401 401 401 415 415 415
GET    /api/v1/jobs/{id}         403 401 403 403 403 401 401 401 200 200 200
POST   /api/v1/jobs/{id}/cancel  403 401 403 403 403 401 401 401 409 409 409
POST   /api/v1/jobs/{id}/retry   403 401 403 403 403 401 401 401 409 409 409
GET    /api/v1/jobs/{id}/logs    403 401 403 403 403 401 401 401 200 200 200
GET    /api/v1/jobs/{id}/events  403 401 403 403 403 401 401 401 200 200 200
GET    /api/v1/jobs/{id}/artifacts 403 401 403 403 403 401 401 401 200 200 200
GET    /api/v1/artifacts/{id}/download 404 401 404 403 404 401 401 401 404 404 404
GET    /api/v1/artifacts/{id}/file 404 401 404 403 404 401 401 401 404 404 404
GET    /api/v1/events            200 401 200 403 200 401 401 401 200 200 200
GET    /api/v1/jobs/{id}/waveform 403 401 403 403 403 401 401 401 200 200 200
DELETE /api/v1/jobs/{id}         403 401 403 403 403 401 401 401 204 204 204
GET    /api/v1/formats           200 401 200 200 200 401 401 401 200 200 200
POST   /api/v1/probe             400 401 400 403 400 401 401 401 400 400 400
GET    /api/v1/webhooks          403 401 403 403 200 401 401 401 403 200 200
POST   /api/v1/webhooks          403 401 403 403 415 401 401 401 403 415 415
DELETE /api/v1/webhooks/{id}     403 401 403 403 404 401 401 401 403 404 404
GET    /api/v1/webhooks/deliveries 403 401 403 403 200 401 401 401 403 200 200
GET    /api/v1/keys              403 401 403 403 200 401 401 401 403 200 200
POST   /api/v1/keys              403 401 403 403 415 401 401 401 403 415 415
DELETE /api/v1/keys/{id}         403 401 403 403 404 401 401 401 403 404 404
GET    /login/done               200 401 200 200 200 401 401 401 200 200 200
GET    /api/v1/me                200 401 200 200 200 401 401 401 200 200 200
PATCH  /api/v1/me                403 401 403 403 415 401 401 401 403 415 415
POST   /api/v1/me/password       403 401 403 403 415 401 401 401 403 415 415
GET    /api/v1/sessions          403 401 403 403 200 401 401 401 403 200 200
DELETE /api/v1/sessions          403 401 403 403 200 401 401 401 403 200 200
DELETE /api/v1/sessions/{id}     403 401 403 403 404 401 401 401 403 404 404
POST   /api/v1/auth/register     415 415 415 415 415 415 415 415 415 415 415
POST   /api/v1/auth/login        415 415 415 415 415 415 415 415 415 415 415
POST   /api/v1/auth/refresh      415 415 415 415 415 415 415 415 415 415 415
POST   /api/v1/auth/logout       415 415 415 415 415 415 415 415 415 415 204
GET    /api/v1/usage             200 401 200 200 200 401 401 401 200 200 200
GET    /api/v1/users             403 401 403 403 200 401 401 401 403 403 403
PATCH  /api/v1/users/{id}        403 401 403 403 415 401 401 401 403 403 403
GET    /api/v1/audit             403 401 403 403 200 401 401 401 403 403 403
";

/// What every answer has, whatever it is.
const ALWAYS: [&str; 7] = [
    "cache-control",
    "content-security-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "x-content-type-options",
    "x-request-id",
];

#[test]
fn every_route_answers_every_caller_as_the_table_says() {
    let signing = Key::rsa("one");
    let issuer = Issuer::start(&[&signing]);
    let server = Server::with(&[
        ("CF_TEAM_DOMAIN", &issuer.address),
        ("CF_AUDIENCE", AUDIENCE),
        ("ALLOWED_EMAILS", "ann@example.org"),
        ("ACCESS_SERVICE_TOKENS", "one.access=nas@example.org"),
        ("LOGIN_ATTEMPTS_PER_MINUTE", "1000"),
    ]);
    let data = server.data();
    let settings = [("DATA_DIR", data.to_str().expect("a path"))];
    let command = |arguments: &[&str]| {
        let (done, out, error) =
            crate::support::run(crate::support::AUDIOMILL, arguments, &settings, PASSWORD);
        assert!(done, "{arguments:?}: {error}");
        out
    };
    let account = |email: &str| {
        let told = command(&["user", "add", email, "--test"]);
        told.split_whitespace().find(|word| word.starts_with("am_")).expect("a key").to_owned()
    };
    let (ann, bob) = (account("ann@example.org"), account("bob@example.org"));
    let made = |scopes: &str| {
        let arguments =
            ["key", "create", "--user", "ann@example.org", "--name", "x", "--scopes", scopes];
        command(&arguments).trim().to_owned()
    };
    let (reader, writer, revoked) = (made("jobs:read"), made("jobs:write"), made("jobs:read"));
    let listed = command(&["key", "list", "--user", "ann@example.org"]);
    let of_revoked = listed.lines().find(|line| line.contains(&revoked[..11])).expect("its line");
    command(&["key", "revoke", of_revoked.split_whitespace().next().expect("an id")]);
    let with_key = |key: &str| Client::new(&server.address, Some(key));
    let assertion =
        |claims: &Value| server.stranger().with("Cf-Access-Jwt-Assertion", &signing.sign(claims));
    let mut over = issuer.person("ann@example.org");
    over["exp"] = json!(now() - 100);

    command(&["user", "passwd", "ann@example.org"]);
    let signed_in = || {
        let form = format!("email=ann@example.org&password={}", PASSWORD.replace(' ', "+"));
        let answer = server.stranger().post_form("/login", &form);
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.header("set-cookie").and_then(|c| c.split(';').next()).expect("a cookie").to_owned()
    };
    let ended = signed_in();
    assert_eq!(server.stranger().signed_in(&ended).post("/logout").status, 303);
    let token = || {
        let fields = json!({"email": "ann@example.org", "password": PASSWORD}).to_string();
        let content = Some(("application/json", fields.as_bytes()));
        let issued = server.stranger().request("POST", "/api/v1/auth/login", content).json();
        format!("Bearer {}", issued["access_token"].as_str().expect("a token"))
    };

    let owner = with_key(&ann);
    // One for each who may delete it.
    let jobs = [(); 3].map(|()| {
        let answer = owner.upload("a.wav", &plain_wav(1), &[]);
        let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
        owner.wait(&job);
        job
    });

    let mut seen = String::new();
    let (mut listed, mut wrong) = (BTreeSet::new(), Vec::new());
    for line in EXPECTED.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (method, pattern) = (words.next().expect("a method"), words.next().expect("a path"));
        let expected: Vec<&str> = words.collect();
        listed.insert((method.to_owned(), pattern.to_owned()));
        let path = pattern.replace("{*view}", "x").replace("{build}/{*file}", "x/y.js");
        let is_job = ["/status", "/download", "/api/v1/jobs"].iter().any(|p| path.starts_with(p));
        // A key that may anything but this.
        let is_reading = method == "GET";
        let found: Vec<String> = CALLERS
            .iter()
            .map(|caller| {
                let job = match *caller {
                    "session" => &jobs[1],
                    "token" => &jobs[2],
                    _ => &jobs[0],
                };
                let path = path.replace("{id}", if is_job { job } else { "x" });
                let client = match *caller {
                    "other" => with_key(&bob),
                    "anonymous" => server.stranger(),
                    "service" => assertion(&issuer.service("one.access")),
                    "no scope" => with_key(if is_reading { &writer } else { &reader }),
                    "admin" => with_key(KEY),
                    "expired" => assertion(&over),
                    "ended" => server.stranger().with("Cookie", &ended),
                    "owner" => with_key(&ann),
                    // Anew each time: some of what it asks for ends it.
                    "session" => server.stranger().signed_in(&signed_in()),
                    "token" => server.stranger().with("Authorization", &token()),
                    _ => with_key(&revoked),
                };
                // It has no end: its head says who may listen.
                let method = if path == "/api/v1/events" { "HEAD" } else { method };
                let answer = client.request(method, &path, None);
                for name in ALWAYS {
                    assert!(answer.header(name).is_some(), "{caller} {method} {path}: no {name}");
                }
                answer.status.to_string()
            })
            .collect();
        // Writing to a string cannot fail.
        let _ = writeln!(seen, "{method:6} {pattern:25} {}", found.join(" "));
        if found != expected {
            wrong.push(format!("{method} {pattern}: {} expected", expected.join(" ")));
        }
    }
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|row| (row.method.to_string(), row.path.to_owned())).collect();
    assert_eq!(listed, table, "the table of this test and that of the server");
    println!("{:32} {}\n{seen}", "", CALLERS.join(" "));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_older_services_path_leads_where_ours_does() {
    let server = Server::start();
    let client = server.client();
    let answer = client.upload("a.wav", &plain_wav(1), &[]);
    let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
    client.wait(&job);
    for (old, new) in [
        ("/saas/jobs", "/api/v1/jobs"),
        (&format!("/saas/jobs/{job}"), &format!("/api/v1/jobs/{job}")),
        ("/api/me", "/api/v1/me"),
        ("/api/userinfo", "/api/v1/me"),
        ("/portal/private/status", "/readyz"),
    ] {
        let [old_answer, new_answer] = [old, new].map(|path| client.get(path));
        assert_eq!((old_answer.status, old_answer.text()), (200, new_answer.text()), "{old}");
    }
    let body = crate::support::client::form("a.wav", &plain_wav(1), &[]);
    let kind = format!("multipart/form-data; boundary={}", crate::support::client::BOUNDARY);
    let content = Some((kind.as_str(), body.as_slice()));
    let probed = client.request("POST", "/utilities/audio-duration", content);
    assert_eq!(probed.json()["duration_seconds"], 1.0, "{}", probed.text());
    assert_eq!(client.get("/utilities/audio-duration").status, 405, "it takes a POST");
    assert_eq!(client.get("/saas/jobsx").status, 404);
    assert_eq!(server.stranger().get("/saas/jobs").status, 401);
}
