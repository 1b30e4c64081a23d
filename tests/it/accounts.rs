//! Accounts and their tokens: made, signed in, refreshed, ended, shut.

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::issuer::{Issuer, Key, now};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;
use crate::support::{AUDIOMILL, Server};

const ANN: &str = "ann@example.org";
const PASSWORD: &str = "7 green bottles";

fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.request("POST", path, Some(("application/json", body.to_string().as_bytes())))
}

fn open_to_strangers() -> Server {
    Server::with(&[
        ("REGISTRATION", "open"),
        ("LOGIN_ATTEMPTS_PER_MINUTE", "1000"),
        ("ALLOWED_EMAILS", "kept@example.org"),
    ])
}

fn register(server: &Server, email: &str, password: &str) -> Answer {
    let wanted = json!({"email": email, "password": password, "company": "Hill & Co"});
    post(&server.stranger(), "/auth/register", &wanted)
}

fn tokens(server: &Server, email: &str, password: &str) -> (String, String) {
    let answer = post(
        &server.stranger(),
        "/api/v1/auth/login",
        &json!({"email": email, "password": password}),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    pair(&answer)
}

fn pair(answer: &Answer) -> (String, String) {
    let body = answer.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
    let text = |name: &str| body[name].as_str().expect("a token").to_owned();
    (text("access_token"), text("refresh_token"))
}

fn bearer(server: &Server, token: &str) -> Client {
    server.stranger().with("Authorization", &format!("Bearer {token}"))
}

fn refresh(server: &Server, token: &str) -> Answer {
    post(&server.stranger(), "/auth/refresh", &json!({"refresh_token": token}))
}

#[test]
fn a_stranger_registers_signs_in_and_works() {
    let server = open_to_strangers();
    let made = register(&server, "Ann@Example.org", PASSWORD);
    assert_eq!((made.status, made.json()["email"].as_str()), (201, Some(ANN)), "{}", made.text());
    let (access, _) = tokens(&server, ANN, PASSWORD);
    let ann = bearer(&server, &access);
    let me = ann.get("/api/userinfo").json();
    assert_eq!(
        (&me["email"], &me["company"], &me["role"]),
        (&json!(ANN), &json!("Hill & Co"), &json!("user"))
    );
    let job = ann.upload("a.wav", &plain_wav(1), &[]).json()["job_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(ann.wait(&job)["status"], "done");
    assert_eq!(ann.get("/api/v1/users").status, 403);
    let changed = ann.request(
        "PATCH",
        "/api/v1/me",
        Some(("application/json", b"{\"first_name\": \"Ann\"}")),
    );
    assert_eq!(
        (&changed.json()["first_name"], &changed.json()["company"]),
        (&json!("Ann"), &json!("Hill & Co"))
    );
    assert_eq!(
        post(&ann, "/api/v1/keys", &json!({"name": "mine"})).status,
        201,
        "a person makes keys"
    );
}

#[test]
fn what_cannot_be_registered_is_refused_in_words() {
    let server = open_to_strangers();
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    for (email, password, status, part) in [
        (ANN, PASSWORD, 409, "cannot be registered"),
        ("KEPT@example.org", PASSWORD, 409, "cannot be registered"),
        ("no address", PASSWORD, 422, "no e-mail address"),
        ("bob@example.org", "short1", 422, "8 to 256"),
        ("bob@example.org", "onlyletters", 422, "a letter and a digit"),
        ("bob@example.org", "password1", 422, "tried first"),
        ("bob@example.org", "bob12345", 422, "tried first"),
    ] {
        let refused = register(&server, email, password);
        assert_eq!(refused.status, status, "{email} {password}: {}", refused.text());
        assert!(refused.text().contains(part), "{}", refused.text());
    }
    let more = json!({"email": "bob@example.org", "password": PASSWORD, "role": "admin"});
    assert_eq!(post(&server.stranger(), "/auth/register", &more).status, 400);
    let closed = Server::start();
    let refused = register(&closed, ANN, PASSWORD);
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
}

#[test]
fn a_refresh_token_is_good_once_and_a_second_use_ends_the_family_for_good() {
    let server = open_to_strangers();
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let (access, first) = tokens(&server, ANN, PASSWORD);
    let (other_access, _) = tokens(&server, ANN, PASSWORD);
    let (second_access, second) = pair(&refresh(&server, &first));
    assert_eq!(bearer(&server, &second_access).get("/api/v1/me").status, 200);
    // An access token refreshes nothing, a refresh token opens nothing.
    assert_eq!(refresh(&server, &access).status, 401);
    assert_eq!(bearer(&server, &second).get("/api/v1/me").status, 401);
    assert_eq!(refresh(&server, &first).status, 401, "used before");
    assert_eq!(refresh(&server, &second).status, 401, "the newest has ended with it");
    for token in [&access, &second_access] {
        assert_eq!(bearer(&server, token).get("/api/v1/me").status, 401);
    }
    let server = server.kill_and_restart();
    assert_eq!(refresh(&server, &second).status, 401, "and stays so");
    assert_eq!(bearer(&server, &other_access).get("/api/v1/me").status, 200, "another sign-in");
    let log = server.client().get("/api/v1/audit?action=token.reuse").json();
    assert_eq!(log["entries"][0]["outcome"], "refused");
}

#[test]
fn signing_out_ends_the_tokens_and_a_kill_does_not_bring_them_back() {
    let server = open_to_strangers();
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let (access, next) = tokens(&server, ANN, PASSWORD);
    assert_eq!(bearer(&server, &access).post("/auth/logout").status, 204);
    let (by_refresh, other) = tokens(&server, ANN, PASSWORD);
    let body = json!({"refresh_token": other});
    assert_eq!(post(&server.stranger(), "/auth/logout", &body).status, 204);
    let server = server.kill_and_restart();
    for token in [&access, &by_refresh] {
        assert_eq!(bearer(&server, token).get("/api/v1/me").status, 401);
    }
    for token in [&next, &other] {
        assert_eq!(refresh(&server, token).status, 401);
    }
}

#[test]
fn a_new_secret_ends_tokens_and_sessions_unless_the_old_one_is_given_too() {
    let [one, two] = ["1", "2"].map(|digit| digit.repeat(32));
    let server = Server::with(&[("REGISTRATION", "open"), ("SECRET_KEY", &one)]);
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let (access, _) = tokens(&server, ANN, PASSWORD);
    let cookie = server.browser().header("Cookie").expect("a cookie");
    let statuses = |server: &Server| {
        let session = server.stranger().with("Cookie", &cookie);
        [bearer(server, &access), session].map(|client| client.get("/api/v1/me").status)
    };
    assert_eq!(statuses(&server), [200, 200]);
    let server = server.restart_with(&[("SECRET_KEY", &two), ("SECRET_KEY_PREVIOUS", &one)]);
    assert_eq!(statuses(&server), [200, 200], "the secret before verifies");
    let server = server.restart_with(&[("SECRET_KEY", &two), ("SECRET_KEY_PREVIOUS", "")]);
    assert_eq!(statuses(&server), [401, 200], "the session has been used under the new one");
    let server = server.restart_with(&[("SECRET_KEY", &"3".repeat(32))]);
    assert_eq!(statuses(&server), [401, 401]);
}

#[test]
fn guessing_pauses_with_a_word_and_does_not_lock_out_who_was_here_before() {
    let server = Server::with(&[("REGISTRATION", "open")]);
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let from = |address: &str| server.stranger().with("X-Forwarded-For", address);
    let sign_in = |client: &Client, password: &str| {
        post(client, "/auth/login", &json!({"email": ANN, "password": password}))
    };
    assert_eq!(sign_in(&from("192.0.2.1"), PASSWORD).status, 200);
    let guesser = from("198.51.100.7");
    for _ in 0..5 {
        let wrong = sign_in(&guesser, "a wrong 1");
        assert_eq!((wrong.status, wrong.code().as_str()), (401, "unauthenticated"));
    }
    let early = sign_in(&guesser, PASSWORD);
    assert_eq!((early.status, early.code().as_str()), (429, "too_many"));
    let wait: u64 =
        early.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((50..=60).contains(&wait), "{wait}");
    // Another address in front of the one the proxy saw changes nothing.
    let evading = server.stranger().with("X-Forwarded-For", "203.0.113.9, 198.51.100.7");
    assert_eq!(sign_in(&evading, PASSWORD).status, 429);
    assert_eq!(sign_in(&from("203.0.113.50"), PASSWORD).status, 200, "nobody else is locked out");
    assert_eq!(sign_in(&from("192.0.2.1"), PASSWORD).status, 200, "known from there");
    let form = guesser.with("Accept", "text/html").post_form("/login", "email=x@y.zz&password=abc");
    assert!(form.status == 429 && form.text().contains("data-state=\"wait\""));
    let log = server.client().get("/api/v1/audit?action=sign_in").json();
    assert!(log["entries"].as_array().is_some_and(|rows| {
        rows.iter()
            .filter(|row| row["outcome"] == "refused" && row["address"] == "198.51.100.7")
            .count()
            == 5
    }));
}

#[test]
fn the_development_password_is_for_people_on_the_list_and_never_through_a_proxy() {
    let server = Server::with(&[
        ("DEV_PASSWORD", "for development"),
        ("ALLOWED_EMAILS", "Ann@example.org"),
        ("LOGIN_ATTEMPTS_PER_MINUTE", "1000"),
    ]);
    let form = |client: &Client, email: &str, password: &str| {
        client.post_form("/login", &format!("email={email}&password={password}&next=/upload"))
    };
    let nobody = server.stranger();
    let signed_in = form(&nobody, "ANN@example.org", "for+development");
    assert_eq!((signed_in.status, signed_in.header("location")), (303, Some("/upload")));
    let cookie = signed_in
        .header("set-cookie")
        .and_then(|c| c.split(';').next())
        .expect("a cookie")
        .to_owned();
    assert_eq!(nobody.with("Cookie", &cookie).get("/api/v1/me").json()["email"], ANN);
    let wrong = form(&nobody, ANN, "another");
    assert!(
        wrong.status == 401 && wrong.text().contains("Invalid credentials"),
        "{}",
        wrong.text()
    );
    assert_eq!(form(&nobody, "bob@example.org", "for+development").status, 401);
    for header in ["X-Forwarded-For", "CF-Connecting-IP", "Forwarded", "Via"] {
        let forwarded = nobody.with(header, "192.0.2.1");
        assert_eq!(form(&forwarded, ANN, "for+development").status, 401, "{header}");
    }
    // Taken off the list: out at the next request.
    let server = server.restart_with(&[("ALLOWED_EMAILS", "bob@example.org")]);
    let refused = server.stranger().with("Cookie", &cookie).get("/api/v1/me");
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
}

#[test]
fn the_static_key_is_the_owners_and_shut_with_them() {
    let server = Server::start();
    assert_eq!(server.client().get("/api/v1/jobs").status, 200);
    let command = |server: &Server, arguments: &[&str]| {
        let data = server.data();
        let settings = [("DATA_DIR", data.to_str().expect("a path"))];
        crate::support::run(crate::support::AUDIOMILL, arguments, &settings, "")
    };
    let (is_done, _, said) = command(&server, &["user", "disable", "owner"]);
    assert!(!is_done && said.contains("OWNER_EMAIL"), "{said}");
    assert!(command(&server, &["user", "add", ANN, "--test"]).0);
    assert!(command(&server, &["user", "disable", ANN]).0);
    let server = server.restart_with(&[("OWNER_EMAIL", ANN)]);
    let refused = server.client().get("/api/v1/jobs");
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert!(command(&server, &["user", "enable", ANN]).0);
    assert_eq!(server.client().get("/api/v1/jobs").status, 200);
}

#[test]
fn who_registers_with_anothers_e_mail_has_nothing_once_that_one_comes() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = Server::with(&[
        ("REGISTRATION", "open"),
        ("OIDC_ISSUER", &issuer.address),
        ("AUTH0_AUDIENCE", "audiomill"),
    ]);
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let (access, next) = tokens(&server, ANN, PASSWORD);
    let made = post(&bearer(&server, &access), "/api/v1/keys", &json!({"name": "stays"})).json();
    let stolen = made["key"].as_str().expect("a key");
    let claims = |verified: bool| {
        json!({
            "iss": issuer.address, "aud": "audiomill", "sub": "ann", "exp": now() + 60,
            "email": ANN, "email_verified": verified,
        })
    };
    let unproven = bearer(&server, &key.sign(&claims(false))).get("/api/v1/me").json();
    assert!(unproven["email"] != ANN, "anybody can claim an e-mail: {unproven}");
    let mut other = claims(true);
    other["sub"] = json!("the real ann");
    let ann = bearer(&server, &key.sign(&other)).get("/api/v1/me").json();
    assert_eq!(ann["email"], ANN);
    assert_eq!(bearer(&server, &access).get("/api/v1/me").status, 401);
    assert_eq!(refresh(&server, &next).status, 401);
    assert_eq!(Client::new(&server.address, Some(stolen)).get("/api/v1/me").status, 401);
    let again =
        post(&server.stranger(), "/auth/login", &json!({"email": ANN, "password": PASSWORD}));
    assert_eq!(again.status, 401);
}

#[test]
fn tokens_of_an_issuer_are_taken_for_what_they_say_and_no_issuer_passes_for_another() {
    let (key, ec, access_key) = (Key::rsa("one"), Key::ec("curve"), Key::rsa("edge"));
    let issuer = Issuer::start(&[&key, &ec]);
    let edge = Issuer::start(&[&access_key]);
    let server = Server::with(&[
        ("OIDC_ISSUER", &issuer.address),
        ("AUTH0_AUDIENCE", "audiomill"),
        ("CF_TEAM_DOMAIN", &edge.address),
        ("CF_AUDIENCE", crate::support::issuer::AUDIENCE),
        ("ALLOWED_EMAILS", ANN),
    ]);
    let claims = |more: Value| {
        let mut claims = json!({
            "iss": issuer.address, "aud": "audiomill", "sub": "ann", "exp": now() + 60,
            "email": ANN, "email_verified": true,
        });
        for (name, value) in more.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims
    };
    let me = |token: &str| bearer(&server, token).get("/api/v1/me");
    for key in [&key, &ec] {
        let answer = me(&key.sign(&claims(json!({}))));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["scopes"], json!(["jobs:read", "jobs:write"]));
    }
    let reading = key.sign(&claims(json!({"scope": "openid jobs:read"})));
    assert_eq!(me(&reading).json()["scopes"], json!(["jobs:read"]));
    assert_eq!(bearer(&server, &reading).upload("a.wav", &plain_wav(1), &[]).status, 403);
    let both = json!({"aud": ["audiomill", "userinfo"], "azp": "a client"});
    assert_eq!(me(&key.sign(&claims(both))).status, 200);
    let person = edge.person(ANN);
    for (name, token) in [
        ("for two, given to nobody", key.sign(&claims(json!({"aud": ["audiomill", "userinfo"]})))),
        ("for another", key.sign(&claims(json!({"aud": "another"})))),
        ("an assertion of Access", access_key.sign(&person)),
        ("Access's key, the issuer's name", access_key.sign(&claims(json!({})))),
        ("the issuer's key, Access's name", key.sign(&person)),
        (
            "our own name",
            key.sign(&claims(json!({"iss": "audiomill", "typ": "access", "family": "x"}))),
        ),
        ("nobody", key.sign(&claims(json!({"sub": ""})))),
        ("over", key.sign(&claims(json!({"exp": now() - 61})))),
    ] {
        assert_eq!(me(&token).status, 401, "{name}");
    }
    let as_assertion = |token: &str| {
        server.stranger().with("Cf-Access-Jwt-Assertion", token).get("/api/v1/me").status
    };
    assert_eq!(as_assertion(&access_key.sign(&person)), 200);
    assert_eq!(as_assertion(&key.sign(&claims(json!({"type": "app"})))), 401);
    // A cookie is none of the places where a bearer token is looked for.
    let token = key.sign(&claims(json!({})));
    assert_eq!(
        server.stranger().with("X-Forwarded-Access-Token", &token).get("/api/v1/me").status,
        401
    );
}

