//! Whether work would be accepted and kept, as it was found a moment ago.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// What was found holds for this long: a look opens files and asks the database, and everybody may
/// ask for it.
const FRESH: Duration = Duration::from_secs(1);

/// The last look. Who asks while one is under way waits for that one.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<Option<(Instant, Result<(), &'static str>)>>);

impl Readiness {
    /// What `look` finds, or found within the last second.
    ///
    /// # Errors
    /// The sentence that says what is not usable.
    pub async fn ask(
        &self,
        look: impl Future<Output = Result<(), &'static str>>,
    ) -> Result<(), &'static str> {
        let mut last = self.0.lock().await;
        match *last {
            Some((at, found)) if at.elapsed() < FRESH => found,
            Some(_) | None => {
                let found = look.await;
                *last = Some((Instant::now(), found));
                found
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_thousand_who_ask_at_once_cost_one_look_a_second() {
        let (readiness, looks) = (Readiness::default(), AtomicUsize::new(0));
        let ask = || {
            readiness.ask(async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                match looks.fetch_add(1, Ordering::Relaxed) {
                    0 => Ok(()),
                    _ => Err("full"),
                }
            })
        };
        let told = futures_util::future::join_all((0..1000).map(|_| ask())).await;
        assert!(told.iter().all(Result::is_ok));
        assert_eq!(looks.load(Ordering::Relaxed), 1);
        tokio::time::sleep(FRESH).await;
        assert_eq!(ask().await, Err("full"));
        assert_eq!(looks.load(Ordering::Relaxed), 2);
    }
}
