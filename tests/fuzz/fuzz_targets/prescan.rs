//! Any bytes: the pre-scan ends, and what it hides lies in the file.
#![no_main]

use std::io::Cursor;

use audiomill::media::prescan::{Verdict, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let verdict = scan(&mut Cursor::new(bytes.to_vec())).expect("memory can be read");
    if let Verdict::Fine { overlays, .. } = verdict {
        assert!(overlays.iter().all(|overlay| overlay.at < bytes.len() as u64));
    }
});
