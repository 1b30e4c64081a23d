//! Disks that fail a conversion.

use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use audiomill::media::Progress;
use audiomill::media::io::Place;

/// A disk that takes some bytes and then nothing until it is let.
pub struct Stuck {
    inner: Cursor<Vec<u8>>,
    most: usize,
    is_free: Arc<AtomicBool>,
}

impl Stuck {
    /// One that takes `most` bytes until `is_free`.
    pub fn after(most: usize, is_free: &Arc<AtomicBool>) -> Self {
        Self { inner: Cursor::default(), most, is_free: Arc::clone(is_free) }
    }
}

impl Read for Stuck {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.inner.read(bytes)
    }
}

impl Seek for Stuck {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        while self.inner.get_ref().len() > self.most && !self.is_free.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Place for Stuck {
    fn truncate(&mut self, length: u64) -> std::io::Result<()> {
        self.inner.truncate(length)
    }
}

/// How many samples are decoded when nothing moves any longer.
pub fn decoded_at_standstill(progress: &Progress) -> u64 {
    let (mut decoded, mut still) = (0, 0);
    while still < 4 {
        std::thread::sleep(Duration::from_millis(250));
        let now = progress.snapshot().samples_decoded;
        still = if now > 0 && now == decoded { still + 1 } else { 0 };
        decoded = now;
    }
    decoded
}
