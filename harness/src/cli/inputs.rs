//! Workload files and targets, read and checked before anything runs.

use std::fs;
use std::path::{Path, PathBuf};

use super::InputArgs;
use super::failure::Failure;
use crate::environment::process;
use crate::replay;
use crate::target::{Choice, TargetName};
use crate::trace;
use crate::workload::{Case, Overrides, Source, Workload, load, units};

/// A workload file and what it means.
#[derive(Debug)]
pub(super) struct Input {
    /// The file's text.
    pub(super) source: Source,
    /// What the command line changes.
    pub(super) overrides: Overrides,
    /// One workload, or one for each point of a sweep.
    pub(super) cases: Vec<Case>,
    /// The trace that the operations are taken from, if they are.
    pub(super) trace: Option<trace::play::Source>,
}

/// Reads all files that the command line names.
pub(super) fn read(args: &InputArgs) -> Result<Vec<Input>, Failure> {
    args.files.iter().map(|path| read_one(path, args)).collect()
}

fn read_one(path: &PathBuf, args: &InputArgs) -> Result<Input, Failure> {
    let label = path.display().to_string();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::Usage(format!("{label}: cannot be read: {error}")))?;
    let source = Source { label, text };
    let overrides = Overrides { set: args.set.clone(), quick: args.quick };
    let cases = load(&source, &overrides).map_err(Failure::Usage)?;
    Ok(Input { source, overrides, cases, trace: None })
}

/// The targets to run, and why others are not.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) run: Vec<Choice>,
    pub(super) skipped: Vec<(Choice, String)>,
}

/// Targets by the command line, else by the file, else the store.
pub(super) fn targets(named: &[String], input: &Input) -> Result<Targets, Failure> {
    let run = &input.cases[0].workload.run;
    let (wanted, from_file) = match (named, run.targets.as_slice()) {
        ([], []) => (&[TargetName::Store.name().to_owned()][..], false),
        ([], of_file) => (of_file, true),
        (named, _) => (named, false),
    };
    let mut targets = Targets::default();
    for name in wanted {
        let target = choose(name).map_err(|(complaint, remedy)| {
            Failure::Usage(if from_file {
                input.source.complain(&["run", "targets"], complaint, remedy)
            } else {
                format!("--target: {complaint}; {remedy}")
            })
        })?;
        let is_same = |other: &&Choice| other.label == target.label;
        if let Some(other) = targets.run.iter().find(is_same) {
            if *other != target {
                let label = &target.label;
                return Err(Failure::Usage(format!(
                    "--target: two targets would be called `{label}`; name one, as in \
                     other=redis://HOST:PORT"
                )));
            }
            continue;
        }
        match run.requires.iter().find(|capability| !target.name.has(**capability)) {
            None => targets.run.push(target),
            Some(lacking) => {
                let why = format!("it has no {}, which this workload requires", lacking.name());
                targets.skipped.push((target, why));
            }
        }
    }
    if targets.run.is_empty() {
        let (target, why) = &targets.skipped[0];
        let label = &input.source.label;
        return Err(Failure::Usage(format!("{label}: nothing to run: {target} is skipped: {why}")));
    }
    Ok(targets)
}

/// The target of this name, or what is wrong and what would be right.
fn choose(name: &str) -> Result<Choice, (String, String)> {
    let split = |text: String| match text.split_once("; ") {
        Some((what, remedy)) => (what.to_owned(), remedy.to_owned()),
        None => (text, "name another".to_owned()),
    };
    let choice: Choice = name.parse().map_err(split)?;
    if choice.name.is_built_in() { Ok(choice) } else { Err(split(choice.name.not_built_in())) }
}

/// Refuses what would not fit into memory, before it drives the machine into the ground.
pub(super) fn check_memory(input: &Input, workload: &Workload) -> Result<(), Failure> {
    let Some(available) = process::available_bytes() else { return Ok(()) };
    let needed = replay::estimate(workload).total_bytes();
    if needed <= available {
        return Ok(());
    }
    let largest = workload.keyspaces.iter().max_by_key(|space| space.keys);
    let name = largest.map_or("", |space| space.name.as_str());
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let show = |bytes: u64| units::show_bytes(bytes as f64);
    let what = format!("the run needs about {}, {} is available", show(needed), show(available));
    let remedy = "lower keys, or try it with --quick".to_owned();
    Err(Failure::Usage(input.source.complain(&["keyspace", name, "keys"], what, remedy)))
}

/// Reads a share such as `3%` or `0.03`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 0.01));
    let share = number.trim().parse::<f64>().ok().map(|number| number * unit);
    share
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| format!("`{text}` is not a share; write e.g. 3% or 0.03"))
}

/// Reads a length of time in seconds, up to an hour.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).trim().parse::<f64>().ok();
    seconds
        .filter(|seconds| (0.05..=3_600.0).contains(seconds))
        .ok_or_else(|| format!("`{text}` is not a length; write 0.05 to 3600, in seconds"))
}

/// The folder that a file lies in.
pub(super) fn folder_of(path: &str) -> &Path {
    let folder = Path::new(path).parent().unwrap_or(Path::new("."));
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}
