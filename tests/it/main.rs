//! Integration tests: the real binary, over its command line and over HTTP.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test says what it sees and fails loudly"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod accounts;
mod apart;
mod architecture;
mod bad_input;
mod command_line;
mod copying;
mod creating;
mod cross_origin;
mod crowds;
mod downloads;
mod edge;
mod events;
mod fairness;
mod gapless;
mod identity;
mod jobs;
mod keys;
mod limits;
mod lock_down;
mod loudness;
mod metadata;
mod probe;
mod protocol;
mod referees;
mod routes;
mod samples;
mod seams;
mod secrets;
mod segmented;
mod sessions;
mod sign_in;
mod site;
mod smuggling;
mod usage;
mod waveform;
mod webhooks;
