//! `doctor`: what can be measured on this machine at all.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::{DoctorArgs, child, interrupt};
use crate::doctor::{Diagnosis, Pauses, Runs, WORKLOAD, advice, claim};
use crate::environment::disturbance::{Settings, Ticks};
use crate::environment::{machine, process, timer};
use crate::output::diagnosis;
use crate::target::{Choice, TargetName};
use crate::workload::{Overrides, Source, Workload, load};

/// Fewer runs say nothing about their spread.
const RUNS_MIN: usize = 8;
const RUNS_MAX: usize = 500;
/// How long to watch before looking whether the user still wants it.
const SLICE: Duration = Duration::from_millis(250);
/// Numbers of repeats to tell about, beside the one that was asked for.
const REPEATS: [usize; 4] = [4, 5, 10, 20];

pub(super) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    interrupt::listen()?;
    let length = Duration::from_secs(u64::from(args.seconds));
    let begun = Instant::now();
    let machine = machine::read();
    let (load, ticks) = (process::load_average(), Ticks::read());
    let bar = ProgressBar::new(u64::from(args.seconds));
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] ({elapsed})") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message("watching an idle loop");
    let timer_floor_ns = timer::floor_ns();
    let pauses = watch(machine.cores, length / 4, &bar)?;
    let optimized = machine::build().profile == "release";
    let workload = workload(machine.cores, optimized)?;
    let mut rates = Vec::new();
    while rates.len() < RUNS_MIN || (begun.elapsed() < length && rates.len() < RUNS_MAX) {
        bar.set_message(format!("run {}", rates.len() + 1));
        rates.push(rate(&workload)?);
        bar.set_position(begun.elapsed().as_secs());
    }
    bar.finish_and_clear();
    let steal = Ticks::read().zip(ticks).and_then(|(now, before)| now.stolen_since(before));
    let mut repeats = REPEATS.to_vec();
    repeats.extend(args.repeat.map(|repeat| repeat as usize));
    repeats.sort_unstable();
    repeats.dedup();
    let claims = repeats.into_iter().filter_map(|repeats| claim::of(&rates, repeats)).collect();
    let runs = Runs::of(rates).ok_or_else(|| Failure::Failed("nothing was run".to_owned()))?;
    let mut diagnosis = Diagnosis {
        machine,
        optimized,
        timer_floor_ns,
        load,
        steal,
        settings: Settings::read(),
        pauses,
        runs,
        claims,
        advice: Vec::new(),
    };
    diagnosis.advice = advice::on(&diagnosis);
    args.form.print(&diagnosis, diagnosis::render)
}

/// A thread on each core that only reads the clock.
fn watch(cores: usize, length: Duration, bar: &ProgressBar) -> Result<Pauses, Failure> {
    let begun = Instant::now();
    let mut pauses = Pauses::watch(cores, SLICE);
    while begun.elapsed() < length {
        interrupt::check()?;
        bar.set_position(begun.elapsed().as_secs());
        pauses = pauses.and(Pauses::watch(cores, SLICE));
    }
    Ok(pauses)
}

/// All of it if that can tell something; else a hundredth, to see that it works.
fn workload(cores: usize, optimized: bool) -> Result<Workload, Failure> {
    let source = Source { label: "the doctor's workload".to_owned(), text: WORKLOAD.to_owned() };
    let set = vec![format!("run.threads={}", cores.clamp(1, 2))];
    let cases = load(&source, &Overrides { set, quick: !optimized }).map_err(Failure::Failed)?;
    let first = cases.into_iter().next();
    first.map(|case| case.workload).ok_or_else(|| Failure::Failed("no workload".to_owned()))
}

/// One run in a process of its own, as repeats are: operations a second of its phase.
fn rate(workload: &Workload) -> Result<f64, Failure> {
    let store: Choice = TargetName::Store.name().parse().map_err(Failure::Failed)?;
    let repeat = child::start(workload, None, &store, &ProgressBar::hidden())?;
    let reported = repeat.phases.iter().rfind(|phase| phase.report);
    #[expect(clippy::cast_precision_loss, reason = "two million")]
    let rate = reported.map(|phase| phase.ops as f64 / phase.seconds);
    rate.ok_or_else(|| Failure::Failed("the doctor's workload reports no phase".to_owned()))
}
