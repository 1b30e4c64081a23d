//! Handing out: jobs for the workers, and back.

use std::time::Duration;

use super::error::JobsError;
use super::model::StoredError;
use super::service::Jobs;
use super::store::sqlite::{Claimed, Lease, Turn};

impl Jobs {
    /// The next job to run. One whose owner's plan was used up while it waited fails here.
    pub(super) async fn claim(
        &self,
        turn: Turn,
        lease: Duration,
    ) -> Result<Option<Claimed>, JobsError> {
        let store = &self.0.store;
        loop {
            let (now, until) = (self.now(), self.until(lease));
            let claimed = store.claim(self.0.instance, &self.0.boot, turn, now, until).await?;
            let Some(claimed) = claimed else { return Ok(None) };
            let checked = match self.limits(claimed.owner).await {
                Ok(limits) => store.check_minutes(claimed.owner, &limits, now).await,
                Err(error) => Err(error),
            };
            match checked {
                Ok(()) => return Ok(Some(claimed)),
                Err(JobsError::PlanLimit(message)) => {
                    let error = StoredError {
                        code: String::from("plan_limit"),
                        message,
                        stage: String::from("waiting"),
                        detail: Vec::new(),
                        position_seconds: None,
                    };
                    store.fail(&claimed.lease, &error, now).await?;
                    self.0.line_moved.notify_one();
                }
                Err(error) => {
                    store.hand_back(&claimed.lease, now).await?;
                    return Err(error);
                }
            }
        }
    }

    pub(super) async fn renew(&self, lease: &Lease, time: Duration) -> Result<bool, JobsError> {
        self.0.store.renew(lease, self.until(time)).await
    }

    /// Puts jobs back whose lease ran out and which nobody here is at. How many there were.
    pub(super) async fn reclaim(&self) -> Result<u64, JobsError> {
        let mut reclaimed = 0;
        for lease in self.0.store.expired(&self.0.boot, self.0.clock.monotonic_ms()).await? {
            if self.0.live.get(lease.job).is_none()
                && self.0.store.hand_back(&lease, self.now()).await?
            {
                reclaimed += 1;
            }
        }
        Ok(reclaimed)
    }

    pub(super) async fn hand_all_back(&self) -> Result<u64, JobsError> {
        self.0.store.hand_all_back(self.0.instance, self.now()).await
    }

    fn until(&self, lease: Duration) -> i64 {
        self.0.clock.monotonic_ms() + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 2)
    }
}
