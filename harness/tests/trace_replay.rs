//! `harness trace`: what is recorded is replayed as it was, judged, and reported.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod answer;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use answer::Answer;
use harness::replay::{self, Silent};
use harness::report::{self, Repeat, Report};
use harness::trace::play::{self, Plan, Source, Survey};
use harness::trace::{Options, Overflow, Recorded, Recorder};
use harness::workload::model::{Arrival, KeyKind, TtlDist, ValueKind, Verb};
use harness::workload::stream::{self, Script};
use harness::workload::{Overrides, Workload, load};
use store::{Store, Ttl};

/// Gets that hit and miss, puts, deletes, and keys that come back; nothing that time decides.
const TIMELESS: &str = r#"# What is recorded?
schema = 1
name = "timeless"
seed = 3
[run]
threads = 1
[keyspace.a]
keys = 3_000
key = { kind = "uuid" }
value = { sizes = [[20, 5], [100, 3], [700, 1]] }
prefill = { fraction = 0.5 }
[[phase]]
name = "mixed"
ops = 40_000
commands = [
  { verb = "get", keyspace = "a", weight = 70, keys = { dist = "zipf", s = 0.9 }, miss = 0.02 },
  { verb = "put", keyspace = "a", weight = 20, keys = { dist = "uniform" } },
  { verb = "delete", keyspace = "a", weight = 10, keys = { dist = "uniform" } },
]
"#;

fn workload(text: &str) -> Workload {
    let source = harness::workload::Source { label: "w.toml".into(), text: text.into() };
    load(&source, &Overrides::default()).unwrap().remove(0).workload
}

fn source(path: &Path) -> Source {
    Source { path: path.to_owned(), keep_torn: false }
}

fn plan(threads: usize, speed: Option<f64>) -> Plan {
    Plan { name: "trace_t".to_owned(), threads, repeat: 1, speed, max_entries: None }
}

/// What of each operation must come again: the key by when it first came, the verb, the length.
fn told(scripts: &[Script], workload: &Workload) -> Vec<(usize, Verb, Option<u32>)> {
    let mut keys = HashMap::new();
    let mut all = Vec::new();
    for script in scripts {
        for op in script.streams.iter().flat_map(|stream| &stream.ops) {
            let next = keys.len();
            let key = *keys.entry(op.key()).or_insert(next);
            let command = &script.phase.commands[op.command()];
            let ValueKind::Bytes { sizes } = &workload.keyspaces[0].value else { panic!("bytes") };
            let len = command.verb.writes().then(|| sizes[op.size()].0);
            all.push((key, command.verb, len));
        }
    }
    all
}

/// Gets that hit, gets that missed, and operations by verb, over all phases.
fn answers(repeat: &Repeat) -> (u64, u64, u64, HashMap<String, u64>) {
    let (mut hit, mut miss, mut wrong, mut verbs) = (0, 0, 0, HashMap::new());
    for phase in &repeat.phases {
        hit += phase.counts.hit;
        miss += phase.counts.miss;
        wrong += phase.counts.false_answers();
        for (verb, record) in &phase.verbs {
            *verbs.entry(verb.clone()).or_default() += record.ops;
        }
    }
    (hit, miss, wrong, verbs)
}

#[test]
fn a_replay_on_one_thread_does_the_same_and_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.trace");
    let original = workload(TIMELESS);
    let file = path.to_str().unwrap();
    let recorded = replay::record(&original, file, Overflow::Block, &mut Silent).unwrap();
    let survey = Survey::new(&source(&path)).unwrap();
    assert_eq!(survey.notes(), Vec::<String>::new(), "nothing is left out");
    let again = play::workload(&survey, &plan(1, None));
    assert_eq!(again.keyspaces[0].key, KeyKind::Text { len: 36, prefix: String::new() });
    let scripts = play::scripts(&source(&path), &again).unwrap();
    let expected = told(&stream::scripts(&original), &original);
    assert_eq!(expected.len(), 41_500);
    assert!(told(&scripts, &again) == expected, "the same operations in the same order");

    let store = "store".parse().unwrap();
    let repeat = replay::run(&again, Some(&source(&path)), &store, &mut Silent).unwrap();
    assert_eq!(answers(&repeat), answers(&recorded));
    let (hit, miss, wrong, _) = answers(&repeat);
    assert!(hit > 5_000 && miss > 1_000 && wrong == 0, "{hit} hits, {miss} misses, {wrong} wrong");
}

