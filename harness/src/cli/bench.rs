//! `bench`: runs workloads, repeat by repeat, and reports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::failure::Failure;
use super::inputs::{self, Input, Targets};
use super::{BenchArgs, child, folder, interrupt};
use crate::environment::{machine, process, revision};
use crate::output;
use crate::output::summary::{self, Form};
use crate::report::{
    Build, Conditions, Machine, MergedPhase, Repeat, Report, Revision, SCHEMA, Warning,
    WorkloadRecord, merge, step, verdict,
};
use crate::target::Choice;
use crate::workload::digest::sha256;
use crate::workload::{Case, Workload};

/// Load above this is worth a warning.
const LOAD_MAX: f64 = 1.0;
/// Lateness above this share of a millisecond is worth one too.
const LATENESS_MAX_NS: u64 = 1_000_000;

pub(super) fn run(args: &BenchArgs) -> Result<(), Failure> {
    // Everything that can be wrong is found before anything runs.
    let mut inputs = inputs::read(&args.inputs)?;
    let mut all_targets = Vec::new();
    for input in &mut inputs {
        if let Some(repeat) = args.repeat {
            input.cases.iter_mut().for_each(|case| case.workload.run.repeat = repeat);
        }
        all_targets.push(inputs::targets(&args.target, input)?);
        for case in &input.cases {
            inputs::check_memory(input, &case.workload)?;
        }
    }
    let out = out_folder(args)?;
    if let Some(out) = &out {
        folder::check_writable(out)?;
    }
    interrupt::listen()?;

    let mut worst: Option<Failure> = None;
    for (input, targets) in inputs.iter().zip(&all_targets) {
        if let Err(failure) = bench_file(input, targets, out.as_deref()) {
            // What was measured is not thrown away; anything else ends it here.
            if !matches!(failure, Failure::SloMissed | Failure::FalseAnswers(_)) {
                return Err(failure);
            }
            worst = Some(worst.map_or(failure.clone(), |other| other.worse(failure)));
        }
    }
    if let Some(out) = &out {
        folder::write_index(out)?;
    }
    worst.map_or(Ok(()), Err)
}

fn out_folder(args: &BenchArgs) -> Result<Option<PathBuf>, Failure> {
    if args.no_write {
        return Ok(None);
    }
    if args.inputs.quick && args.out.is_none() {
        output::note("--quick: a hundredth of the workload, no report is written");
        return Ok(None);
    }
    folder::results(args.out.as_deref()).map(Some)
}

pub(super) fn bench_file(
    input: &Input,
    targets: &Targets,
    out: Option<&Path>,
) -> Result<(), Failure> {
    for (target, why) in &targets.skipped {
        output::print(&format!("{target} is skipped: {why}"));
    }
    let mut reports = Vec::new();
    for case in &input.cases {
        for report in bench_case(input, case, targets)? {
            output::print(&summary::render(&report, Form::Terminal));
            if let Some(out) = out {
                let path = folder::write_report(out, &report)?;
                output::note(&format!("wrote {}", path.display()));
            }
            reports.push(report);
        }
    }
    if input.cases.len() > 1 {
        output::print(&summary::sweep(&reports.iter().collect::<Vec<_>>(), Form::Terminal));
    }
    judge(&reports)
}

/// All repeats of one case on all targets, interleaved, so that a slow spell of the machine
/// falls on all of them.
fn bench_case(input: &Input, case: &Case, targets: &Targets) -> Result<Vec<Report>, Failure> {
    let workload = &case.workload;
    let started = Timestamp::now();
    let load_before = process::load_average();
    let revision = revision::read(inputs::folder_of(&input.source.label));
    let mut repeats: Vec<(&Choice, Vec<Repeat>)> =
        targets.run.iter().map(|target| (target, Vec::new())).collect();
    let bar = progress_bar(workload, case.label.as_deref());
    for number in 1..=workload.run.repeat {
        for (target, done) in &mut repeats {
            interrupt::check()?;
            bar.set_prefix(format!("{number}/{}", workload.run.repeat));
            done.push(child::start(workload, input.trace.as_ref(), target, &bar)?);
        }
    }
    bar.finish_and_clear();
    let conditions =
        Conditions { load_before, load_after: process::load_average(), timer_floor_ns: 0 };
    repeats
        .into_iter()
        .map(|(target, repeats)| {
            let ops_digest = same_digest(repeats.iter().map(|repeat| &*repeat.ops_digest))?;
            let mut merged = merge::merge(&repeats).map_err(Failure::Failed)?;
            let verdicts = verdicts(workload, &mut merged)?;
            let floors = repeats.iter().map(|repeat| repeat.timer_floor_ns);
            let conditions =
                Conditions { timer_floor_ns: floors.min().unwrap_or(0), ..conditions.clone() };
            let mut report = Report {
                schema: SCHEMA,
                started: started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                workload: record(input, case),
                target: target.label.clone(),
                ops_digest,
                revision: revision.clone(),
                build: machine::build(),
                machine: machine::read(),
                conditions,
                verdicts,
                warnings: Vec::new(),
                merged,
                repeats,
            };
            report.warnings = warnings(&report);
            Ok(report)
        })
        .collect()
}

