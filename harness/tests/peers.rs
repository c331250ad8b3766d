//! `harness peers`: the table is written where a file asks for it, and the README's own is what the
//! committed reports say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use harness::output::{index, peers};

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn peers_into(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_harness"))
        .arg("peers")
        .arg(root().join("results"))
        .arg("--into")
        .arg(file)
        .output()
        .expect("the harness runs")
}

#[test]
fn only_what_lies_between_the_marks_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.md");
    fs::write(&file, "before\n<!-- peers -->\nstale words\n<!-- /peers -->\nafter\n")
        .expect("written");
    for _ in 0..2 {
        assert!(peers_into(&file).status.success());
        let text = fs::read_to_string(&file).expect("text");
        assert!(
            text.starts_with("before\n<!-- peers -->\n\n| workload | figure | store |"),
            "{text}"
        );
        assert!(
            text.ends_with("\n\n<!-- /peers -->\nafter\n") && !text.contains("stale words"),
            "{text}"
        );
    }
}

#[test]
fn a_file_without_marks_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("page.md");
    for text in ["no marks\n", "<!-- /peers -->\n<!-- peers -->\n"] {
        fs::write(&file, text).expect("written");
        let output = peers_into(&file);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains("page.md") && message.contains("`<!-- peers -->`"), "{message}");
        assert_eq!(fs::read_to_string(&file).expect("text"), text);
    }
}

#[test]
fn the_readme_shows_what_the_committed_reports_say() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let (_, rest) = readme.split_once("<!-- peers -->\n").expect("the README has the table");
    let (shown, _) = rest.split_once("<!-- /peers -->\n").expect("it ends");
    let (_, revision) = shown.split_once("Revision `").expect("it names its revision");
    let (revision, _) = revision.split_once('`').expect("and closes the name");
    let all = index::full(&root().join("results")).expect("the reports");
    let reports: Vec<_> = all.into_iter().map(|(_, report)| report).collect();
    let tables = peers::tables(&reports, Some(revision)).expect("tables");
    assert_eq!(shown.trim(), tables.trim(), "`just peers` writes it anew");
}
