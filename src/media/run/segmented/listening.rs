//! Hearing all the sound beside the encoders.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::super::super::splice::{Batch, Listener};

/// Batches that may wait for the listener.
const UNHEARD_BATCHES: usize = 8;

/// Hears all the sound, on a thread of its own.
pub struct Listening {
    listener: Listener,
    sound: Receiver<Batch>,
}

impl Listening {
    /// Works until nothing more is sent.
    pub fn carry_out(mut self) -> Listener {
        for batch in self.sound {
            batch.iter().for_each(|frame| self.listener.hear(frame));
        }
        self.listener
    }
}

/// A listener, and where to send what it is to hear.
pub fn listening(listener: Option<Listener>) -> (Option<Listening>, Option<SyncSender<Batch>>) {
    let (sender, sound) = sync_channel(UNHEARD_BATCHES);
    listener.map(|listener| (Listening { listener, sound }, sender)).unzip()
}
