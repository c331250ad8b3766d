//! Any text as a duration, a rate, a size or an objective.
#![no_main]

use harness::workload::{slo, units};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = units::parse_duration_ns(text);
    let _ = units::parse_rate(text).map(|rate| assert!(rate.is_finite()));
    let _ = units::parse_bytes(text).map(|bytes| assert!(bytes.is_finite()));
    let _ = slo::parse("get", text);
});
