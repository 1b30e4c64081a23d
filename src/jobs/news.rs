//! Word that a row of a job has changed: who listens looks again.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells every listener of a change, never which: what changed is in the rows. Cheap to clone.
#[derive(Clone, Debug)]
pub struct News(Arc<watch::Sender<u64>>);

/// Hears of changes. One that comes while nobody waits is heard of at the next wait.
#[derive(Debug)]
pub struct Listener(watch::Receiver<u64>);

impl Default for News {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl News {
    /// Says that something has changed.
    pub fn tell(&self) {
        self.0.send_modify(|changes| *changes = changes.wrapping_add(1));
    }

    /// Hears of every change from now on.
    #[must_use]
    pub fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

impl Listener {
    /// Waits for the next change.
    pub async fn changed(&mut self) {
        // The sender lives in the store, which outlives whoever listens.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_change_between_two_waits_is_heard_of_once() {
        let news = News::default();
        let mut listener = news.listen();
        news.tell();
        news.tell();
        listener.changed().await;
        let silence = tokio::time::timeout(Duration::from_millis(20), listener.changed()).await;
        assert!(silence.is_err());
    }
}
