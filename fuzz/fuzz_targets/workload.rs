//! Any text as a workload file: cases, or one message that names the place.
#![no_main]

use harness::workload::load::{Overrides, Source, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let source = Source { label: "w.toml".to_owned(), text: text.to_owned() };
    if let Err(message) = load(&source, &Overrides::default()) {
        assert!(message.starts_with("w.toml"), "the message names no place: {message}");
    }
});
