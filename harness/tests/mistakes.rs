//! Mistakes in workload files: each message names file, line, key and what would be right.

use harness::workload::{Overrides, Source, load};

const TINY: &str = include_str!("tiny.toml");

/// What is said about the tiny workload when `from` is replaced in it.
fn complaint(from: &str, to: &str) -> String {
    assert!(TINY.contains(from), "{from}");
    let source = Source { label: "w.toml".into(), text: TINY.replace(from, to) };
    load(&source, &Overrides::default()).expect_err(to)
}

#[test]
fn the_run() {
    assert_eq!(
        complaint("threads = 2", "threads = 0"),
        "w.toml:6: run.threads: 0 threads; write 1 or more"
    );
    assert_eq!(
        complaint("threads = 2", "threads = [1, 65]"),
        "w.toml:6: run.threads: 65 threads; write 64 or less"
    );
    assert_eq!(
        complaint("threads = 2", "treads = 2"),
        "w.toml:6: run.treads: unknown key; known here: `threads`, `repeat`, `timing`, \
         `preallocate`, `max_entries`, `eviction`, `targets`, `requires`"
    );
    assert_eq!(
        complaint("repeat = 2", "repeat = \"two\""),
        "w.toml:7: run.repeat: invalid type: string \"two\"; expected a whole number"
    );
    assert_eq!(
        complaint("repeat = 2", "timing = { mode = \"all\", every = 3 }"),
        "w.toml:7: run.timing.every: mode \"all\" times every one; remove it"
    );
    assert_eq!(
        complaint("repeat = 2", "max_entries = 0"),
        "w.toml:7: run.max_entries: 0 entries; write 1 or more"
    );
    assert_eq!(
        complaint("repeat = 2", "max_entries = 10\neviction = \"fifo\""),
        "w.toml:8: run.eviction: `fifo` is not a policy; write \"s3fifo\" or \"lru\""
    );
    assert_eq!(
        complaint("repeat = 2", "eviction = \"lru\""),
        "w.toml:7: run.eviction: a policy without a bound: nothing is ever evicted; add \
         max_entries = 1_000_000, or remove it"
    );
    assert_eq!(
        complaint("repeat = 2", "requires = [\"limit\"]"),
        "w.toml:7: run.requires.0: `limit` is not a capability; write \"ttl\" or \"bound\""
    );
    assert_eq!(
        complaint("schema = 1", "schema = 9"),
        "w.toml:2: schema: this harness reads schema 1; write 1"
    );
    assert_eq!(
        complaint("name = \"tiny\"", "name = \"../tiny\""),
        "w.toml:3: name: not a name for a workload; use a-z, 0-9, _ and -: it becomes a folder"
    );
    assert!(complaint("seed = 7", "seed = = 7").starts_with("w.toml:4: "));
}

#[test]
fn the_keys() {
    assert_eq!(
        complaint("keys = 2_000", "keys = -1"),
        "w.toml:10: keyspace.users.keys: -1 keys; write 1 or more"
    );
    assert_eq!(
        complaint("[[35, 1]]", "[[3, 1]]"),
        "w.toml:12: keyspace.users.value.sizes.0: 3 bytes cannot be verified; write 16 (what the \
         check needs) to 67108864"
    );
    assert_eq!(
        complaint("[[35, 1]]", "[[35, 0]]"),
        "w.toml:12: keyspace.users.value.sizes: no sizes, too many, or weights of zero; write 1 \
         to 64 [bytes, weight] pairs, e.g. [[100, 1]]"
    );
    assert_eq!(
        complaint("{ kind = \"uuid\" }", "{ len = 6, prefix = \"user:\" }"),
        "w.toml:11: keyspace.users.key.len: 6 bytes of a key with this prefix and count; write 9 \
         or more"
    );
    assert_eq!(
        complaint(
            "prefill =",
            "ttl = { dist = \"uniform\", min = \"2s\", max = \"1s\" }\nprefill ="
        ),
        "w.toml:13: keyspace.users.ttl.min: min is above max; swap them"
    );
    assert_eq!(
        complaint("prefill = { report", "prefill = { fraction = 2.0, report"),
        "w.toml:13: keyspace.users.prefill.fraction: 2 is not a share; write 0.0 to 1.0"
    );
}

#[test]
fn the_phases() {
    assert_eq!(
        complaint("ops = 20_000", "duration = \"20\""),
        "w.toml:16: phase.mixed.duration: `20` is not a duration; write e.g. \"50ms\", \"1.5s\""
    );
    assert_eq!(
        complaint("ops = 20_000", "ops = 1\narrival = { process = \"poisson\", rate = \"5k\" }"),
        "w.toml:17: phase.mixed.arrival.rate: `5k` is not a rate; write e.g. \"900/s\", \"500k/s\""
    );
    assert_eq!(
        complaint("ops = 20_000", ""),
        "w.toml:15: phase.mixed.name: a phase without an end; add ops = 1_000_000 or duration = \
         \"10s\""
    );
    assert_eq!(
        complaint("ops = 20_000", "ops = 0"),
        "w.toml:16: phase.mixed.ops: 0 operations; write 1 or more"
    );
    assert_eq!(
        complaint("ops = 20_000", "ops = 10\nduration = \"1s\""),
        "w.toml:16: phase.mixed.ops: both ops and duration; keep the one that ends the phase"
    );
    assert_eq!(
        complaint("name = \"mixed\"", "name = \"mixed\"\nlike = \"other\""),
        "w.toml:16: phase.mixed.like: there is no phase of this name; name another phase"
    );
    assert_eq!(
        complaint("wrong = [\"count == 0\"]", "wrong = [\"count = 0\"]"),
        "w.toml:22: phase.mixed.slo.wrong.0: `count = 0` is not an objective for wrong; write \
         e.g. \"count == 0\""
    );
}

