//! `hit_ratio` as a user meets it: recorded traces in both formats, made ones, mistakes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answer;

use answer::Answer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn sample(ending: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces");
    folder.join(format!("sample.{ending}")).display().to_string()
}

fn run(folder: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    Answer::of(command.arg("hit_ratio").args(arguments).current_dir(folder))
}

/// The figures of a table: all cells but the trace's name.
fn figures(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| line.trim_start().starts_with("sample"));
    lines.map(|line| line.split_whitespace().skip(1).map(str::to_owned).collect()).collect()
}

#[test]
fn both_formats_of_a_trace_give_the_same_figures() {
    let folder = tempfile::tempdir().unwrap();
    let lines = run(folder.path(), &["--trace", &sample("txt"), "--entries", "10,50"]);
    assert_eq!(lines.code, Some(0), "{}", lines.err);
    let records = sample("oracleGeneral");
    let arguments = ["--trace", &records, "--format", "oracle-general", "--entries", "10,50"];
    let records = run(folder.path(), &arguments);
    assert_eq!(records.code, Some(0), "{}", records.err);
    let (lines, records) = (figures(&lines.out), figures(&records.out));
    assert_eq!(lines.len(), 2, "one row a size");
    // Other keys hash otherwise, so only exact LRU must agree to the last hit.
    for (lines, records) in lines.iter().zip(&records) {
        assert_eq!(lines[..2], records[..2]);
        assert_eq!(lines[3], records[3], "store LRU");
    }
    // As a separate program counts them: 600 gets, 10 and 50 entries.
    assert_eq!([&lines[0][3], &lines[1][3]], ["69.2", "91.5"]);
}

#[test]
fn made_traces_are_written_as_a_page_that_comes_out_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let page = |name: &str| -> Vec<String> {
        let path: PathBuf = folder.path().join(name);
        let arguments = ["--accesses", "3000", "--entries", "200", "--out", path.to_str().unwrap()];
        let answer = run(folder.path(), &arguments);
        assert_eq!(answer.code, Some(0), "{}", answer.err);
        let text = fs::read_to_string(path).unwrap();
        assert!(text.starts_with("# Hit ratios\n"), "{text}");
        let rows = text.lines().filter(|line| line.starts_with('|')).map(str::to_owned);
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 2 + 6, "{text}");
        // The store hashes by a seed of its own: its first column may differ a little.
        let but_s3fifo = |row: &String| {
            let cells: Vec<_> = row.split(" | ").enumerate().collect();
            cells
                .iter()
                .filter(|(n, _)| *n != 3)
                .map(|(_, cell)| *cell)
                .collect::<Vec<_>>()
                .join("|")
        };
        rows.iter().map(but_s3fifo).collect()
    };
    assert_eq!(page("a.md"), page("b.md"));
}

#[test]
fn a_trace_that_cannot_be_read_is_named_with_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let complaint = |name: &str, bytes: &[u8], format: &str| {
        fs::write(folder.path().join(name), bytes).unwrap();
        let answer = run(folder.path(), &["--trace", name, "--format", format]);
        assert_eq!(answer.code, Some(1));
        assert!(answer.out.is_empty());
        answer.err
    };
    let cut = complaint("cut.bin", &[1; 50], "oracle-general");
    assert!(cut.starts_with("error: cut.bin: record 3, at byte 48, has 2 of 24 bytes; "), "{cut}");
    assert!(complaint("empty", b"", "lines").starts_with("error: empty: an empty file; "));
    let binary = complaint("b.txt", b"a\n\xff\n", "lines");
    assert!(binary.starts_with("error: b.txt: line 2: not UTF-8 at byte 2; "), "{binary}");
    let missing = run(folder.path(), &["--trace", "missing.txt"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.starts_with("error: missing.txt: cannot be read: "), "{}", missing.err);
    assert_eq!(run(folder.path(), &["--entries", "0"]).code, Some(2));
}

#[test]
fn a_column_that_is_not_built_in_is_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let answer = run(folder.path(), &["--trace", &sample("txt")]);
    let left_out = answer.err.contains("moka is left out: not in this build; `just hit-ratio`");
    assert_eq!(left_out, !cfg!(feature = "moka"), "{}", answer.err);
    assert_eq!(answer.out.contains("moka"), cfg!(feature = "moka"));
}
