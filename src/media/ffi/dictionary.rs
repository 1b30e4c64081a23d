//! Metadata dictionaries, read and written without trusting their bytes.
//!
//! ffmpeg-next hands metadata out as `&str` without checking it (zmwangx/rust-ffmpeg#286):
//! undefined behaviour from any Latin-1 file. Here bytes become text by replacement.

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_next::ffi::{AV_DICT_IGNORE_SUFFIX, AVDictionary, av_dict_get, av_dict_set};

/// Every entry of `dictionary` in its order; bytes that are not UTF-8 become U+FFFD.
///
/// # Safety
/// `dictionary` is null (an empty one) or points to a live dictionary that nobody changes meanwhile.
pub(super) unsafe fn entries(dictionary: *const AVDictionary) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut entry = ptr::null();
    loop {
        // SAFETY: the caller vouches for `dictionary`; `entry` is what the last call returned; an
        // empty key with AV_DICT_IGNORE_SUFFIX walks all entries.
        entry = unsafe { av_dict_get(dictionary, c"".as_ptr(), entry, AV_DICT_IGNORE_SUFFIX) };
        if entry.is_null() {
            return found;
        }
        // SAFETY: a returned entry's key and value are NUL-terminated and live while the
        // dictionary is not changed.
        let (key, value) =
            unsafe { (CStr::from_ptr((*entry).key), CStr::from_ptr((*entry).value)) };
        found.push((key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    }
}

/// Sets `key` to `value`; an entry whose text holds a NUL is left out, since libav cannot say it.
///
/// # Safety
/// `dictionary` points to a null pointer or to a live dictionary owned by the caller.
pub(super) unsafe fn set(dictionary: *mut *mut AVDictionary, key: &str, value: &str) {
    if let (Ok(key), Ok(value)) = (CString::new(key), CString::new(value)) {
        // SAFETY: both strings are NUL-terminated and copied by the call. Its only error is a
        // failed allocation, which leaves the dictionary as it was.
        unsafe { av_dict_set(dictionary, key.as_ptr(), value.as_ptr(), 0) };
    }
}
