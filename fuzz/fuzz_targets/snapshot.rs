//! Any bytes as a snapshot, and any text in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use server::interpret::{packed, read_snapshot};

fuzz_target!(|bytes: &[u8]| {
    let _ = read_snapshot(bytes).expect("a server");
    let snapshot = packed(bytes).expect("memory takes it");
    if let Ok(contents) = read_snapshot(&snapshot).expect("a server") {
        assert_eq!(contents.text_bytes, bytes.len() as u64);
    }
});
