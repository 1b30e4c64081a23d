//! What happens to jobs, as it happens: server-sent events.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use super::job_id;
use crate::auth::Scope;
use crate::base::{JobId, UserId};
use crate::http::error::Problem;
use crate::http::limit::Stream as Seat;
use crate::http::response::body::{Body, bare};
use crate::http::response::job::{job_object, progress};
use crate::http::response::sse;
use crate::http::service::{Call, Pass, Server};
use crate::jobs::news::Listener;
use crate::jobs::store::sqlite::Selection;
use crate::jobs::{Job, JobsError, Status};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// So often a stream says that it is there, since proxies close silent ones, and it is looked at whether
/// its client may still listen.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream ends after this time, and its client comes again, with whatever right it then has.
const LIFE: Duration = Duration::from_secs(300);

/// Changes are gathered for so long before they are looked for: others' jobs change too.
const GATHER: Duration = Duration::from_millis(30);

/// Changes told at once.
const PAGE: u32 = 100;

/// `GET /api/v1/events`: every job of the caller's.
pub(super) async fn all(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    open(server, call, None).await
}

/// `GET /api/v1/jobs/{id}/events`: one job, to its end.
pub(super) async fn of_job(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    open(server, call, Some(job_id(call)?)).await
}

async fn open(server: &Server, call: &Call, job: Option<JobId>) -> Result<Response<Body>, Problem> {
    let owner = call.caller()?.user;
    let seat = server.streams().take(owner)?;
    // Before looking: a change in between is not missed.
    let news = server.jobs().news();
    let now = server.jobs().last_change().await?;
    let seen = call.head.headers.get("last-event-id").and_then(|value| value.to_str().ok());
    // A number that was never given out is from another database.
    let seen = seen.and_then(|id| id.parse().ok()).filter(|seen| (0..=now).contains(seen));
    let moment = Instant::now();
    let mut stream = Stream {
        server: server.clone(),
        pass: call.pass(),
        owner,
        job,
        told: seen.unwrap_or(now),
        next: Next::Changes,
        running: HashMap::new(),
        news,
        ready: VecDeque::from([sse::opening()]),
        progress_at: moment,
        check_at: moment + HEARTBEAT,
        end: moment + LIFE,
        is_over: false,
        _seat: seat,
    };
    match (job, seen) {
        (Some(id), _) => {
            let job = server.jobs().get(owner, id).await?;
            if job.status.is_final() && seen.is_some_and(|seen| seen >= job.changed) {
                // Says to a browser that it need not come again (WHATWG HTML, 9.2.1).
                return Ok(bare(StatusCode::NO_CONTENT));
            }
            stream.tell(&job, Told::WithNumber);
        }
        (None, Some(_)) => stream.find_running().await?,
        (None, None) => stream.next = Next::Open(None),
    }
    Ok(sse::answer(futures_util::stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|bytes| (bytes, stream))
    })))
}

/// What a stream looks for next.
enum Next {
    /// Jobs that have not ended, older than this one: for a client that knows of none.
    Open(Option<JobId>),
    /// Changes since the last one told.
    Changes,
    /// Nothing, until there is news.
    News,
}

/// Whether an event says which change it tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    WithNumber,
    /// Others that come before it are still to be told.
    WithoutNumber,
}

/// One client's stream.
struct Stream {
    server: Server,
    pass: Pass,
    owner: UserId,
    job: Option<JobId>,
    /// The last change that was told of.
    told: i64,
    next: Next,
    /// Jobs that run, and their progress as it was last told.
    running: HashMap<JobId, String>,
    news: Listener,
    ready: VecDeque<Bytes>,
    progress_at: Instant,
    check_at: Instant,
    end: Instant,
    is_over: bool,
    _seat: Seat,
}

