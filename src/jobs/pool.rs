//! The workers: they claim, carry out, and write down how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::JobsError;
use super::exec::{Begun, Executor, Seat};
use super::line;
use super::live::Running;
use super::model::StoredError;
use super::service::Jobs;
use super::store::sqlite::{Claimed, Published, Turn};
use crate::base::{CancelToken, StopReason};
use crate::media::failure::{Failure, FailureCode, Stage};
use crate::media::stage::stopped;

/// A lease holds this long without a renewal.
const LEASE: Duration = Duration::from_secs(60);

/// How long an idle worker waits before it looks again without being woken.
const IDLE: Duration = Duration::from_secs(1);

/// Conversions that were asked to stop get this long to notice.
const HAND_BACK: Duration = Duration::from_secs(3);

/// How often the time of a conversion is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// A conversion that was asked to stop and in which nothing moves is given up after this time.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// An error that may pass is tried this often in all.
const TRIES: u32 = 3;

/// The workers of this process.
pub struct Pool {
    workers: JoinSet<()>,
    jobs: Jobs,
    stop: CancellationToken,
}

impl Pool {
    /// Starts `workers` workers on the running runtime.
    #[must_use]
    pub fn start(jobs: &Jobs, executor: &Executor, workers: usize) -> Self {
        let stop = CancellationToken::new();
        let mut set = JoinSet::new();
        let workers = workers.max(1);
        // Nobody waits for it: it holds nothing but a count.
        tokio::spawn(line::tell(jobs.clone(), executor.clone(), workers, stop.clone()));
        // One more for whoever has nothing running: nobody waits for the end of another's long jobs.
        let turns =
            std::iter::repeat_n(Turn::Anybody, workers).chain([Turn::Newcomer { beside: workers }]);
        for turn in turns {
            let (jobs, executor, stop) = (jobs.clone(), executor.clone(), stop.clone());
            set.spawn(Worker { jobs, executor, turn, stop }.work());
        }
        Self { workers: set, jobs: jobs.clone(), stop }
    }

    /// Stops claiming, waits for running conversions until `deadline`, then hands the rest back.
    ///
    /// A conversion that is deep inside one call of libav cannot be stopped there; after
    /// [`HAND_BACK`] its job is handed back all the same, and its thread ends with the process.
    pub async fn drain(mut self, deadline: Instant) {
        self.stop.cancel();
        if self.all_ended(deadline).await {
            return;
        }
        tracing::info!(jobs = self.jobs.live().count(), "handing unfinished work back");
        self.jobs.live().stop_all(StopReason::Interrupted);
        if self.all_ended(Instant::now() + HAND_BACK).await {
            return;
        }
        self.workers.shutdown().await;
        match self.jobs.hand_all_back().await {
            Ok(jobs) => tracing::warn!(jobs, "handed back from under a call that does not return"),
            Err(error) => {
                tracing::error!(error = %Cause(&error), "the next start takes the rest up")
            }
        }
    }

    async fn all_ended(&mut self, deadline: Instant) -> bool {
        let ended = async { while self.workers.join_next().await.is_some() {} };
        timeout_at(deadline, ended).await.is_ok()
    }
}

struct Worker {
    jobs: Jobs,
    executor: Executor,
    turn: Turn,
    stop: CancellationToken,
}

impl Worker {
    async fn work(self) {
        while !self.stop.is_cancelled() {
            // What cannot be written is not begun: it waits until there is room.
            if !self.jobs.has_room().await {
                tokio::select! {
                    () = sleep(IDLE) => {}
                    () = self.stop.cancelled() => {}
                }
                continue;
            }
            // Subscribed before looking: a job that comes in between is not slept through.
            let woken = self.jobs.wake().notified();
            match self.jobs.claim(self.turn, LEASE).await {
                Ok(Some(claimed)) => {
                    // Before the line is counted anew: in between its core would be nobody's.
                    let seat = self.executor.seat(claimed.owner);
                    self.jobs.line_moved().notify_one();
                    self.run(claimed, seat).await;
                }
                Ok(None) => tokio::select! {
                    () = woken => {}
                    () = sleep(IDLE) => self.reclaim().await,
                    () = self.stop.cancelled() => {}
                },
                Err(error) => {
                    tracing::error!(error = %Cause(&error), "no job can be claimed");
                    sleep(IDLE).await;
                }
            }
        }
    }

