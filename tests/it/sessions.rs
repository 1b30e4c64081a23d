//! Sessions in browsers: seen, ended, and what another site cannot do with them.

use serde_json::json;

use crate::support::Server;
use crate::support::client::{Answer, Client};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

const ANN: &str = "ann@example.org";

fn with_form() -> Server {
    Server::with(&[("DEV_PASSWORD", "for development"), ("ALLOWED_EMAILS", ANN)])
}

/// Signs in by the form; the session's cookie.
fn signed_in(server: &Server) -> String {
    let form = format!("email={ANN}&password=for+development");
    let answer = server.stranger().post_form("/login", &form);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("set-cookie").and_then(|c| c.split(';').next()).expect("a cookie").to_owned()
}

fn delete(client: &Client, path: &str) -> Answer {
    client.request("DELETE", path, None)
}

#[test]
fn a_session_that_is_ended_elsewhere_ends_at_its_next_request_and_a_kill_brings_none_back() {
    let server = with_form();
    let cookies = [(); 3].map(|()| signed_in(&server));
    assert!(cookies[0] != cookies[1], "each sign-in has an id of its own");
    let [phone, desk, old] = [0, 1, 2].map(|at: usize| server.stranger().signed_in(&cookies[at]));
    let listed = desk.with("User-Agent", "A browser").get("/api/v1/sessions").json();
    let sessions = listed["sessions"].as_array().expect("sessions").clone();
    assert_eq!(sessions.len(), 3);
    assert_eq!(sessions.iter().filter(|session| session["current"] == true).count(), 1);
    assert!(
        sessions
            .iter()
            .all(|session| session["origin"] == "form" && session["address"] == "127.0.0.1")
    );
    let own = |client: &Client| {
        client.get("/api/v1/me").json()["session"].as_str().expect("an id").to_owned()
    };
    let phones = own(&phone);
    assert_eq!(delete(&desk, &format!("/api/v1/sessions/{phones}")).status, 204);
    assert_eq!(phone.get("/api/v1/me").status, 401, "at its next request");
    assert_eq!(delete(&desk, &format!("/api/v1/sessions/{phones}")).status, 404, "once");
    // Nobody else's session can be ended, or seen.
    let owner = server.browser();
    assert_eq!(delete(&owner, &format!("/api/v1/sessions/{}", own(&desk))).status, 404);
    assert_eq!(delete(&desk, "/api/v1/sessions").json()["ended"], 1);
    assert_eq!(old.get("/api/v1/me").status, 401);
    assert_eq!(desk.get("/api/v1/me").status, 200);
    let server = server.kill_and_restart();
    for cookie in [&cookies[0], &cookies[2]] {
        assert_eq!(server.stranger().with("Cookie", cookie).get("/api/v1/me").status, 401);
    }
    let desk = server.stranger().signed_in(&cookies[1]);
    assert_eq!(desk.post("/logout").status, 303);
    assert_eq!(desk.get("/api/v1/me").status, 401);
    let log = server.client().get("/api/v1/audit?action=session.end").json();
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(log["entries"][1]["target"], json!(phones));
}

#[test]
fn a_cookie_that_is_not_whole_opens_nothing() {
    let server = with_form();
    let cookie = signed_in(&server);
    let (name, value) = cookie.split_once('=').expect("a pair");
    assert_eq!(server.stranger().with("Cookie", &cookie).get("/api/v1/me").status, 200);
    let flipped = if value.ends_with('0') { "1" } else { "0" };
    let session =
        server.stranger().with("Cookie", &cookie).get("/api/v1/me").json()["session"].clone();
    for wrong in [
        format!("{}{flipped}", &value[..value.len() - 1]),
        value[..value.len() - 1].to_owned(),
        format!("{value}0"),
        value.to_uppercase(),
        String::new(),
        session.as_str().expect("an id").to_owned(),
    ] {
        let client = server.stranger().with("Cookie", &format!("{name}={wrong}"));
        assert_eq!(client.get("/api/v1/me").status, 401, "{wrong}");
    }
    // The cookie of plain http is none over https, and the other way round.
    let secure = server.stranger().with("X-Forwarded-Proto", "https");
    assert_eq!(secure.with("Cookie", &cookie).get("/api/v1/me").status, 401);
    let form = format!("email={ANN}&password=x");
    assert_eq!(secure.post_form("/login", &form).status, 401);
    let token = server.token();
    let over_tls = secure.post_form("/login", &format!("token={token}"));
    let set = over_tls.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        set.starts_with("__Host-") && set.contains("Path=/") && set.contains("; Secure"),
        "{set}"
    );
    assert!(!set.contains("Domain"), "{set}");
}

