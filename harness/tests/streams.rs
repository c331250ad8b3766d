//! What workload files stand for, operation by operation.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;

use harness::workload::model::Verb;
use harness::workload::stream::{self, Script};
use harness::workload::{Overrides, Source, Workload, load};

const HEAD: &str = r#"# Which operations?
schema = 1
name = "streams"
seed = 7
[run]
threads = 2
[keyspace.a]
keys = 40_000
key = { kind = "u64" }
value = { kind = "u64" }
prefill = { fraction = 0.5 }
"#;

fn phase(name: &str, ops: u32, commands: &str) -> String {
    format!("[[phase]]\nname = \"{name}\"\nops = {ops}\ncommands = [{commands}]\n")
}

fn scripts(phases: &[String]) -> (Workload, Vec<Script>) {
    let source = Source { label: "s.toml".into(), text: format!("{HEAD}{}", phases.concat()) };
    let workload = load(&source, &Overrides::default()).unwrap().remove(0).workload;
    let scripts = stream::scripts(&workload);
    (workload, scripts)
}

const INSERT: &str = "{ verb = \"insert\", keyspace = \"a\", weight = 10 }";

#[test]
fn inserts_write_every_key_once_and_in_order_over_threads_and_phases() {
    let mix = format!(
        "{INSERT}, {{ verb = \"get\", keyspace = \"a\", weight = 90, keys = {{ dist = \"uniform\" }} }}"
    );
    let (_, scripts) = scripts(&[phase("one", 50_000, &mix)]);
    let inserted: Vec<u32> = scripts[1]
        .streams
        .iter()
        .flat_map(|stream| &stream.ops)
        .filter(|op| op.command() == 0)
        .map(|op| op.key())
        .collect();
    assert!((4_500..5_500).contains(&inserted.len()), "{}", inserted.len());
    let expected: Vec<u32> = (20_000..).take(inserted.len()).collect();
    assert_eq!(inserted, expected);
}

#[test]
fn a_later_phase_goes_on_where_the_earlier_one_has_stopped() {
    let phases = [phase("one", 7_001, INSERT), phase("two", 6_000, INSERT)];
    let (_, scripts) = scripts(&phases);
    let all = scripts[1..].iter().flat_map(|script| &script.streams);
    let keys: Vec<u32> = all.flat_map(|stream| &stream.ops).map(|op| op.key()).collect();
    assert_eq!(keys, (20_000..33_001).collect::<Vec<u32>>());
}

#[test]
fn reads_beside_inserts_ask_for_what_is_written_by_then() {
    for keys in [
        "dist = \"uniform\"",
        "dist = \"zipf\", s = 0.99",
        "dist = \"latest\", s = 0.99",
        "dist = \"sequential\"",
        "dist = \"hotspot\", fraction = 0.1, share = 0.9",
    ] {
        let read = format!("verb = \"get\", keyspace = \"a\", weight = 50, keys = {{ {keys} }}");
        let many = format!(
            "verb = \"get_many\", keyspace = \"a\", weight = 50, batch = 3, keys = {{ {keys}, run = true }}"
        );
        let (_, scripts) =
            scripts(&[phase("p", 30_000, &format!("{INSERT}, {{ {read} }}, {{ {many} }}"))]);
        for stream in &scripts[1].streams {
            let mut written: HashSet<u32> = (0..20_000).collect();
            let mut own_reads = 0;
            for op in &stream.ops {
                match op.command() {
                    0 => assert!(written.insert(op.key())),
                    1 => {
                        assert!(written.contains(&op.key()), "{keys}: {}", op.key());
                        own_reads += u32::from(op.key() >= 20_000);
                    }
                    _ => {
                        let batch = &stream.batches[op.batch()];
                        assert_eq!(batch.len(), 3);
                        assert!(batch.iter().all(|key| written.contains(key)), "{keys}: {batch:?}");
                    }
                }
            }
            assert!(own_reads > 0 || keys.contains("sequential"), "{keys}: new keys are read, too");
        }
    }
}

#[test]
fn the_latest_keys_are_the_most_popular_by_zipfs_law() {
    let read = "{ verb = \"get\", keyspace = \"a\", weight = 990, keys = { dist = \"latest\", s = 0.99 } }";
    let (_, scripts) = scripts(&[phase("p", 400_000, &format!("{INSERT}, {read}"))]);
    let (mut reads, mut newest, mut next) = (0u32, [0u32; 3], 0);
    let stream = &scripts[1].streams[0];
    for op in &stream.ops {
        if op.command() == 0 {
            next = op.key() + 1;
        } else if next > 20_003 {
            reads += 1;
            for (rank, count) in (1..).zip(&mut newest) {
                *count += u32::from(op.key() + rank == next);
            }
        }
    }
    // The n-th harmonic number of exponent 0.99 for n of about 21 000.
    let total: f64 = (1..=21_000).map(|rank| f64::from(rank).powf(-0.99)).sum();
    for (rank, count) in (1..).zip(newest) {
        let expected = f64::from(reads) * f64::from(rank).powf(-0.99) / total;
        let off = (f64::from(count) - expected).abs();
        assert!(off < 6.0 * expected.sqrt(), "rank {rank}: {count} for {expected}");
    }
}