#[test]
fn the_command_line_makes_lists_changes_and_shuts_accounts() {
    let server = Server::start();
    let run = |arguments: &[&str], input: &str| {
        crate::support::run(
            AUDIOMILL,
            arguments,
            &[("DATA_DIR", server.data().to_str().expect("a path"))],
            input,
        )
    };
    let added = run(&["user", "add", ANN, "--admin"], &format!("{PASSWORD}\n"));
    assert!(added.0, "{}", added.2);
    assert!(run(&["user", "add", ANN], PASSWORD).2.contains("cannot be registered"));
    let weak = run(&["user", "add", "bob@example.org"], "password1\n");
    assert!(!weak.0 && weak.2.contains("tried first"), "{}", weak.2);
    let (access, _) = tokens(&server, ANN, PASSWORD);
    assert_eq!(bearer(&server, &access).get("/api/v1/users").status, 200, "an admin");
    assert!(run(&["user", "list"], "").1.contains(ANN));
    assert!(run(&["user", "passwd", ANN], "8 other bottles\n").0);
    assert_eq!(
        bearer(&server, &access).get("/api/v1/me").status,
        401,
        "the old password's tokens end"
    );
    let (access, _) = tokens(&server, ANN, "8 other bottles");
    assert!(run(&["user", "disable", ANN], "").0);
    assert_eq!(bearer(&server, &access).get("/api/v1/me").status, 401);
    let refused = post(
        &server.stranger(),
        "/auth/login",
        &json!({"email": ANN, "password": "8 other bottles"}),
    );
    assert_eq!(refused.status, 403);
    let test = run(&["user", "add", "test@example.org", "--test"], "");
    let key =
        test.1.lines().find_map(|line| line.split_whitespace().find(|w| w.starts_with("am_")));
    let tester = Client::new(&server.address, Some(key.expect("a key")));
    assert_eq!(tester.get("/api/v1/me").json()["email"], "test@example.org");
    assert!(!run(&["user", "disable", "nobody@example.org"], "").0);
    let owner = run(&["user", "disable", "owner"], "");
    assert!(!owner.0 && owner.2.contains("OWNER_EMAIL"), "{}", owner.2);
    let _ = KEY;
}