/// A trace of a store that was in use already, with TTLs of all sizes.
fn trace_of_a_store_in_use(path: &Path) {
    let store = Store::<String, Vec<u8>>::new();
    (0..50).for_each(|key| drop(store.put(format!("old-{key}"), vec![0; 30])));
    let recorder = Recorder::create(path, Options::default()).unwrap();
    let store = Recorded::new(store, recorder.clone());
    (0..80).for_each(|key| drop(store.get(&format!("old-{key}"))));
    for exponent in 0..11 {
        for key in 0..20u64 {
            let ttl = Duration::from_millis(3 * 8u64.pow(exponent) + key);
            store.put_with_ttl(format!("{exponent}-{key}"), vec![0; 40], ttl.into()).unwrap();
        }
    }
    store.expire("old-1", Ttl::After(Duration::from_secs(77))).unwrap();
    store.persist("old-1");
    store.put_with_ttl("old-1".to_owned(), vec![0; 3], Ttl::Keep).unwrap();
    assert!(store.contains("old-1"));
    recorder.finish().unwrap();
}

#[test]
fn keys_that_were_there_are_loaded_and_ttls_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.trace");
    trace_of_a_store_in_use(&path);
    let survey = Survey::new(&source(&path)).unwrap();
    let notes = survey.notes().join("\n");
    for note in [
        "50 keys were there before: they are loaded, without TTLs",
        "1 calls of contains and update are replayed as gets",
        "1 calls that took TTLs away are left out",
        "1 writes that kept the TTL of the value before give none",
        "values are 16 bytes at least, to carry their check",
    ] {
        assert!(notes.contains(note), "no `{note}` in {notes}");
    }
    let workload = play::workload(&survey, &plan(3, Some(2.0)));
    assert_eq!(workload.loaded_count(), 50);
    let scripts = play::scripts(&source(&path), &workload).unwrap();
    let loaded: u64 = scripts[0].streams.iter().map(|stream| stream.ops.len() as u64).sum();
    assert_eq!(loaded, 50);
    let script = &scripts[1];
    let mut ttls_ns = Vec::new();
    for stream in &script.streams {
        assert_eq!(stream.due_ns.len(), stream.ops.len());
        assert!(stream.due_ns.is_sorted());
        for op in &stream.ops {
            let command = &script.phase.commands[op.command()];
            assert_eq!(command.ttl.is_some(), op.has_ttl());
            if let (Verb::Put, Some(ttl)) = (command.verb, &command.ttl) {
                assert!(!matches!(ttl.dist, TtlDist::Cliff { .. }));
                ttls_ns.push(op.ttl_ns(ttl.dist));
            }
        }
    }
    ttls_ns.sort_unstable();
    let expected = (0..11).flat_map(|exponent| (0..20).map(move |key| (exponent, key)));
    let expected: Vec<u64> =
        expected.map(|(exponent, key)| (3 * 8u64.pow(exponent) + key) * 1_000_000).collect();
    assert_eq!(ttls_ns.len(), expected.len());
    let mut expected = expected;
    expected.sort_unstable();
    for (found, expected) in ttls_ns.iter().zip(&expected) {
        assert!(found.abs_diff(*expected) * 10_000 <= *expected, "{found} for {expected}");
    }
    // What is paced twice as fast is over in half the time.
    let last = script.streams.iter().filter_map(|stream| stream.due_ns.last()).max().unwrap();
    assert!((survey.span_ns() / 2).abs_diff(*last) <= 1, "{last} of {}", survey.span_ns());
    assert_eq!(script.phase.arrival, Arrival::Recorded { speed: 2.0 });
}

