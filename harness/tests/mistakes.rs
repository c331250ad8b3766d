//! Mistakes in workload files: each message names file, line, key and what would be right.

use harness::workload::{Overrides, Source, load, stream};

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

/// The tiny workload with so many key spaces more.
fn with_spaces(more: usize) -> String {
    let space = |number| {
        format!(
            "[keyspace.z{number:02}]\nkeys = 10\nkey = {{ kind = \"uuid\" }}\n\
             value = {{ sizes = [[35, 1]] }}\nprefill = {{}}\n"
        )
    };
    let spaces: String = (1..=more).map(space).collect();
    TINY.replacen("[[phase]]", &format!("{spaces}[[phase]]"), 1)
}

#[test]
fn too_many_of_what_an_operation_has_six_bits_for() {
    let of = |text| load(&Source { label: "w.toml".into(), text }, &Overrides::default());
    let cases = of(with_spaces(63)).unwrap_or_else(|complaint| panic!("{complaint}"));
    let streams = stream::scripts(&cases[0].workload).remove(0).streams;
    let last = streams.iter().flat_map(|stream| &stream.ops).map(|op| op.command()).max();
    assert_eq!(last, Some(63), "each of 64 key spaces has a command of the load");
    assert_eq!(
        of(with_spaces(64)).err().as_deref(),
        Some("w.toml:329: keyspace.z64: 65 key spaces; write 64 or less, each with more keys")
    );

    let get = "  { verb = \"get\", keyspace = \"users\", weight = 9, keys = { dist = \"zipf\", \
               s = 0.99 } },\n";
    assert!(of(TINY.replace(get, &get.repeat(63))).is_ok());
    assert_eq!(
        complaint(get, &get.repeat(64)),
        "w.toml:17: phase.mixed.commands: no commands, or more than 64; write 1 to 64"
    );
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
         delete, expire, get_or_put, get_many, read_modify_write, insert"
    );
    assert_eq!(
        complaint("{ dist = \"uniform\" }", "{ dist = \"uniform\", s = 1.0 }"),
        "w.toml:19: phase.mixed.commands.1.keys.dist: not a distribution with its own keys; write \
         dist = \"zipf\" or \"latest\" with s, \"hotspot\" with fraction and share, \"uniform\", \
         \"sequential\" or \"blocks\""
    );
    assert_eq!(
        complaint("verb = \"put\"", "verb = \"get_or_put\", miss = 0.1"),
        "w.toml:19: phase.mixed.commands.1.miss: a put of a key that must stay absent; remove miss"
    );
    assert_eq!(
        complaint("s = 0.99 }", "s = 0.99 }, ttl = { dist = \"fixed\", after = \"1s\" }"),
        "w.toml:18: phase.mixed.commands.0.ttl: a get gives no TTL; remove ttl, use put or expire, \
         or write touch for a new TTL of what is found"
    );
}

/// What is said about the tiny workload when its second command is another.
fn complaint_of(command: &str) -> String {
    let second = TINY.lines().find(|line| line.contains("verb = \"put\"")).expect("there");
    complaint(second, &format!("  {{ {command}, keyspace = \"users\", weight = 1 }},"))
}

#[test]
fn operations_on_several_keys() {
    let place = "w.toml:19: phase.mixed.commands.1";
    let uniform = "keys = { dist = \"uniform\" }";
    for (command, complaint) in [
        ("verb = \"get_many\"", ".verb: a get_many of how many keys?; add batch = 16"),
        ("verb = \"get_many\", batch = 0", ".batch: 0 keys in a batch; write 1 or more"),
        ("verb = \"get_many\", batch = 2_000", ".batch: 2000 keys in a batch; write 1000 or less"),
        (
            "verb = \"get_many\", batch = { min = 9, max = 3 }",
            ".batch.min: min is above max; swap them",
        ),
        ("verb = \"get_many\", batch = { min = 9 }", ".batch: `max` is missing; add `max`"),
        ("verb = \"get\", batch = 3", ".batch: a get takes one key; remove batch, or use get_many"),
    ] {
        let said = complaint_of(&format!("{command}, {uniform}"));
        assert_eq!(said, format!("{place}{complaint}"));
    }
    let said = complaint_of("verb = \"get\", keys = { dist = \"uniform\", run = true }");
    let remedy = "a get takes one key; remove run, or use get_many with batch";
    assert_eq!(said, format!("{place}.keys.run: {remedy}"));
    let said = complaint_of("verb = \"get\"");
    let remedy = "`keys` is missing; add keys = { dist = \"uniform\" }";
    assert_eq!(said, format!("{place}.verb: {remedy}"));
}

