//! Cloudflare Access in front: real tokens, forged ones, keys that change, an edge that is down.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use ring::hmac;
use serde_json::{Value, json};

use crate::support::Server;
use crate::support::client::{Answer, Client};
use crate::support::issuer::{AUDIENCE, Issuer, Key, forged, now};
use crate::support::recording::plain_wav;
use crate::support::server::KEY;

const ANN: &str = "ann@example.org";

fn behind(issuer: &Issuer, more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("CF_TEAM_DOMAIN", issuer.address.as_str()),
        ("CF_AUDIENCE", AUDIENCE),
        ("ALLOWED_EMAILS", "Ann@example.org, bob@example.org"),
        ("ACCESS_SERVICE_TOKENS", "one.access=nas@example.org,two.access=Bob@example.org"),
    ];
    settings.extend(more);
    Server::with(&settings)
}

fn with_assertion(server: &Server, token: &str) -> Client {
    server.stranger().with("Cf-Access-Jwt-Assertion", token)
}

fn me(client: &Client) -> Answer {
    client.get("/api/v1/me")
}

/// A client that also sends the token a page would have learnt.
fn page(client: &Client) -> Client {
    let token = me(client).header("x-csrf-token").expect("a token").to_owned();
    client.with("X-CSRF-Token", &token)
}

#[test]
fn a_person_comes_in_at_the_first_visit_and_is_the_same_ever_after() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[("ADMIN_EMAILS", "bob@example.org")]);
    let ann = with_assertion(&server, &key.sign(&issuer.person("ANN@example.org")));
    let first = me(&ann);
    assert_eq!(first.status, 200, "{}", first.text());
    let first = first.json();
    assert_eq!((&first["email"], &first["role"]), (&json!(ANN), &json!("user")));
    assert_eq!(first["method"], "access");
    assert_eq!(
        ann.with("Sec-Fetch-Mode", "navigate").get("/upload").status,
        200,
        "no second sign-in"
    );
    // The cookie alone is enough where the header does not come.
    let token = key.sign(&issuer.person(ANN));
    let by_cookie = server.stranger().with("Cookie", &format!("x=1; CF_Authorization={token}"));
    assert_eq!(me(&by_cookie).json()["id"], first["id"]);
    // The subject is the person: under another e-mail that is allowed, it is the same account.
    let mut renamed = issuer.person(ANN);
    renamed["email"] = json!("bob@example.org");
    let renamed = me(&with_assertion(&server, &key.sign(&renamed))).json();
    assert_eq!((&renamed["id"], &renamed["email"]), (&first["id"], &json!("bob@example.org")));
    assert_eq!(renamed["role"], "admin", "by its e-mail");
    // Removed and invited again: another subject, the same e-mail.
    let mut again = issuer.person("bob@example.org");
    again["sub"] = json!("another subject");
    assert_eq!(me(&with_assertion(&server, &key.sign(&again))).json()["id"], first["id"]);
    let log = server.client().get("/api/v1/audit").json();
    let acts: Vec<&str> = log["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|e| e["action"].as_str())
        .collect();
    assert_eq!(acts, ["account.link", "account.rename", "account.create"]);
}

#[test]
fn a_person_uploads_polls_and_downloads_and_no_other_site_does_it_for_them() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let ann = with_assertion(&server, &key.sign(&issuer.person(ANN)));
    let refused = ann.upload("a.wav", &plain_wav(1), &[]);
    assert_eq!((refused.status, refused.code().as_str()), (403, "csrf_failed"), "no token");
    let page = page(&ann);
    let elsewhere = page.with("Sec-Fetch-Site", "cross-site").upload("a.wav", &plain_wav(1), &[]);
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (403, "csrf_failed"));
    let answer = page.with("Sec-Fetch-Site", "same-origin").upload("a.wav", &plain_wav(1), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = answer.json()["job_id"].as_str().expect("an id").to_owned();
    assert_eq!(ann.wait(&job)["status"], "done");
    assert_eq!(ann.get(&format!("/download/{job}")).status, 200);
    // Somebody else's token is none.
    let bob = with_assertion(&server, &key.sign(&issuer.person("bob@example.org")));
    let token = me(&ann).header("x-csrf-token").expect("a token").to_owned();
    assert_eq!(bob.with("X-CSRF-Token", &token).upload("a.wav", &plain_wav(1), &[]).status, 403);
    assert_eq!(bob.get(&format!("/status/{job}")).status, 403);
}