    /// Puts jobs back whose lease ran out: their end could not be written down.
    async fn reclaim(&self) {
        match self.jobs.reclaim().await {
            Ok(0) => {}
            Ok(jobs) => tracing::warn!(jobs, "leases ran out; the jobs are queued again"),
            Err(error) => tracing::error!(error = %Cause(&error), "leases cannot be checked"),
        }
    }

    async fn run(&self, claimed: Claimed, seat: Seat) {
        let job = claimed.lease.job;
        let running = Running { progress: Arc::default(), cancel: CancelToken::default() };
        let guard = self.jobs.live().enter(&claimed.lease, running.clone());
        tracing::info!(%job, attempt = claimed.attempt, "converting");
        let result = self.convert(&claimed, seat, &running).await;
        let ended = self.settle(&claimed, result).await;
        drop(guard);
        match ended {
            Ok(how) => tracing::info!(%job, how, "ended"),
            Err(error) => {
                tracing::error!(%job, error = %Cause(&error), "its end could not be written down; the next start takes it up");
            }
        }
        // A job that had to run alone may have held others back; this one may be in line again.
        self.jobs.wake().notify_waiters();
        self.jobs.line_moved().notify_one();
    }

    /// The conversion on a blocking thread; meanwhile the lease is kept and the time watched.
    async fn convert(
        &self,
        claimed: &Claimed,
        seat: Seat,
        running: &Running,
    ) -> Result<Published, Failure> {
        let (begun, mut has_begun) = mpsc::unbounded_channel::<Begun>();
        let mut work = {
            let (executor, claimed, running) =
                (self.executor.clone(), claimed.clone(), running.clone());
            tokio::task::spawn_blocking(move || {
                executor.carry_out(&claimed, &seat, &running, |facts| {
                    // Nobody listens any more when the worker is gone.
                    let _ = begun.send(facts);
                })
            })
        };
        let started = Instant::now();
        let mut heartbeat = tokio::time::interval(LEASE / 3);
        let mut look = tokio::time::interval(LOOK);
        let mut standstill = Standstill::new(self.jobs.settings().stuck_after);
        loop {
            tokio::select! {
                // Facts come first: a short conversion is over before they are noted.
                biased;
                Some(facts) = has_begun.recv() => {
                    if let Err(error) = self.jobs.store().note_plan(&claimed.lease, &facts.source, &facts.planned).await
                    {
                        tracing::warn!(error = %Cause(&error), "the plan could not be noted");
                    }
                }
                ended = &mut work => return outcome(ended),
                _ = heartbeat.tick() => {
                    // A lease that is lost means cancelled or deleted.
                    if matches!(self.jobs.renew(&claimed.lease, LEASE).await, Ok(false)) {
                        running.cancel.stop(StopReason::Cancelled);
                    }
                }
                _ = look.tick() => {
                    if started.elapsed() >= self.jobs.settings().job_timeout {
                        running.cancel.stop(StopReason::TimedOut);
                    }
                    if !self.jobs.has_room().await {
                        running.cancel.stop(StopReason::DiskFull);
                    }
                    if let Some(still) = standstill.seen(running) {
                        tracing::error!(job = %claimed.lease.job, seconds = still.as_secs(), "given up: nothing moves in it; its thread ends when libav returns");
                        running.cancel.stop(StopReason::TimedOut);
                        self.abandon(work);
                        return Err(given_up(running, still));
                    }
                }
            }
        }
    }

