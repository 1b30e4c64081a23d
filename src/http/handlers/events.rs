//! What happens to jobs, as it happens: server-sent events.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::job_id;
use crate::base::{JobId, UserId};
use crate::http::error::Problem;
use crate::http::limit::Stream as Seat;
use crate::http::response::body::{Body, bare};
use crate::http::response::job::{job_object, progress};
use crate::http::response::sse;
use crate::http::service::{Call, Server};
use crate::jobs::news::Listener;
use crate::jobs::store::sqlite::Selection;
use crate::jobs::{Job, JobsError, Status};

/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(250);

/// A stream on which nothing happens says so this often: proxies close silent ones.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A stream ends after this time, and its client comes again, with whatever right it then has.
const LIFE: Duration = Duration::from_secs(300);

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
    let mut stream = Stream {
        server: server.clone(),
        owner,
        job,
        told: seen.unwrap_or(now),
        running: HashMap::new(),
        news,
        ready: VecDeque::from([sse::opening()]),
        beat: Instant::now() + HEARTBEAT,
        end: Instant::now() + LIFE,
        is_over: false,
        _seat: seat,
    };
    match job {
        Some(id) => {
            let job = server.jobs().get(owner, id).await?;
            if job.status.is_final() && seen.is_some_and(|seen| seen >= job.changed) {
                // Says to a browser that it need not come again (WHATWG HTML, 9.2.1).
                return Ok(bare(StatusCode::NO_CONTENT));
            }
            stream.tell(&job);
        }
        None if seen.is_none() => stream.tell_open(now).await?,
        None => {}
    }
    stream.look().await?;
    Ok(sse::answer(futures_util::stream::unfold(stream, |mut stream| async move {
        stream.next().await.map(|bytes| (bytes, stream))
    })))
}

/// One client's stream.
struct Stream {
    server: Server,
    owner: UserId,
    job: Option<JobId>,
    /// The last change that was told of.
    told: i64,
    /// Jobs that run, and their progress as it was last told.
    running: HashMap<JobId, String>,
    news: Listener,
    ready: VecDeque<Bytes>,
    beat: Instant,
    end: Instant,
    is_over: bool,
    _seat: Seat,
}

impl Stream {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.beat = Instant::now() + HEARTBEAT;
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            let progress = match self.running.is_empty() {
                true => self.beat,
                false => Instant::now() + PROGRESS,
            };
            tokio::select! {
                () = self.news.changed() => {
                    if let Err(error) = self.look().await {
                        tracing::warn!(code = error.code(), "a stream of events ends early");
                        self.is_over = true;
                    }
                }
                () = sleep_until(progress), if !self.running.is_empty() => self.tell_progress(),
                () = sleep_until(self.beat) => self.ready.push_back(sse::heartbeat()),
                () = sleep_until(self.end) => self.is_over = true,
                () = self.server.jobs().end().cancelled() => self.is_over = true,
            }
        }
    }

    /// Tells of every change since the last one told.
    async fn look(&mut self) -> Result<(), Problem> {
        if let Some(id) = self.job {
            match self.server.jobs().get(self.owner, id).await {
                Ok(job) if job.changed > self.told => self.tell(&job),
                Ok(_) => {}
                Err(JobsError::NotFound) => self.is_over = true,
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
        loop {
            let jobs = self.server.jobs().changed_after(self.owner, self.told, PAGE).await?;
            for job in &jobs {
                self.tell(job);
            }
            if jobs.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Tells of every job that has not ended, for a client that knows of none.
    async fn tell_open(&mut self, now: i64) -> Result<(), Problem> {
        let mut open = Vec::new();
        for status in [Status::Processing, Status::Queued, Status::Receiving] {
            let selection = Selection {
                owner: self.owner,
                status: Some(status),
                older_than: None,
                limit: PAGE,
                offset: 0,
            };
            open.extend(self.server.jobs().list(selection).await?.0.jobs);
        }
        open.sort_by_key(|job| job.changed);
        for job in &open {
            self.tell(job);
        }
        self.told = self.told.max(now);
        self.ready.push_back(sse::mark(self.told));
        Ok(())
    }

    fn tell(&mut self, job: &Job) {
        self.told = self.told.max(job.changed);
        let running = self.server.jobs().live().get(job.id);
        match job.status {
            Status::Processing => self.running.entry(job.id).or_default(),
            _ => &mut self.running.remove(&job.id).unwrap_or_default(),
        };
        let name = if job.status.is_final() { "done" } else { "state" };
        let object = job_object(job, running.as_ref(), self.server.public_origin());
        self.ready.push_back(sse::event(name, Some(job.changed), &object));
        self.is_over |= self.job.is_some() && job.status.is_final();
    }

    fn tell_progress(&mut self) {
        for (id, told) in &mut self.running {
            let Some(running) = self.server.jobs().live().get(*id) else { continue };
            let counted = progress(&running);
            let text = counted.to_string();
            if *told != text {
                let data = json!({"id": id.to_string(), "progress": counted});
                self.ready.push_back(sse::event("progress", None, &data));
                *told = text;
            }
        }
    }
}