#[test]
fn no_forged_assertion_opens_anything() {
    let (key, other) = (Key::rsa("one"), Key::rsa("other"));
    let ec = Key::ec("curve");
    let issuer = Issuer::start(&[&key, &ec]);
    let server = behind(&issuer, &[]);
    let good = issuer.person(ANN);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = good.clone();
        change(&mut claims);
        key.sign(&claims)
    };
    let header = json!({"alg": "RS256", "kid": "one"});
    let under = |change: Value| {
        let mut header = header.clone();
        for (name, value) in change.as_object().expect("an object") {
            header[name] = value.clone();
        }
        key.sign_under(&header, &good)
    };
    let mac = |bytes: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key.public_bytes());
        hmac::sign(&key, bytes).as_ref().to_vec()
    };
    let genuine = key.sign(&good);
    let mut tampered = genuine.clone();
    let at = tampered.rfind('.').expect("a proof") + 10;
    tampered.replace_range(at..=at, if &tampered[at..=at] == "A" { "B" } else { "A" });
    let text = good.to_string();
    let twice = format!("{},\"email\":\"bob@example.org\"}}", &text[..text.len() - 1]);
    let tokens: BTreeMap<&str, String> = BTreeMap::from([
        ("alg none", forged(&json!({"alg": "none", "kid": "one"}), &good, |_| Vec::new())),
        ("alg None", forged(&json!({"alg": "None", "kid": "one"}), &good, |_| Vec::new())),
        ("HS256 with the public key", forged(&json!({"alg": "HS256", "kid": "one"}), &good, mac)),
        ("RS256 in name, HMAC in truth", forged(&header, &good, mac)),
        ("no proof", format!("{}.", genuine.rsplit_once('.').expect("a proof").0)),
        ("a bit of the proof", tampered),
        ("another key under this name", { other.sign_under(&header, &good) }),
        ("unknown key", other.sign(&good)),
        ("no key named", key.sign_under(&json!({"alg": "RS256"}), &good)),
        (
            "a key brought along",
            under(json!({"kid": "x", "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}})),
        ),
        ("a key pointed to", under(json!({"kid": "x", "jku": "http://127.0.0.1:1/keys"}))),
        ("something critical", under(json!({"crit": ["exp"]}))),
        ("ES256, which Access has not", ec.sign(&good)),
        ("RS512 in name", under(json!({"alg": "RS512"}))),
        ("another team", with(&|c| c["iss"] = json!("https://evil.cloudflareaccess.com"))),
        ("almost the team", with(&|c| c["iss"] = json!(format!("{}/", issuer.address)))),
        ("another application", with(&|c| c["aud"] = json!(["another"]))),
        ("no application", with(&|c| c["aud"] = json!([]))),
        ("the token of the whole team", with(&|c| c["type"] = json!("org"))),
        (
            "no type",
            with(&|c| {
                c.as_object_mut().expect("claims").remove("type");
            }),
        ),
        ("over", with(&|c| c["exp"] = json!(now() - 61))),
        (
            "without an end",
            with(&|c| {
                c.as_object_mut().expect("claims").remove("exp");
            }),
        ),
        ("not begun", with(&|c| c["nbf"] = json!(now() + 120))),
        ("made in the future", with(&|c| c["iat"] = json!(now() + 120))),
        ("nobody", with(&|c| c["sub"] = json!(""))),
        (
            "nobody and no name",
            with(&|c| {
                c["sub"] = json!("");
                c.as_object_mut().expect("claims").remove("email");
            }),
        ),
        ("an e-mail twice", key.sign_text(&header, &twice)),
        ("a claim of another type", with(&|c| c["exp"] = json!("tomorrow"))),
        ("no JSON", key.sign_text(&header, "hello")),
        ("two parts", genuine.rsplit_once('.').expect("two").0.to_owned()),
        ("nothing", String::new()),
        ("very long", format!("{genuine}{}", "A".repeat(20_000))),
    ]);
    for (name, token) in &tokens {
        for client in [
            with_assertion(&server, token),
            server.stranger().with("Cookie", &format!("CF_Authorization={token}")),
        ] {
            let answer = me(&client);
            assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{name}");
        }
    }
    println!("{} forged assertions, each as header and as cookie: all 401", tokens.len());
    for audience in [json!(AUDIENCE), json!(["x", AUDIENCE])] {
        assert_eq!(
            me(&with_assertion(&server, &with(&|c| c["aud"] = audience.clone()))).status,
            200
        );
    }
    assert_eq!(me(&with_assertion(&server, &with(&|c| c["exp"] = json!(now() - 50)))).status, 200);
    // What nobody has signed says nothing at all.
    let unsigned = server.stranger().with("Cf-Access-Authenticated-User-Email", ANN);
    assert_eq!(me(&unsigned).status, 401);
}

#[test]
fn keys_change_without_a_restart_and_a_provider_that_is_down_locks_nobody_out() {
    let (old, new, late) = (Key::rsa("old"), Key::rsa("new"), Key::rsa("late"));
    let issuer = Issuer::start(&[&old]);
    let server = behind(&issuer, &[]);
    let status = |key: &Key| me(&with_assertion(&server, &key.sign(&issuer.person(ANN)))).status;
    assert_eq!(status(&old), 200);
    let before = issuer.asked();
    assert_eq!(before, 1, "asked once at the start");
    for number in 0..1000 {
        let mut header = json!({"alg": "RS256"});
        header["kid"] = json!(format!("random {number}"));
        let token = forged(&header, &issuer.person(ANN), |_| vec![0; 256]);
        assert_eq!(me(&with_assertion(&server, &token)).status, 401);
    }
    println!("1000 tokens with unknown keys: {} fetches", issuer.asked());
    assert!(issuer.asked() <= 2, "asked {} times", issuer.asked());
    issuer.is_down.store(true, Ordering::Release);
    assert_eq!(status(&old), 200, "what is known stays known");
    // A provider that is down at the start is no reason not to start.
    let server = behind(&issuer, &[]);
    let person = |key: &Key| me(&with_assertion(&server, &key.sign(&issuer.person(ANN))));
    let answer = person(&old);
    assert_eq!((answer.status, answer.code().as_str()), (503, "provider_unreachable"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(me(&server.client()).status, 200, "a key of ours needs no provider");
    issuer.publish(&[&old, &new]);
    issuer.is_down.store(false, Ordering::Release);
    crate::support::wait_for("the provider is asked again", 15, || person(&new).status == 200);
    assert_eq!(person(&old).status, 200);
    // Rotation: the first token of a new key has it fetched, and the old key's tokens end with it.
    issuer.publish(&[&new, &late]);
    let remembered = old.sign(&issuer.person(ANN));
    assert_eq!(me(&with_assertion(&server, &remembered)).status, 200);
    assert_eq!(person(&late).status, 200);
    assert_eq!(me(&with_assertion(&server, &remembered)).status, 401);
    // Within the minute nobody makes us ask again.
    let asked = issuer.asked();
    issuer.publish(&[&old, &new, &late]);
    assert_eq!(person(&old).status, 401);
    assert_eq!(issuer.asked(), asked);
}

#[test]
fn header_cookie_and_session_agree_or_the_nearest_proof_wins() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let sign = |email: &str| key.sign(&issuer.person(email));
    let (ann, bob) = (sign(ANN), sign("bob@example.org"));
    let mut over = issuer.person("bob@example.org");
    over["exp"] = json!(now() - 100);
    let over = key.sign(&over);
    let session = server.browser();
    let answered = |client: &Client| {
        let answer = me(client);
        match answer.status {
            200 => answer.json()["email"].as_str().unwrap_or_default().to_owned(),
            status => status.to_string(),
        }
    };
    let header = |client: &Client, token: &str| client.with("Cf-Access-Jwt-Assertion", token);
    let cookie =
        |client: &Client, token: &str| client.with("Cookie", &format!("CF_Authorization={token}"));
    let nobody = server.stranger();
    assert_eq!(answered(&header(&cookie(&nobody, &ann), &ann)), ANN);
    assert_eq!(answered(&header(&cookie(&nobody, &sign(ANN)), &ann)), ANN, "made anew");
    assert_eq!(answered(&header(&cookie(&nobody, &bob), &ann)), "401", "two people");
    assert_eq!(answered(&header(&cookie(&nobody, &over), &ann)), ANN, "an old cookie");
    assert_eq!(answered(&header(&cookie(&nobody, &ann), &over)), "401", "an old header");
    assert_eq!(answered(&cookie(&session, &over)), "owner", "an old cookie beside a session");
    assert_eq!(answered(&header(&session, "nonsense")), "401", "a header that is none");
    assert_eq!(answered(&session), "owner");
    assert_eq!(answered(&header(&session, &ann)), ANN, "a person beats somebody else's session …");
    assert_eq!(answered(&session), "401", "… and ends it");
    // An explicit credential decides alone; the assertion beside it is the outer door.
    let both = header(&nobody, &ann).with("X-Api-Key", KEY);
    assert_eq!(answered(&both), "owner");
    assert_eq!(both.upload("a.wav", &plain_wav(1), &[]).status, 200, "and takes no CSRF token");
    assert_eq!(answered(&header(&nobody, &ann).with("X-Api-Key", "wrong")), "401");
}

#[test]
fn a_service_token_acts_as_its_account_and_an_unknown_one_needs_a_key() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let service = |id: &str| with_assertion(&server, &key.sign(&issuer.service(id)));
    let [one, two] = ["one.access", "two.access"].map(|id| me(&service(id)).json());
    assert_eq!(
        (&one["email"], &two["email"]),
        (&json!("nas@example.org"), &json!("bob@example.org"))
    );
    assert_eq!(one["method"], "service");
    assert!(one["id"] != two["id"] && one["csrf_token"].is_null());
    let answer = service("one.access").upload("a.wav", &plain_wav(1), &[]);
    assert_eq!(answer.status, 200, "no CSRF token: {}", answer.text());
    let unknown = me(&service("three.access"));
    assert_eq!((unknown.status, unknown.code().as_str()), (403, "forbidden"));
    assert!(unknown.text().contains("ACCESS_SERVICE_TOKENS"), "{}", unknown.text());
    assert_eq!(me(&service("three.access").with("X-Api-Key", KEY)).json()["email"], "owner");
}

#[test]
fn who_is_not_on_the_list_is_told_so_and_leaves_it_at_the_next_request() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let eve = with_assertion(&server, &key.sign(&issuer.person("eve@example.org")));
    let refused = me(&eve);
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert!(refused.text().contains("ALLOWED_EMAILS"));
    let page = eve.with("Sec-Fetch-Mode", "navigate").get("/upload");
    assert!(page.status == 403 && page.text().contains("data-state=\"not_allowed\""));
    assert!(page.text().contains("eve@example.org"));
    let users = server.client().get("/api/v1/users").json();
    assert_eq!(users["users"].as_array().map(Vec::len), Some(1), "no account for who may not come");
    // An account that an admin has shut.
    let ann = with_assertion(&server, &key.sign(&issuer.person(ANN)));
    let id = me(&ann).json()["id"].as_str().expect("an id").to_owned();
    let body = json!({"disabled": true}).to_string();
    let change = |body: &str| {
        let content = Some(("application/json", body.as_bytes()));
        server.client().request("PATCH", &format!("/api/v1/users/{id}"), content).status
    };
    assert_eq!(change(&body), 200);
    assert_eq!(me(&ann).status, 403);
    assert_eq!(change("{\"disabled\": false}"), 200);
    assert_eq!(me(&ann).status, 200);
}

#[test]
fn without_the_settings_the_page_and_the_log_name_them() {
    let server = Server::start();
    let visitor = server.stranger().with("Cf-Access-Authenticated-User-Email", ANN);
    assert_eq!(me(&visitor).status, 401);
    let page = visitor.get("/login");
    assert!(page.text().contains("data-state=\"access\"") && page.text().contains("CF_AUDIENCE"));
    crate::support::wait_for("the log says it", 5, || server.log().contains("CF_TEAM_DOMAIN"));
}

#[test]
fn off_the_list_nothing_that_was_made_on_it_opens_the_door() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let ann = page(&with_assertion(&server, &key.sign(&issuer.person(ANN))));
    let post = |client: &Client, path: &str, body: Value| {
        client.request("POST", path, Some(("application/json", body.to_string().as_bytes())))
    };
    let made = post(&ann, "/api/v1/keys", json!({"name": "stays"}));
    let api_key = made.json()["key"].as_str().expect("a key").to_owned();
    let password = json!({"new": "7 green bottles"});
    assert_eq!(post(&ann, "/api/v1/me/password", password).status, 204);
    let sign_in = json!({"email": ANN, "password": "7 green bottles"});
    let told = post(&server.stranger(), "/auth/login", sign_in).json();
    let token = told["access_token"].as_str().expect("a token").to_owned();
    let form = format!("email={ANN}&password=7+green+bottles");
    let signed_in = server.stranger().post_form("/login", &form);
    let cookie = signed_in
        .header("set-cookie")
        .and_then(|c| c.split(';').next())
        .expect("a cookie")
        .to_owned();
    let statuses = |server: &Server| {
        [
            server.stranger().with("X-Api-Key", &api_key),
            server.stranger().with("Authorization", &format!("Bearer {token}")),
            server.stranger().with("Cookie", &cookie),
        ]
        .map(|client| me(&client).status)
    };
    assert_eq!(statuses(&server), [200; 3]);
    let server = server.restart_with(&[("ALLOWED_EMAILS", "bob@example.org")]);
    assert_eq!(statuses(&server), [403; 3]);
}