impl Stream {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            if let Err(problem) = self.go_on().await {
                tracing::warn!(code = problem.code(), "a stream of events ends early");
                self.is_over = true;
            }
        }
    }

    /// Finds out what there is to tell, or waits until there is something.
    async fn go_on(&mut self) -> Result<(), Problem> {
        match self.next {
            Next::Open(older_than) => return self.tell_open(older_than).await,
            Next::Changes => return self.tell_changes().await,
            Next::News => {}
        }
        tokio::select! {
            // In this order: news that come all the time hold nothing else up.
            biased;
            () = self.server.jobs().end().cancelled() => self.is_over = true,
            () = sleep_until(self.end) => self.is_over = true,
            () = sleep_until(self.check_at) => {
                self.check_at = Instant::now() + HEARTBEAT;
                // Who was let in may have been shut out.
                let may = self.server.is_still(&self.pass, self.owner, Scope::JobsRead).await;
                self.is_over |= !may;
                self.ready.push_back(sse::heartbeat());
                self.next = Next::Changes;
            }
            () = sleep_until(self.progress_at), if !self.running.is_empty() => {
                self.progress_at = Instant::now() + PROGRESS;
                self.tell_progress().await?;
            }
            () = self.news.changed() => {
                sleep(GATHER).await;
                self.next = Next::Changes;
            }
        }
        Ok(())
    }

    /// Tells of changes since the last one told, as many as are told at once.
    async fn tell_changes(&mut self) -> Result<(), Problem> {
        self.next = Next::News;
        let Some(id) = self.job else {
            let jobs = self.server.jobs().changed_after(self.owner, self.told, PAGE).await?;
            if jobs.len() == PAGE as usize {
                self.next = Next::Changes;
            }
            jobs.iter().for_each(|job| self.tell(job, Told::WithNumber));
            return Ok(());
        };
        match self.server.jobs().get(self.owner, id).await {
            Ok(job) if job.changed > self.told => self.tell(&job, Told::WithNumber),
            Ok(_) => {}
            Err(JobsError::NotFound) => self.is_over = true,
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Tells of jobs that have not ended. What has changed since the stream was opened is told again
    /// afterwards.
    async fn tell_open(&mut self, older_than: Option<JobId>) -> Result<(), Problem> {
        let jobs = self.server.jobs().open_jobs(self.owner, older_than, PAGE).await?;
        jobs.iter().for_each(|job| self.tell(job, Told::WithoutNumber));
        self.next = match jobs.last() {
            Some(last) if jobs.len() == PAGE as usize => Next::Open(Some(last.id)),
            Some(_) | None => {
                self.ready.push_back(sse::mark(self.told));
                Next::Changes
            }
        };
        Ok(())
    }

    /// Finds the jobs that run, for a client that has been told of them.
    async fn find_running(&mut self) -> Result<(), Problem> {
        let selection = Selection {
            owner: self.owner,
            status: Some(Status::Processing),
            older_than: None,
            limit: PAGE,
            offset: 0,
        };
        let (page, _) = self.server.jobs().list(selection).await?;
        self.running.extend(page.jobs.iter().map(|job| (job.id, String::new())));
        Ok(())
    }

    fn tell(&mut self, job: &Job, told: Told) {
        let running = self.server.jobs().live().get(job.id);
        match job.status {
            Status::Processing => {
                self.running.entry(job.id).or_default();
            }
            Status::Receiving
            | Status::Queued
            | Status::Done
            | Status::Failed
            | Status::Cancelled => {
                self.running.remove(&job.id);
            }
        }
        let number = (told == Told::WithNumber).then_some(job.changed);
        self.told = self.told.max(number.unwrap_or(self.told));
        let name = if job.status.is_final() { "done" } else { "state" };
        let object = job_object(job, running.as_ref(), self.server.public_origin());
        self.ready.push_back(sse::event(name, number, &object));
        self.is_over |= self.job.is_some() && job.status.is_final();
    }

    async fn tell_progress(&mut self) -> Result<(), Problem> {
        let mut unknown = Vec::new();
        for (id, told) in &mut self.running {
            let Some(running) = self.server.jobs().live().get(*id) else {
                unknown.push(*id);
                continue;
            };
            let counted = progress(&running);
            let text = counted.to_string();
            if *told != text {
                let data = json!({"id": id.to_string(), "progress": counted});
                self.ready.push_back(sse::event("progress", None, &data));
                *told = text;
            }
        }
        for id in unknown {
            // One that was deleted changes no more.
            if let Err(JobsError::NotFound) = self.server.jobs().get(self.owner, id).await {
                self.running.remove(&id);
            }
        }
        Ok(())
    }
}
