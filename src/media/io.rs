//! Where bytes come from and go to, and the adapter that stands between them and libav.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::format::context::StreamIo;

use super::insert::{Inserting, Insertion};
use super::overlay::Overlaid;
pub use super::overlay::Overlay;
use super::progress::Progress;
use crate::base::CancelToken;

/// Bytes to convert: anything that reads and seeks. Whoever opens it reads from its start, and on at
/// a place of its own.
#[derive(Clone)]
pub struct Source {
    stream: Arc<Mutex<Standing<dyn ReadSeek>>>,
    length: Option<u64>,
    /// What libav sees in place of the stream's own bytes.
    overlays: Arc<[Overlay]>,
}

/// Place for the converted bytes. Clones are handles on the same place: libav writes through one,
/// the container is finished through another once libav has let go.
#[derive(Clone)]
pub struct Sink {
    stream: Arc<Mutex<dyn Place>>,
    limit: u64,
}

/// A readable, seekable stream that may move to the job's thread.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

/// A stream that is written, read back and cut, and may move to the job's thread.
pub trait Place: Read + Write + Seek + Send {
    /// Cuts it off behind `length` bytes.
    ///
    /// # Errors
    /// What the stream says.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
}

impl Place for std::fs::File {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

impl Place for io::Cursor<Vec<u8>> {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.get_mut().truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(())
    }
}

impl Source {
    /// A source of `length` bytes, when that is known.
    pub fn new(stream: impl ReadSeek + 'static, length: Option<u64>) -> Self {
        let stream = Arc::new(Mutex::new(Standing { at: None, stream }));
        Self { stream, length, overlays: Arc::default() }
    }

    /// The same stream, of which libav sees other bytes at some places.
    #[must_use]
    pub fn overlaid(self, overlays: Vec<Overlay>) -> Self {
        Self { overlays: overlays.into(), ..self }
    }

    /// Length in bytes, when it is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The stream itself, at its start, for a look before libav gets it.
    ///
    /// # Errors
    /// What `look` or the stream says.
    pub fn with<R>(&self, look: impl FnOnce(&mut dyn ReadSeek) -> io::Result<R>) -> io::Result<R> {
        look(&mut SharedSource::of(self))
    }

    /// The first bytes, at most `count`.
    ///
    /// # Errors
    /// What the stream says.
    pub fn peek(&self, count: usize) -> io::Result<Vec<u8>> {
        self.with(|stream| {
            let mut head = Vec::with_capacity(count);
            stream.take(count as u64).read_to_end(&mut head)?;
            Ok(head)
        })
    }
}

impl Sink {
    /// A sink that refuses to grow beyond `limit` bytes.
    pub fn new(stream: impl Place + 'static, limit: u64) -> Self {
        Self { stream: Arc::new(Mutex::new(stream)), limit }
    }

    /// The place itself, once libav has let go of it: cancel and limit hold as before.
    ///
    /// # Errors
    /// What `act` or the stream says.
    pub fn with<R>(
        &self,
        watch: &Watch,
        act: impl FnOnce(&mut dyn Place) -> io::Result<R>,
    ) -> io::Result<R> {
        act(&mut guarded_sink(self, watch))
    }
}

/// What went wrong on our side of libav, which turns every error into a bare errno.
#[derive(Clone, Debug, Default)]
pub struct IoFault(Arc<Mutex<Option<Fault>>>);

/// The first thing that went wrong in an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device is full or the quota used up.
    DiskFull,
    /// The output reached its limit, in bytes.
    OutputLimit(u64),
    /// Any other error of the stream.
    Failed(String),
    /// The stream panicked.
    Panicked,
}

impl IoFault {
    /// The first fault, if there was one.
    #[must_use]
    pub fn get(&self) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    fn note_error(&self, error: &io::Error) {
        self.note(match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::DiskFull,
            _ => Fault::Failed(error.to_string()),
        });
    }
}

/// Shared by the adapters of one conversion.
#[derive(Clone)]
pub struct Watch {
    /// Seen before every read and write.
    pub cancel: CancelToken,
    /// Told how far bytes have come.
    pub progress: Arc<Progress>,
    /// Faults on the reading side.
    pub source_fault: IoFault,
    /// Faults on the writing side.
    pub sink_fault: IoFault,
}

/// A source as libav reads it: cancel is seen before each read, a panic becomes an error.
///
/// # Errors
/// Out of memory.
pub fn source_io(source: &Source, watch: &Watch) -> Result<StreamIo, ffmpeg_next::Error> {
    if let Some(length) = source.length {
        watch.progress.set_source_length(length);
    }
    StreamIo::from_read_seek(Guarded {
        stream: Overlaid::new(SharedSource::of(source), Arc::clone(&source.overlays)),
        position: 0,
        limit: u64::MAX,
        fault: watch.source_fault.clone(),
        watch: watch.clone(),
    })
}

