//! `capacity` as a user meets it: the answer, its report, exit codes, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use bench::Bench;
use harness::report::capacity::Capacity;
use harness::report::load::{self, Loaded};

const WORKLOAD: &str = r#"# How much does it take?
schema = 1
name = "limits"
seed = 7
[run]
threads = 2
[keyspace.users]
keys = 2_000
key = { kind = "u64" }
value = { kind = "u64" }
prefill = {}
[[phase]]
name = "warm"
ops = 500
commands = [{ verb = "get", keyspace = "users", weight = 1, keys = { dist = "uniform" } }]
[[phase]]
name = "mixed"
ops = 20_000
commands = [
  { verb = "get", keyspace = "users", weight = 9, keys = { dist = "zipf", s = 0.99 } },
  { verb = "delete", keyspace = "users", weight = 1, keys = { dist = "uniform" } },
]
[phase.slo]
get = ["p(50) < 10s"]
wrong = ["count == 0"]
"#;

/// A search of a few seconds, in which all holds, if not at first try on a busy machine.
const SHORT: [&str; 6] = ["--seconds", "0.5", "--from", "100/s", "--to", "300/s"];

impl Bench {
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn search(&self, arguments: &[&str]) -> Output {
        self.run(&[&["capacity", "w.toml"], arguments].concat())
    }

