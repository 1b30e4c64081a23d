//! The import table of the design, held by reading the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a module may import of the crate. A module that is not listed may not exist.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("observe", &[]),
    ("db", &["base", "observe"]),
    ("outbound", &["base", "observe"]),
    ("media", &["base"]),
    ("storage", &["base", "observe"]),
    ("ledger", &["base", "observe", "db"]),
    ("auth", &["base", "observe", "db", "ledger", "outbound"]),
    ("jobs", &["base", "observe", "db", "ledger", "storage", "media", "outbound"]),
    ("http", &["base", "observe", "db", "ledger", "storage", "media", "auth", "jobs"]),
    (
        "config",
        &["base", "observe", "ledger", "storage", "media", "auth", "jobs", "http", "outbound"],
    ),
    (
        "app",
        &[
            "base", "observe", "db", "ledger", "storage", "media", "auth", "jobs", "http",
            "config", "outbound",
        ],
    ),
    ("cli", &["base", "observe", "ledger", "media", "auth", "jobs", "config", "app"]),
    ("main", &["cli"]),
    ("lib", &[]),
];

fn sources() -> BTreeMap<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut open, mut found) = (vec![root.clone()], BTreeMap::new());
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.insert(path.strip_prefix(&root).expect("below src").to_owned(), text);
            }
        }
    }
    assert!(found.len() > 50, "the source was found");
    found
}

fn module_of(path: &Path) -> String {
    let first =
        path.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file: without comments, strings aside, and without its unit tests.
fn code(text: &str) -> String {
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    body.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Modules of the crate a file names, by `crate::x` or `crate::{x, y}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code(text).split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap_or_default();
            found.extend(list.split(',').map(|item| first_word(item.trim())));
        } else {
            found.push(first_word(rest));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
}

#[test]
fn every_import_goes_down_the_table() {
    for (path, text) in sources() {
        let module = module_of(&path);
        let allowed = MAY_IMPORT
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{} is in no module of the table", path.display()))
            .1;
        for import in imports(&text) {
            assert!(
                import == module || allowed.contains(&import.as_str()),
                "{} imports {import}, which {module} must not",
                path.display()
            );
        }
    }
}

#[test]
fn unsafe_stays_in_its_folder() {
    for (path, text) in sources() {
        let has_unsafe =
            code(&text).split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "unsafe");
        assert!(!has_unsafe || path.starts_with("media/ffi"), "{} has unsafe", path.display());
    }
}

#[test]
fn each_outside_thing_has_one_room() {
    let rules: &[(&str, &[&str])] = &[
        ("StatusCode", &["http"]),
        ("env::var", &["config/layers.rs"]),
        // The engine calls no program; one measure of it runs itself and its peer.
        ("process::Command", &["cli/bench/speed.rs"]),
        ("sqlx::", &["db", "ledger", "jobs/store", "jobs/error.rs", "auth"]),
        ("ffmpeg_next", &["media"]),
        ("tokio", &["db", "ledger", "outbound", "auth", "jobs", "http", "app.rs", "cli"]),
        ("hyper", &["http"]),
    ];
    for (path, text) in sources() {
        let code = code(&text);
        for (needle, rooms) in rules {
            let is_allowed = rooms.iter().any(|room| path.starts_with(room));
            assert!(!code.contains(needle) || is_allowed, "{} names {needle}", path.display());
        }
    }
}

#[test]
fn the_plan_is_pure_and_only_exec_joins_engine_and_storage() {
    for (path, text) in sources() {
        let code = code(&text);
        if path.starts_with("media/plan") || path == Path::new("media/request.rs") {
            assert!(!code.contains("ffmpeg_next") && !code.contains("ffi::"), "{}", path.display());
        }
        if path.starts_with("jobs") && path != Path::new("jobs/exec.rs") {
            let joins = code.contains("crate::media::") && code.contains("crate::storage::");
            assert!(!joins, "{} names both engine and storage", path.display());
        }
        if path.starts_with("http/handlers") && path != Path::new("http/handlers/mod.rs") {
            assert!(!code.contains("handlers::"), "{} imports a handler", path.display());
        }
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{} opens without a word", path.display());
        if path.ends_with("mod.rs") && path.components().count() == 2 {
            for word in ["Owns:", "Never:", "Used by:"] {
                assert!(text.contains(word), "{} does not say \"{word}\"", path.display());
            }
        }
    }
}

#[test]
fn the_readme_shows_the_settings_as_they_are_declared() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md"));
    let readme = readme.expect("a README");
    let table = audiomill::config::declare::markdown();
    assert!(readme.contains(&table), "run `audiomill settings` and put its table into README.md");
}
