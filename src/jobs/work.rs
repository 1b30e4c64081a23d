//! Handing out: jobs for the workers, and back.

use std::time::Duration;

use super::error::{JobsError, SET_ASIDE};
use super::model::StoredError;
use super::service::Jobs;
use super::store::sqlite::{Claimed, Lease, Turn};

impl Jobs {
    /// The next job to run. One whose owner's plan was used up while it waited fails here, and one
    /// whose content has been set aside.
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
            let refused = match self.refused(&claimed, now).await {
                Ok(None) => return Ok(Some(claimed)),
                Ok(Some(refused)) => refused,
                Err(error) => {
                    store.hand_back(&claimed.lease, now).await?;
                    return Err(error);
                }
            };
            store.fail(&claimed.lease, &refused, now).await?;
            self.0.line_moved.notify_one();
        }
    }

    /// Why a job that has come to its turn may not run after all.
    async fn refused(&self, claimed: &Claimed, now: i64) -> Result<Option<StoredError>, JobsError> {
        let store = &self.0.store;
        if store.has_set_aside(claimed.lease.job, &self.0.engine).await? {
            return Ok(Some(StoredError::without_detail("quarantined", SET_ASIDE, "waiting")));
        }
        let limits = self.limits(claimed.owner).await?;
        match store.check_minutes(claimed.owner, &limits, now).await {
            Ok(()) => Ok(None),
            Err(JobsError::PlanLimit(message)) => {
                Ok(Some(StoredError::without_detail("plan_limit", &message, "waiting")))
            }
            Err(error) => Err(error),
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