#[test]
fn the_database_is_made_kept_and_reset_on_a_typed_yes_alone() {
    let server = Server::start();
    assert_eq!(server.client().upload("a.wav", &plain_wav(1), &[]).status, 200);
    let (data, _folder) = (server.data(), std::sync::Arc::clone(&server.folder));
    drop(server);
    let uploads = data.join("uploads/users");
    let data = data.to_str().expect("a path");
    let run = |arguments: &[&str], more: &[(&str, &str)], input: &str| {
        let mut settings = vec![("DATA_DIR", data)];
        settings.extend(more);
        crate::support::run(AUDIOMILL, arguments, &settings, input)
    };
    assert!(run(&["db", "init"], &[], "").0);
    assert!(run(&["user", "add", ANN, "--test"], &[], "").0);
    assert!(run(&["db", "init"], &[], "").0, "again");
    let has_ann = || run(&["user", "list"], &[], "").1.contains(ANN);
    assert!(!run(&["db", "reset"], &[], "no\n").0 && has_ann());
    let public = [("PUBLIC_URL", "https://mill.example.org")];
    let refused = run(&["db", "reset", "--force"], &public, "");
    assert!(
        !refused.0 && refused.2.contains("PUBLIC_URL is https") && has_ann() && uploads.exists(),
        "{}",
        refused.2
    );
    let done = run(&["db", "reset"], &[], "yes\n");
    assert!(done.0 && !has_ann() && !uploads.exists(), "{}", done.2);
    assert!(run(&["user", "add", ANN, "--test"], &[], "").0);
    assert!(run(&["db", "reset", "--force"], &[], "").0 && !has_ann());
    // Never under a running server.
    let server = Server::start();
    let running = server.data();
    let settings = [("DATA_DIR", running.to_str().expect("a path"))];
    let refused = crate::support::run(AUDIOMILL, &["db", "reset", "--force"], &settings, "");
    assert!(!refused.0 && refused.2.contains("another audiomill is running"), "{}", refused.2);
    assert_eq!(server.client().get("/api/v1/me").status, 200);
}

