//! Which libav this process runs with.

use std::ffi::CStr;

use ffmpeg_next::ffi::{av_version_info, avcodec_license, avcodec_version};

/// The release (`5.1.9-0+deb12u1`).
#[must_use]
pub fn release() -> String {
    // SAFETY: libav returns a static, NUL-terminated string.
    unsafe { CStr::from_ptr(av_version_info()) }.to_string_lossy().into_owned()
}

/// The licence of the linked libavcodec (`GPL version 2 or later` on Debian).
#[must_use]
pub fn licence() -> String {
    // SAFETY: libav returns a static, NUL-terminated string.
    unsafe { CStr::from_ptr(avcodec_license()) }.to_string_lossy().into_owned()
}

/// The version of libavcodec as `(major, minor, micro)`.
#[must_use]
pub fn codec_library() -> (u32, u32, u32) {
    // SAFETY: no arguments, no state.
    let packed = unsafe { avcodec_version() };
    (packed >> 16, packed >> 8 & 0xff, packed & 0xff)
}
