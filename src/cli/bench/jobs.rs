//! `audiomill bench jobs`: what lists, look-ups and claims cost beside a long history.

use std::fmt::Write as _;
use std::time::Instant;

use clap::{Arg, ArgMatches, Command, value_parser};
use uuid::Uuid;

use super::super::{Outcome, Refused, runtime, say};
use super::median;
use crate::app::scratch;
use crate::auth::{AccountRequest, Role};
use crate::base::{Clock, JobId, UserId};
use crate::jobs::store::Store;
use crate::jobs::store::sqlite::{NewJob, Origin, Selection, Turn};
use crate::jobs::{JobsError, Status};
use crate::ledger::{By, Limits};

/// How often each is asked.
const ROUNDS: u32 = 200;

/// Jobs that wait beside the history.
const WAITING: u32 = 1000;

pub(super) fn command() -> Command {
    let jobs = Arg::new("jobs")
        .long("jobs")
        .default_value("1000000")
        .value_parser(value_parser!(u64).range(1000..=10_000_000))
        .help("finished jobs in the history");
    Command::new("jobs").about("Measure lists, look-ups and claims beside a long history").arg(jobs)
}

pub(super) fn run(arguments: &ArgMatches) -> Outcome {
    let jobs = arguments.get_one::<u64>("jobs").copied().unwrap_or(1_000_000);
    let folder = tempfile::tempdir().map_err(|error| Refused::Failed(error.to_string()))?;
    let table = runtime()?.block_on(measure(&folder.path().join("bench.db"), jobs));
    say(&table.map_err(|error| Refused::Failed(error.to_string()))?)
}

type Failed = Box<dyn std::error::Error>;

async fn measure(file: &std::path::Path, jobs: u64) -> Result<String, Failed> {
    let (auth, store) = scratch(file).await?;
    let mut owners = Vec::new();
    for email in ["ann@example.org", "bob@example.org"] {
        let request = AccountRequest { email: email.to_owned(), ..AccountRequest::default() };
        auth.add_account(By::COMMAND_LINE, &request, Role::User).await?;
        owners.push(auth.account(Some(email)).await?.user);
    }
    let [ann, bob] = owners[..] else { return Err("two accounts".into()) };
    let started = Instant::now();
    let from = 1_700_000_000;
    store.fill(ann, jobs - jobs / 10, from).await?;
    store.fill(bob, jobs / 10, from + 100_000_000).await?;
    let mut table = format!(
        "{jobs} finished jobs, nine tenths of one owner's, made in {:.0} s; {WAITING} wait; {ROUNDS} rounds\n\n\
         | asked for | median ms | slowest ms |\n|---|---|---|\n",
        started.elapsed().as_secs_f64()
    );
    for number in 0..WAITING {
        enqueue(&store, if number % 2 == 0 { ann } else { bob }).await?;
    }
    let page = |offset, older_than, status| Selection {
        owner: ann,
        status,
        older_than,
        limit: 100,
        offset,
    };
    let first = store.list(page(0, None, None)).await?;
    let deep = store.list(page(10_000, None, None)).await?;
    let far = store.list(page(0, Some(JobId::from_bytes([2; 16])), None)).await?;
    let ids: Vec<JobId> =
        [&first, &deep, &far].iter().flat_map(|page| page.jobs.iter().map(|job| job.id)).collect();
    let cursor = deep.jobs.last().map(|job| job.id);
    let mut row = |name: &str, times: Vec<f64>| {
        let slowest = times.iter().copied().fold(0.0, f64::max);
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {name} | {:.2} | {slowest:.2} |", median(times));
    };
    for (name, selection) in [
        ("the first 100", page(0, None, None)),
        ("100 after a cursor, 10 000 down", page(0, cursor, None)),
        ("100 at offset 10 000", page(10_000, None, None)),
        ("the first 100 that failed", page(0, None, Some(Status::Failed))),
        ("100 that failed, at offset 10 000", page(10_000, None, Some(Status::Failed))),
    ] {
        row(name, timed(async || store.list(selection).await.map(drop)).await?);
    }
    let mut turn = ids.iter().cycle();
    row(
        "one job",
        timed(async || store.get(*turn.next().ok_or(JobsError::NotFound)?).await.map(drop)).await?,
    );
    row("how many wait", timed(async || store.waiting().await.map(drop)).await?);
    row("bytes of an owner", timed(async || store.stored_bytes(ann).await.map(drop)).await?);
    let now = Clock::default().wall_ms();
    row("a new job, safely written", timed(async || enqueue(&store, bob).await).await?);
    let claim = async || store.claim(Uuid::nil(), "boot", Turn::Anybody, now, now).await.map(drop);
    row("a claim, safely written", timed(claim).await?);
    row(
        "changes since the last",
        timed(async || store.changed_after(ann, store.last_change().await?, 100).await.map(drop))
            .await?,
    );
    Ok(table)
}

async fn timed(ask: impl AsyncFnMut() -> Result<(), JobsError>) -> Result<Vec<f64>, JobsError> {
    let mut ask = ask;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        ask().await?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times)
}

async fn enqueue(store: &Store, owner: UserId) -> Result<(), JobsError> {
    let id = JobId::generate();
    let job = NewJob {
        id,
        owner,
        options: String::from("{\"format\":\"mp3\"}"),
        source: Origin::File {
            storage_key: id.to_string(),
            bytes: 1,
            sha256: [0; 32],
            filename: String::from("take.wav"),
            facts: String::from("{}"),
        },
        priority: 0,
        metadata: String::from("{}"),
        hook: None,
        replay: None,
        created_at: Clock::default().wall_ms(),
        endpoint: "/upload",
    };
    store.enqueue(&job, u64::MAX, &Limits::default(), By::COMMAND_LINE).await.map(drop)
}