/// A sink as libav writes it: as [`source_io`], and it refuses to grow beyond its limit. What is
/// to be inserted is written where it belongs; libav knows nothing of it.
///
/// # Errors
/// Out of memory.
pub fn sink_io(
    sink: &Sink,
    insertion: Insertion,
    watch: &Watch,
) -> Result<StreamIo, ffmpeg_next::Error> {
    StreamIo::from_write_seek(Inserting::new(guarded_sink(sink, watch), insertion))
}

fn guarded_sink(sink: &Sink, watch: &Watch) -> Guarded<Shared> {
    Guarded {
        stream: Shared(Arc::clone(&sink.stream)),
        position: 0,
        limit: sink.limit,
        fault: watch.sink_fault.clone(),
        watch: watch.clone(),
    }
}

/// A stream and where it stands, when that is known.
struct Standing<S: ?Sized> {
    at: Option<u64>,
    stream: S,
}

/// One of those who read a source, at its own place.
struct SharedSource {
    stream: Arc<Mutex<Standing<dyn ReadSeek>>>,
    position: u64,
}

impl SharedSource {
    /// At the start.
    fn of(source: &Source) -> Self {
        Self { stream: Arc::clone(&source.stream), position: 0 }
    }
}

impl Read for SharedSource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut standing = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = standing.at.take();
        if stands != Some(self.position) {
            standing.stream.seek(SeekFrom::Start(self.position))?;
        }
        let count = standing.stream.read(buffer)?;
        self.position += count as u64;
        standing.at = Some(self.position);
        Ok(count)
    }
}

impl Seek for SharedSource {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.position = match target {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(offset) => self
                .position
                .checked_add_signed(offset)
                .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?,
            SeekFrom::End(_) => {
                let mut standing = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
                standing.at = None;
                standing.stream.seek(target)?
            }
        };
        Ok(self.position)
    }
}

struct Shared(Arc<Mutex<dyn Place>>);

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, dyn Place + 'static> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(buffer)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

impl Seek for Shared {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.lock().seek(target)
    }
}

impl Place for Guarded<Shared> {
    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.guard(|stream| stream.lock().truncate(length))
    }
}

struct Guarded<T> {
    stream: T,
    position: u64,
    limit: u64,
    fault: IoFault,
    watch: Watch,
}

impl<T> Guarded<T> {
    /// Runs `act`, unless the work is to stop. A panic must not reach libav's C frames, where it
    /// would abort the process.
    fn guard<R>(&mut self, act: impl FnOnce(&mut T) -> io::Result<R>) -> io::Result<R> {
        if self.watch.cancel.is_stopped() {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        let stream = &mut self.stream;
        match catch_unwind(AssertUnwindSafe(|| act(stream))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Ok(Err(error)) => {
                self.fault.note_error(&error);
                Err(error)
            }
            Err(_) => {
                self.fault.note(Fault::Panicked);
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
        }
    }
}

impl<T: Read> Read for Guarded<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.guard(|stream| stream.read(buffer))?;
        self.position += count as u64;
        self.watch.progress.source_reached(self.position);
        Ok(count)
    }
}

impl<T: Write> Write for Guarded<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.position.saturating_add(bytes.len() as u64) > self.limit {
            self.fault.note(Fault::OutputLimit(self.limit));
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        let count = self.guard(|stream| stream.write(bytes))?;
        self.position += count as u64;
        self.watch.progress.output_reached(self.position);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.guard(Write::flush)
    }
}

impl<T: Seek> Seek for Guarded<T> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        let position = self.guard(|stream| stream.seek(target))?;
        self.position = position;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::StopReason;

    fn watch() -> Watch {
        Watch {
            cancel: CancelToken::default(),
            progress: Arc::new(Progress::default()),
            source_fault: IoFault::default(),
            sink_fault: IoFault::default(),
        }
    }

    fn guarded<T>(stream: T, limit: u64, watch: &Watch) -> Guarded<T> {
        Guarded {
            stream,
            position: 0,
            limit,
            fault: watch.sink_fault.clone(),
            watch: watch.clone(),
        }
    }

    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("a stream that panics")
        }
    }

    #[test]
    fn a_panic_in_a_stream_becomes_an_error() {
        let watch = watch();
        let mut source = guarded(Panics, u64::MAX, &watch);
        assert!(source.read(&mut [0; 4]).is_err());
        assert_eq!(watch.sink_fault.get(), Some(Fault::Panicked));
    }

    #[test]
    fn an_output_stops_at_its_limit_and_says_so() {
        let watch = watch();
        let mut sink = guarded(io::Cursor::new(Vec::new()), 4, &watch);
        assert_eq!(sink.write(b"1234").ok(), Some(4));
        assert!(sink.write(b"5").is_err());
        assert_eq!(watch.sink_fault.get(), Some(Fault::OutputLimit(4)));
    }

    #[test]
    fn nothing_is_read_after_a_cancel() {
        let watch = watch();
        let mut source = guarded(io::Cursor::new(b"abcd"), u64::MAX, &watch);
        watch.cancel.stop(StopReason::Cancelled);
        assert!(source.read(&mut [0; 4]).is_err());
        assert_eq!(watch.sink_fault.get(), None, "a cancel is nobody's fault");
    }
}
