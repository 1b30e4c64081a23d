//! The binary: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    audiomill::cli::run(std::env::args_os())
}