#[test]
fn inserts_and_the_latest_keys() {
    let place = "w.toml:19: phase.mixed.commands.1";
    assert_eq!(
        complaint_of("verb = \"insert\", keys = { dist = \"uniform\" }"),
        format!(
            "{place}.keys: an insert takes the next key that is not yet there; remove keys, or use \
             put"
        )
    );
    let remedy = "raise keyspace.users.keys, or lower its prefill.fraction or these ops";
    assert_eq!(
        complaint_of("verb = \"insert\""),
        format!("{place}.verb: inserts of up to 2_255 keys, where the prefill leaves 0; {remedy}")
    );
    let with = |from: &str, to: &str| {
        let second = TINY.lines().find(|line| line.contains("verb = \"put\"")).expect("there");
        let insert = "  { verb = \"insert\", keyspace = \"users\", weight = 1 },";
        let text = TINY.replace(second, insert).replace("{ report = true", "{ fraction = 0.5");
        let text = text.replace("keys = 2_000", "keys = 9_000");
        assert!(text.contains(from), "{from}");
        let source = Source { label: "w.toml".into(), text: text.replace(from, to) };
        load(&source, &Overrides::default()).map(|_| ())
    };
    assert_eq!(with("seed = 7", "seed = 8"), Ok(()), "4_500 are left, 2_255 are taken");
    // Those of all phases together run out.
    let again =
        "[[phase]]\nname = \"more\"\nlike = \"mixed\"\nops = 20_000\n[[phase]]\nname = \"mixed\"";
    let said = with("[[phase]]\nname = \"mixed\"", again).expect_err("4_510 keys");
    assert!(said.contains("inserts of up to 4_510 keys, where the prefill leaves 4_500"), "{said}");
    assert_eq!(
        with("ops = 20_000", "duration = \"1s\"").expect_err("no end"),
        format!(
            "{place}.verb: inserts until a moment, which nobody knows the number of; end the phase \
             by ops instead of duration"
        )
    );
    let said = with("ops = 20_000", "ops = 20_000_000").expect_err("too many");
    let limit = "started over; lower ops to 16_777_216, or add phases";
    assert!(said.starts_with(&format!("{place}.verb: ")) && said.ends_with(limit), "{said}");

    let latest = "dist = \"latest\", s = 0.99";
    let source = Source {
        label: "w.toml".into(),
        text: TINY
            .replace("dist = \"zipf\", s = 0.99", latest)
            .replace("prefill = { report = true }\n", ""),
    };
    assert_eq!(
        load(&source, &Overrides::default()).expect_err("nothing there"),
        "w.toml:17: phase.mixed.commands.0.keys: no key is the latest: nothing is put into \
         `users`; add keyspace.users.prefill = { fraction = 0.5 }"
    );
    assert_eq!(
        complaint("dist = \"zipf\", s = 0.99", "dist = \"latest\", s = 9.0"),
        "w.toml:18: phase.mixed.commands.0.keys.s: an exponent of 9; write 0.01 to 5.0"
    );
}

