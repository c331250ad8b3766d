//! Whether the keys that inserts take are there to be taken.

use toml::Spanned;

use super::{Problem, file, wrong};
use crate::workload::model::{Command, KeyDist, Keyspace, Length, Phase, Verb};
use crate::workload::stream::{BATCH_KEYS_MAX, STREAM_LEN_MAX};
use crate::workload::units::show_count;

/// Refuses inserts that would run out of keys or begin anew, and `latest` where nothing is.
pub(super) fn check(
    raw: &[Spanned<file::Phase>],
    phases: &[Phase],
    keyspaces: &[Keyspace],
    threads: u64,
) -> Result<(), Problem> {
    let mut taken = vec![0; keyspaces.len()];
    for (number, phase) in phases.iter().enumerate() {
        for (position, command) in phase.commands.iter().enumerate() {
            if command.verb != Verb::Insert || command.weight == 0 {
                continue;
            }
            let place = &command_of(raw, number, position).ok_or_else(nowhere)?.verb;
            let ops = match phase.length {
                Length::Ops(ops) => ops,
                Length::DurationNs(_) => {
                    let what = "inserts until a moment, which nobody knows the number of";
                    return Err(wrong(place, what, "end the phase by ops instead of duration"));
                }
            };
            let most = most_ops(phase, threads);
            if ops > most {
                let what = "inserts in a phase so long that its operations are started over";
                let remedy = format!("lower ops to {}, or add phases", show_count(most));
                return Err(wrong(place, what, remedy));
            }
            let room = u64::from(keyspaces[command.keyspace].keys)
                - u64::from(keyspaces[command.keyspace].loaded);
            let taken = &mut taken[command.keyspace];
            *taken += most_inserts(phase, command, ops);
            if *taken > room {
                let name = &keyspaces[command.keyspace].name;
                let what = format!(
                    "inserts of up to {} keys, where the prefill leaves {}",
                    show_count(*taken),
                    show_count(room)
                );
                let remedy = format!(
                    "raise keyspace.{name}.keys, or lower its prefill.fraction or these ops"
                );
                return Err(wrong(place, what, remedy));
            }
        }
        for (position, command) in phase.commands.iter().enumerate() {
            let space = &keyspaces[command.keyspace];
            let is_empty = space.loaded == 0 && taken[command.keyspace] == 0;
            if matches!(command.keys, KeyDist::Latest { .. }) && is_empty {
                let keys = command_of(raw, number, position).and_then(|raw| raw.keys.as_ref());
                let what = format!("no key is the latest: nothing is put into `{}`", space.name);
                let remedy = format!("add keyspace.{}.prefill = {{ fraction = 0.5 }}", space.name);
                return Err(wrong(keys.ok_or_else(nowhere)?, what, remedy));
            }
        }
    }
    Ok(())
}

/// The command as the file has it, in the phase itself or in the one it is like.
fn command_of(
    raw: &[Spanned<file::Phase>],
    phase: usize,
    position: usize,
) -> Option<&file::Command> {
    let own = raw.get(phase)?.get_ref();
    let model = || {
        let like = own.like.as_ref()?.get_ref();
        raw.iter().map(Spanned::get_ref).find(|other| other.name.get_ref() == like)
    };
    let commands = own.commands.as_ref().or_else(|| model()?.commands.as_ref())?;
    commands.get_ref().get(position).map(Spanned::get_ref)
}

/// Phases are resolved from the same commands, so this is for the compiler.
fn nowhere() -> Problem {
    Problem { span: None, what: "a command without a place".into(), remedy: "report it".into() }
}

/// Operations that the streams of all threads have room for.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a limit that is rough anyway"
)]
fn most_ops(phase: &Phase, threads: u64) -> u64 {
    // With a margin, as the mix is drawn.
    let by_keys = BATCH_KEYS_MAX as f64 * 0.95 / phase.mean_batch().max(1e-9);
    (by_keys as u64).min(STREAM_LEN_MAX) * threads
}

/// More inserts than that will not be among so many operations: six deviations above the mean.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are far below 2^53"
)]
fn most_inserts(phase: &Phase, command: &Command, ops: u64) -> u64 {
    let weights: f64 = phase.commands.iter().map(|command| f64::from(command.weight)).sum();
    let share = f64::from(command.weight) / weights;
    let mean = ops as f64 * share;
    let most = mean + 6.0 * libm::sqrt(mean * (1.0 - share));
    (libm::ceil(most) as u64).min(ops)
}
