//! Stamps version, commit and libav's versions into the binary, and says which packages to install
//! when libav or libclang is missing.
//!
//! Cargo runs this only after the dependencies are built, and `ffmpeg-sys-next` fails before it
//! when libav is missing. `deploy/run` and `deploy/test` therefore call the same check first
//! (`deploy/packages`); here it is said again for those who call cargo themselves.

use std::process::{Command, exit};

const LIBRARIES: [&str; 4] = ["libavformat", "libavcodec", "libavfilter", "libavutil"];

fn main() {
    for path in [".git/HEAD", ".git/refs/heads", "static", "src/db/migrations"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let versions: Vec<String> = LIBRARIES
        .iter()
        .map(|library| match output("pkg-config", &["--modversion", library]) {
            Some(version) => format!("{library} {version}"),
            None => {
                println!(
                    "cargo::error={library} was not found. On Debian: \
                     apt-get install gcc libc6-dev pkg-config libavfilter-dev libclang1-14 libclang-common-14-dev"
                );
                exit(1);
            }
        })
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
