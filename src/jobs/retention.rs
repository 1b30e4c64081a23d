//! What is kept for how long: ended jobs go with their files when their time is over or the quota is
//! full, files that no job knows go when they have been nobody's for long enough.

use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::sleep;

use super::error::JobsError;
use super::pool::Cause;
use super::service::Jobs;
use super::store::sqlite::{Age, Kept};
use crate::ledger::By;

/// How often what is kept is looked through.
const ROUND: Duration = Duration::from_secs(60);

/// Jobs that are looked at together.
const BATCH: u32 = 100;

/// A file that has no row after this time is nobody's: one that is being taken in has its row within
/// moments.
const ORPHAN_AFTER: Duration = Duration::from_secs(15 * 60);

/// Looks after what is kept until the process goes down.
pub async fn keep(jobs: Jobs) {
    while !jobs.is_draining() {
        if let Err(error) = round(&jobs).await {
            tracing::warn!(error = %Cause(&error), "what is kept could not be looked through");
        }
        tokio::select! {
            () = sleep(ROUND) => {}
            () = jobs.is_over_quota().notified() => {}
            () = jobs.end().cancelled() => {}
        }
    }
}

async fn round(jobs: &Jobs) -> Result<(), JobsError> {
    let age = jobs.grow_older().await?;
    while jobs.store().mark_ended(age).await? {}
    jobs.store().forget_old_keys(jobs.now()).await?;
    expire(jobs, age).await?;
    make_room(jobs, age).await?;
    // What a failed deletion left.
    jobs.finish_deletions().await?;
    jobs.sweep(ORPHAN_AFTER).await
}

/// Removes the jobs whose time is over.
async fn expire(jobs: &Jobs, age: Age) -> Result<(), JobsError> {
    let Some(retention) = jobs.settings().retention else { return Ok(()) };
    let until = age.age - i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    loop {
        let over = jobs.store().kept_until(until, BATCH).await?;
        for job in &over {
            remove(jobs, job).await?;
        }
        if over.len() < BATCH as usize || jobs.is_draining() {
            return Ok(());
        }
    }
}

/// Who has just been told that a job has ended gets its result, whatever the quota says.
const SPARED: i64 = 10 * 60 * 1000;

/// Removes ended jobs, those first that ended first, until what is left fits the quota.
async fn make_room(jobs: &Jobs, age: Age) -> Result<(), JobsError> {
    let Some(quota) = jobs.settings().quota else { return Ok(()) };
    while jobs.store().all_stored_bytes().await? > quota.0 && !jobs.is_draining() {
        let Some(oldest) = jobs.store().kept_until(age.age - SPARED, 1).await?.pop() else {
            return Ok(());
        };
        remove(jobs, &oldest).await?;
    }
    Ok(())
}

async fn remove(jobs: &Jobs, job: &Kept) -> Result<(), JobsError> {
    match jobs.expire(By::RETENTION, job).await {
        // Somebody was faster, or has it tried again.
        Err(JobsError::NotFound) => Ok(()),
        removed => removed,
    }
}

impl Jobs {
    /// Sets the clock of what is kept.
    pub(super) async fn grow_older(&self) -> Result<Age, JobsError> {
        let clock = &self.0.clock;
        let (wall, monotonic) = (clock.wall_ms(), clock.monotonic_ms());
        let age = self.0.store.grow_older(&self.0.boot, wall, monotonic).await?;
        *self.0.age.lock().unwrap_or_else(PoisonError::into_inner) = Some(age);
        Ok(age)
    }

    /// Removes what is marked for deletion.
    pub(super) async fn finish_deletions(&self) -> Result<(), JobsError> {
        self.0.files.finish_deletions().await
    }

    /// Removes files of this process that no job knows.
    pub(super) async fn sweep(&self, age: Duration) -> Result<(), JobsError> {
        self.0.files.sweep(age).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::base::{ByteSize, Clock, JobId, UserId};
    use crate::db::Database;
    use crate::jobs::admission::AllowedTypes;
    use crate::jobs::store::Store;
    use crate::jobs::{Given, Order, Settings};
    use crate::ledger::{Plans, Usage};
    use crate::media::Limits;
    use crate::storage::{self, LocalStorage};

    const HOUR: i64 = 60 * 60 * 1000;
    const START: i64 = 1_795_000_000_000;
    const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt ";

    struct House {
        folder: tempfile::TempDir,
        db: Database,
        jobs: Jobs,
        owner: UserId,
    }

    async fn house(clock: Clock, quota: Option<ByteSize>) -> House {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let db = Database::open(&folder.path().join("test.db")).await.expect("a database");
        let owner = UserId::generate();
        let mut tx = db.begin().await.expect("a transaction");
        sqlx::query("INSERT INTO users (id, email, role, created_at) VALUES ($1, 'a', 'user', 0)")
            .bind(owner.to_string())
            .execute(&mut *tx)
            .await
            .expect("an account");
        tx.commit().await.expect("committed");
        let places = storage::Settings {
            upload_dir: folder.path().join("uploads"),
            output_dir: folder.path().join("outputs"),
            min_free: ByteSize(0),
        };
        let settings = Settings {
            max_upload: ByteSize::mebi(1),
            queue_limit: 100,
            job_timeout: Duration::from_secs(60),
            stuck_after: Duration::from_secs(60),
            limits: Limits::default(),
            retention: Some(Duration::from_secs(10 * 3600)),
            quota,
            hooks: crate::jobs::hooks::Settings::default(),
            allowed_types: AllowedTypes::AnySound,
        };
        let storage = LocalStorage::open(places, "test").expect("a storage");
        let usage = Usage::new(db.clone(), Plans::default());
        let jobs = Jobs::new(
            Store::new(db.clone()),
            storage,
            usage,
            settings,
            clock,
            String::from("boot"),
        );
        House { folder, db, jobs, owner }
    }

    impl House {
        async fn create(&self) -> JobId {
            let mut incoming = self.jobs.receive().await.expect("a file");
            incoming.write(WAV).await.expect("taken");
            let received = incoming.finish().await.expect("whole");
            let given = Given::File(received, String::from("a.wav"));
            let order = Order::of(Vec::new(), "/upload");
            let made = self.jobs.create(self.owner, By::START, order, given).await;
            made.expect("a job").0
        }

        /// A job that has ended.
        async fn ended(&self) -> JobId {
            let job = self.create().await;
            self.jobs.cancel(self.owner, By::START, job).await.expect("cancelled");
            job
        }

        async fn round(&self) {
            round(&self.jobs).await.expect("a round");
        }

        async fn is_there(&self, job: JobId) -> bool {
            self.jobs.get(self.owner, job).await.is_ok()
        }

        fn files(&self) -> usize {
            let mut open = vec![self.folder.path().join("uploads/users")];
            let mut files = 0;
            while let Some(folder) = open.pop() {
                for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                    match entry.path().is_dir() {
                        true => open.push(entry.path()),
                        false => files += 1,
                    }
                }
            }
            files
        }
    }

