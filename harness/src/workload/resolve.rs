//! Checks a file as a whole and makes the model of it.

mod arrival;
mod commands;
mod inserts;
mod keyspaces;
mod phases;
mod values;

use std::collections::BTreeSet;

use toml::Spanned;

use super::error::Problem;
use super::file;
use super::model::{Bound, Capability, Case, Eviction, Keyspace, Run, Workload};
use super::slo::{self, Objective};

const THREADS_MAX: i64 = 64;

/// Whether the whole file is meant, or a hundredth of it (times: a tenth).
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) quick: bool,
}

impl Scale {
    /// Keys or operations; small counts stay as they are.
    pub(super) fn count(self, count: u64) -> u64 {
        if self.quick { (count / 100).max(1_000).min(count) } else { count }
    }

    pub(super) fn time_ns(self, ns: u64) -> u64 {
        if self.quick { ns.div_ceil(10) } else { ns }
    }
}

/// All cases of a file: one, or one for each point of its sweep.
pub(super) fn cases(file: &file::File, scale: Scale) -> Result<Vec<Case>, Problem> {
    if *file.schema.get_ref() != 1 {
        return Err(wrong(&file.schema, "this harness reads schema 1", "write 1"));
    }
    check_name(&file.name)?;
    let threads = positive_list(file.run.threads.as_ref(), 2, "threads", THREADS_MAX)?;
    let spaces = file.keyspace.get_ref();
    let swept: Vec<_> =
        spaces.values().filter(|space| space.get_ref().keys.get_ref().0.len() > 1).collect();
    if let [_, second, ..] = swept[..] {
        let keys = &second.get_ref().keys;
        return Err(wrong(keys, "a second list of keys", "sweep one key space at a time"));
    }
    let sizes = match swept.first() {
        Some(space) => keyspaces::key_counts(&space.get_ref().keys, scale)?,
        None => vec![0],
    };
    let mut cases = Vec::new();
    for keys in &sizes {
        for threads_now in &threads {
            let mut label = Vec::new();
            if sizes.len() > 1 {
                label.push(format!("keys={keys}"));
            }
            if threads.len() > 1 {
                label.push(format!("threads={threads_now}"));
            }
            let workload = workload(file, scale, *threads_now, *keys)?;
            let label = (!label.is_empty()).then(|| label.join(","));
            cases.push(Case { label, workload });
        }
    }
    Ok(cases)
}

fn workload(
    file: &file::File,
    scale: Scale,
    threads: u64,
    swept: u64,
) -> Result<Workload, Problem> {
    let keyspaces = keyspaces::keyspaces(file, scale, swept)?;
    let phases = phases::phases(&file.phase, &keyspaces, scale)?;
    inserts::check(&file.phase, &phases, &keyspaces, threads)?;
    let prefills = || {
        let spaces = file.keyspace.get_ref().values();
        spaces.filter_map(|space| space.get_ref().prefill.as_ref()).map(Spanned::get_ref)
    };
    let load_report = prefills().any(|prefill| prefill.report.unwrap_or(false));
    if phases.is_empty() && !load_report {
        let span = file.name.span();
        let remedy = "add a [[phase]], or report the load with prefill = { report = true }";
        return Err(Problem::new(span, "a workload without anything to report", remedy));
    }
    let mut load_slo = Vec::new();
    for prefill in prefills() {
        load_slo.extend(objectives(prefill.slo.as_ref())?);
    }
    let run = run(file, scale, threads, &keyspaces, &phases)?;
    let name = file.name.get_ref().clone();
    Ok(Workload {
        name,
        seed: file.seed,
        run,
        keyspaces,
        load_slo,
        load_report,
        phases,
        trace: None,
    })
}

fn run(
    file: &file::File,
    scale: Scale,
    threads: u64,
    keyspaces: &[Keyspace],
    phases: &[super::model::Phase],
) -> Result<Run, Problem> {
    let repeat = match &file.run.repeat {
        Some(repeat) => in_range(repeat, 1, 1_000, "repeats")?,
        None => 1,
    };
    let bound = bound(&file.run, scale)?;
    let targets = file.run.targets.as_ref().map(Spanned::get_ref).into_iter().flatten();
    Ok(Run {
        threads: usize::try_from(threads).unwrap_or(usize::MAX),
        repeat: if scale.quick { 1 } else { u32::try_from(repeat).unwrap_or(u32::MAX) },
        time_every: time_every(file.run.timing.as_ref())?,
        preallocate: file.run.preallocate.unwrap_or(true),
        targets: targets.map(|target| target.get_ref().clone()).collect(),
        requires: requires(file, keyspaces, phases, bound)?,
        bound,
    })
}

/// What the file asks for by name, and what it asks for by what it does.
fn requires(
    file: &file::File,
    keyspaces: &[Keyspace],
    phases: &[super::model::Phase],
    bound: Option<Bound>,
) -> Result<Vec<Capability>, Problem> {
    let mut requires = Vec::new();
    for name in file.run.requires.iter().flatten() {
        let known = Capability::ALL.into_iter().find(|known| known.name() == name.get_ref());
        requires.push(known.ok_or_else(|| {
            let names = Capability::ALL.map(|known| format!("\"{}\"", known.name())).join(" or ");
            let what = format!("`{}` is not a capability", name.get_ref());
            wrong(name, what, format!("write {names}"))
        })?);
    }
    let mut commands = phases.iter().flat_map(|phase| &phase.commands);
    let gives_ttl = keyspaces.iter().any(|space| space.ttl.is_some())
        || commands.any(|command| command.ttl.is_some());
    for (needed, capability) in [(gives_ttl, Capability::Ttl), (bound.is_some(), Capability::Bound)]
    {
        if needed && !requires.contains(&capability) {
            requires.push(capability);
        }
    }
    Ok(requires)
}

