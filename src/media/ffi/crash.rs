//! Who was at work when a fatal signal ended the process.
//!
//! A codec that crashes takes the server with it. A handler for the fatal signals writes the
//! signal's number into a slot of a memory-mapped file before the process dies; the next start
//! reads it and knows which job did it. `kill -9`, power loss and the OOM killer leave no mark,
//! and so are never held against a job.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap};

/// Jobs that can be at work at once under watch; further ones run unwatched.
pub const SLOTS: usize = 256;

const FATAL_SIGNALS: [i32; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT];

/// One slot as it lies in the file: all-zero when free.
#[repr(C)]
struct Slot {
    /// 0 free, 1 at work.
    state: AtomicI32,
    /// The signal that hit this slot's thread; 0 while none did.
    signal: AtomicI32,
    /// The job's identifier.
    job: [AtomicU8; 16],
}

const FILE_BYTES: usize = SLOTS * size_of::<Slot>();

thread_local! {
    // Read by the signal handler: const-initialised and without a destructor, so that reading it
    // allocates nothing.
    static AT_WORK: Cell<*const Slot> = const { Cell::new(ptr::null()) };
}

/// Handlers that were there before ours, by position in [`FATAL_SIGNALS`].
static PREVIOUS: [AtomicPtr<libc::sigaction>; FATAL_SIGNALS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; FATAL_SIGNALS.len()];

/// A job found in the file of a process that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Identifier of the job.
    pub job: [u8; 16],
    /// The fatal signal that hit the job's own thread, if one did.
    pub signal: Option<i32>,
}

/// The mapped file. One per process; it stays mapped until the process ends.
#[derive(Debug)]
pub struct CrashRecord {
    slots: NonNull<Slot>,
}

// SAFETY: the mapping lives until the process ends, and every field of a slot is atomic.
unsafe impl Send for CrashRecord {}
// SAFETY: as above.
unsafe impl Sync for CrashRecord {}

impl CrashRecord {
    /// Maps the file at `path` (made when missing), says what the last process left in it, and
    /// installs the handlers. The traces stay until [`Self::forget_traces`]: a start that fails
    /// half-way must not lose them.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path) -> io::Result<(Self, Vec<Trace>)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(FILE_BYTES as u64)?;
        let record = Self { slots: map(&file)? };
        let traces = record.traces();
        install_handlers();
        Ok((record, traces))
    }

    /// Marks the calling thread as working on `job` until the guard is dropped on that thread.
    #[must_use]
    pub fn enter(&self, job: [u8; 16]) -> AtWork {
        let free = self.slots().iter().find(|slot| {
            slot.state.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if let Some(slot) = free {
            // A signal that an earlier job of this slot survived is not this one's.
            slot.signal.store(0, Ordering::Release);
            for (place, byte) in slot.job.iter().zip(job) {
                place.store(byte, Ordering::Relaxed);
            }
            AT_WORK.set(slot);
        }
        AtWork { _thread_bound: std::marker::PhantomData }
    }

    /// Clears what the last process left, once it has been acted on. Before any work begins.
    pub fn forget_traces(&self) {
        for slot in self.slots() {
            slot.signal.store(0, Ordering::Release);
            slot.state.store(0, Ordering::Release);
        }
    }

    fn traces(&self) -> Vec<Trace> {
        let at_work = self.slots().iter().filter(|slot| slot.state.load(Ordering::Acquire) != 0);
        at_work
            .map(|slot| {
                let signal = slot.signal.load(Ordering::Acquire);
                Trace {
                    job: std::array::from_fn(|i| slot.job[i].load(Ordering::Relaxed)),
                    signal: (signal != 0).then_some(signal),
                }
            })
            .collect()
    }

    fn slots(&self) -> &[Slot] {
        // SAFETY: the mapping holds SLOTS slots, is never unmapped, and any bytes are valid atomics.
        unsafe { std::slice::from_raw_parts(self.slots.as_ptr(), SLOTS) }
    }
}

/// While it lives, a fatal signal on this thread is the job's doing.
#[derive(Debug)]
pub struct AtWork {
    /// A raw pointer in its type keeps the guard on the thread that made it.
    _thread_bound: std::marker::PhantomData<*const ()>,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let slot = AT_WORK.replace(ptr::null());
        if !slot.is_null() {
            // SAFETY: a non-null pointer was set by `enter` and points into the lasting mapping.
            unsafe { (*slot).state.store(0, Ordering::Release) };
        }
    }
}

