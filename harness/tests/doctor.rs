//! `doctor` as a user meets it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

fn doctor(options: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    let output = command.arg("doctor").args(options).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn it_says_what_could_be_claimed_here() {
    let (code, out) = doctor(&["--seconds", "1", "--repeat", "7"]);
    assert_eq!(code, Some(0), "{out}");
    for words in ["timer floor", "idle loop, worst pause", "identical runs", "repeats a side"] {
        assert!(out.contains(words), "{words}: {out}");
    }
    assert!(out.lines().any(|line| line.trim_start().starts_with("7  ")), "{out}");
    // Tests are not optimized, and it says so.
    assert_eq!(out.contains("warning: a debug build"), cfg!(debug_assertions));
    assert_eq!(doctor(&["--repeat", "3"]).0, Some(2), "3 repeats can never tell");
}