fn bound(run: &file::Run, scale: Scale) -> Result<Option<Bound>, Problem> {
    let eviction = match &run.eviction {
        None => None,
        Some(name) => {
            let known = Eviction::ALL.into_iter().find(|known| known.name() == name.get_ref());
            Some(known.ok_or_else(|| {
                let what = format!("`{}` is not a policy", name.get_ref());
                wrong(name, what, "write \"s3fifo\" or \"lru\"")
            })?)
        }
    };
    match (&run.max_entries, &run.eviction) {
        (Some(entries), _) => {
            let entries = in_range(entries, 1, 1 << 32, "entries")?;
            Ok(Some(Bound { max_entries: scale.count(entries), eviction }))
        }
        (None, Some(eviction)) => {
            let what = "a policy without a bound: nothing is ever evicted";
            Err(wrong(eviction, what, "add max_entries = 1_000_000, or remove it"))
        }
        (None, None) => Ok(None),
    }
}

fn time_every(timing: Option<&Spanned<file::Timing>>) -> Result<u32, Problem> {
    let Some(timing) = timing.map(Spanned::get_ref) else { return Ok(64) };
    match (timing.mode.get_ref().as_str(), &timing.every) {
        ("all", None) => Ok(1),
        ("all", Some(every)) => Err(wrong(every, "mode \"all\" times every one", "remove it")),
        ("sampled", None) => Ok(64),
        ("sampled", Some(every)) => {
            let every = in_range(every, 1, 1_000_000, "operations a sample")?;
            Ok(u32::try_from(every).unwrap_or(u32::MAX))
        }
        (other, _) => {
            let what = format!("`{other}` is not a timing mode");
            Err(wrong(&timing.mode, what, "write \"all\" or \"sampled\""))
        }
    }
}

fn objectives(slo: Option<&file::Slo>) -> Result<Vec<Objective>, Problem> {
    let mut objectives = Vec::new();
    for (subject, texts) in slo.into_iter().flatten() {
        for text in texts {
            let parsed = slo::parse(subject.get_ref(), text.get_ref());
            objectives.push(parsed.map_err(|(what, remedy)| {
                // An unknown subject is the key's fault, anything else the text's.
                let known = slo::is_subject(subject.get_ref());
                let span = if known { text.span() } else { subject.span() };
                Problem::new(span, what, remedy)
            })?);
        }
    }
    Ok(objectives)
}

fn check_name(name: &Spanned<String>) -> Result<(), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
        let remedy = "use a-z, 0-9, _ and -: it becomes a folder";
        return Err(wrong(name, "not a name for a workload", remedy));
    }
    Ok(())
}

fn positive_list(
    list: Option<&Spanned<file::OneOrMany>>,
    default: u64,
    noun: &str,
    most: i64,
) -> Result<Vec<u64>, Problem> {
    let Some(list) = list else { return Ok(vec![default]) };
    let numbers = &list.get_ref().0;
    let distinct: BTreeSet<_> = numbers.iter().collect();
    if numbers.is_empty() || distinct.len() < numbers.len() {
        return Err(wrong(list, format!("no {noun}, or the same twice"), "list each once"));
    }
    numbers
        .iter()
        .map(|number| match u64::try_from(*number) {
            Ok(positive) if (1..=most).contains(number) => Ok(positive),
            _ if *number < 1 => Err(wrong(list, format!("{number} {noun}"), "write 1 or more")),
            _ => Err(wrong(list, format!("{number} {noun}"), format!("write {most} or less"))),
        })
        .collect()
}

fn in_range(number: &Spanned<i64>, least: i64, most: i64, noun: &str) -> Result<u64, Problem> {
    let value = *number.get_ref();
    match u64::try_from(value) {
        Ok(fine) if (least..=most).contains(&value) => Ok(fine),
        _ if value < least => {
            Err(wrong(number, format!("{value} {noun}"), format!("write {least} or more")))
        }
        _ => Err(wrong(number, format!("{value} {noun}"), format!("write {most} or less"))),
    }
}

/// A probability.
fn share(number: Option<&Spanned<f64>>, default: f64) -> Result<f64, Problem> {
    match number {
        None => Ok(default),
        Some(number) if (0.0..=1.0).contains(number.get_ref()) => Ok(*number.get_ref()),
        Some(number) => {
            Err(wrong(number, format!("{} is not a share", number.get_ref()), "write 0.0 to 1.0"))
        }
    }
}

/// What a parser of units says already holds the remedy, after a semicolon.
fn bad_unit<T>(place: &Spanned<T>, complaint: String) -> Problem {
    match complaint.split_once("; ") {
        Some((what, remedy)) => wrong(place, what, remedy),
        None => wrong(place, complaint, "give it a unit"),
    }
}

fn wrong<T>(place: &Spanned<T>, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem::new(place.span(), what, remedy)
}
