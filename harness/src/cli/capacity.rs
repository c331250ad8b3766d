//! `capacity`: looks for the highest rate at which a phase meets its objectives.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::bench::{progress_bar, record, same_digest, surroundings};
use super::failure::Failure;
use super::inputs::{self, Input, Targets};
use super::{CapacityArgs, InputArgs, child, folder, interrupt};
use crate::environment::{machine, process, revision};
use crate::output::{self, capacity as text};
use crate::replay::Plan;
use crate::report::Conditions;
use crate::report::capacity::{Capacity, KIND, SCHEMA, SearchRecord, Settings, merge};
use crate::target::Choice;
use crate::workload::model::{Arrival, Phase, TtlDist, Verb};
use crate::workload::slo::{Objective, Statistic};
use crate::workload::{Case, Workload, units};

/// The lowest rate to try, where that gives enough samples.
const FROM_PER_SECOND: f64 = 1_000.0;
/// So many samples above a quantile are wanted on average: fewer than 10 do not tell it.
const SAMPLES_ABOVE: f64 = 20.0;

pub(super) fn run(args: &CapacityArgs) -> Result<(), Failure> {
    // Everything that can be wrong is found before anything runs.
    let files =
        InputArgs { files: vec![args.file.clone()], set: args.set.clone(), quick: args.quick };
    let Some(input) = inputs::read(&files)?.pop() else { return Ok(()) };
    let targets = inputs::targets(&args.target, &input)?;
    let mut plans = Vec::new();
    for case in &input.cases {
        inputs::check_memory(&input, &case.workload)?;
        plans.push(plan(args, &input, &case.workload)?);
    }
    let out = out_folder(args)?;
    if let Some(out) = &out {
        folder::check_writable(out)?;
    }
    interrupt::listen()?;
    for (target, why) in &targets.skipped {
        output::note(&format!("{target} is skipped: {why}"));
    }
    let mut all = Vec::new();
    for (case, plan) in input.cases.iter().zip(&plans) {
        let found = search_case(args, &input, case, plan, &targets)?;
        for one in &found {
            if let Some(out) = &out {
                let path = folder::write_capacity(out, one)?;
                output::note(&format!("wrote {}", path.display()));
            }
        }
        all.extend(found);
    }
    let render = |all: &[Capacity], form| text::render(&all.iter().collect::<Vec<_>>(), form);
    args.form.print_each(&all, render)?;
    judge(&all)
}

fn out_folder(args: &CapacityArgs) -> Result<Option<PathBuf>, Failure> {
    if args.no_write {
        return Ok(None);
    }
    if args.quick && args.out.is_none() {
        output::note("--quick: a hundredth of the workload, no report is written");
        return Ok(None);
    }
    folder::results(args.out.as_deref()).map(Some)
}

/// What is to be searched, or why it cannot be.
fn plan(args: &CapacityArgs, input: &Input, workload: &Workload) -> Result<Plan, Failure> {
    let usage = |what: String| Failure::Usage(format!("{}: {what}", input.source.label));
    let phase = phase(args, workload).map_err(usage)?;
    let own = &workload.phases[phase];
    if own.commands.iter().any(|command| command.verb == Verb::Insert && command.weight > 0) {
        return Err(usage(format!(
            "phase `{}` inserts new keys, which end, and a rate is tried for a time; search \
             another phase, or write put instead of insert",
            own.name
        )));
    }
    let objectives: Vec<Objective> =
        own.slo.iter().filter(|objective| objective.is_of_rate()).cloned().collect();
    let ttls = workload.phases[..=phase].iter().flat_map(|phase| &phase.commands);
    let ttls = ttls.filter_map(|command| command.ttl.as_ref());
    let mut ttls = ttls.chain(workload.keyspaces.iter().filter_map(|space| space.ttl.as_ref()));
    if ttls.any(|ttl| matches!(ttl.dist, TtlDist::Cliff { .. })) {
        return Err(usage(
            "its TTLs end in one instant, which only one probe could see; choose another workload, \
             or another --set keyspace.NAME.ttl"
                .to_owned(),
        ));
    }
    let probe_seconds = if args.quick { args.seconds / 10.0 } else { args.seconds };
    let least = least_rate(own, &objectives, probe_seconds);
    let from_per_second = args.from.unwrap_or(FROM_PER_SECOND.max(least));
    let show = units::show_rate;
    if from_per_second < least {
        return Err(Failure::Usage(format!(
            "--from: {} gives too few samples in {probe_seconds} s to tell the objectives of \
             `{}`; write {} or more, or raise --seconds",
            show(from_per_second),
            own.name,
            show(least)
        )));
    }
    if let Some(to) = args.to
        && to <= from_per_second
    {
        return Err(Failure::Usage(format!(
            "--to: {} is not above the lowest rate, {}; raise it, or lower --from",
            show(to),
            show(from_per_second)
        )));
    }
    let precision = args.precision.max(0.001);
    let settings = Settings { from_per_second, to_per_second: args.to, precision, probe_seconds };
    Ok(Plan { phase, objectives, settings })
}