#[test]
fn nobody_registers_the_account_of_a_service_token_first() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = Server::with(&[("REGISTRATION", "open")]);
    let wanted = json!({"email": "nas@example.org", "password": "7 green bottles"}).to_string();
    let register = |server: &Server| {
        let content = Some(("application/json", wanted.as_bytes()));
        server.stranger().request("POST", "/auth/register", content).status
    };
    assert_eq!(register(&server), 201);
    let server = server.restart_with(&[
        ("CF_TEAM_DOMAIN", &issuer.address),
        ("CF_AUDIENCE", AUDIENCE),
        ("ACCESS_SERVICE_TOKENS", "one.access=nas@example.org,two.access=new@example.org"),
    ]);
    let service = with_assertion(&server, &key.sign(&issuer.service("one.access")));
    assert_eq!(me(&service).json()["email"], "nas@example.org");
    let sign_in =
        server.stranger().post_form("/login", "email=nas@example.org&password=7+green+bottles");
    assert_eq!(sign_in.status, 401);
    let taken = json!({"email": "new@example.org", "password": "7 green bottles"}).to_string();
    let content = Some(("application/json", taken.as_bytes()));
    assert_eq!(server.stranger().request("POST", "/auth/register", content).status, 409);
}

#[test]
fn a_first_visit_many_times_at_once_is_one_account() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[]);
    let ann = with_assertion(&server, &key.sign(&issuer.person(ANN)));
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| me(&ann))).collect();
        let answers = asked.into_iter().map(|asked| asked.join().expect("no panic"));
        answers.map(|answer| answer.json()["id"].to_string()).collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
    let users = server.client().get("/api/v1/users").json();
    assert_eq!(users["users"].as_array().map(Vec::len), Some(2), "Ann and the owner");
}