    fn saved(&self, target: &str) -> PathBuf {
        let folder = self.folder.path().join("r/limits").join(target).join("capacity");
        fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn read(path: &std::path::Path) -> Capacity {
    match load::read_any(path).unwrap() {
        Loaded::Capacity(found) => *found,
        Loaded::Run(_) => panic!("not a capacity"),
    }
}

#[test]
fn targets_are_searched_side_by_side_and_each_is_reported() {
    let bench = Bench::new(WORKLOAD);
    let own = ["--target", "store,scc", "--repeat", "2", "--out", "r"];
    let answer = bench.search(&[&SHORT[..], &own].concat());
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let text = out(&answer);
    assert!(text.contains("Capacity of store under limits/mixed"), "{text}");
    assert!(text.contains("store: 300/s, the highest rate to be tried, holds"), "{text}");
    assert!(text.contains("scc: 300/s, the highest rate to be tried, holds"), "{text}");

    for target in ["store", "scc"] {
        let found = read(&bench.saved(target));
        assert_eq!((found.schema, found.target.as_str()), (1, target));
        assert_eq!(found.repeats.len(), 2);
        assert_eq!(found.objectives.len(), 1, "wrong answers are no matter of the rate");
        for search in &found.repeats {
            let asked: Vec<f64> =
                search.probes.iter().map(|probe| probe.asked_per_second).collect();
            let same = |a: f64, b: f64| (a - b).abs() < 1e-6;
            assert!(same(asked[0], 100.0) && asked.len() >= 4, "{asked:?}");
            let last = asked.iter().rev().take(2).all(|rate| same(*rate, 300.0));
            assert!(last, "the answer is confirmed: {asked:?}");
            assert!(search.is_settled && search.is_restored, "deleted keys are put back");
            assert!(search.fails_per_second.is_none() && search.limit.is_none());
            // What is put back is there to be found: nearly every get hits in each probe.
            for probe in &search.probes {
                let ratio = probe.counts.hit_ratio().unwrap();
                assert!(ratio > 0.9, "{ratio}: {probe:?}");
            }
        }
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../schema/capacity.schema.json")).unwrap();
        let value =
            serde_json::from_str(&fs::read_to_string(bench.saved(target)).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap().validate(&value).unwrap();
    }
}

/// Every verb that a search allows, in a phase that pauses, before one that inserts.
const WIDE: &str = r#"
schema = 1
name = "limits"
seed = 7
[run]
threads = 2
[keyspace.users]
keys = 2_000
key = { kind = "u64" }
value = { kind = "u64" }
prefill = { fraction = 0.5 }
[[phase]]
name = "mixed"
ops = 20_000
think = { dist = "fixed", mean = "50ms" }
commands = [
  { verb = "get", keyspace = "users", weight = 4, touch = { dist = "fixed", after = "300ms" }, keys = { dist = "uniform" } },
  { verb = "get_many", keyspace = "users", weight = 2, batch = { min = 1, max = 20 }, keys = { dist = "uniform" } },
  { verb = "read_modify_write", keyspace = "users", weight = 2, keys = { dist = "latest", s = 0.99 } },
]
[phase.slo]
get = ["p(50) < 10s"]
[[phase]]
name = "growth"
ops = 500
commands = [{ verb = "insert", keyspace = "users", weight = 1 }]
"#;

#[test]
fn a_phase_of_other_verbs_finds_its_keys_again_and_does_not_pause() {
    let long = ["--seconds", "0.5", "--from", "2k/s", "--to", "4k/s", "--json", "--no-write"];
    let answer = Bench::new(WIDE).search(&long);
    let found: Capacity = serde_json::from_str(out(&answer).trim()).unwrap();
    let search = &found.repeats[0];
    assert!(search.is_restored, "what gets gave a TTL is put back");
    assert_eq!(search.counts.false_answers(), 0, "{:?}", search.counts);
    assert!(search.probes.len() >= 2, "{search:?}");
    for probe in &search.probes {
        // A thread that paused would do 20 a second.
        assert!(probe.offered_per_second > 1_000.0, "{probe:?}");
        // Only the keys that are loaded are asked for, until the later phase has inserted others.
        let ratio = probe.counts.hit_ratio().unwrap();
        assert!(ratio > 0.6, "{ratio}: {probe:?}");
    }
}

#[test]
fn a_saved_capacity_is_shown_and_disturbs_no_reader_of_reports() {
    let bench = Bench::new(WORKLOAD);
    assert!(bench.search(&[&SHORT[..], &["--out", "r"]].concat()).status.success());
    let path = bench.saved("store");
    let file = path.to_str().unwrap();
    let shown = bench.run(&["show", file, "--markdown"]);
    assert!(out(&shown).contains("## Capacity of store under limits/mixed"), "{shown:?}");
    assert!(out(&shown).contains("| store | - | mixed | 300/s | - | - | - | "), "{shown:?}");
    let page = bench.run(&["html", file, "--out", "-"]);
    assert!(page.status.success(), "{page:?}");
    assert!(err(&page).contains("Capacity of store under limits/mixed"), "{page:?}");
    let compared = bench.run(&["compare", file, file]);
    assert_eq!(compared.status.code(), Some(1), "{compared:?}");
    assert!(err(&compared).contains("the report of a capacity, not of a run"), "{compared:?}");

    // Beside reports of runs it is in nobody's way.
    assert!(bench.run(&["bench", "w.toml", "--out", "r"]).status.success());
    assert!(bench.run(&["index", "r"]).status.success());
    assert!(bench.run(&["html", "r", "--out", "page.html"]).status.success());
    let compared = bench.run(&["compare", "r", "r"]);
    assert!(compared.status.success(), "{compared:?}");

    // As JSON it is what was saved.
    let json = bench.search(&[&SHORT[..], &["--no-write", "--json"]].concat());
    let found: Capacity = serde_json::from_str(out(&json).trim()).unwrap();
    assert_eq!((found.kind.as_str(), found.phase.as_str()), ("capacity", "mixed"));
}

#[test]
fn what_is_damaged_newer_or_of_another_kind_is_refused_by_name() {
    let bench = Bench::new(WORKLOAD);
    assert!(bench.search(&[&SHORT[..], &["--out", "r"]].concat()).status.success());
    let whole: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bench.saved("store")).unwrap()).unwrap();
    for (key, value, complaint) in [
        ("schema", serde_json::json!(2), "c.json: schema 2; this harness reads schema 1; use the"),
        ("kind", serde_json::json!("soak"), "c.json: a report of the kind `soak`, which this"),
        ("phase", serde_json::json!(7), "c.json: a damaged report: invalid type: integer `7`"),
        ("repeats", serde_json::json!([]), "c.json: a damaged report: it has no repeats"),
    ] {
        let mut changed = whole.clone();
        changed[key] = value;
        let error = load::parse_any("c.json", &changed.to_string()).unwrap_err();
        assert!(error.starts_with(complaint), "{error}");
    }
}

#[test]
fn a_rate_that_cannot_hold_is_exit_code_3() {
    let bench = Bench::new(&WORKLOAD.replace("p(50) < 10s", "p(50) < 1ns"));
    let answer = bench.search(&[&SHORT[..], &["--no-write"]].concat());
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    assert!(out(&answer).contains("store: not even 100/s holds"), "{answer:?}");
    assert!(out(&answer).contains("MISSED get p(50) < 1ns"), "{answer:?}");
}

#[test]
fn a_rate_that_is_not_reached_does_not_hold_though_the_objectives_are_met() {
    let bench = Bench::new(WORKLOAD);
    let out_of_reach = ["--from", "30M/s", "--seconds", "0.1", "--json", "--no-write"];
    let answer = bench.search(&out_of_reach);
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    let found: Capacity = serde_json::from_str(out(&answer).trim()).unwrap();
    let probes = &found.repeats[0].probes;
    assert_eq!(probes.len(), 2, "the lowest rate is tried twice");
    for probe in probes {
        assert!(!probe.holds && probe.limit.is_some(), "{probe:?}");
        let met = |verdict: &harness::report::Verdict| {
            verdict.outcome == harness::report::verdict::Outcome::Met
        };
        assert!(probe.verdicts.iter().all(met), "{probe:?}");
    }
}

#[test]
fn what_cannot_be_searched_is_refused_with_a_remedy() {
    let cliff = "ttl = { dist = \"cliff\", at = \"9s\" }\nprefill = {}";
    for (workload, arguments, complaint) in [
        (
            WORKLOAD.to_owned(),
            &["--phase", "other"][..],
            "error: w.toml: there is no phase `other`; known here: warm, mixed",
        ),
        (
            WORKLOAD.to_owned(),
            &["--phase", "warm"],
            "error: w.toml: phase `warm` has no objective about times; add e.g. --set \
             'phase.warm.slo.get=[\"p(99) < 1ms\"]'",
        ),
        (
            WORKLOAD.replace("get = [\"p(50) < 10s\"]\n", ""),
            &[],
            "error: w.toml: no phase has an objective about times; add e.g. --set \
             'phase.warm.slo.get=[\"p(99) < 1ms\"]'",
        ),
        (
            WORKLOAD.to_owned(),
            &["--from", "9k/s", "--to", "8k/s"],
            "error: --to: 8.00k/s is not above the lowest rate, 9.00k/s; raise it, or lower --from",
        ),
        (
            WORKLOAD.replace("p(50)", "p(99.9)"),
            &["--seconds", "1", "--from", "1k/s"],
            "error: --from: 1.00k/s gives too few samples in 1 s to tell the objectives of \
             `mixed`; write 22.2k/s or more, or raise --seconds",
        ),
        (
            WORKLOAD.replace("prefill = {}", cliff),
            &[],
            "error: w.toml: its TTLs end in one instant",
        ),
        (
            WORKLOAD
                .replace("prefill = {}", "prefill = { fraction = 0.01 }")
                .replace("ops = 20_000", "ops = 1_000")
                .replace("\"delete\"", "\"insert\"")
                .replace("weight = 1, keys = { dist = \"uniform\" } },\n]", "weight = 1 },\n]"),
            &[],
            "error: w.toml: phase `mixed` inserts new keys, which end, and a rate is tried for a \
             time; search another phase, or write put instead of insert",
        ),
        (WORKLOAD.to_owned(), &["--seconds", "0"], "error: invalid value '0' for '--seconds <N>'"),
    ] {
        let answer = Bench::new(&workload).search(arguments);
        assert_eq!(answer.status.code(), Some(2), "{arguments:?}: {answer:?}");
        assert!(err(&answer).starts_with(complaint), "{arguments:?}: {}", err(&answer));
    }
}