#[test]
fn what_another_site_makes_a_browser_send_changes_nothing() {
    let server = with_form();
    let cookie = signed_in(&server);
    let session = server.stranger().with("Cookie", &cookie);
    let token = session.get("/api/v1/me").header("x-csrf-token").expect("a token").to_owned();
    let other = server.browser();
    let others_token = other.get("/api/v1/me").header("x-csrf-token").expect("a token").to_owned();
    let body: &[u8] = b"{\"name\": \"stolen\"}";
    let json = Some(("application/json", body));
    let plain = Some(("text/plain", body));
    let host = format!("http://{}", server.address);
    for (name, headers, content, status) in [
        ("the page", vec![("Sec-Fetch-Site", "same-origin"), ("X-CSRF-Token", &*token)], json, 201),
        ("the page, older browser", vec![("Origin", &*host), ("X-CSRF-Token", &token)], json, 201),
        ("no browser at all", vec![("X-CSRF-Token", &token)], json, 201),
        ("no token", vec![("Sec-Fetch-Site", "same-origin")], json, 403),
        ("no token, no origin", vec![], json, 403),
        (
            "another's token",
            vec![("Sec-Fetch-Site", "same-origin"), ("X-CSRF-Token", &others_token)],
            json,
            403,
        ),
        ("half a token", vec![("X-CSRF-Token", &token[..16])], json, 403),
        (
            "another site",
            vec![("Sec-Fetch-Site", "cross-site"), ("X-CSRF-Token", &token)],
            json,
            403,
        ),
        ("a neighbour", vec![("Sec-Fetch-Site", "same-site"), ("X-CSRF-Token", &token)], json, 403),
        (
            "another origin",
            vec![("Origin", "https://evil.example"), ("X-CSRF-Token", &token)],
            json,
            403,
        ),
        ("no origin, in words", vec![("Origin", "null"), ("X-CSRF-Token", &token)], json, 403),
        ("a form that looks like JSON", vec![("Sec-Fetch-Site", "cross-site")], plain, 403),
        ("an override", vec![("X-HTTP-Method-Override", "GET")], json, 403),
    ] {
        let client = headers.iter().fold(session.clone(), |client, (n, v)| client.with(n, v));
        let answer = client.request("POST", "/api/v1/keys", content);
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        if status == 403 {
            assert_eq!(answer.code(), "csrf_failed", "{name}");
        }
    }
    let keys = session.get("/api/v1/keys").json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(3));
    let login = server.stranger().with("Sec-Fetch-Site", "cross-site");
    assert_eq!(login.post_form("/login", "email=a&password=b").status, 403, "nor signs one in");
}

#[test]
fn two_public_origins_both_sign_in_and_both_pass() {
    let server = Server::with(&[
        ("PUBLIC_URL", "https://mill.example.org,http://192.168.1.5:8000"),
        ("REGISTRATION", "open"),
    ]);
    let wanted = json!({"email": ANN, "password": "7 green bottles"}).to_string();
    let made = server.stranger().request(
        "POST",
        "/auth/register",
        Some(("application/json", wanted.as_bytes())),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    for (origin, host, prefix) in [
        ("https://mill.example.org", "mill.example.org", "__Host-"),
        ("http://192.168.1.5:8000", "192.168.1.5:8000", "audiomill_"),
    ] {
        let browser = server.stranger().at_host(host).with("Origin", origin);
        let form = format!("email={ANN}&password=7+green+bottles");
        let answer = browser.post_form("/login", &form);
        assert_eq!(answer.status, 303, "{origin}: {}", answer.text());
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with(prefix), "{origin}: {cookie}");
        let session = browser.signed_in(cookie.split(';').next().expect("a pair"));
        let uploaded = session.upload("a.wav", &plain_wav(1), &[]);
        assert_eq!(uploaded.status, 200, "{origin}: {}", uploaded.text());
        let strict = uploaded.header("strict-transport-security").is_some();
        assert_eq!(strict, origin.starts_with("https"), "{origin}");
    }
}

#[test]
fn signing_out_ends_the_session_whatever_else_the_request_carries() {
    let server = with_form();
    for extra in [("X-Api-Key", "wrong"), ("Authorization", "Bearer wrong"), ("X-Api-Key", KEY)] {
        let cookie = signed_in(&server);
        let browser = server.stranger().signed_in(&cookie);
        assert_eq!(browser.with(extra.0, extra.1).post("/logout").status, 303);
        assert_eq!(browser.get("/api/v1/me").status, 401, "{extra:?}");
    }
}

#[test]
fn signing_in_again_ends_the_session_that_the_browser_had() {
    let server = with_form();
    let before = signed_in(&server);
    let form = format!("email={ANN}&password=for+development");
    let again = server.stranger().with("Cookie", &before).post_form("/login", &form);
    assert_eq!(again.status, 303);
    assert_eq!(server.stranger().with("Cookie", &before).get("/api/v1/me").status, 401);
}

#[test]
fn one_public_origin_does_not_act_on_another() {
    let origins = "https://mill.example.org,http://192.168.1.5:8000";
    let server = Server::with(&[("PUBLIC_URL", origins)]);
    let form = format!("token={}", server.token());
    let at = server.stranger().at_host("mill.example.org");
    for (name, value) in [
        ("Origin", "http://192.168.1.5:8000"),
        ("Origin", "http://mill.example.org"),
        ("Sec-Fetch-Site", "none"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = at.with(name, value).post_form("/login", &form);
        assert_eq!((answer.status, answer.code().as_str()), (403, "csrf_failed"), "{value}");
    }
    let good = at.with("Origin", "https://mill.example.org").with("Sec-Fetch-Site", "same-origin");
    assert_eq!(good.post_form("/login", &form).status, 303);
}