#[test]
fn a_provider_that_talks_without_end_is_not_listened_to() {
    let (old, new) = (Key::rsa("one"), Key::rsa("two"));
    let issuer = Issuer::start(&[&old]);
    let server = behind(&issuer, &[]);
    let ann = with_assertion(&server, &old.sign(&issuer.person(ANN)));
    assert_eq!(me(&ann).status, 200);
    issuer.is_endless.store(true, Ordering::Release);
    let bob = with_assertion(&server, &new.sign(&issuer.person("bob@example.org")));
    assert_eq!(me(&bob).status, 401);
    assert_eq!(me(&ann).status, 200, "known keys stay good");
    crate::support::wait_for("it has hung up", 10, || issuer.taken.load(Ordering::Acquire) > 0);
    let taken = issuer.taken.load(Ordering::Acquire);
    // What lies in the sockets' buffers counts as taken.
    assert!(taken < 16 << 20, "{taken}");
    crate::support::wait_for("it is told of", 10, || server.log().contains("has more than"));
}

#[test]
fn two_issuers_that_name_a_person_differently_do_not_rename_them_in_turns() {
    let (door, tokens) = (Key::rsa("door"), Key::rsa("tokens"));
    let (edge, issuer) = (Issuer::start(&[&door]), Issuer::start(&[&tokens]));
    let more = [("OIDC_ISSUER", issuer.address.as_str()), ("AUTH0_AUDIENCE", "audiomill")];
    let server = behind(&edge, &more);
    let by_token = |email: &str| {
        let claims = json!({
            "iss": issuer.address, "aud": "audiomill", "sub": "ann", "exp": now() + 60,
            "email": email, "email_verified": true,
        });
        let token = format!("Bearer {}", tokens.sign(&claims));
        me(&server.stranger().with("Authorization", &token)).json()
    };
    let by_door = me(&with_assertion(&server, &door.sign(&edge.person(ANN)))).json();
    assert_eq!(by_token(ANN)["id"], by_door["id"], "one account");
    let rows = || server.client().get("/api/v1/audit").json()["head"]["seq"].clone();
    let before = rows();
    for _ in 0..3 {
        let elsewhere = by_token("ann@new.example.org");
        assert_eq!((&elsewhere["id"], &elsewhere["email"]), (&by_door["id"], &json!(ANN)));
        let again = me(&with_assertion(&server, &door.sign(&edge.person(ANN)))).json();
        assert_eq!(again["email"], ANN);
    }
    assert_eq!(rows(), before, "nothing is written down each time");
}