#[test]
fn the_arrivals() {
    let arrival = |arrival: &str| complaint("ops = 20_000", &format!("arrival = {arrival}"));
    let ramp = |inner: &str| arrival(&format!("{{ process = \"poisson\", ramp = {{ {inner} }} }}"));
    assert_eq!(
        arrival("{ process = \"poisson\" }"),
        "w.toml:16: phase.mixed.arrival: arrivals without a rate; add rate = \"500k/s\", or ramp = \
         { from = \"100k/s\", to = \"1M/s\", steps = 10, each = \"3s\" }"
    );
    let whole = "from = \"1k/s\", to = \"5k/s\", steps = 5, each = \"1s\"";
    assert_eq!(
        arrival(&format!("{{ process = \"poisson\", rate = \"1k/s\", ramp = {{ {whole} }} }}")),
        "w.toml:16: phase.mixed.arrival.ramp: both a rate and a ramp; keep one of them"
    );
    for (from, to, expected) in [
        ("steps = 5", "steps = 1", "steps: 1 steps; write 2 or more"),
        ("steps = 5", "steps = 101", "steps: 101 steps; write 100 or less"),
        (
            "steps = 5",
            "steeps = 5",
            "steeps: unknown key; known here: `from`, `to`, `steps`, \
          `each`, `spacing`",
        ),
        ("5k/s", "1k/s", "to: a ramp that ends where it begins; write rate instead, or another to"),
        ("5k/s", "5k", "to: `5k` is not a rate; write e.g. \"900/s\", \"500k/s\""),
        ("\"1s\"", "\"0s\"", "each: steps of no length; write e.g. \"3s\""),
        (
            "steps = 5",
            "steps = 5, spacing = \"square\"",
            "spacing: `square` is not a spacing; write \"linear\" or \"geometric\"",
        ),
    ] {
        let expected = format!("w.toml:16: phase.mixed.arrival.ramp.{expected}");
        assert_eq!(ramp(&whole.replace(from, to)), expected);
    }
    let both = format!("ops = 9\narrival = {{ process = \"poisson\", ramp = {{ {whole} }} }}");
    assert_eq!(
        complaint("ops = 20_000", &both),
        "w.toml:16: phase.mixed.ops: the phase's ramp says how long it lasts; remove ops, or the \
         ramp"
    );
}

#[test]
fn the_commands() {
    assert_eq!(
        complaint("weight = 9", "weight = -1"),
        "w.toml:18: phase.mixed.commands.0.weight: -1 as a weight; write 0 or more"
    );
    let source = Source {
        label: "w.toml".into(),
        text: TINY.replace("weight = 9", "weight = 0").replace("weight = 1", "weight = 0"),
    };
    assert_eq!(
        load(&source, &Overrides::default()).expect_err("no weight"),
        "w.toml:17: phase.mixed.commands: weights that add up to zero; give at least one command \
         a weight above 0"
    );
    assert_eq!(
        complaint("keyspace = \"users\", weight = 1", "keyspace = \"user\", weight = 1"),
        "w.toml:19: phase.mixed.commands.1.keyspace: there is no keyspace.user; known here: users"
    );
    assert_eq!(
        complaint("verb = \"put\"", "verb = \"incr\""),
        "w.toml:19: phase.mixed.commands.1.verb: `incr` is not a verb; known here: get, put, \
         delete, expire, get_or_put"
    );
    assert_eq!(
        complaint("{ dist = \"uniform\" }", "{ dist = \"uniform\", s = 1.0 }"),
        "w.toml:19: phase.mixed.commands.1.keys.dist: not a distribution with its own keys; write \
         dist = \"zipf\" with s, \"hotspot\" with fraction and share, \"uniform\", \"sequential\" \
         or \"blocks\""
    );
    assert_eq!(
        complaint("verb = \"put\"", "verb = \"get_or_put\", miss = 0.1"),
        "w.toml:19: phase.mixed.commands.1.miss: a put of a key that must stay absent; remove miss"
    );
    assert_eq!(
        complaint("s = 0.99 }", "s = 0.99 }, ttl = { dist = \"fixed\", after = \"1s\" }"),
        "w.toml:18: phase.mixed.commands.0.ttl: a get gives no TTL; remove ttl, or use put or \
         expire"
    );
}