    /// Leaves a conversion to itself that is inside a call which does not return. The next job gets
    /// another thread; a result that comes all the same is nobody's. One core is counted as its until
    /// then: most such calls compute.
    fn abandon(&self, work: JoinHandle<Result<Published, Failure>>) {
        let executor = self.executor.clone();
        tokio::spawn(async move {
            if let Ok(Ok(published)) = work.await {
                // Its failure to delete is logged inside.
                let _ = tokio::task::spawn_blocking(move || executor.discard(&published)).await;
            }
            tracing::warn!("a conversion that was given up has ended");
        });
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        result: Result<Published, Failure>,
    ) -> Result<&'static str, JobsError> {
        let (store, lease) = (self.jobs.store(), &claimed.lease);
        let now = self.jobs.now();
        let failure = match result {
            Ok(published) => {
                let held = persistently(|| store.publish(lease, &published, now)).await;
                // After an error nobody knows whether the row names the file: the next start does.
                if matches!(held, Ok(false)) {
                    self.discard(published).await;
                }
                return Ok(if held? { "done" } else { "done, but nobody waits for it" });
            }
            Err(failure) => failure,
        };
        match failure.code {
            FailureCode::Interrupted => {
                persistently(|| store.hand_back(lease, now)).await?;
                return Ok("handed back");
            }
            // The row says so already: that is how the worker heard of it.
            FailureCode::Cancelled => return Ok("cancelled"),
            _ => {}
        }
        tracing::warn!(job = %lease.job, code = failure.code.as_str(), message = failure.message, "failed");
        let error = StoredError::from(&failure);
        if failure.code.may_pass_later() && claimed.errors + 1 < TRIES {
            let pause = Duration::from_secs(2 << claimed.errors.min(4));
            let after = now + i64::try_from(pause.as_millis()).unwrap_or(0);
            persistently(|| store.postpone(lease, &error, after, now)).await?;
            return Ok("to be tried again");
        }
        persistently(|| store.fail(lease, &error, now)).await?;
        Ok("failed")
    }

    async fn discard(&self, published: Published) {
        let executor = self.executor.clone();
        // A failure to delete is logged inside; a panic leaves the file to the next start's sweep.
        let _ = tokio::task::spawn_blocking(move || executor.discard(&published)).await;
    }
}

fn outcome(
    ended: Result<Result<Published, Failure>, tokio::task::JoinError>,
) -> Result<Published, Failure> {
    ended.unwrap_or_else(|panic| {
        let message = format!("The engine failed unexpectedly: {panic}.");
        Err(Failure::new(FailureCode::Internal, Stage::Reading, message))
    })
}

/// Why a conversion that does not return has ended.
fn given_up(running: &Running, still: Duration) -> Failure {
    let stage = running.progress.snapshot().stage;
    match running.cancel.reason() {
        Some(StopReason::Cancelled) => Failure::new(FailureCode::Cancelled, stage, "Cancelled."),
        Some(reason @ StopReason::DiskFull) => stopped(reason, stage),
        Some(StopReason::TimedOut | StopReason::Interrupted) | None => Failure::new(
            FailureCode::TimedOut,
            stage,
            format!(
                "Nothing moved in it for {} seconds: it was given up. The file is damaged, or made to waste time.",
                still.as_secs()
            ),
        ),
    }
}

/// Notices that nothing moves in a conversion.
struct Standstill {
    patience: Duration,
    moves: u64,
    since: Instant,
}

impl Standstill {
    fn new(patience: Duration) -> Self {
        Self { patience, moves: 0, since: Instant::now() }
    }

    /// For how long nothing has moved, once that is too long. One that was asked to stop has less
    /// time: it looks at its flag wherever it moves.
    fn seen(&mut self, running: &Running) -> Option<Duration> {
        let moves = running.progress.moves();
        if moves != self.moves {
            self.moves = moves;
            self.since = Instant::now();
        }
        let patience = match running.cancel.reason() {
            // The drain hands the job back by itself.
            Some(StopReason::Interrupted) => return None,
            Some(StopReason::Cancelled | StopReason::TimedOut | StopReason::DiskFull) => {
                STOP_PATIENCE.min(self.patience)
            }
            None => self.patience,
        };
        let still = self.since.elapsed();
        (still >= patience).then_some(still)
    }
}

/// Writes an end down, trying again for a while when the database is busy: hours of work hang on it.
async fn persistently<T, F>(mut write: impl FnMut() -> F) -> Result<T, JobsError>
where
    F: Future<Output = Result<T, JobsError>>,
{
    for pause in [1, 2, 4, 8] {
        match write().await {
            Err(JobsError::DatabaseBusy | JobsError::DiskFull | JobsError::Database(_)) => {
                sleep(Duration::from_secs(pause)).await;
            }
            result => return result,
        }
    }
    write().await
}

/// An error with what lies behind it, for the log.
pub(super) struct Cause<'a>(pub(super) &'a dyn std::error::Error);

impl std::fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
