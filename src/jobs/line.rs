//! How many jobs wait for a worker: the engine keeps cores for them.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::exec::Executor;
use super::pool::Cause;
use super::service::Jobs;

/// Jobs that were put off become ready without a word, and some leave the line without one.
const LOOK: Duration = Duration::from_secs(1);

/// Keeps no core for anybody any longer when it is dropped.
struct Told(Executor);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.keep_for(0);
    }
}

/// Tells the executor how many of up to `most` jobs are ready: when one has come or gone to a worker, and
/// every now and then. Until `stop`: then none of them is for this process.
pub(super) async fn tell(jobs: Jobs, executor: Executor, most: usize, stop: CancellationToken) {
    let told = Told(executor);
    while !stop.is_cancelled() {
        let ready = jobs.store().ready(jobs.now(), most).await.unwrap_or_else(|error| {
            tracing::warn!(error = %Cause(&error), "the line cannot be counted");
            // Nothing can be claimed either.
            0
        });
        told.0.keep_for(ready);
        tokio::select! {
            () = jobs.line_moved().notified() => {}
            () = sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
}
