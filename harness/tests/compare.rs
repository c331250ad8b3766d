//! `compare` as a user meets it: what it says, and its exit codes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answer;

use std::fs;
use std::path::Path;
use std::process::Command;

use answer::Answer;
use harness::report::{Report, merge};
use serde_json::Value;

const SMOKE: &str = include_str!("reports/v1-smoke.json");

/// The committed report with as many repeats as there are paces: at 2.0 a repeat took twice as
/// long.
fn report(paces: &[f64]) -> Report {
    let mut report: Report = serde_json::from_str(SMOKE).unwrap();
    let repeat = report.repeats[0].clone();
    report.repeats = paces
        .iter()
        .map(|pace| {
            let mut repeat = repeat.clone();
            repeat.phases.iter_mut().for_each(|phase| phase.seconds *= pace);
            repeat
        })
        .collect();
    report.merged = merge::merge(&report.repeats).unwrap();
    report.warnings.clear();
    report
}

const STEADY: [f64; 5] = [1.0, 1.004, 0.996, 1.008, 1.002];
const SLOWER: [f64; 5] = [1.1, 1.104, 1.096, 1.108, 1.102];
const NOISY: [f64; 5] = [1.3, 0.8, 1.0, 1.2, 0.9];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, path: &str, report: &Report) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string(report).unwrap()).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        Answer::of(command.args(arguments).current_dir(self.0.path()))
    }

    fn git(&self, arguments: &[&str]) {
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut command = Command::new("git");
        command.args(name).args(arguments).current_dir(self.0.path());
        assert!(command.output().unwrap().status.success(), "{arguments:?}");
    }
}

fn compare(a: &Report, b: &Report, options: &[&str]) -> Answer {
    let folder = Folder::new().with("a.json", a).with("b.json", b);
    folder.run(&[&["compare", "a.json", "b.json"], options].concat())
}

#[test]
fn the_exit_code_tells_the_verdict() {
    let steady = report(&STEADY);
    let same = compare(&steady, &report(&STEADY.map(|pace| pace + 0.001)), &["--strict"]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.out.contains("smoke on store: same: mixed.throughput -0.1%"), "{}", same.out);

    let slower = compare(&steady, &report(&SLOWER), &[]);
    assert_eq!(slower.code, Some(4), "{slower:?}");
    assert!(slower.out.contains("regressed: mixed.throughput -9.1%"), "{}", slower.out);
    assert!(slower.err.contains("B regressed"), "{}", slower.err);

    let faster = compare(&report(&SLOWER), &steady, &["--strict"]);
    assert_eq!(faster.code, Some(0), "{faster:?}");
    assert!(faster.out.contains("improved: mixed.throughput +10.0%"), "{}", faster.out);

    let unclear = compare(&steady, &report(&NOISY), &[]);
    assert_eq!(unclear.code, Some(0), "{unclear:?}");
    assert!(unclear.out.contains("inconclusive: mixed.throughput"), "{}", unclear.out);
    assert!(unclear.out.contains("% is too wide: run more repeats"), "{}", unclear.out);
    assert_eq!(compare(&steady, &report(&NOISY), &["--strict"]).code, Some(5));

    // With a delta of a fifth, a tenth is nothing.
    assert_eq!(compare(&steady, &report(&SLOWER), &["--delta", "20%"]).code, Some(0));
}

