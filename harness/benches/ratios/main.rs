//! Every target of the store, measured beside what it is compared with: a row each, with the
//! ratio, where it lies, what a control shows as noise, and a verdict.
//!
//! `just bench-ratios`, `just bench-ratios --help`

mod args;
mod batches;
mod bytes;
mod child;
mod churn;
mod contention;
mod growth;
mod memory;
mod page;
mod pages;
mod pairs;
mod rounds;
mod row;
mod storm;
mod throughput;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use args::{Args, Group};
use clap::Parser as _;
use harness::output;
use indicatif::{ProgressBar, ProgressStyle};
use row::Row;

/// What all groups need: how much to measure, and where to say what is going on.
struct Session {
    /// Pairs in each map.
    keys: u64,
    /// Rounds of what takes part of a second.
    rounds: usize,
    /// Rounds of what takes seconds.
    costly_rounds: usize,
    /// Operations of a thread in a round.
    ops: usize,
    /// How long memory is watched under churn.
    churn: Duration,
    bar: ProgressBar,
}

impl Session {
    fn new(args: &Args) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self {
            keys: args.keys(),
            rounds: args.rounds(),
            costly_rounds: (args.rounds() / 3).max(3),
            ops: if args.quick { 300_000 } else { 1_000_000 },
            churn: args.churn(),
            bar,
        }
    }

    /// Says what is being done.
    fn tell(&self, doing: &str) {
        self.bar.set_message(doing.to_owned());
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(job) = &args.child {
        return answer(child::work(job, args.keys(), args.churn()));
    }
    // Cargo starts a benchmark in its package's folder; `just` and people start at the top.
    let top = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    answer(std::env::set_current_dir(top).map_err(|e| e.to_string()).and_then(|()| run(&args)))
}

fn answer(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    if let Some(out) = &args.out {
        page::check(out)?;
    }
    let session = Session::new(args);
    let surroundings = page::Surroundings::read(args);
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for group in args.groups() {
        // What one group cannot measure is no reason to lose what the others can.
        match measure(group, &session) {
            Ok(measured) => rows.extend(measured),
            Err(error) => errors.push(format!("{group:?} was not measured: {error}")),
        }
    }
    session.bar.finish_and_clear();
    output::print(&page::terminal(&surroundings, &rows));
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    if let Some(out) = &args.out {
        page::write(out, &surroundings, &rows)?;
        output::note(&format!("wrote {}", out.display()));
    }
    Ok(())
}

fn measure(group: Group, session: &Session) -> Result<Vec<Row>, String> {
    match group {
        Group::Memory => memory::rows(session),
        Group::Throughput => throughput::rows(session),
        Group::Tails => Ok([storm::rows(session)?, growth::rows(session)?].concat()),
        Group::Batches => batches::rows(session),
        Group::Bytes => bytes::rows(session),
        Group::Contention => contention::rows(session),
        Group::Churn => churn::rows(session),
        Group::Pages => pages::rows(session),
    }
}
