//! Keys of scripts: made, shown once, held to their scopes, revoked, written down.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::client::{Answer, Client};
use crate::support::recording::plain_wav;
use crate::support::{AUDIOMILL, Server};

fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.request("POST", path, Some(("application/json", body.to_string().as_bytes())))
}

fn made(server: &Server, scopes: &[&str]) -> (String, String) {
    let wanted = json!({"name": "a script", "scopes": scopes});
    let answer = post(&server.client(), "/api/v1/keys", &wanted);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let made = answer.json();
    assert_eq!((&made["scopes"], &made["name"]), (&json!(scopes), &json!("a script")));
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let (key, prefix) = (text("key"), text("prefix"));
    assert!(key.starts_with(&prefix) && key.starts_with("am_") && key.len() > 70, "{prefix}");
    (text("id"), key)
}

fn with_key(server: &Server, key: &str) -> Client {
    Client::new(&server.address, Some(key))
}

#[test]
fn a_key_does_what_its_scopes_say_until_it_is_revoked() {
    let server = Server::start();
    let job = {
        let answer = server.client().upload("a.wav", &plain_wav(1), &[]);
        answer.json()["job_id"].as_str().expect("an id").to_owned()
    };
    server.client().wait(&job);
    let (reader_id, reader) = made(&server, &["jobs:read"]);
    let (_, writer) = made(&server, &["jobs:write"]);
    let (_, admin) = made(&server, &["jobs:read", "jobs:write", "admin"]);
    let of = |key: &str| with_key(&server, key);
    let status = |key: &str, method: &str, path: &str| of(key).request(method, path, None).status;
    for (method, path, expected) in [
        ("GET", format!("/status/{job}"), [200, 403, 200]),
        ("GET", format!("/download/{job}"), [200, 403, 200]),
        ("GET", String::from("/api/v1/jobs"), [200, 403, 200]),
        ("GET", String::from("/api/v1/formats"), [200, 200, 200]),
        ("POST", format!("/api/v1/jobs/{job}/retry"), [403, 409, 409]),
        ("GET", String::from("/api/v1/keys"), [403, 403, 200]),
        ("GET", String::from("/api/v1/audit"), [403, 403, 200]),
    ] {
        let found = [&reader, &writer, &admin].map(|key| status(key, method, &path));
        assert_eq!(found, expected, "{method} {path}: read, write, admin");
    }
    let refused = of(&reader).upload("a.wav", &plain_wav(1), &[]);
    assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
    assert_eq!(of(&writer).upload("a.wav", &plain_wav(1), &[]).status, 200);
    let bearer = server.stranger().with("Authorization", &format!("Bearer {reader}"));
    assert_eq!(bearer.get("/api/v1/jobs").status, 200);

    let revoke = format!("/api/v1/keys/{reader_id}");
    assert_eq!(server.client().request("DELETE", &revoke, None).status, 204);
    assert_eq!(of(&reader).get("/api/v1/jobs").status, 401);
    assert_eq!(server.client().request("DELETE", &revoke, None).status, 404);
    let server = server.kill_and_restart();
    assert_eq!(with_key(&server, &reader).get("/api/v1/jobs").status, 401, "still revoked");
    assert_eq!(with_key(&server, &admin).get("/api/v1/jobs").status, 200);
    let listed = server.client().get("/api/v1/keys").json();
    assert!(!listed.to_string().contains(&reader) && !server.log().contains(&reader));
    let audit = server.client().get("/api/v1/audit?check=true").json();
    let acts: Vec<&str> = audit["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .filter_map(|entry| entry["action"].as_str())
        .filter(|action| action.starts_with("key."))
        .collect();
    assert_eq!(acts, ["key.revoke", "key.create", "key.create", "key.create"]);
    assert_eq!(audit["chain"]["whole"], true, "{audit}");
}

#[test]
fn a_key_that_cannot_be_is_refused_in_words() {
    let server = Server::start();
    for (wanted, status, code) in [
        (json!({"name": ""}), 422, "option_invalid"),
        (json!({"name": "x", "scopes": "everything"}), 422, "option_invalid"),
        (json!({"name": "x", "expires_in_days": 0}), 422, "option_invalid"),
        (json!({"name": "abc \u{202e}gnp.exe"}), 422, "option_invalid"),
        (json!({"name": "x", "nonsense": 1}), 400, "bad_request"),
        (json!(["x"]), 400, "bad_request"),
    ] {
        let answer = post(&server.client(), "/api/v1/keys", &wanted);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{wanted}");
    }
    let form = server.client().post_form("/api/v1/keys", "name=x");
    assert_eq!((form.status, form.code().as_str()), (415, "not_json"));
    let unknown = server.client().request("DELETE", "/api/v1/keys/x", None);
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));
    assert_eq!(server.client().get("/api/v1/keys").json(), json!({"keys": []}));
}

