//! Stamps version, commit and libav's versions into the binary, and says which packages to install
//! when libav or libclang is missing.
//!
//! This script needs no other crate, so cargo runs it long before bindgen would stumble over the
//! same lack with a message of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const LIBRARIES: [&str; 4] = ["libavformat", "libavcodec", "libavfilter", "libavutil"];

const PACKAGES: &str =
    "gcc libc6-dev pkg-config libavfilter-dev libclang1-14 libclang-common-14-dev";

fn main() {
    for path in [".git/HEAD", ".git/refs/heads", "static", "src/db/migrations"] {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-env-changed=LIBCLANG_PATH");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let versions: Vec<(&str, Option<String>)> =
        LIBRARIES.map(|library| (library, output("pkg-config", &["--modversion", library]))).into();
    let mut missing: Vec<&str> = versions
        .iter()
        .filter(|(_, version)| version.is_none())
        .map(|(library, _)| *library)
        .collect();
    if !has_libclang() {
        missing.push("libclang");
    }
    if !missing.is_empty() {
        println!(
            "cargo::error=not found: {}. On Debian 12: apt-get install {PACKAGES} (deploy/run does it)",
            missing.join(", ")
        );
        exit(1);
    }
    let versions: Vec<String> = versions
        .into_iter()
        .map(|(library, version)| format!("{library} {}", version.unwrap_or_default()))
        .collect();
    println!("cargo:rustc-env=AUDIOMILL_LIBAV={}", versions.join(", "));
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    println!("cargo:rustc-env=AUDIOMILL_COMMIT={}", commit.unwrap_or_else(|| "unknown".into()));
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Whether bindgen will find a libclang, in the places it looks.
fn has_libclang() -> bool {
    let named = env::var_os("LIBCLANG_PATH").map(PathBuf::from);
    if named.is_some_and(|path| path.is_file() || holds_libclang(&path)) {
        return true;
    }
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib"].map(Path::new);
    roots.iter().any(|root| {
        holds_libclang(root)
            || folders(root)
                .iter()
                .any(|below| holds_libclang(below) || holds_libclang(&below.join("lib")))
    })
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn holds_libclang(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| {
        name.starts_with("libclang.so")
            || (name.starts_with("libclang-")
                && name.contains(".so")
                && !name.starts_with("libclang-cpp"))
    })
}
