//! libav's log, caught per job.
//!
//! libav has one callback for the whole process. Decoder, encoder and filter graph run with one
//! thread each, so a line always comes on the thread of the job that caused it; a thread-local
//! buffer is then all the routing there is.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};

use ffmpeg_next::ffi::{AV_LOG_ERROR, AV_LOG_WARNING, av_log_format_line2, av_log_set_callback};

#[cfg(all(target_arch = "x86_64", unix))]
type VaList = *mut ffmpeg_next::ffi::__va_list_tag;
#[cfg(not(all(target_arch = "x86_64", unix)))]
type VaList = ffmpeg_next::ffi::va_list;

/// Lines kept of one job; a damaged file can emit one per packet.
const KEPT_LINES: usize = 200;

/// One line that libav logged at level `warning` or worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether libav called it an error (or worse) rather than a warning.
    pub is_error: bool,
    /// The component that spoke (`mp3float`, `ogg`, `NULL` when unknown).
    pub component: String,
    /// What it said; control characters escaped, at most 1 KiB.
    pub text: String,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}] {}", self.component, self.text)
    }
}

#[derive(Default)]
struct Capture {
    lines: Vec<Line>,
    dropped: usize,
}

thread_local! {
    static CAPTURE: RefCell<Option<Capture>> = const { RefCell::new(None) };
}

/// Catches the lines of this thread from its making until [`Self::finish`] or its drop.
///
/// One at a time per thread: a second one takes over and the first one's lines are gone.
#[derive(Debug)]
pub struct CaptureGuard(());

impl CaptureGuard {
    /// Starts catching on this thread.
    #[must_use]
    pub fn start() -> Self {
        CAPTURE.with(|slot| *slot.borrow_mut() = Some(Capture::default()));
        Self(())
    }

    /// What was caught so far; catching goes on.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        CAPTURE.with(|slot| {
            slot.borrow().as_ref().map(|capture| capture.lines.clone()).unwrap_or_default()
        })
    }

    /// How many error lines were caught so far, those beyond the kept ones included, but for those of
    /// one component.
    #[must_use]
    pub fn error_count(&self, except: &str) -> usize {
        let counts = |line: &&Line| line.is_error && line.component != except;
        CAPTURE.with(|slot| {
            slot.borrow()
                .as_ref()
                .map_or(0, |capture| capture.lines.iter().filter(counts).count() + capture.dropped)
        })
    }
}

impl Drop for CaptureGuard {
    fn drop(&mut self) {
        CAPTURE.with(|slot| *slot.borrow_mut() = None);
    }
}

/// Installs the callback. Lines of threads without a capture go to `tracing` at debug level.
pub(super) fn install() {
    // SAFETY: `receive` has the signature libav asks for and lives as long as the process.
    unsafe { av_log_set_callback(Some(receive)) };
}

unsafe extern "C" fn receive(
    context: *mut c_void,
    level: c_int,
    format: *const c_char,
    arguments: VaList,
) {
    // The upper bits carry a colour.
    let level = level & 0xff;
    if level > AV_LOG_WARNING {
        return;
    }
    let mut buffer = [0_u8; 1024];
    let mut print_prefix: c_int = 1;
    // SAFETY: libav hands over a context, format and argument list that belong together; the
    // buffer's true size is given, and the call ends what it writes with NUL.
    let written = unsafe {
        av_log_format_line2(
            context,
            level,
            format,
            arguments,
            buffer.as_mut_ptr().cast(),
            buffer.len() as c_int,
            &raw mut print_prefix,
        )
    };
    let length = usize::try_from(written).unwrap_or(0).min(buffer.len() - 1);
    // A panic must not cross into C: everything below is free of it but for allocation failure,
    // which aborts anyway.
    let line = parse_line(&String::from_utf8_lossy(&buffer[..length]), level <= AV_LOG_ERROR);
    if line.text.is_empty() {
        return;
    }
    let kept = CAPTURE.try_with(|slot| match slot.try_borrow_mut() {
        Ok(mut slot) => match slot.as_mut() {
            Some(capture) if capture.lines.len() < KEPT_LINES => {
                capture.lines.push(line.clone());
                true
            }
            Some(capture) => {
                capture.dropped += usize::from(line.is_error);
                true
            }
            None => false,
        },
        Err(_) => true,
    });
    if !matches!(kept, Ok(true)) {
        tracing::debug!(component = line.component, "{}", line.text);
    }
}

/// Splits `[mp3float @ 0x55d0] Header missing` into component and text.
fn parse_line(raw: &str, is_error: bool) -> Line {
    let mut component = "NULL";
    let mut rest = raw.trim();
    // A codec inside a demuxer prints two prefixes; the last one is who spoke.
    while let Some((prefix, after)) = rest.strip_prefix('[').and_then(|r| r.split_once("] ")) {
        let Some((name, _address)) = prefix.split_once(" @ ") else { break };
        component = name;
        rest = after;
    }
    let text = rest.chars().flat_map(|c| {
        let (escaped, plain) =
            if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
        escaped.into_iter().flatten().chain(plain)
    });
    Line { is_error, component: component.to_owned(), text: text.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_into_component_and_text_without_its_address() {
        let line = parse_line("[mp3float @ 0x55d0c0] Header missing\n", true);
        assert_eq!((line.component.as_str(), line.text.as_str()), ("mp3float", "Header missing"));
        let plain = parse_line("[not a prefix] tab\there", false);
        assert_eq!(
            (plain.component.as_str(), plain.text.as_str()),
            ("NULL", "[not a prefix] tab\\there")
        );
    }
}
