//! Reports stay readable for ever: what is committed, what an old harness wrote, and what is
//! refused and how.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::report::histogram::latencies;
use harness::report::load::{self, Loaded};
use harness::report::{Encoded, Report};
use serde_json::{Value, json};

/// Written by the first harness that committed reports. Never to be written anew.
const OLD: &str = include_str!("reports/v1-smoke.json");
const SCHEMA: &str = include_str!("../schema/report.schema.json");
const CAPACITY_SCHEMA: &str = include_str!("../schema/capacity.schema.json");

fn schema() -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

fn old() -> Value {
    serde_json::from_str(OLD).unwrap()
}

fn reports_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            reports_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

#[test]
fn every_committed_report_is_read_and_is_what_the_schema_describes() {
    let mut paths = Vec::new();
    reports_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../results"), &mut paths);
    assert!(paths.len() > 10, "{paths:?}");
    let schema = schema();
    let of_capacity = serde_json::from_str(CAPACITY_SCHEMA).unwrap();
    let of_capacity = jsonschema::validator_for(&of_capacity).unwrap();
    for path in paths {
        let schema = match load::read_any(&path).unwrap() {
            Loaded::Run(_) => &schema,
            Loaded::Capacity(_) => &of_capacity,
        };
        let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let complaints: Vec<String> =
            schema.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
    }
}

#[test]
fn what_this_harness_writes_is_what_the_schema_describes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.toml"), include_str!("tiny.toml")).unwrap();
    let answer = Command::new(env!("CARGO_BIN_EXE_harness"))
        .args(["bench", "w.toml", "--out", "r", "--repeat", "1"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(answer.status.success(), "{answer:?}");
    let mut paths = Vec::new();
    reports_below(&folder.path().join("r"), &mut paths);
    assert_eq!(paths.len(), 2);
    for path in paths {
        let value: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        schema().validate(&value).unwrap();
        let series = &value["repeats"][0]["phases"][1]["series"];
        let len = |name: &str| series[name].as_array().map(Vec::len);
        assert!(len("ops") > Some(0) && len("p999_ns") == len("ops"), "{series}");
    }
}

#[test]
fn an_old_report_is_still_read_shown_and_compared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports/v1-smoke.json");
    let path = path.to_str().unwrap();
    for (arguments, expected) in [
        (&["show", path][..], "smoke on store"),
        (&["show", "--markdown", path], "| mixed | service | delete | 5.27M/s<br>"),
        (&["compare", path, path], "both sides are the same report"),
    ] {
        let program = env!("CARGO_BIN_EXE_harness");
        let answer = Command::new(program).args(arguments).output().unwrap();
        let out = String::from_utf8(answer.stdout).unwrap();
        assert!(answer.status.success() && out.contains(expected), "{arguments:?}: {out}");
    }
}

/// Every place in a report, list elements of one list being one place.
fn places(value: &Value, at: &str, found: &mut BTreeSet<String>, pointers: &mut Vec<String>) {
    let mut visit = |key: &str, inner: &Value| {
        let pointer = format!("{at}/{key}");
        let is_number = |part: &&str| part.parse::<usize>().is_err();
        let place: Vec<&str> = pointer.split('/').filter(is_number).collect();
        if found.insert(place.join("/")) {
            pointers.push(pointer.clone());
        }
        places(inner, &pointer, found, pointers);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| visit(key, inner)),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| visit(&n.to_string(), v)),
        _ => {}
    }
}

fn remove(value: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap() {
        Value::Object(map) => drop(map.remove(key)),
        Value::Array(list) => drop(list.remove(key.parse().unwrap())),
        _ => unreachable!("a pointer leads through objects and lists"),
    }
}