#[test]
fn who_registers_before_the_settings_name_an_e_mail_does_not_become_the_owner() {
    let server = open_to_strangers();
    assert_eq!(register(&server, "boss@example.org", PASSWORD).status, 201);
    let (access, _) = tokens(&server, "boss@example.org", PASSWORD);
    let made = post(&bearer(&server, &access), "/api/v1/keys", &json!({"name": "stays"})).json();
    let key = made["key"].as_str().expect("a key").to_owned();
    let server = server.restart_with(&[("OWNER_EMAIL", "Boss@Example.org")]);
    let sign_in = json!({"email": "boss@example.org", "password": PASSWORD});
    assert_eq!(post(&server.stranger(), "/auth/login", &sign_in).status, 401);
    assert_eq!(Client::new(&server.address, Some(&key)).get("/api/v1/me").status, 401);
    assert_eq!(bearer(&server, &access).get("/api/v1/me").status, 401);
    let owner = server.client().get("/api/v1/me").json();
    assert_eq!((&owner["email"], &owner["role"]), (&json!("boss@example.org"), &json!("admin")));
    // The owner before is one no longer.
    let users = server.client().get("/api/v1/users").json();
    let roles: Vec<(&str, &str)> = users["users"]
        .as_array()
        .expect("users")
        .iter()
        .filter_map(|user| Some((user["email"].as_str()?, user["role"].as_str()?)))
        .collect();
    assert_eq!(roles, [("boss@example.org", "admin"), ("owner", "user")]);
}

