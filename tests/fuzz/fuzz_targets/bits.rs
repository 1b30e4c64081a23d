//! Any bytes: the readers of coded frames say something or nothing, and what they say lies in the frame.
#![no_main]

use audiomill::media::bits::{aac, flac, mpeg, opus};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(side) = mpeg::Side::of(bytes) {
        assert!(side.payload <= bytes.len() && side.reaches_back < 512);
    }
    let _ = aac::Overlap::of(bytes);
    let _ = opus::samples(bytes);
    let _ = flac::samples(bytes);
    if let Some(renumbered) = flac::renumbered(bytes, 1_000_000) {
        assert!(renumbered.len() <= bytes.len() + 6);
    }
});