#[test]
fn the_schema_refuses_what_the_reader_refuses_and_nothing_else() {
    let (schema, mut old) = (schema(), old());
    // What later harnesses of the same schema added.
    old["repeats"][0]["phases"][0]["series"]["p999_ns"] = json!([7, null]);
    let mut pointers = Vec::new();
    places(&old, "", &mut BTreeSet::new(), &mut pointers);
    // The effective form grows with every workload key; the schema names its outermost keys only,
    // and does not tell what each warning says.
    let deep = |pointer: &String| {
        let parts = pointer.split('/').count();
        pointer.starts_with("/workload/effective/") && parts > 4
            || pointer.starts_with("/warnings/0/")
    };
    pointers.retain(|pointer| !deep(pointer));
    assert!(pointers.len() > 100, "{pointers:?}");
    let (mut refused, mut accepted) = (0, 0);
    for pointer in &pointers {
        let mut removed = old.clone();
        remove(&mut removed, pointer);
        let mut cases = vec![removed];
        for other in [json!(null), json!(-7), json!("word"), json!(true)] {
            let mut changed = old.clone();
            *changed.pointer_mut(pointer).unwrap() = other;
            cases.push(changed);
        }
        for (number, case) in cases.iter().enumerate() {
            let read = load::parse("r.json", &case.to_string());
            // A set of figures that contradict each other is none of a schema's business, nor is
            // whether a word is one that this version knows.
            let told = read.as_ref().err().is_some_and(|error| {
                error.contains("samples;") || error.contains("unknown variant")
            });
            assert!(
                told || read.is_ok() == schema.is_valid(case),
                "{pointer}, change {number}: reader {:?}, schema {:?}",
                read.map(|_| ()),
                schema.validate(case).map_err(|error| error.to_string())
            );
            if read.is_ok() { accepted += 1 } else { refused += 1 }
        }
    }
    assert!(refused > 300 && accepted > 100, "{refused} refused, {accepted} accepted");
}

#[test]
fn a_field_of_a_newer_harness_disturbs_neither_reader_nor_schema() {
    let mut value = old();
    value["merged"][0]["new_figure"] = json!({"median": 1});
    value["workload"]["effective"]["run"]["new_setting"] = json!(7);
    schema().validate(&value).unwrap();
    load::parse("r.json", &value.to_string()).unwrap();
}

fn complaint(text: &str) -> String {
    load::parse("r.json", text).unwrap_err()
}

#[test]
fn what_is_not_a_whole_report_is_refused_by_name_and_with_a_remedy() {
    let text = OLD.trim_end();
    for length in [0, 1, 11, 40, text.len() / 2, text.len() - 1] {
        let error = complaint(&text[..length]);
        assert!(error.starts_with("r.json: this is not a report: "), "{length}: {error}");
    }
    assert!(complaint("[1, 2]").starts_with("r.json: this is not a report: "));
    assert!(
        complaint("{\"name\": \"x\"}").contains("this is not a report: missing field `schema`")
    );
    let foreign = complaint("{\"schema\": 1, \"name\": \"x\"}");
    assert!(foreign.starts_with("r.json: a damaged report: missing field `started`"), "{foreign}");
    let mut newer = old();
    newer["schema"] = json!(2);
    newer["repeats"] = json!("in a form of its own");
    assert_eq!(
        complaint(&newer.to_string()),
        "r.json: schema 2; this harness reads schema 1; use the harness that wrote it, or a newer \
         one"
    );
}

#[test]
fn a_damaged_histogram_is_found_when_the_report_is_read() {
    let whole: Report = serde_json::from_str(OLD).unwrap();
    let text = |report: &Report| serde_json::to_string(report).unwrap();
    let place = "r.json: a damaged report: repeat 2, phase `mixed`, histogram of get: ";

    let mut cut = serde_json::to_value(&whole).unwrap();
    let latency = &mut cut["repeats"][1]["phases"][2]["verbs"]["get"]["latency"];
    let half = latency.as_str().unwrap().split_at(400).0.to_owned();
    *latency = json!(half);
    let error = complaint(&cut.to_string());
    assert!(error.starts_with(&format!("{place}a histogram that is cut short;")), "{error}");

    let mut other = whole.clone();
    let histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).unwrap();
    other.repeats[1].phases[2].verbs.get_mut("get").unwrap().latency = Encoded::new(&histogram);
    let error = complaint(&text(&other));
    assert!(error.starts_with(&format!("{place}its range is 1 to 1000000 ns")), "{error}");
    assert!(error.ends_with("restore it from git, or run it again"), "{error}");

    let mut empty = whole.clone();
    empty.merged[2].verbs.get_mut("get").unwrap().latency = Encoded::new(&latencies());
    let error = complaint(&text(&empty));
    assert!(error.contains("phase `mixed`, histogram of get: 0 of "), "{error}");

    let mut none = whole;
    none.repeats.clear();
    assert!(complaint(&text(&none)).contains("a damaged report: it has no repeats"));
}