#[test]
fn batches_have_their_lengths_and_runs_their_order() {
    let many = "verb = \"get_many\", keyspace = \"a\", weight = 1";
    let (workload, scripts) = scripts(&[phase(
        "p",
        20_000,
        &format!(
            "{{ {many}, batch = {{ min = 1, max = 100 }}, keys = {{ dist = \"uniform\", run = true }} }}, \
             {{ {many}, batch = 16, keys = {{ dist = \"uniform\" }}, miss = 0.25 }}"
        ),
    )]);
    assert_eq!(workload.phases[0].commands[0].verb, Verb::GetMany);
    let (mut sum, mut runs, mut absent, mut drawn) = (0, 0, 0, 0);
    for stream in &scripts[1].streams {
        let mut expected = 0;
        for op in &stream.ops {
            let keys = &stream.batches[op.batch()];
            assert_eq!(op.batch().start, expected, "no key of a batch is left out");
            expected += keys.len();
            if op.command() == 0 {
                assert!((1..=100).contains(&keys.len()));
                let follow = |pair: &[u32]| pair[1] == (pair[0] + 1) % 40_000;
                assert!(keys.windows(2).all(follow), "{keys:?}");
                (sum, runs) = (sum + keys.len(), runs + 1);
            } else {
                assert_eq!(keys.len(), 16);
                absent += keys.iter().filter(|key| **key >= 40_000).count();
                drawn += 16;
            }
        }
        assert_eq!(expected, stream.batches.len());
    }
    assert!((49 * runs..52 * runs).contains(&sum), "{sum} keys in {runs} runs");
    assert!((24 * drawn / 100..26 * drawn / 100).contains(&absent), "{absent} of {drawn}");
}

fn digest(text: &str) -> String {
    let source = Source { label: "s.toml".into(), text: text.to_owned() };
    let workload = load(&source, &Overrides::default()).unwrap().remove(0).workload;
    stream::digest(&workload, &stream::scripts(&workload))
}

#[test]
fn whatever_changes_operations_changes_their_digest() {
    let read = "{ verb = \"get\", keyspace = \"a\", weight = 9, keys = { dist = \"zipf\", s = 0.9 } TOUCH }";
    let many = "{ verb = \"get_many\", keyspace = \"a\", weight = 9, batch = 4, keys = { dist = \"uniform\" } }";
    let text = format!("{HEAD}{}", phase("p", 9_000, &format!("{read}, {many}, {INSERT}")));
    let plain = text.replace("TOUCH", "");
    let bytes = plain.replace("value = { kind = \"u64\" }", "value = { sizes = [[20, 1]] }");
    let law = |law: &str| bytes.replace("[[20, 1]]", law);
    let variants = [
        plain.clone(),
        text.replace("TOUCH", ", touch = { dist = \"fixed\", after = \"1s\" }"),
        text.replace("TOUCH", ", touch = { dist = \"exponential\", mean = \"1s\" }"),
        plain.replace("\"zipf\"", "\"latest\""),
        plain.replace("batch = 4", "batch = { min = 1, max = 4 }"),
        plain.replace("batch = 4", "batch = 5"),
        plain.replace("\"uniform\" }", "\"uniform\", run = true }"),
        plain.replace("ops = 9", "think = { dist = \"fixed\", mean = \"1ms\" }\nops = 9"),
        plain.replace("ops = 9", "think = { dist = \"exponential\", mean = \"1ms\" }\nops = 9"),
        plain.replace("\"get\"", "\"read_modify_write\""),
        bytes.clone(),
        law("{ dist = \"uniform\", min = 20, max = 30 }"),
        law("{ dist = \"lognormal\", median = 20, p99 = 30, max = 90 }"),
        law("[[20, 30, 1], [90, 100, 2]]"),
        law("[[20, 30, 2], [90, 100, 2]]"),
    ];
    let digests: HashSet<String> = variants.iter().map(|text| digest(text)).collect();
    assert_eq!(digests.len(), variants.len());
    assert_eq!(digest(&plain), digest(&plain), "and nothing else does");
}