/// What a report says about the workload.
pub(super) fn record(input: &Input, case: &Case) -> WorkloadRecord {
    WorkloadRecord {
        name: case.workload.name.clone(),
        question: input.source.question().to_owned(),
        case: case.label.clone(),
        sha256: sha256(&input.source.text),
        set: input.overrides.set.clone(),
        quick: input.overrides.quick,
        effective: case.workload.clone(),
        text: input.source.text.clone(),
    }
}

/// The digest that all repeats must share: they are the same operations or not repeats.
pub(super) fn same_digest<'a>(digests: impl Iterator<Item = &'a str>) -> Result<String, Failure> {
    let distinct: BTreeSet<&str> = digests.collect();
    if distinct.len() > 1 {
        let message = "repeats did different operations; this is a bug of the harness".to_owned();
        return Err(Failure::Failed(message));
    }
    Ok(distinct.first().map(|digest| (*digest).to_owned()).unwrap_or_default())
}

fn verdicts(
    workload: &Workload,
    merged: &mut [MergedPhase],
) -> Result<Vec<verdict::Verdict>, Failure> {
    let mut verdicts = Vec::new();
    for phase in merged {
        let own = workload.phases.iter().find(|own| own.name == phase.name);
        let objectives = own.map_or(&workload.load_slo, |own| &own.slo);
        step::judge(phase, objectives).map_err(Failure::Failed)?;
        verdicts.extend(verdict::judge(phase, objectives).map_err(Failure::Failed)?);
    }
    Ok(verdicts)
}

fn warnings(report: &Report) -> Vec<Warning> {
    let mut warnings = surroundings(
        &report.conditions,
        &report.build,
        &report.revision,
        &report.machine,
        report.workload.effective.run.threads,
    );
    if report.merged.iter().any(|phase| phase.entries.is_none()) {
        warnings.push(Warning::Untold);
    }
    if let Some(trace) = &report.workload.effective.trace
        && (trace.lost > 0 || trace.is_torn)
    {
        let (lost, calls) = (trace.lost, trace.calls);
        warnings.push(Warning::TraceIncomplete { lost, calls, is_torn: trace.is_torn });
    }
    for phase in report.merged.iter().filter(|phase| phase.report) {
        let name = || phase.name.clone();
        if let Some(p99_ns) = phase.lateness.and_then(|lateness| lateness.p99_ns)
            && p99_ns > LATENESS_MAX_NS
        {
            warnings.push(Warning::GeneratorLate { phase: name(), p99_ns });
        }
        if phase.counts.unjudged > 0 {
            let answers = phase.counts.unjudged;
            warnings.push(Warning::Unjudged { phase: name(), answers });
        }
        for (verb, merged) in &phase.verbs {
            let floor_ns = report.conditions.timer_floor_ns;
            if merged.quantiles.p50_ns.is_some_and(|p50_ns| p50_ns < 2 * floor_ns) {
                warnings.push(Warning::NearTimerFloor { phase: name(), verb: verb.clone() });
            }
        }
    }
    warnings
}

/// What should make a reader careful whatever was measured.
pub(super) fn surroundings(
    conditions: &Conditions,
    build: &Build,
    revision: &Revision,
    machine: &Machine,
    threads: usize,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if conditions.load_before > LOAD_MAX {
        warnings.push(Warning::Busy { load: conditions.load_before });
    }
    if build.profile != "release" {
        warnings.push(Warning::DebugBuild);
    }
    if revision.dirty {
        warnings.push(Warning::Dirty);
    }
    let cores = machine.cores;
    if threads > cores {
        warnings.push(Warning::Oversubscribed { threads, cores });
    }
    warnings
}

fn judge(reports: &[Report]) -> Result<(), Failure> {
    let of_target = |report: &Report| {
        let count: u64 = report.merged.iter().map(|phase| phase.counts.false_answers()).sum();
        (count > 0).then(|| format!("{count} of {}", report.target))
    };
    let false_answers: Vec<String> = reports.iter().filter_map(of_target).collect();
    if !false_answers.is_empty() {
        let message = format!("answers were wrong, stale or early: {}", false_answers.join(", "));
        return Err(Failure::FalseAnswers(message));
    }
    let mut verdicts = reports.iter().flat_map(|report| &report.verdicts);
    if verdicts.any(|verdict| verdict.outcome == verdict::Outcome::Missed) {
        return Err(Failure::SloMissed);
    }
    Ok(())
}

/// On standard error; hidden when that is not a terminal.
pub(super) fn progress_bar(workload: &Workload, case: Option<&str>) -> ProgressBar {
    let bar = ProgressBar::new(child::PROGRESS_STEPS);
    let case = case.map_or_else(String::new, |case| format!(" {case}"));
    let template = format!("{}{case} {{prefix}} [{{bar:30}}] {{msg}} ({{elapsed}})", workload.name);
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