#[test]
fn an_account_that_an_admin_gives_a_password_is_the_strangers_no_longer() {
    let server = open_to_strangers();
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let (access, _) = tokens(&server, ANN, PASSWORD);
    let made = post(&bearer(&server, &access), "/api/v1/keys", &json!({"name": "stays"})).json();
    let key = made["key"].as_str().expect("a key").to_owned();
    let data = server.data();
    let settings = [("DATA_DIR", data.to_str().expect("a path"))];
    let listed = crate::support::run(AUDIOMILL, &["user", "list"], &settings, "").1;
    assert!(listed.contains("e-mail not proven"), "{listed}");
    let given =
        crate::support::run(AUDIOMILL, &["user", "passwd", ANN], &settings, "8 other bottles\n");
    assert!(given.0, "{}", given.2);
    assert_eq!(Client::new(&server.address, Some(&key)).get("/api/v1/me").status, 401);
    tokens(&server, ANN, "8 other bottles");
}

#[test]
fn signing_out_with_a_token_that_is_over_ends_the_refresh_token_too() {
    let server = Server::with(&[("REGISTRATION", "open"), ("ACCESS_TOKEN_TTL_SECONDS", "1")]);
    assert_eq!(register(&server, ANN, PASSWORD).status, 201);
    let signed_in = || {
        let body = json!({"email": ANN, "password": PASSWORD});
        let told = post(&server.stranger(), "/auth/login", &body).json();
        [&told["access_token"], &told["refresh_token"]]
            .map(|t| t.as_str().expect("a token").to_owned())
    };
    let [access, next] = signed_in();
    let [_, other] = signed_in();
    crate::support::wait_for("it is over", 5, || {
        bearer(&server, &access).get("/api/v1/me").status == 401
    });
    let body = json!({"refresh_token": other});
    assert_eq!(post(&bearer(&server, &access), "/auth/logout", &body).status, 204);
    for token in [&next, &other] {
        assert_eq!(refresh(&server, token).status, 401);
    }
    let log = server.client().get("/api/v1/audit?action=token.end").json();
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(2));
    assert_eq!(log["entries"][0]["actor"], ANN);
}

