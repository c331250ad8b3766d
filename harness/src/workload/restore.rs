//! What has to be put back after a phase, for the phase to find the same keys again.
//!
//! Loading everything anew would take longer than the phase. Only keys that can have gone (by a
//! delete or a TTL) or come (by a put of what was not there) need any care, and which ones these
//! are is known from the operations alone.

use super::model::{Arrival, Command, KeyDist, Length, Phase, Verb, Workload};
use super::stream::{Op, Script, Stream};

/// The name of the phase that puts keys back.
pub const RESTORE: &str = "restore";

/// The phase to run between two runs of the last of `scripts`; `None` if that phase leaves all
/// keys as it found them, or if the target is bounded and decides itself what it holds.
#[must_use]
pub fn script(workload: &Workload, scripts: &[Script]) -> Option<Script> {
    let (repeated, before) = scripts.split_last()?;
    if workload.run.bound.is_some() {
        return None;
    }
    let threads = workload.run.threads;
    let keys = usize::try_from(workload.key_count()).unwrap_or(usize::MAX);
    let mut care = Care { wanted: Bits::new(keys), lost: Bits::new(keys), seen: Bits::new(keys) };
    for script in before {
        care.note(script, |care, verb, key| {
            if verb.writes() {
                care.wanted.set(key);
            }
        });
    }
    let mut come = Bits::new(keys);
    care.note(repeated, |care, verb, key| match verb {
        Verb::Delete | Verb::Expire => care.lost.set(key),
        verb if verb.writes() && !care.wanted.has(key) => come.set(key),
        _ => {}
    });
    let mut streams = vec![Stream::default(); threads];
    let mut count = 0;
    // Each key is put as it was put first: of the same size, with a TTL if it had one.
    for (script, op) in before.iter().flat_map(|script| ops(script).map(move |op| (script, op))) {
        let command = &script.phase.commands[op.command()];
        if command.verb.writes() && care.lost.has(op.key()) && care.seen.set_new(op.key()) {
            streams[count % threads].ops.push(op.for_command(command.keyspace));
            count += 1;
        }
    }
    let spaces = workload.keyspaces.len();
    for op in ops(repeated) {
        if come.has(op.key()) && care.seen.set_new(op.key()) {
            streams[count % threads].ops.push(op.for_command(spaces));
            count += 1;
        }
    }
    for stream in &mut streams {
        stream.total = Some(stream.ops.len() as u64);
    }
    (count > 0).then(|| Script { phase: phase(workload, count as u64), streams })
}

/// What is known of keys.
struct Care {
    /// There before the phase that is repeated.
    wanted: Bits,
    /// Perhaps gone after it.
    lost: Bits,
    /// Taken care of.
    seen: Bits,
}

impl Care {
    /// Tells `judge` of each operation; what is given a TTL, be it by a get, may go at any time.
    fn note(&mut self, script: &Script, mut judge: impl FnMut(&mut Self, Verb, u32)) {
        for op in ops(script) {
            let verb = script.phase.commands[op.command()].verb;
            judge(self, verb, op.key());
            if (verb.writes() || verb == Verb::Get) && op.has_ttl() {
                self.lost.set(op.key());
            }
        }
    }
}

/// All operations on one key. Those on several only read, and say where their keys are in place of
/// a key and a TTL.
fn ops(script: &Script) -> impl Iterator<Item = Op> {
    let of_one = |op: &Op| script.phase.commands[op.command()].verb != Verb::GetMany;
    script.streams.iter().flat_map(|stream| stream.ops.iter().copied()).filter(of_one)
}

/// One read-through for each key space, then a delete for all: it does not matter whose key it is.
fn phase(workload: &Workload, ops: u64) -> Phase {
    let command = |verb, keyspace, ttl| Command {
        verb,
        keyspace,
        weight: 1,
        keys: KeyDist::Sequential,
        miss: 0.0,
        ttl,
        batch: None,
    };
    let spaces = workload.keyspaces.iter().enumerate();
    let puts = spaces.map(|(number, space)| command(Verb::GetOrPut, number, space.ttl.clone()));
    Phase {
        name: RESTORE.to_owned(),
        length: Length::Ops(ops),
        arrival: Arrival::Closed,
        think: None,
        commands: puts.chain([command(Verb::Delete, 0, None)]).collect(),
        report: false,
        slo: Vec::new(),
    }
}

/// A flag for each key.
struct Bits(Vec<u64>);

impl Bits {
    fn new(keys: usize) -> Self {
        Self(vec![0; keys / 64 + 1])
    }

    fn set(&mut self, key: u32) {
        self.0[key as usize / 64] |= 1 << (key % 64);
    }

    fn has(&self, key: u32) -> bool {
        self.0[key as usize / 64] & 1 << (key % 64) != 0
    }