#[test]
fn keys_are_made_and_ended_on_the_command_line_beside_a_running_server() {
    let server = Server::start();
    let run = |arguments: &[&str]| {
        let output = Command::new(AUDIOMILL)
            .arg("key")
            .args(arguments)
            .env("DATA_DIR", server.data())
            .output()
            .expect("audiomill runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    };
    let (code, key) = run(&["create", "--name", "nightly", "--scopes", "jobs:read"]);
    assert_eq!(code, Some(0), "{key}");
    assert_eq!(with_key(&server, key.trim()).get("/api/v1/jobs").status, 200);
    let (_, listed) = run(&["list"]);
    assert!(listed.contains("nightly") && listed.contains("[jobs:read]"), "{listed}");
    let id = listed.split_whitespace().next().expect("an id");
    assert_eq!(run(&["revoke", id]).0, Some(0));
    assert_eq!(with_key(&server, key.trim()).get("/api/v1/jobs").status, 401);
    let (code, said) = run(&["revoke", id]);
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = run(&["create", "--name", "x", "--user", "nobody@example.org"]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn a_key_leaves_nothing_behind_that_outlives_it() {
    let server = Server::start();
    let all = ["jobs:read", "jobs:write", "admin"];
    let short = json!({"name": "a day", "scopes": all, "expires_in_days": 1});
    let short = post(&server.client(), "/api/v1/keys", &short).json();
    let with_short = with_key(&server, short["key"].as_str().expect("a key"));
    let child = post(&with_short, "/api/v1/keys", &json!({"name": "for ever", "scopes": all}));
    assert_eq!(child.status, 201, "{}", child.text());
    let child = child.json();
    assert_eq!(child["expires_at"], short["expires_at"], "no longer than the one that made it");
    let with_child = with_key(&server, child["key"].as_str().expect("a key"));
    let wanted = json!({"name": "once more", "expires_in_days": 300});
    let grandchild = post(&with_child, "/api/v1/keys", &wanted).json();
    assert_eq!(grandchild["expires_at"], short["expires_at"]);
    let with_grandchild = with_key(&server, grandchild["key"].as_str().expect("a key"));
    assert_eq!(with_grandchild.get("/api/v1/jobs").status, 200);
    // The first password is not a script's to set.
    for client in [&with_short, &server.client()] {
        let told = post(client, "/api/v1/me/password", &json!({"new": "a word 4 the mill"}));
        assert_eq!((told.status, told.code().as_str()), (403, "forbidden"), "{}", told.text());
    }
    let path = format!("/api/v1/keys/{}", short["id"].as_str().expect("an id"));
    assert_eq!(server.client().request("DELETE", &path, None).status, 204);
    for client in [&with_short, &with_child, &with_grandchild] {
        assert_eq!(client.get("/api/v1/jobs").status, 401);
    }
    let (_, other) = made(&server, &all);
    assert_eq!(with_key(&server, &other).get("/api/v1/jobs").status, 200, "others stay");
}
