//! Any bytes as a recorded trace, in both formats.
#![no_main]

use harness::hit_ratio::file::{self, Format};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Lines, Format::OracleGeneral] {
        if let Ok(keys) = file::read(bytes, format) {
            assert!(!keys.is_empty() && keys.len() <= bytes.len());
        }
    }
});