#[test]
fn a_subject_that_is_no_name_opens_nothing() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = Server::with(&[("OIDC_ISSUER", &issuer.address), ("AUTH0_AUDIENCE", "audiomill")]);
    let come = |subject: &Value| {
        let claims = json!({
            "iss": issuer.address, "aud": "audiomill", "sub": subject, "exp": now() + 60,
        });
        let token = format!("Bearer {}", key.sign(&claims));
        me(&server.stranger().with("Authorization", &token))
    };
    let long = "s".repeat(256);
    let odd =
        ["", "two\nlines", "nul\0", "se\u{f1}or", "\u{202e}nna", &long].map(|text| json!(text));
    for subject in odd.iter().chain(&[json!(7), json!(null), json!(["ann"])]) {
        let refused = come(subject);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "unauthenticated"),
            "{subject}"
        );
    }
    let named = come(&json!("auth0|<b>'ann'</b> /../ %00"));
    assert_eq!(named.status, 200, "{}", named.text());
    assert!(named.json()["email"].as_str().is_some_and(|name| name.starts_with("oidc:auth0|")));
    let users = server.client().get("/api/v1/users").json();
    assert_eq!(users["users"].as_array().map(Vec::len), Some(2), "the owner and that one");
}

/// What Access says of a subject whose e-mail has become this one.
fn moved(issuer: &Issuer, subject: &str, email: &str) -> Value {
    let mut claims = issuer.person(email);
    claims["sub"] = json!(subject);
    claims
}

