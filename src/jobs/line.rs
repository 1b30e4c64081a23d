//! How many jobs wait for a worker: the engine keeps cores for them.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::exec::Executor;
use super::pool::Cause;
use super::service::Jobs;

/// Jobs that were put off become ready without a word.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the executor, whenever the line has moved, how many of up to `most` jobs are ready. Until
/// `stop`.
pub(super) async fn tell(jobs: Jobs, executor: Executor, most: usize, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match jobs.store().ready(jobs.now(), most).await {
            Ok(ready) => executor.expect(ready),
            Err(error) => tracing::warn!(error = %Cause(&error), "the line cannot be counted"),
        }
        tokio::select! {
            () = jobs.line_moved().notified() => {}
            () = sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}