#[test]
fn each_key_keeps_its_order_on_one_thread_however_many_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.trace");
    let text = TIMELESS.replace("threads = 1", "threads = 3");
    let file = path.to_str().unwrap();
    replay::record(&workload(&text), file, Overflow::Block, &mut Silent).unwrap();
    let survey = Survey::new(&source(&path)).unwrap();
    let by_key = |threads| {
        let workload = play::workload(&survey, &plan(threads, None));
        let scripts = play::scripts(&source(&path), &workload).unwrap();
        let script = scripts.last().unwrap();
        let mut keys: HashMap<u32, (usize, Vec<usize>)> = HashMap::new();
        for (thread, stream) in script.streams.iter().enumerate() {
            for op in &stream.ops {
                let (owner, ops) = keys.entry(op.key()).or_insert((thread, Vec::new()));
                assert_eq!(*owner, thread, "one thread a key");
                ops.push(op.command());
            }
        }
        assert_eq!(script.streams.len(), threads);
        assert!(script.streams.iter().all(|stream| stream.ops.len() > 1_000), "all have work");
        keys.into_iter().map(|(key, (_, ops))| (key, ops)).collect::<HashMap<_, _>>()
    };
    assert!(by_key(1) == by_key(4), "the same calls on each key in the same order");
}

fn harness(folder: &Path, arguments: &[&str]) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    Answer::of(command.args(arguments).current_dir(folder))
}

fn reports(folder: &Path, target: &str) -> Vec<(PathBuf, Report)> {
    let folder = folder.join(target);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), report::load::read(&path).unwrap())).collect()
}

/// A folder with `w.trace` in it.
fn folder_with_trace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = TIMELESS.replace("40_000", "8_000").replace("threads = 1", "threads = 2");
    fs::write(folder.path().join("w.toml"), text).unwrap();
    let recorded = harness(folder.path(), &["trace", "record", "w.toml", "--out", "w.trace"]);
    assert_eq!(recorded.code, Some(0), "{}", recorded.err);
    assert!(recorded.err.contains("wrote w.trace: 9_500 calls, "), "{}", recorded.err);
    folder
}

#[test]
fn a_replay_gives_reports_of_two_targets_that_can_be_compared() {
    let folder = folder_with_trace();
    let replay = |extra: &[&str]| {
        let arguments = ["trace", "replay", "w.trace", "--repeat", "2", "--target", "store,scc"];
        let answer = harness(folder.path(), &[&arguments[..], extra].concat());
        assert_eq!(answer.code, Some(0), "{}", answer.err);
    };
    replay(&["--pace", "closed", "--out", "closed"]);
    replay(&["--speed", "20", "--out", "paced"]);
    let read = |out: &str, target: &str| {
        let mut found = reports(&folder.path().join(out).join("trace_w"), target);
        assert_eq!(found.len(), 1);
        found.remove(0)
    };
    let (closed, paced) = (read("closed", "store"), read("paced", "store"));
    let other = read("closed", "scc");
    assert_eq!(closed.1.ops_digest, other.1.ops_digest);
    assert_ne!(closed.1.ops_digest, paced.1.ops_digest);
    assert_eq!(closed.1.repeats.len(), 2);
    // Before it a key may be loaded: one that a thread put and another found, whose get began first.
    let replayed = |report: &Report| {
        let mut merged = report.merged.iter();
        merged.find(|phase| phase.name == "replay").unwrap().clone()
    };
    let (phase, open) = (replayed(&closed.1), replayed(&paced.1));
    assert_eq!((phase.open_loop, open.open_loop), (false, true));
    for repeat in closed.1.repeats.iter().chain(&paced.1.repeats) {
        let phase = repeat.phases.iter().find(|phase| phase.name == "replay").unwrap();
        assert_eq!(phase.ops, 9_500);
    }
    assert!(open.lateness.is_some());
    assert_eq!(phase.counts.false_answers() + open.counts.false_answers(), 0);
    // The trace is named by its content, and by nothing of this machine.
    let text = fs::read_to_string(&closed.0).unwrap();
    assert!(!text.contains(&folder.path().display().to_string()));
    assert!(closed.1.workload.question.ends_with("in w.trace?"));
    assert_eq!(closed.1.workload.effective.trace.as_ref().unwrap().calls, 9_500);
    let compare = |a: &Path, b: &Path| {
        harness(folder.path(), &["compare", a.to_str().unwrap(), b.to_str().unwrap()])
    };
    let same = compare(&closed.0, &other.0);
    assert!(matches!(same.code, Some(0 | 4)), "{}\n{}", same.out, same.err);
    let differs = compare(&closed.0, &paced.0);
    assert_eq!(differs.code, Some(7), "{}", differs.out);
}

