//! MD5 by libavutil, and the sums that libav makes for nobody.
//!
//! libav's FLAC encoder sums all the sound it is given, and has no option against it. Encoders that
//! share a recording sum their own parts only, of which no sum of the whole can be made: a seventh
//! of their time is lost. So this program has an `av_md5_update` of its own. An executable's symbols
//! come before those of shared libraries (System V gABI, "Dynamic Linking", search order), so that
//! libavcodec calls it; it passes on to libavutil's, but for threads that asked to be spared. Were it
//! not found first, all sums would still be right, and be made.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;

use ffmpeg_next::Error;
use ffmpeg_next::ffi::{AVMD5, av_free, av_md5_alloc, av_md5_final, av_md5_init};

type Update = unsafe extern "C" fn(*mut AVMD5, *const u8, usize);

thread_local! {
    static IS_SPARED: Cell<bool> = const { Cell::new(false) };
}

/// libavutil's own, or `None` where it cannot be found.
fn libavutil() -> Option<Update> {
    static FOUND: OnceLock<Option<Update>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name is NUL-terminated; RTLD_NEXT asks for the definition behind this
        // program's, which is libavutil's: a function of this very type, that stays loaded.
        unsafe {
            let found = libc::dlsym(libc::RTLD_NEXT, c"av_md5_update".as_ptr());
            (!found.is_null()).then(|| std::mem::transmute::<*mut c_void, Update>(found))
        }
    })
}

/// Adds `len` bytes at `src` to a sum, or does nothing on a thread that is [spared](spare).
///
/// # Safety
/// As libavutil's: `sum` comes from `av_md5_alloc`, `src` holds `len` bytes.
// SAFETY: replaces a function of libavutil by one that keeps its contract.
#[unsafe(no_mangle)]
unsafe extern "C" fn av_md5_update(sum: *mut AVMD5, src: *const u8, len: usize) {
    if IS_SPARED.get() {
        return;
    }
    match libavutil() {
        // SAFETY: the caller keeps the contract of the function that it believes to call.
        Some(update) => unsafe { update(sum, src, len) },
        // A wrong sum in somebody's file is worse than no process.
        None => std::process::abort(),
    }
}

/// Spares this thread, until it is dropped, the sums that libav makes.
#[derive(Debug)]
pub struct Spared(());

/// Sums on this thread are worth nothing as long as what is returned lives.
#[must_use]
pub fn spare() -> Spared {
    IS_SPARED.set(true);
    Spared(())
}

impl Drop for Spared {
    fn drop(&mut self) {
        IS_SPARED.set(false);
    }
}

/// A sum over bytes (RFC 1321).
pub struct Md5(NonNull<AVMD5>);

// SAFETY: the context is plain memory that only its owner reaches.
unsafe impl Send for Md5 {}

impl Md5 {
    /// Of nothing so far.
    ///
    /// # Errors
    /// ENOMEM.
    pub fn new() -> Result<Self, Error> {
        // SAFETY: allocates; null is looked for, and anything else is a context to be initialised.
        let context = NonNull::new(unsafe { av_md5_alloc() });
        let context = context.ok_or(Error::Other { errno: libc::ENOMEM })?;
        // SAFETY: just allocated.
        unsafe { av_md5_init(context.as_ptr()) };
        Ok(Self(context))
    }

    /// These bytes follow.
    pub fn update(&mut self, bytes: &[u8]) {
        // SAFETY: the context is alive and initialised, and the slice holds its length.
        unsafe { av_md5_update(self.0.as_ptr(), bytes.as_ptr(), bytes.len()) };
    }

    /// The sum of all.
    #[must_use]
    pub fn finish(self) -> [u8; 16] {
        let mut sum = [0; 16];
        // SAFETY: the context is alive, and 16 bytes are what it writes.
        unsafe { av_md5_final(self.0.as_ptr(), sum.as_mut_ptr()) };
        sum
    }
}

impl Drop for Md5 {
    fn drop(&mut self) {
        // SAFETY: it was allocated by libavutil and is freed once.
        unsafe { av_free(self.0.as_ptr().cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

    fn hex(sum: [u8; 16]) -> String {
        sum.map(|byte| format!("{byte:02x}")).concat()
    }

    /// The sum over some sound that libav's FLAC encoder ends with.
    fn of_encoder() -> String {
        use ffmpeg_next::format::Sample;
        use ffmpeg_next::format::sample::Type::Packed;
        use ffmpeg_next::{ChannelLayout, Packet, codec, frame};

        super::super::initialise().expect("libav");
        let codec = ffmpeg_next::encoder::find_by_name("flac").expect("flac");
        let context = codec::context::Context::new_with_codec(codec);
        let mut encoder = context.encoder().audio().expect("audio");
        encoder.set_rate(44_100);
        encoder.set_channel_layout(ChannelLayout::STEREO);
        encoder.set_format(Sample::I16(Packed));
        let mut encoder = encoder.open_as(codec).expect("opens");
        let samples = encoder.frame_size() as usize;
        let mut frame = frame::Audio::new(Sample::I16(Packed), samples, ChannelLayout::STEREO);
        frame.data_mut(0).fill(1);
        frame.set_pts(Some(0));
        encoder.send_frame(&frame).expect("takes it");
        encoder.send_eof().expect("ends");
        let mut packet = Packet::empty();
        let mut header = Vec::new();
        while encoder.receive_packet(&mut packet).is_ok() {
            header = packet.side_data().flat_map(|data| data.data().to_vec()).collect();
        }
        hex(*header.last_chunk().expect("STREAMINFO"))
    }

    #[test]
    fn sums_are_those_of_the_rfc() {
        let mut sum = Md5::new().expect("memory");
        sum.update(b"message ");
        sum.update(b"digest");
        assert_eq!(hex(sum.finish()), "f96b697d7cb7938d525a2f31aaf161d0", "RFC 1321, A.5");
        assert_eq!(hex(Md5::new().expect("memory").finish()), OF_NOTHING);
    }

    #[test]
    fn libavs_encoder_is_spared_its_sum_on_this_thread_and_for_as_long_as_asked() {
        let whole = of_encoder();
        assert_ne!(whole, OF_NOTHING);
        let spared = spare();
        assert_eq!(of_encoder(), OF_NOTHING, "libavcodec does not find this program's function");
        let elsewhere = std::thread::spawn(of_encoder).join();
        assert_eq!(elsewhere.expect("no panic"), whole);
        drop(spared);
        assert_eq!(of_encoder(), whole);
    }
}