#[test]
fn what_strangers_send_does_not_fill_the_audit_log() {
    let server = Server::with(&[("LOGIN_ATTEMPTS_PER_MINUTE", "1000")]);
    let long = format!("{}@example.org", "a".repeat(5000));
    let refused = post(&server.stranger(), "/auth/login", &json!({"email": long, "password": "x"}));
    assert_eq!(refused.status, 401);
    for number in 0..70 {
        let form = format!("token={number}");
        assert_eq!(server.stranger().post_form("/login", &form).status, 401);
    }
    let log = server.client().get("/api/v1/audit?action=sign_in&limit=500").json();
    assert_eq!(log["entries"].as_array().map(Vec::len), Some(60));
}

#[test]
fn a_key_that_would_last_for_ten_thousand_years_is_refused() {
    let server = Server::start();
    for days in [0, 3651, 4_000_000] {
        let wanted = json!({"name": "long", "expires_in_days": days});
        assert_eq!(post(&server.client(), "/api/v1/keys", &wanted).status, 422, "{days}");
    }
    assert_eq!(server.client().get("/api/v1/keys").status, 200);
}

#[test]
fn at_once_an_e_mail_is_registered_once_and_a_refresh_token_is_good_once() {
    let server = open_to_strangers();
    let at_once = |ask: &(dyn Fn() -> u16 + Sync)| {
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let asked: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
            asked.into_iter().map(|asked| asked.join().expect("no panic")).collect()
        });
        statuses.sort_unstable();
        statuses
    };
    let registered = at_once(&|| register(&server, ANN, PASSWORD).status);
    assert_eq!(registered, [201, 409, 409, 409, 409, 409]);
    let (access, next) = tokens(&server, ANN, PASSWORD);
    let refreshed = at_once(&|| refresh(&server, &next).status);
    assert_eq!(refreshed, [200, 401, 401, 401, 401, 401]);
    assert_eq!(bearer(&server, &access).get("/api/v1/me").status, 401, "it came twice: stolen");
}