    /// Sets the flag; says whether it was not set before.
    fn set_new(&mut self, key: u32) -> bool {
        let is_new = !self.has(key);
        self.set(key);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::workload::{Overrides, Source, load, stream};

    fn scripts(fraction: &str, command: &str) -> (Workload, Vec<Script>) {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 5\n[keyspace.a]\nkeys = 1_000\n\
             key = {{ kind = \"u64\" }}\nvalue = {{ kind = \"u64\" }}\n\
             prefill = {{ fraction = {fraction} }}\n[[phase]]\nname = \"p\"\nops = 300\n\
             commands = [{{ keyspace = \"a\", weight = 1, keys = {{ dist = \"uniform\" }}, {command} }}]\n"
        );
        let source = Source { label: "t.toml".into(), text };
        let workload = load(&source, &Overrides::default()).expect("valid").remove(0).workload;
        let scripts = stream::scripts(&workload);
        (workload, scripts)
    }

    fn keys(script: &Script, verb: Verb) -> HashSet<u32> {
        let is = |op: &Op| script.phase.commands[op.command()].verb == verb;
        ops(script).filter(is).map(Op::key).collect()
    }

    #[test]
    fn what_changes_no_key_needs_nothing() {
        for command in ["verb = \"get\"", "verb = \"put\""] {
            let (workload, scripts) = scripts("1.0", command);
            assert!(script(&workload, &scripts).is_none(), "{command}");
        }
    }

    #[test]
    fn what_is_deleted_is_put_back_once() {
        let (workload, scripts) = scripts("1.0", "verb = \"delete\"");
        let restore = script(&workload, &scripts).expect("keys go");
        assert_eq!(keys(&restore, Verb::GetOrPut), keys(&scripts[1], Verb::Delete));
        let total: u64 = restore.streams.iter().filter_map(|stream| stream.total).sum();
        assert_eq!(total, keys(&restore, Verb::GetOrPut).len() as u64);
        assert!(keys(&restore, Verb::Delete).is_empty());
    }

    #[test]
    fn what_was_not_there_is_taken_away_and_what_was_stays() {
        let (workload, scripts) = scripts("0.5", "verb = \"put\"");
        let restore = script(&workload, &scripts).expect("keys come");
        let loaded = keys(&scripts[0], Verb::Put);
        let put = keys(&scripts[1], Verb::Put);
        let expected: HashSet<u32> = put.difference(&loaded).copied().collect();
        assert!(!expected.is_empty());
        assert_eq!(keys(&restore, Verb::Delete), expected);
        assert!(keys(&restore, Verb::GetOrPut).is_empty());
    }

    #[test]
    fn what_is_read_in_batches_or_written_after_a_read_needs_nothing() {
        let batch = "verb = \"get_many\", batch = { min = 3, max = 3 }";
        for command in [batch, "verb = \"read_modify_write\""] {
            let (workload, scripts) = scripts("1.0", command);
            assert!(script(&workload, &scripts).is_none(), "{command}");
        }
    }

    #[test]
    fn what_a_write_after_a_read_brings_is_taken_away() {
        let (workload, scripts) = scripts("0.5", "verb = \"read_modify_write\"");
        let restore = script(&workload, &scripts).expect("keys come");
        let written = keys(&scripts[1], Verb::ReadModifyWrite);
        let expected: HashSet<u32> =
            written.difference(&keys(&scripts[0], Verb::Put)).copied().collect();
        assert!(!expected.is_empty());
        assert_eq!(keys(&restore, Verb::Delete), expected);
    }

    #[test]
    fn what_a_get_gives_a_ttl_is_put_back() {
        let touch = "touch = { share = 0.5, dist = \"fixed\", after = \"1s\" }";
        let (workload, scripts) = scripts("1.0", &format!("verb = \"get\", {touch}"));
        let restore = script(&workload, &scripts).expect("keys expire");
        let given: HashSet<u32> = ops(&scripts[1]).filter(|op| op.has_ttl()).map(Op::key).collect();
        assert!(given.len() > 50 && given.len() < 250);
        assert_eq!(keys(&restore, Verb::GetOrPut), given);
    }

    #[test]
    fn what_may_expire_is_put_back() {
        let ttl = "ttl = { share = 0.5, dist = \"fixed\", after = \"1s\" }";
        let (workload, scripts) = scripts("1.0", &format!("verb = \"put\", {ttl}"));
        let restore = script(&workload, &scripts).expect("keys expire");
        let given: HashSet<u32> = ops(&scripts[1]).filter(|op| op.has_ttl()).map(Op::key).collect();
        assert!(given.len() > 50 && given.len() < 250);
        assert_eq!(keys(&restore, Verb::GetOrPut), given);
    }
}