    fn pass(hand: &Arc<AtomicI64>, milliseconds: i64) {
        hand.fetch_add(milliseconds, Ordering::AcqRel);
    }

    #[tokio::test]
    async fn ended_jobs_go_with_their_files_when_their_time_is_over() {
        let (clock, hand) = Clock::by_hand(START);
        let house = house(clock, None).await;
        let (first, waiting) = (house.ended().await, house.create().await);
        house.round().await;
        pass(&hand, 6 * HOUR);
        let second = house.ended().await;
        house.round().await;
        let expires = house.jobs.get(house.owner, first).await.expect("it is there").expires_at;
        assert!(expires.is_some_and(|at| (START + 10 * HOUR - at).abs() < 60_000), "{expires:?}");
        let again = house.ended().await;
        house.round().await;
        house.jobs.retry(house.owner, By::START, again).await.expect("in line");
        pass(&hand, 5 * HOUR);
        house.round().await;
        assert!(!house.is_there(first).await && house.is_there(second).await);
        pass(&hand, 100 * HOUR);
        house.round().await;
        assert!(!house.is_there(second).await, "its time is over as well");
        assert!(
            house.is_there(waiting).await && house.is_there(again).await,
            "they have not ended"
        );
        assert_eq!(house.files(), 2);
        let kept: Vec<String> =
            sqlx::query_scalar("SELECT actor FROM audit WHERE action = 'job.delete'")
                .fetch_all(house.db.reader())
                .await
                .expect("the log");
        assert_eq!(kept, ["retention", "retention"]);
    }

    #[tokio::test]
    async fn a_clock_that_jumps_deletes_nothing() {
        let (clock, hand) = Clock::manual(START);
        let house = house(clock, None).await;
        let job = house.ended().await;
        house.round().await;
        for jump in [24 * HOUR, -24 * HOUR, 10 * 365 * 24 * HOUR, -20 * 365 * 24 * HOUR] {
            pass(&hand, jump);
            house.round().await;
            house.round().await;
            assert!(house.is_there(job).await, "{jump}");
        }
    }

    #[tokio::test]
    async fn the_oldest_make_room_and_what_has_not_ended_stays() {
        let (clock, hand) = Clock::by_hand(START);
        let house = house(clock, Some(ByteSize(3 * WAV.len() as u64))).await;
        let mut ended = Vec::new();
        for _ in 0..3 {
            ended.push(house.ended().await);
            house.round().await;
            pass(&hand, 1000);
        }
        assert_eq!(house.files(), 3, "it is full and no more than that");
        let waiting = [house.create().await, house.create().await];
        house.round().await;
        assert_eq!(house.files(), 5, "what has just ended is spared");
        pass(&hand, SPARED);
        house.round().await;
        let mut left = Vec::new();
        for job in &ended {
            left.push(house.is_there(*job).await);
        }
        assert_eq!(left, [false, false, true]);
        let third = house.create().await;
        house.round().await;
        assert_eq!(house.files(), 3, "the last ended one has made room as well");
        for job in waiting.iter().chain([&third]) {
            assert!(house.is_there(*job).await);
        }
        let full = house.jobs.admit(Some(1)).await;
        assert!(
            matches!(full, Err(JobsError::DiskFull)),
            "nothing can make room for more: {full:?}"
        );
    }

    #[tokio::test]
    async fn a_file_without_a_row_goes_and_one_with_a_row_stays() {
        let (clock, _hand) = Clock::by_hand(START);
        let house = house(clock, None).await;
        let job = house.create().await;
        let storage = house.jobs.files().storage();
        let staged = storage.stage_input().expect("staged");
        let key = crate::storage::Key::input(house.owner, JobId::generate(), "wav").expect("a key");
        storage.publish(staged, &key).expect("published");
        assert_eq!(house.files(), 2);
        house.jobs.sweep(ORPHAN_AFTER).await.expect("swept");
        assert_eq!(house.files(), 2, "it may be getting its row just now");
        house.jobs.sweep(Duration::ZERO).await.expect("swept");
        assert_eq!(house.files(), 1);
        assert!(house.is_there(job).await);
    }
}
