//! Runs every example, whose assertions are then tests.
#![cfg(not(any(checker = "loom", checker = "shuttle")))]

use std::fs;
use std::path::Path;

/// Declares a test for each example, and lists them.
macro_rules! examples {
    ($($name:ident: $path:literal),* $(,)?) => {
        $(
            #[path = $path]
            mod $name;

            #[test]
            fn $name() {
                $name::main().expect("an example runs through");
            }
        )*

        const RUN: &[&str] = &[$(stringify!($name)),*];
    };
}

examples! {
    deterministic_tests: "../examples/deterministic_tests.rs",
    expiring_dictionary: "../examples/expiring_dictionary.rs",
    lru_cache: "../examples/lru_cache.rs",
    rate_limiter: "../examples/rate_limiter.rs",
    session_store: "../examples/session_store.rs",
}

#[test]
fn no_example_is_left_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in fs::read_dir(folder).expect("there are examples") {
        let path = entry.expect("a folder's entry can be read").path();
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        assert!(RUN.contains(&&*name), "{name} is not run");
    }
}
