//! Metadata dictionaries, read and written without trusting their bytes.
//!
//! ffmpeg-next hands metadata out as `&str` without checking it (zmwangx/rust-ffmpeg#286):
//! undefined behaviour from any Latin-1 file. Here bytes that are not UTF-8 are read as Windows-1252.

use std::ffi::{CStr, CString};
use std::ptr;

use ffmpeg_next::ffi::{AV_DICT_IGNORE_SUFFIX, AVDictionary, av_dict_get, av_dict_set};

/// UTF-8, and where bytes are none, Windows-1252: what programs wrote before they knew better.
fn text(bytes: &[u8]) -> String {
    // The characters of 0x80 to 0x9f (WHATWG Encoding, index windows-1252); all others are Latin-1.
    const SPECIAL: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes
            .iter()
            .map(|&byte| match byte {
                0x80..=0x9f => SPECIAL[usize::from(byte - 0x80)],
                byte => char::from(byte),
            })
            .collect(),
    }
}

/// Whether a text of the dictionary is not UTF-8, so that its reading is a guess.
///
/// # Safety
/// As [`entries`].
pub(super) unsafe fn is_guessed(dictionary: *const AVDictionary) -> bool {
    let mut entry = ptr::null();
    loop {
        // SAFETY: as in `entries`.
        entry = unsafe { av_dict_get(dictionary, c"".as_ptr(), entry, AV_DICT_IGNORE_SUFFIX) };
        if entry.is_null() {
            return false;
        }
        // SAFETY: as in `entries`.
        let value = unsafe { CStr::from_ptr((*entry).value) };
        if value.to_str().is_err() {
            return true;
        }
    }
}

/// Every entry of `dictionary` in its order.
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
        found.push((text(key.to_bytes()), text(value.to_bytes())));
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