#[test]
fn three_and_three_repeats_are_too_few_and_it_says_how_many_are_not() {
    let answer = compare(&report(&STEADY[..3]), &report(&SLOWER[..3]), &[]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    let why = "inconclusive: mixed.throughput -9.1%; 3+3 repeats have no 95% interval: run 4 or \
               more on each side";
    assert!(answer.out.contains(why), "{}", answer.out);
    let strict = compare(&report(&STEADY[..3]), &report(&SLOWER[..3]), &["--strict"]);
    assert_eq!(strict.code, Some(5), "{strict:?}");
}

#[test]
fn different_work_is_not_comparable_and_says_what_differs() {
    let a = report(&STEADY);
    let mut b = report(&SLOWER);
    b.workload.effective.run.threads = 4;
    b.workload.effective.run.repeat = 9;
    let answer = compare(&a, &b, &[]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    assert!(answer.err.contains("not comparable: run.threads: 2 in A, 4 in B"), "{answer:?}");
    assert!(!answer.out.contains("regressed"), "{}", answer.out);

    let mut b = report(&SLOWER);
    b.ops_digest = "0123456789abcdef".to_owned();
    let answer = compare(&a, &b, &[]);
    assert_eq!(answer.code, Some(7), "{answer:?}");
    let reason = "the operations differ (digest f381e3f22b43 in A, 0123456789ab in B)";
    assert!(answer.err.contains(reason), "{answer:?}");

    let mut b = report(&SLOWER);
    b.build.profile = "debug".to_owned();
    assert_eq!(compare(&a, &b, &[]).code, Some(7));
}

#[test]
fn different_machines_give_ratios_and_never_a_verdict() {
    let mut b = report(&SLOWER);
    b.machine.id = "feedbeef".to_owned();
    let answer = compare(&report(&STEADY), &b, &[]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(answer.out.contains("indicative: mixed.throughput -9.1%"), "{}", answer.out);
    assert!(answer.out.contains("different machines (087d946c, feedbeef)"), "{}", answer.out);
    for word in ["regressed", "improved", "same", "interval"] {
        assert!(!answer.out.contains(word), "{word}: {}", answer.out);
    }
}

#[test]
fn json_and_markdown_say_the_same_as_the_table() {
    let (a, b) = (report(&STEADY), report(&SLOWER));
    let json = compare(&a, &b, &["--json"]);
    assert_eq!(json.code, Some(4));
    let value: Value = serde_json::from_str(&json.out).unwrap();
    let rows = value["comparisons"][0]["rows"].as_array().unwrap();
    let primary = rows.iter().find(|row| row["primary"] == true).unwrap();
    assert_eq!(primary["verdict"], "regressed");
    assert_eq!(primary["figure"]["phase"], "mixed");
    assert!((primary["ratio"].as_f64().unwrap() - 1.0 / 1.1).abs() < 0.005);
    assert_eq!(value["comparisons"][0]["standing"]["kind"], "judged");
    let markdown = compare(&a, &b, &["--markdown"]);
    assert!(markdown.out.starts_with("## smoke on store\n"), "{}", markdown.out);
    assert!(markdown.out.contains("| * mixed.throughput |"), "{}", markdown.out);
}

#[test]
fn the_metric_decides_and_a_mistyped_one_is_refused_with_those_there_are() {
    let (a, b) = (report(&STEADY), report(&SLOWER));
    let answer = compare(&a, &b, &["--metric", "blocks.get.p50", "--strict"]);
    assert!(answer.out.contains("blocks.get.p50 +0.0%"), "{}", answer.out);
    let answer = compare(&a, &b, &["--metric", "blocks.get.p51"]);
    assert_eq!(answer.code, Some(2), "{answer:?}");
    assert!(answer.err.contains("there is no figure `blocks.get.p51`"), "{}", answer.err);
    assert!(answer.err.contains("`mixed.put.p95`"), "{}", answer.err);
    assert_eq!(compare(&a, &b, &["--delta", "3"]).code, Some(2));
}

#[test]
fn folders_are_paired_by_workload_case_and_target() {
    let mut other = report(&STEADY);
    other.target = "scc".to_owned();
    let mut later = report(&SLOWER);
    later.started = "2030-01-01T00:00:00Z".to_owned();
    let mut quick = report(&NOISY);
    quick.started = "2031-01-01T00:00:00Z".to_owned();
    quick.workload.quick = true;
    let folder = Folder::new()
        .with("a/smoke/store/1.json", &report(&STEADY))
        .with("a/smoke/scc/1.json", &other)
        .with("b/smoke/store/1.json", &report(&STEADY))
        .with("b/smoke/store/2.json", &later)
        .with("b/smoke/store/3.json", &quick);
    let answer = folder.run(&["compare", "a", "b"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.out.contains("b/smoke/store/2.json"), "the latest full one: {}", answer.out);
    assert!(answer.out.contains("only A has smoke on scc"), "{}", answer.out);
    let nothing = folder.run(&["compare", "a/smoke/scc", "b"]);
    assert_eq!(nothing.code, Some(7), "{nothing:?}");
    assert!(nothing.err.contains("no workload, case and target in common"), "{}", nothing.err);
}

#[test]
fn a_revision_means_the_results_committed_at_it() {
    let folder = Folder::new().with("results/smoke/store/1.json", &report(&STEADY));
    folder.git(&["init", "-q"]);
    folder.git(&["add", "."]);
    folder.git(&["commit", "-qm", "first"]);
    folder.git(&["tag", "old"]);
    let mut later = report(&SLOWER);
    later.started = "2030-01-01T00:00:00Z".to_owned();
    let folder = folder.with("results/smoke/store/2.json", &later);
    folder.git(&["add", "."]);
    folder.git(&["commit", "-qm", "second"]);
    let answer = folder.run(&["compare", "old", "HEAD"]);
    assert_eq!(answer.code, Some(4), "{answer:?}");
    assert!(answer.out.contains("HEAD:results/smoke/store/2.json"), "{}", answer.out);
    // What is in the folder does not matter, and nothing in it was changed.
    fs::remove_dir_all(folder.0.path().join("results")).unwrap();
    assert_eq!(folder.run(&["compare", "old", "HEAD"]).code, Some(4));
    assert!(!Path::new(&folder.0.path().join("results")).exists());
    let again = folder.run(&["compare", "old", "old"]);
    assert!(again.out.contains("both sides are the same report"), "{}", again.out);

    let unknown = folder.run(&["compare", "old", "nothing"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("nothing: there is no such file, folder or revision"));
    folder.git(&["rm", "-rq", "--cached", "results"]);
    folder.git(&["commit", "-qm", "third", "--allow-empty"]);
    let empty = folder.run(&["compare", "old", "HEAD"]);
    assert_eq!(empty.code, Some(1), "{empty:?}");
    assert!(empty.err.contains("HEAD: there are no reports"), "{}", empty.err);
}