#[test]
fn pauses_and_touches() {
    let with = |line: &str| complaint("ops = 20_000", &format!("ops = 20_000\n{line}"));
    assert_eq!(
        with("think = { dist = \"normal\", mean = \"1ms\" }"),
        "w.toml:17: phase.mixed.think.dist: `normal` is not a distribution of pauses; write \
         \"fixed\" or \"exponential\""
    );
    assert_eq!(
        with("think = { dist = \"fixed\", mean = \"1\" }"),
        "w.toml:17: phase.mixed.think.mean: `1` is not a duration; write e.g. \"50ms\", \"1.5s\""
    );
    assert_eq!(
        with("think = { dist = \"fixed\", mean = \"0s\" }"),
        "w.toml:17: phase.mixed.think.mean: a pause of zero; write e.g. \"1ms\", or remove think"
    );
    let paced = "arrival = { process = \"poisson\", rate = \"5k/s\" }";
    assert_eq!(
        with(&format!("{paced}\nthink = {{ dist = \"fixed\", mean = \"1ms\" }}")),
        "w.toml:18: phase.mixed.think: pauses in a phase whose operations do not wait for answers; \
         remove think, or write arrival = \"closed\""
    );
    let touch = "touch = { dist = \"fixed\", after = \"1s\" }";
    let place = "w.toml:19: phase.mixed.commands.1";
    assert_eq!(
        complaint_of(&format!("verb = \"put\", keys = {{ dist = \"uniform\" }}, {touch}")),
        format!("{place}.touch: a put touches nothing; remove touch, or use get")
    );
    let touch = "touch = { dist = \"exponential\", after = \"1s\" }";
    assert_eq!(
        complaint_of(&format!("verb = \"get\", keys = {{ dist = \"uniform\" }}, {touch}")),
        format!(
            "{place}.touch.dist: not a distribution with its own keys; write dist = \"fixed\" with \
             after, \"uniform\" with min and max, \"exponential\" with mean, or \"cliff\" (of a key \
             space) with at"
        )
    );
}

#[test]
fn sizes_by_a_law() {
    for (sizes, said) in [
        (
            "{ dist = \"lognormal\", median = 35, max = 400 }",
            ".dist: not a distribution with its own keys; write dist = \"lognormal\" with median, \
             p99 and max, or \"uniform\" with min and max",
        ),
        (
            "{ dist = \"lognormal\", median = 35, p99 = 35, max = 400 }",
            ".p99: p99 is not above the median; write a p99 above the median, or sizes = [[bytes, \
             1]]",
        ),
        (
            "{ dist = \"lognormal\", median = 35, p99 = 400, max = 399 }",
            ".max: max is below p99; raise it: longer values are cut to it",
        ),
        (
            "{ dist = \"lognormal\", median = 9, p99 = 40, max = 400 }",
            ".median: 9 bytes cannot be verified; write 16 (what the check needs) to 67108864",
        ),
        ("{ dist = \"uniform\", min = 90, max = 20 }", ".min: min is above max; swap them"),
        ("[[16, 64, 1], [100, 90, 1]]", ".1: from is above to; swap them"),
        (
            "[[16, 64, 1], [100, 1]]",
            ".1: not a range of sizes and its weight; write [from, to, weight], e.g. [16, 64, 1], \
             or in all [bytes, weight]",
        ),
        (
            "[[100, 1], [16, 64, 1]]",
            ".1: not a size and its weight; write [bytes, weight], e.g. [100, 1], or in all [from, \
             to, weight]",
        ),
        (
            "[[16, 64, 0]]",
            ": no sizes, too many, or weights of zero; write 1 to 64 [from, to, weight] buckets, \
             e.g. [[16, 64, 1]]",
        ),
        (
            "[]",
            ": no sizes, too many, or weights of zero; write 1 to 64 [bytes, weight] pairs, e.g. \
             [[100, 1]]",
        ),
        ("[16, 64, -1]", ".0: invalid type: integer `16`; expected a list"),
        ("[[16, 64, -1]]", ".0: a weight of -1; write 0 or more"),
    ] {
        let place = "w.toml:12: keyspace.users.value.sizes";
        assert_eq!(complaint("[[35, 1]]", sizes), format!("{place}{said}"), "{sizes}");
    }
}
