//! No secret reaches the log, whatever is done with it and however loud the log is.

use serde_json::json;

use crate::support::Server;
use crate::support::issuer::{AUDIENCE, Issuer, Key};
use crate::support::recording::plain_wav;

#[test]
fn twelve_secrets_go_through_everything_and_none_is_in_the_log() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let secrets = [
        "secret-key-of-the-server-00000000",
        "previous-secret-of-the-server-00000",
        "token-secret-of-the-server-0000000",
        "portal-key-of-the-server-00000000000",
    ];
    let server = Server::with(&[
        ("SECRET_KEY", secrets[0]),
        ("SECRET_KEY_PREVIOUS", secrets[1]),
        ("JWT_SECRET_KEY", secrets[2]),
        ("PORTAL_AUTH_KEY", secrets[3]),
        ("REGISTRATION", "open"),
        ("CF_TEAM_DOMAIN", &issuer.address),
        ("CF_AUDIENCE", AUDIENCE),
        ("ALLOWED_EMAILS", "ann@example.org"),
        ("OIDC_ISSUER", &issuer.address),
        ("AUTH0_AUDIENCE", "audiomill"),
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", "json"),
    ]);
    let stranger = server.stranger();
    let post = |path: &str, body: serde_json::Value| {
        stranger.request("POST", path, Some(("application/json", body.to_string().as_bytes())))
    };
    let password = "a password with 7 words in it";
    let account = json!({"email": "bob@example.org", "password": password});
    assert_eq!(post("/auth/register", account.clone()).status, 201);
    let tokens = post("/auth/login", account).json();
    let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let (access, refresh) = (token("access_token"), token("refresh_token"));
    let wrong = "a wrong password with 1 digit";
    post("/auth/login", json!({"email": "bob@example.org", "password": wrong}));
    stranger.post_form(
        "/login",
        &format!("email=bob@example.org&password={}", wrong.replace(' ', "+")),
    );
    let bob = stranger.with("Authorization", &format!("Bearer {access}"));
    let made = bob
        .request("POST", "/api/v1/keys", Some(("application/json", b"{\"name\": \"k\"}")))
        .json();
    let api_key = made["key"].as_str().expect("a key").to_owned();
    let by_key = stranger.with("x-api-key", &api_key);
    let job = by_key.upload("a.wav", &plain_wav(1), &[]).json()["job_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    by_key.wait(&job);
    by_key.get(&format!("/download/{job}?api_key={api_key}"));
    stranger.with("x-api-key", secrets[3]).get("/api/v1/me");
    post("/auth/refresh", json!({"refresh_token": refresh}));
    let assertion = key.sign(&issuer.person("ann@example.org"));
    stranger.with("Cf-Access-Jwt-Assertion", &assertion).get("/api/v1/me");
    let forged = format!("{assertion}x");
    stranger.with("Cookie", &format!("CF_Authorization={forged}")).get("/api/v1/me");
    let link = server.token();
    stranger.get(&format!("/login?token={link}"));
    let signed_in = stranger.post_form("/login", &format!("token={link}"));
    let session = signed_in
        .header("set-cookie")
        .and_then(|c| c.split(';').next())
        .expect("a cookie")
        .to_owned();
    let browser = stranger.signed_in(&session);
    let csrf = browser.header("X-CSRF-Token").expect("a token");
    browser.post("/logout");
    let agent = "Evil \u{e9} agent\ttab";
    stranger.with("User-Agent", agent).get("/api/v1/jobs");
    crate::support::wait_for("the log is written", 5, || server.log().contains("/logout"));
    let log = server.log();
    // What is said at the start to whoever sits there is no line of the log.
    let after_link = log.split_once(&server.sign_in_link).expect("the log").1;
    let session = session.split_once('=').expect("a pair").1.to_owned();
    let proof = |token: &str| token.rsplit('.').next().expect("a proof").to_owned();
    let seeded = [
        secrets[0],
        secrets[1],
        secrets[2],
        secrets[3],
        password,
        wrong,
        &wrong.replace(' ', "+"),
        &access,
        &refresh,
        &proof(&access),
        &api_key,
        &api_key[12..],
        &assertion,
        &proof(&assertion),
        &forged,
        &link,
        &session,
        &csrf,
    ];
    for secret in seeded {
        assert!(!after_link.contains(secret), "{secret:?} is in the log");
    }
    assert!(
        after_link.lines().all(|line| line.is_empty() || line.starts_with('{')),
        "one line is one object"
    );
    println!(
        "{} secrets, {} lines of log at trace level: none of them in it",
        seeded.len(),
        after_link.lines().count()
    );
}
