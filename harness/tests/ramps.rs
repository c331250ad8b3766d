//! Ramps of the rate as a user meets them: a row for each step, judged on its own.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod bench;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use bench::Bench;
use harness::report::{Report, load};

/// Four steps, of which a step that asks for more than any machine gives can be made.
const RAMP: &str = r#"# How far does it go?
schema = 1
name = "ramp"
seed = 7
[run]
repeat = 2
[keyspace.users]
keys = 1_000
key = { kind = "u64" }
value = { kind = "u64" }
prefill = {}
[[phase]]
name = "up"
arrival = { process = "poisson", ramp = { from = "1k/s", to = "4k/s", steps = 4, each = "250ms" } }
commands = [{ verb = "get", keyspace = "users", weight = 1, keys = { dist = "uniform" } }]
[phase.slo]
get = ["p(50) < 10s"]
wrong = ["count == 0"]
"#;

impl Bench {
    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn report(&self) -> (PathBuf, Report) {
        let folder = self.folder.path().join("r/ramp/store");
        let path = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        let report = load::read(&path).unwrap();
        (path, report)
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn each_step_has_its_row_its_rate_and_its_verdict() {
    let bench = Bench::new(RAMP);
    let answer = bench.run(&["bench", "w.toml", "--out", "r"]);
    assert_eq!(answer.status.code(), Some(0), "{answer:?}");
    let (path, report) = bench.report();
    assert_eq!(report.schema, 1, "an older reader misreads nothing");
    let steps = &report.merged.iter().find(|phase| phase.name == "up").unwrap().steps;
    assert_eq!(steps.len(), 4);
    for (step, asked) in steps.iter().zip([1_000.0, 2_000.0, 3_000.0, 4_000.0]) {
        assert!((step.asked_per_second - asked).abs() < 1e-6, "{}", step.asked_per_second);
        // Arrivals depend on the seed alone: a quarter of a second of them, give or take chance.
        let offered = step.offered.median;
        assert!((offered - asked).abs() < 0.25 * asked, "{offered} of {asked}");
        assert_eq!(step.verdicts.len(), 1, "wrong answers are counted over the whole ramp");
        let gets = step.verbs["get"].ops;
        assert_eq!(step.verbs["get"].quantiles.samples, gets, "every operation is timed");
    }
    // What was due is accounted for to the last operation.
    for repeat in &report.repeats {
        let phase = repeat.phases.iter().find(|phase| phase.name == "up").unwrap();
        let due: u64 = phase.steps.iter().map(|step| step.due).sum();
        assert_eq!(due, phase.ops + phase.counts.unissued);
        let answered: u64 = phase.steps.iter().map(|step| step.answered).sum();
        assert!(answered <= phase.ops && answered > 0);
    }
    assert_eq!(report.verdicts.len(), 2, "of the ramp as a whole: {:?}", report.verdicts);

    let file = path.to_str().unwrap();
    for (arguments, row) in [
        (&["show", file][..], "1.00k/s"),
        (&["show", "--markdown", file], "| up | get | 4.00k/s | "),
        (&["compare", file, file], "both sides are the same report"),
        (&["html", file, "--out", "-"], "<!DOCTYPE html>"),
    ] {
        let shown = bench.run(arguments);
        let out = text(&shown);
        assert!(shown.status.success() && out.contains(row), "{arguments:?}: {out}");
    }
    assert!(text(&answer).contains("of 1.00k/s..4.00k/s asked"), "{}", text(&answer));
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../schema/report.schema.json")).unwrap();
    let value = serde_json::from_str(&fs::read_to_string(Path::new(file)).unwrap()).unwrap();
    jsonschema::validator_for(&schema).unwrap().validate(&value).unwrap();
}

#[test]
fn a_step_that_is_not_reached_says_who_was_the_limit_and_misses_the_objective() {
    let steep = RAMP.replace("to = \"4k/s\", steps = 4", "to = \"30M/s\", steps = 2");
    let bench = Bench::new(&steep.replace("p(50) < 10s", "p(50) < 1ms"));
    let answer = bench.run(&["bench", "w.toml", "--out", "r", "--repeat", "1"]);
    assert_eq!(answer.status.code(), Some(3), "{answer:?}");
    let (_, report) = bench.report();
    let steps = &report.merged.iter().find(|phase| phase.name == "up").unwrap().steps;
    assert!(steps[1].limit.is_some() && steps[1].unissued > 0, "{:?}", steps[1].limit);
    assert!(steps[1].achieved.median < 0.5 * steps[1].offered.median);
    let out = text(&answer);
    assert!(out.contains("MISSED get p(50) < 1ms"), "{out}");
    assert!(out.contains("slo MISSED up: get p(50) < 1ms, measured "), "{out}");
}