#[test]
fn an_e_mail_that_moves_to_another_person_takes_no_rights_along() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[("ADMIN_EMAILS", "bob@example.org")]);
    let come = |server: &Server, subject: &str, email: &str| {
        me(&with_assertion(server, &key.sign(&moved(&issuer, subject, email))))
    };
    let boss = come(&server, "one", "bob@example.org").json();
    assert_eq!(boss["role"], "admin");
    let ann = come(&server, "two", ANN).json();
    // The provider gives the first subject the second one's e-mail.
    let refused = come(&server, "one", ANN);
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert!(refused.text().contains("was bob@example.org"), "{}", refused.text());
    assert_eq!(come(&server, "two", ANN).json()["id"], ann["id"]);
    // A new subject has the old e-mail: it opens the account, and the one before does no longer.
    let session = server.client().get("/api/v1/audit").json()["head"]["seq"].clone();
    let hired = come(&server, "three", "bob@example.org").json();
    assert_eq!(hired["id"], boss["id"]);
    assert!(server.client().get("/api/v1/audit").json()["head"]["seq"] != session);
    crate::support::wait_for("it is told of", 10, || {
        server.log().contains("another subject at its issuer")
    });
    let first = come(&server, "one", "bob@example.org").json();
    assert_eq!(first["id"], boss["id"], "the issuer says so again");
}

#[test]
fn who_registered_an_e_mail_first_or_was_shut_out_does_not_keep_it_from_its_owner() {
    let key = Key::rsa("one");
    let issuer = Issuer::start(&[&key]);
    let server = behind(&issuer, &[("REGISTRATION", "open")]);
    let come = |server: &Server, email: &str| {
        me(&with_assertion(server, &key.sign(&moved(&issuer, "one", email))))
    };
    let before = come(&server, ANN).json();
    let squat = |email: &str| {
        let wanted = json!({"email": email, "password": "7 green bottles"}).to_string();
        let content = Some(("application/json", wanted.as_bytes()));
        server.stranger().request("POST", "/auth/register", content).status
    };
    assert_eq!(squat("annette@example.org"), 201);
    let allowed = ("ALLOWED_EMAILS", "annette@example.org");
    let server = server.restart_with(&[allowed]);
    let after = come(&server, "annette@example.org").json();
    assert_eq!(
        (&after["id"], &after["email"]),
        (&before["id"], &json!("annette@example.org")),
        "{after}"
    );
    let form = "email=annette@example.org&password=7+green+bottles";
    assert_eq!(server.stranger().post_form("/login", form).status, 401);
    let log = server.client().get("/api/v1/audit").json();
    let find = |action: &str| {
        let rows = log["entries"].as_array().expect("entries");
        rows.iter().find(|row| row["action"] == action).cloned().expect("a row")
    };
    assert_eq!(find("account.rename")["target"], ANN);
    assert_eq!(find("account.release")["address"], "127.0.0.1");
}
