//! `ab` from end to end, on a repository whose harness is a few lines: it writes a report that it
//! carries with it, so that what the revisions measured is known.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answer;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use answer::Answer;
use harness::report::{Report, merge};

const SMOKE: &str = include_str!("reports/v1-smoke.json");
const MANIFEST: &str = "[package]\nname = \"harness\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                        [workspace]\n";
/// What `bench FILE --repeat 1 --out DIR` does there.
const MAIN: &str = r#"
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let out = arguments.iter().position(|one| one == "--out").unwrap() + 1;
    let folder = std::path::Path::new(&arguments[out]).join("smoke/store");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("r.json"), include_str!("../report.json")).unwrap();
}
"#;
const REFUSES: &str = r#"
fn main() {
    eprintln!("error: w.toml:3: run.new: unknown key");
    std::process::exit(2);
}
"#;

/// One repeat that took so many times as long as the committed one.
fn report(pace: f64) -> String {
    let mut report: Report = serde_json::from_str(SMOKE).unwrap();
    report.repeats.truncate(1);
    report.repeats[0].phases.iter_mut().for_each(|phase| phase.seconds *= pace);
    report.merged = merge::merge(&report.repeats).unwrap();
    serde_json::to_string(&report).unwrap()
}

struct Repository(tempfile::TempDir);

impl Repository {
    /// Revisions `first`, `slower`, `broken` and `refuses`; the working tree is a slower `first`.
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q"]);
        repository.write(".gitignore", "/target/\nCargo.lock\n");
        repository.write("Cargo.toml", MANIFEST);
        repository.write("w.toml", "# What?\n");
        let revisions = [
            ("first", MAIN, 1.0),
            ("slower", MAIN, 1.1),
            ("broken", "fn main() { not_a_name }\n", 1.0),
            ("refuses", REFUSES, 1.0),
        ];
        for (tag, main, pace) in revisions {
            repository.write("src/main.rs", main);
            repository.write("report.json", &report(pace));
            repository.git(&["add", "."]);
            repository.git(&["commit", "-qm", tag]);
            repository.git(&["tag", tag]);
        }
        repository.write("src/main.rs", MAIN);
        repository.write("report.json", &report(1.2));
        repository
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut command = Command::new("git");
        command.args(name).args(arguments).current_dir(self.0.path());
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    }

    fn ab(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.arg("ab").args(arguments).current_dir(self.0.path());
        Answer::of(&mut command)
    }
}

#[test]
fn two_revisions_are_built_run_in_turns_and_judged() {
    let repository = Repository::new();
    let page = ["--html", "pages/ab.html"];
    let asked = ["first", "slower", "w.toml", "--pairs", "6"];
    let slower = repository.ab(&[&asked[..], &page].concat());
    assert_eq!(slower.code, Some(4), "{slower:?}");
    let page = fs::read_to_string(repository.path("pages/ab.html")).unwrap();
    assert!(page.contains("✗ B is worse than A.") && page.contains("A: first ("), "{page}");
    assert!(slower.err.contains("building first ("), "{}", slower.err);
    let conclusion = "regressed: mixed.throughput -9.1% (-9.1% to -9.1% with 95%; A against \
                      itself +0.0% to +0.0%; delta 3.0%)";
    assert!(slower.out.contains(conclusion), "{}", slower.out);

    // What was built is used again, and a revision against itself is the same.
    let same = repository.ab(&["first", "first", "w.toml", "--pairs", "6", "--strict"]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.out.contains("same: mixed.throughput +0.0%"), "{}", same.out);

    // The working tree as it is, changes included.
    let tree = repository.ab(&["first", ".", "w.toml", "--pairs", "6"]);
    assert_eq!(tree.code, Some(4), "{tree:?}");
    assert!(tree.out.contains("mixed.throughput -16.7%"), "{}", tree.out);

    let few = repository.ab(&["first", "slower", "w.toml", "--pairs", "2", "--strict"]);
    assert_eq!(few.code, Some(5), "{few:?}");
    assert!(few.out.contains("2 pairs have no 95% interval: run 6 or more"), "{}", few.out);

    // A tree that git remembers and somebody deleted is made again.
    fs::remove_dir_all(repository.path("target")).unwrap();
    let again = repository.ab(&["first", "first", "w.toml", "--pairs", "1", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let json: serde_json::Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(json[0]["rounds"], 1);

    // What was saved becomes a page, and what is something else is named.
    repository.write("saved.json", &again.out);
    let html = |file: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        command.args(["html", "--out", "-", "--trials", file]).current_dir(repository.0.path());
        command.output().unwrap()
    };
    let page = String::from_utf8(html("saved.json").stdout).unwrap();
    assert!(page.contains("? These rounds cannot tell") && page.contains("1 round of"), "{page}");
    let other = html("report.json");
    let complaint = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(1));
    assert!(complaint.contains("report.json: not what `harness ab --json`"), "{complaint}");
}

#[test]
fn what_cannot_be_built_or_run_is_told_with_its_reason() {
    let repository = Repository::new();
    let unknown = repository.ab(&["first", "nothing", "w.toml"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("nothing: there is no such revision; name a "), "{unknown:?}");
    assert!(!unknown.err.contains("building"), "nothing was built for it: {unknown:?}");
    let missing = repository.ab(&["first", "slower", "missing.toml"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(missing.err.contains("missing.toml: cannot be read"), "{}", missing.err);

    let broken = repository.ab(&["broken", "first", "w.toml"]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.err.contains("does not build:"), "{}", broken.err);
    assert!(broken.err.contains("not_a_name"), "the compiler's words: {}", broken.err);

    let refuses = repository.ab(&["first", "refuses", "w.toml"]);
    assert_eq!(refuses.code, Some(1), "{refuses:?}");
    let said = "failed on w.toml:\nerror: w.toml:3: run.new: unknown key";
    assert!(refuses.err.contains("the harness of refuses (") && refuses.err.contains(said));
}
