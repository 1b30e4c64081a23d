//! Never open: what a stranger, a browser and a script get.

use crate::support::Server;
use crate::support::recording::plain_wav;

#[test]
fn a_stranger_gets_the_sign_in_page_or_a_401_and_nothing_else() {
    let server = Server::start();
    let stranger = server.stranger();
    for path in [
        "/",
        "/upload",
        "/upload/jobs/x",
        "/status/x",
        "/download/x",
        "/api/v1",
        "/api/v1/jobs",
        "/api/v1/formats",
        "/nowhere",
    ] {
        let script = stranger.get(path);
        assert_eq!((script.status, script.code().as_str()), (401, "unauthenticated"), "{path}");
        let person = stranger.with("Sec-Fetch-Mode", "navigate").get(path);
        assert_eq!(person.status, 302, "{path}");
        assert!(
            person.header("location").is_some_and(|to| to.starts_with("/login?next=%2F")),
            "{path}"
        );
        let older = stranger.with("Accept", "text/html,*/*").get(path);
        assert_eq!(older.status, 302, "{path}");
    }
    assert_eq!(stranger.upload("a.wav", &plain_wav(1), &[]).status, 401);
    assert_eq!(server.files(), [""; 0]);
    for path in ["/healthz", "/health", "/readyz", "/login"] {
        assert_eq!(stranger.get(path).status, 200, "{path}");
    }
}

#[test]
fn the_printed_link_signs_in_once_and_looking_at_it_spends_nothing() {
    let server = Server::start();
    let stranger = server.stranger();
    let path = server.sign_in_link.split_once(&server.address).expect("a path").1;
    for _ in 0..2 {
        let page = stranger.get(path);
        assert_eq!(page.status, 200);
        assert!(page.text().contains("data-state=\"link\""));
    }
    let token = path.split("token=").nth(1).expect("a token");
    let first = stranger.post_form("/login", &format!("token={token}&next=/upload?format=flac"));
    assert_eq!((first.status, first.header("location")), (303, Some("/upload?format=flac")));
    let cookie = first.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")
            && !cookie.contains("Secure"),
        "{cookie}"
    );
    let second =
        stranger.with("Accept", "text/html").post_form("/login", &format!("token={token}"));
    assert_eq!(second.status, 401);
    assert!(second.text().contains("data-state=\"used\"") && second.header("set-cookie").is_none());

    let browser = stranger.with("Cookie", cookie.split(';').next().expect("a pair"));
    assert_eq!(browser.get("/upload").status, 200);
    let out = browser.with("Sec-Fetch-Site", "same-origin").post("/logout");
    assert_eq!((out.status, out.header("location")), (303, Some("/login")));
    assert_eq!(browser.get("/upload").status, 401, "the session is gone, not only the cookie");
}

#[test]
fn after_signing_in_a_person_is_led_to_this_site_only() {
    for next in ["//evil.example", "https://evil.example", "/\\evil", "%2F%2Fevil"] {
        let server = Server::start();
        let token = server.token();
        let answer = server.stranger().post_form("/login", &format!("token={token}&next={next}"));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{next}");
    }
}

#[test]
fn over_tls_the_cookie_is_bound_to_this_host() {
    let server = Server::start();
    let token = server.token();
    let proxied = server.stranger().with("X-Forwarded-Proto", "https");
    let answer = proxied.post_form("/login", &format!("token={token}"));
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    assert!(answer.header("strict-transport-security").is_some());
}

#[test]
fn another_site_cannot_act_with_the_browsers_cookie() {
    let server = Server::start();
    let browser = server.browser();
    for (name, value) in [
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ] {
        let answer = browser.with(name, value).post("/api/v1/jobs/x/cancel");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "csrf_failed"),
            "{name}: {value}"
        );
        let upload = browser.with(name, value).upload("a.wav", &plain_wav(1), &[]);
        assert_eq!(upload.status, 403, "{name}: {value}");
    }
    assert_eq!(
        browser.with("Sec-Fetch-Site", "same-origin").upload("a.wav", &plain_wav(1), &[]).status,
        200
    );
    assert_eq!(
        browser.with("Sec-Fetch-Site", "cross-site").get("/api/v1/jobs").status,
        200,
        "reading is no act"
    );
    let script = server.client().with("Origin", "https://evil.example");
    assert_eq!(script.post("/api/v1/jobs/x/cancel").status, 404, "a key was sent on purpose");
}

#[test]
fn a_key_works_in_both_headers_and_a_wrong_one_is_not_made_good_by_a_session() {
    let server = Server::start();
    let key = crate::support::server::KEY;
    let bearer = server.stranger().with("Authorization", &format!("Bearer {key}"));
    assert_eq!(bearer.get("/api/v1/jobs").status, 200);
    assert_eq!(server.client().get("/api/v1/jobs").status, 200);
    let browser = server.browser();
    assert_eq!(browser.with("x-api-key", "wrong").get("/api/v1/jobs").status, 401);
    assert_eq!(browser.with("Authorization", "Bearer wrong").get("/api/v1/jobs").status, 401);
}

#[test]
fn every_start_prints_a_new_link_and_voids_the_old_one() {
    let server = Server::start();
    let old = server.token();
    let server = server.kill_and_restart();
    assert_eq!(server.stranger().post_form("/login", &format!("token={old}")).status, 401);
    let link = server.new_link();
    let token = link.split("token=").nth(1).expect("a token");
    assert_eq!(server.stranger().post_form("/login", &format!("token={token}")).status, 303);
    let log = server.client().get("/api/v1/audit?action=link.issue").json();
    let by: Vec<&str> = log["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .flat_map(|row| row["actor"].as_str())
        .collect();
    assert_eq!(by, ["command line", "start", "start"]);
}

#[test]
fn no_link_is_printed_where_somebody_can_sign_in_without_one() {
    let access = ("CF_TEAM_DOMAIN", "http://127.0.0.1:9");
    let form = ("DEV_PASSWORD", "for development");
    let ann = ("ALLOWED_EMAILS", "ann@example.org");
    for (settings, prints) in [
        (vec![form, ann], false),
        (vec![access, ("CF_AUDIENCE", "a"), ann], false),
        (vec![form], true),
        (vec![access, ("CF_AUDIENCE", "a")], true),
    ] {
        let server = Server::with(&settings);
        assert_eq!(server.sign_in_link.contains("token="), prints, "{}", server.sign_in_link);
        assert_eq!(server.browser().get("/api/v1/me").json()["email"], "owner");
    }
    let server = Server::start();
    let password = r#"{"current": null, "new": "a word 4 the mill"}"#;
    let changed = ("application/json", password.as_bytes());
    let answer = server.browser().request("POST", "/api/v1/me/password", Some(changed));
    assert_eq!(answer.status, 204, "{}", answer.text());
    let server = server.kill_and_restart();
    assert!(server.sign_in_link.ends_with("/login"), "{}", server.sign_in_link);
}

#[test]
fn secrets_never_reach_the_log() {
    let server = Server::with(&[("LOG_LEVEL", "trace")]);
    let browser = server.browser();
    browser.get("/api/v1/jobs");
    server.client().get("/api/v1/jobs");
    let log = server.log();
    let token = server.token();
    assert_eq!(log.matches(&token).count(), 1, "printed once, outside the log");
    assert!(!log.contains(crate::support::server::KEY));
    assert!(!log.contains("audiomill_session="), "no cookie");
}
