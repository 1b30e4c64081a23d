//! What breaks a server breaks nothing of its work: kills, crashes, stops, a full disk.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it sees and fails loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod crash;
mod crash_loop;
mod full_disk;
mod kill;
mod standstill;
mod stop;