/// The phase that was named, or the first that has something to decide by.
fn phase(args: &CapacityArgs, workload: &Workload) -> Result<usize, String> {
    let phases = &workload.phases;
    let decides = |phase: &Phase| phase.slo.iter().any(Objective::is_of_rate);
    let example = "slo.get=[\"p(99) < 1ms\"]";
    let Some(name) = &args.phase else {
        let paced = |phase: &Phase| decides(phase) && phase.arrival != Arrival::Closed;
        let found = phases.iter().position(paced).or_else(|| phases.iter().position(decides));
        return found.ok_or_else(|| {
            let name = phases.first().map_or("NAME", |phase| &*phase.name);
            format!(
                "no phase has an objective about times; add e.g. --set 'phase.{name}.{example}'"
            )
        });
    };
    let found = phases.iter().position(|phase| phase.name == *name).ok_or_else(|| {
        let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
        format!("there is no phase `{name}`; known here: {}", names.join(", "))
    })?;
    if !decides(&phases[found]) {
        return Err(format!(
            "phase `{name}` has no objective about times; add e.g. --set 'phase.{name}.{example}'"
        ));
    }
    Ok(found)
}

/// The lowest rate at which a probe has the samples to tell every objective.
fn least_rate(phase: &Phase, objectives: &[Objective], seconds: f64) -> f64 {
    let weight_of = |verb: Option<&str>| {
        let commands = phase.commands.iter();
        let own = commands.filter(|command| verb.is_none_or(|verb| command.verb.name() == verb));
        own.map(|command| f64::from(command.weight)).sum::<f64>()
    };
    let rates = objectives.iter().map(|objective| {
        let samples = match objective.statistic {
            Statistic::Percentile(p) => SAMPLES_ABOVE * 100.0 / (100.0 - p),
            _ => SAMPLES_ABOVE,
        };
        let verb = Some(objective.subject.as_str()).filter(|subject| *subject != "lateness");
        samples / seconds * weight_of(None) / weight_of(verb).max(f64::MIN_POSITIVE)
    });
    rates.fold(0.0, f64::max)
}

/// All searches of one case on all targets, taking turns, so that a slow spell of the machine
/// falls on all of them. Each loads its target in a process of its own, one at a time.
fn search_case(
    args: &CapacityArgs,
    input: &Input,
    case: &Case,
    plan: &Plan,
    targets: &Targets,
) -> Result<Vec<Capacity>, Failure> {
    let started = Timestamp::now();
    let load_before = process::load_average();
    let bar = progress_bar(&case.workload, case.label.as_deref());
    let mut searches: Vec<(&Choice, Vec<SearchRecord>)> =
        targets.run.iter().map(|target| (target, Vec::new())).collect();
    for number in 1..=args.repeat {
        for (target, done) in &mut searches {
            interrupt::check()?;
            bar.set_prefix(format!("{number}/{}", args.repeat));
            done.push(child::search(&case.workload, target, plan, &bar)?);
        }
    }
    bar.finish_and_clear();
    let conditions =
        Conditions { load_before, load_after: process::load_average(), timer_floor_ns: 0 };
    let started = started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let found = searches.into_iter().map(|(target, repeats)| {
        same_digest(repeats.iter().map(|search| &*search.ops_digest))?;
        Ok(report(&started, input, case, plan, target, &conditions, repeats))
    });
    found.collect()
}

fn report(
    started: &str,
    input: &Input,
    case: &Case,
    plan: &Plan,
    target: &Choice,
    conditions: &Conditions,
    repeats: Vec<SearchRecord>,
) -> Capacity {
    let (revision, build) = (revision::read(folder_of(input)), machine::build());
    let machine = machine::read();
    let floors = repeats.iter().map(|search| search.timer_floor_ns);
    let conditions = Conditions { timer_floor_ns: floors.min().unwrap_or(0), ..conditions.clone() };
    let threads = case.workload.run.threads;
    Capacity {
        kind: KIND.to_owned(),
        schema: SCHEMA,
        started: started.to_owned(),
        workload: record(input, case),
        phase: case.workload.phases[plan.phase].name.clone(),
        target: target.label.clone(),
        settings: plan.settings,
        objectives: plan.objectives.clone(),
        warnings: surroundings(&conditions, &build, &revision, &machine, threads),
        revision,
        build,
        machine,
        conditions,
        answer: merge(&repeats),
        repeats,
    }
}

fn folder_of(input: &Input) -> &Path {
    inputs::folder_of(&input.source.label)
}

fn judge(found: &[Capacity]) -> Result<(), Failure> {
    let false_answers: u64 = found.iter().map(|one| one.answer.counts.false_answers()).sum();
    if false_answers > 0 {
        let message = format!("{false_answers} answers were wrong, stale or early");
        return Err(Failure::FalseAnswers(message));
    }
    if found.iter().any(|one| one.answer.holds_per_second.is_none()) {
        return Err(Failure::SloMissed);
    }
    Ok(())
}