/// What the calling thread is at work on, for threads that help it.
#[derive(Clone, Copy, Debug)]
pub struct Watched(*const Slot);

// SAFETY: the slot lies in a mapping that lasts until the process ends, and its fields are atomic.
unsafe impl Send for Watched {}
// SAFETY: as above.
unsafe impl Sync for Watched {}

impl Watched {
    /// Of the calling thread; nothing when it is at no work.
    #[must_use]
    pub fn of_this_thread() -> Self {
        Self(AT_WORK.get())
    }

    /// Marks the calling thread as working on the same until the guard is dropped, which must be
    /// before the first thread's own guard is.
    #[must_use]
    pub fn enter(&self) -> Helping {
        AT_WORK.set(self.0);
        Helping { _thread_bound: std::marker::PhantomData }
    }
}

/// While it lives, a fatal signal on this thread is the doing of the job it helps with.
#[derive(Debug)]
pub struct Helping {
    _thread_bound: std::marker::PhantomData<*const ()>,
}

impl Drop for Helping {
    fn drop(&mut self) {
        AT_WORK.set(ptr::null());
    }
}

fn map(file: &File) -> io::Result<NonNull<Slot>> {
    // SAFETY: a fresh shared mapping of a file that was just given this length; the kernel picks
    // the address, page-aligned. Nobody truncates the file: it lies in the server's own folder.
    let address = unsafe {
        mmap(
            ptr::null_mut(),
            FILE_BYTES,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            file.as_fd(),
            0,
        )?
    };
    NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mmap gave a null address"))
}

fn install_handlers() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (position, signal) in FATAL_SIGNALS.into_iter().enumerate() {
            let mut previous = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: `action` is a fully initialised sigaction whose handler has the SA_SIGINFO
            // signature; SA_ONSTACK lets it run on a thread whose stack has overflowed. The
            // previous action is leaked on purpose: the handler needs it for as long as we live.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fatal_signal as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&raw mut action.sa_mask);
                if libc::sigaction(signal, &raw const action, previous.as_mut_ptr()) == 0 {
                    let leaked = Box::into_raw(Box::new(previous.assume_init()));
                    PREVIOUS[position].store(leaked, Ordering::Release);
                }
            }
        }
    });
}

/// Marks the slot of the thread it runs on, puts the previous handler back and returns: the
/// instruction faults again and the process dies as it would have, with the runtime's own word on
/// a stack overflow. A signal that somebody sent (`abort`, `tgkill`) does not come again by itself:
/// it is raised once more under the default action.
///
/// Async-signal-safe: a thread-local read, two atomic accesses, `sigaction`, `raise`.
extern "C" fn on_fatal_signal(
    signal: i32,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    let slot = AT_WORK.get();
    if !slot.is_null() {
        // SAFETY: set by `enter` on this thread; points into the lasting mapping.
        unsafe { (*slot).signal.store(signal, Ordering::Release) };
    }
    let position = FATAL_SIGNALS.iter().position(|&known| known == signal).unwrap_or(0);
    let previous = PREVIOUS[position].load(Ordering::Acquire);
    // SAFETY: `previous` is null or a leaked, initialised sigaction. When null (our own set-up
    // failed half-way), the default action is taken. `info` is the kernel's.
    unsafe {
        let was_sent = !info.is_null() && (*info).si_code <= 0;
        if was_sent || previous.is_null() {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        } else {
            libc::sigaction(signal, previous, ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_was_left_behind_is_found_and_finished_work_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("crash.slots");
        let (record, before) = CrashRecord::open(&path).expect("a fresh record");
        assert_eq!(before, []);
        drop(record.enter([1; 16]));
        std::mem::forget(record.enter([2; 16]));
        let (reopened, after) = CrashRecord::open(&path).expect("the same record");
        assert_eq!(after, [Trace { job: [2; 16], signal: None }]);
        reopened.forget_traces();
        let (_, cleared) = CrashRecord::open(&path).expect("the same record");
        assert_eq!(cleared, []);
    }
}