#[test]
fn info_tells_figures_and_a_torn_trace_is_read_only_if_that_is_asked_for() {
    let folder = folder_with_trace();
    let run = |arguments: &[&str]| harness(folder.path(), &[&["trace"], arguments].concat());
    let json = |extra: &[&str]| -> serde_json::Value {
        let answer = run(&[&["info", "w.trace", "--json"], extra].concat());
        assert_eq!(answer.code, Some(0), "{}", answer.err);
        serde_json::from_str(&answer.out).unwrap()
    };
    let whole = json(&[]);
    assert_eq!((whole["calls"].as_u64(), whole["lost"].as_u64()), (Some(9_500), Some(0)));
    let verbs = whole["verbs"].as_object().unwrap();
    assert_eq!(verbs.keys().collect::<Vec<_>>(), ["delete", "get", "put"]);
    assert_eq!(whole["value_bytes"]["max"], 700);
    assert_eq!(
        whole["course"]["calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n.as_u64().unwrap())
            .sum::<u64>(),
        9_500
    );
    let text = run(&["info", "w.trace"]).out;
    for word in ["duration", "popularity", "Zipf slope", "hits", "rate", "lost       none"] {
        assert!(text.contains(word), "no {word} in {text}");
    }

    let path = folder.path().join("w.trace");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    for arguments in [&["info", "w.trace"][..], &["replay", "w.trace", "--pace", "closed"]] {
        let refused = run(arguments);
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.starts_with("error: w.trace: byte "), "{}", refused.err);
        assert!(refused.err.contains("cut short in a block's header: 34 of 44 bytes; --torn keep"));
    }
    let kept = json(&["--torn", "keep"]);
    assert_eq!(kept["calls"].as_u64(), Some(9_500));
    assert!(kept["damage"].as_str().unwrap().starts_with("byte "));
    let replayed = run(&["replay", "w.trace", "--pace", "closed", "--torn", "keep", "--out", "r"]);
    assert_eq!(replayed.code, Some(0), "{}", replayed.err);
    assert!(replayed.err.contains("only what is before it is replayed"), "{}", replayed.err);
    assert!(replayed.out.contains("it is damaged behind them"), "{}", replayed.out);

    let missing = run(&["replay", "missing.trace"]);
    assert!(missing.err.starts_with("error: missing.trace: cannot be read: "), "{}", missing.err);
    let foreign = run(&["replay", "w.toml"]);
    assert!(
        foreign.err.starts_with("error: w.toml: byte 0: this is not a trace; "),
        "{}",
        foreign.err
    );
    let both = run(&["replay", "w.trace", "--pace", "closed", "--speed", "2"]);
    assert_eq!(both.code, Some(2), "{}", both.err);
}

#[test]
fn hit_ratio_plays_a_trace_of_ours_as_it_plays_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/sample.txt");
    let path = folder.path().join("sample.trace");
    let recorder = Recorder::create(&path, Options::default()).unwrap();
    let store = Recorded::new(Store::<String, u64>::new(), recorder.clone());
    for key in fs::read_to_string(&sample).unwrap().lines() {
        if store.get(key).is_none() {
            store.put(key.to_owned(), 0);
        }
    }
    recorder.finish().unwrap();
    let arguments = ["hit_ratio", "--trace", "sample.trace", "--entries", "10,50"];
    let answer = harness(folder.path(), &arguments);
    assert_eq!(answer.code, Some(0), "{}", answer.err);
    let rows = answer.out.lines().filter(|line| line.trim_start().starts_with("sample"));
    let lru: Vec<_> = rows.map(|row| row.split_whitespace().nth(4).unwrap()).collect();
    // As of the same keys, one a line.
    assert_eq!(lru, ["69.2", "91.5"]);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..100]).unwrap();
    let torn = harness(folder.path(), &arguments);
    assert!(torn.err.starts_with("error: sample.trace: byte 24 (block 0): "), "{}", torn.err);
}
