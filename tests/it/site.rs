//! The generated site beside the page: clean addresses, its own 404, and who may see it.

use std::fs;

use crate::support::Server;

fn site() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for inner in ["blog/first", "theme", ".git"] {
        fs::create_dir_all(folder.path().join(inner)).expect("a folder");
    }
    for (file, content) in [
        ("index.html", "<h1>The blog</h1>"),
        ("blog/first/index.html", "<h1>First</h1>"),
        ("theme/style.css", "h1 { color: teal }"),
        ("talk.mp3", "0123456789"),
        ("404.html", "<h1>Not here</h1>"),
        (".git/config", "secret"),
    ] {
        fs::write(folder.path().join(file), content).expect("a file");
    }
    folder
}

#[test]
fn a_public_site_is_for_anyone_and_the_page_for_who_is_signed_in() {
    let folder = site();
    let place = folder.path().to_str().expect("a path");
    let server = Server::with(&[("STATIC_DIR", place), ("SITE_PUBLIC", "true")]);
    let anyone = server.stranger();
    let home = anyone.get("/");
    assert_eq!((home.status, home.text().as_str()), (200, "<h1>The blog</h1>"));
    assert_eq!(home.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(home.header("content-security-policy").is_some_and(|p| !p.contains("sandbox")));
    assert_eq!(anyone.get("/blog/first/").text(), "<h1>First</h1>");
    let clean = anyone.get("/blog/first?page=2");
    assert_eq!((clean.status, clean.header("location")), (301, Some("/blog/first/?page=2")));
    let style = anyone.get("/theme/style.css");
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    let etag = style.header("etag").expect("a tag").to_owned();
    assert_eq!(anyone.with("If-None-Match", &etag).get("/theme/style.css").status, 304);
    fs::write(folder.path().join("theme/style.css"), "h1 { color: pink }").expect("a file");
    assert_eq!(anyone.with("If-None-Match", &etag).get("/theme/style.css").status, 200);
    let part = anyone.with("Range", "bytes=2-4").get("/talk.mp3");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    let head = anyone.request("HEAD", "/talk.mp3", None);
    assert_eq!(
        (head.status, head.header("content-length"), head.text().as_str()),
        (200, Some("10"), "")
    );
    let head = anyone.with("Range", "bytes=2-4").request("HEAD", "/talk.mp3", None);
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")), "of GET alone");
    // Opening a pipe waits for who writes into it.
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("it runs").success());
    assert_eq!(anyone.get("/pipe").status, 404);
    for hidden in [
        "/.git/config",
        "/%2egit/config",
        "/blog/../.git/config",
        "/..%2f..%2fetc/passwd",
        "/nowhere",
    ] {
        let answer = anyone.with("If-None-Match", "*").get(hidden);
        assert_eq!((answer.status, answer.text().as_str()), (404, "<h1>Not here</h1>"), "{hidden}");
    }
    assert_eq!(anyone.get("/upload").status, 401, "the page is not the site");
    assert_eq!(anyone.get("/api/v1/nothing").code(), "unauthenticated");
    assert_eq!(server.client().get("/api/v1/nothing").code(), "not_found");
    assert_eq!(anyone.post("/blog/first/").status, 401);
    assert_eq!(server.client().post("/blog/first/").status, 404);
    assert_eq!(server.client().get("/upload").status, 200);
    assert!(server.client().get("/upload").text().contains("audiomill"));
}

#[test]
fn a_site_that_is_not_public_wants_a_sign_in_first() {
    let folder = site();
    let server = Server::with(&[("STATIC_DIR", folder.path().to_str().expect("a path"))]);
    let visitor = server.stranger().with("Sec-Fetch-Mode", "navigate").get("/blog/first/");
    assert_eq!(
        (visitor.status, visitor.header("location")),
        (302, Some("/login?next=%2Fblog%2Ffirst%2F"))
    );
    assert_eq!(server.stranger().get("/theme/style.css").status, 401);
    assert_eq!(server.stranger().get("/nowhere").status, 401, "nor what is not there");
    assert_eq!(server.browser().get("/blog/first/").text(), "<h1>First</h1>");
}

#[test]
fn a_site_that_cannot_be_served_stops_the_start_with_its_name() {
    for (place, public, part) in [
        ("/nowhere/at/all", "true", "STATIC_DIR /nowhere/at/all"),
        ("", "maybe", "SITE_PUBLIC is \"maybe\""),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("a path");
        let settings = [("STATIC_DIR", place), ("SITE_PUBLIC", public), ("DATA_DIR", data)];
        let ran = crate::support::run(crate::support::AUDIOMILL, &["serve"], &settings, "");
        assert!(!ran.0 && ran.2.contains(part), "{}", ran.2);
    }
}
