//! The command line: what can be asked, and how it is answered.

mod ab;
mod bench;
mod capacity;
mod check;
mod child;
mod compare;
mod doctor;
mod failure;
mod folder;
mod form;
mod hit_ratio;
mod html;
mod inputs;
mod interrupt;
mod peers;
mod show;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::output;
use crate::workload::units;
use form::FormArgs;

const EXAMPLES: &str = "\
Examples:
  harness bench workloads/smoke.toml                  run it on the store, write a report
  harness bench workloads/memory_u64.toml --target store,scc --repeat 3
  harness bench workloads/10m_mixed.toml --quick      a hundredth of it, without a report
  harness bench workloads/10m_mixed.toml --set phase.mixed.duration=20s
  harness capacity workloads/10m_mixed.toml --phase paced  the highest rate that meets its slo
  harness check workloads/10m_mixed.toml              what it means, without running it
  harness hit_ratio --trace keys.txt --entries 1000   what caches of one size would answer
  harness show results/smoke/store/REPORT.json --markdown
  harness html results/key_count_sweep --out page.html  charts of the latest report of each case
  harness html --compare OLD.json NEW.json --out page.html
  harness compare OLD.json NEW.json                   two reports, or two folders
  harness compare v0.1.0 HEAD --delta 5%              the results committed at two revisions
  harness peers --into README.md                      the peers' table, from committed reports
  harness ab HEAD~1 . workloads/smoke.toml            is my change slower than the last commit?
  harness ab HEAD~1 . workloads/smoke.toml --html ab.html  the same, and a page of it
  harness trace record workloads/smoke.toml --out smoke.trace
  harness trace replay smoke.trace --target store,scc  the same calls at the recorded moments
  harness doctor                                      what could be claimed on this machine?

Exit codes:
  0  all went well and every objective was met
  1  the run failed, or something could not be read or written
  2  wrong usage or a mistake in a workload file
  3  an objective (slo) was missed, by `capacity` at every rate
  4  something became worse
  5  inconclusive, with --strict
  6  a target gave wrong, stale or early answers
  7  not comparable: other operations, threads or settings
  130  interrupted; no report was written";

/// Replays declarative workload files against an in-memory store and its peers, checks every
/// answer, and writes percentile reports.
#[derive(Debug, Parser)]
#[command(name = "harness", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run workload files and report what was measured
    Bench(BenchArgs),
    /// Find the highest rate at which a phase meets its objectives
    Capacity(CapacityArgs),
    /// Say what a workload file means and needs, without running it
    Check(InputArgs),
    /// Print a saved report
    Show(ShowArgs),
    /// Make one page of charts and tables from saved reports of a workload
    Html(HtmlArgs),
    /// Say whether B differs from A, and by how much
    Compare(CompareArgs),
    /// Build two revisions, let them take turns on a workload, and say whether B differs from A
    Ab(AbArgs),
    /// Measure this machine's noise, and say what could be claimed here
    Doctor(DoctorArgs),
    /// Make the page of all results anew
    Index(IndexArgs),
    /// Put the targets of the saved reports side by side, as Markdown
    Peers(PeersArgs),
    /// Play traces of keys through caches of the same size, side by side
    #[command(name = "hit_ratio", visible_alias = "hit-ratio")]
    HitRatio(HitRatioArgs),
    /// Record calls on a store, say what was recorded, replay it
    Trace(trace::TraceArgs),
    /// Run one repeat; what `bench` starts in a fresh process
    #[command(hide = true)]
    Repeat {
        /// The file that describes it
        job: PathBuf,
    },
}

/// Which workloads, and with which changes.
#[derive(Debug, Args)]
struct InputArgs {
    /// Workload files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Change a value of the file; KEY is a dotted path, phases go by name
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Run a hundredth of the keys and operations for a tenth of the time, once
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, Args)]
struct BenchArgs {
    #[command(flatten)]
    inputs: InputArgs,
    /// What to run against, separated by commas [default: what the file says, else store]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    target: Vec<String>,
    /// Fresh processes that each run the whole workload [default: what the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: Option<u32>,
    /// Where reports go [default: results/ of the repository]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write no report
    #[arg(long, conflicts_with = "out")]
    no_write: bool,
}

#[derive(Debug, Args)]
struct CapacityArgs {
    /// A workload file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The phase whose rate is varied [default: the first that has an objective about times, in an
    /// open loop if there is one]
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,
    /// What to run against, separated by commas [default: what the file says, else store]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    target: Vec<String>,
    /// The lowest rate to try [default: 1k/s, or what gives enough samples]
    #[arg(long, value_name = "RATE", value_parser = units::parse_rate)]
    from: Option<f64>,
    /// The highest rate to try [default: what can be reached]
    #[arg(long, value_name = "RATE", value_parser = units::parse_rate)]
    to: Option<f64>,
    /// How close together the rate that holds and the one that does not shall be
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = inputs::share)]
    precision: f64,
    /// How long each rate is tried
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = inputs::seconds)]
    seconds: f64,
    /// Fresh processes that each search
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Change a value of the file; KEY is a dotted path, phases go by name
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Search with a hundredth of the keys, for a tenth of the time
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    form: FormArgs,
    /// Where reports go [default: results/ of the repository]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write no report
    #[arg(long, conflicts_with = "out")]
    no_write: bool,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Saved reports
    #[arg(required = true, value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// As Markdown
    #[arg(long)]
    markdown: bool,
}

#[derive(Debug, Args)]
struct HtmlArgs {
    /// Saved reports, or folders of which the latest of each case and target are taken
    #[arg(required_unless_present_any = ["compare", "trials"], value_name = "REPORT")]
    reports: Vec<PathBuf>,
    /// Compare B with A instead: reports, folders or git revisions, as `compare` takes them
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with = "reports")]
    compare: Vec<String>,
    /// What `ab --json` printed instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["reports", "compare"])]
    trials: Option<PathBuf>,
    /// Changes below this share are of no interest
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = inputs::share)]
    #[arg(requires = "compare", conflicts_with = "reports")]
    delta: f64,
    /// The figure that decides a comparison [default: the throughput of the first closed phase]
    #[arg(long, value_name = "FIGURE", requires = "compare", conflicts_with = "reports")]
    metric: Option<String>,
    /// Where the page goes; `-` for standard output [default: the workload's name, comparison or
    /// trials, here]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// A report, a folder of reports, or a git revision whose committed results are meant
    a: String,
    /// The same, compared with A
    b: String,
    #[command(flatten)]
    judgement: JudgementArgs,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, Args)]
struct AbArgs {
    /// A revision, or `.` for the working tree as it is
    a: String,
    /// The same, compared with A
    b: String,
    /// A workload file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Rounds of A, B and A once more; each run is a fresh process
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=200))]
    pairs: u32,
    /// What to run against, separated by commas [default: what the file says, else store]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    target: Vec<String>,
    /// Change a value of the file; KEY is a dotted path, phases go by name
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    judgement: JudgementArgs,
    /// Make a page of charts and tables, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    form: FormArgs,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// How long to measure
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Also say what this many repeats could tell
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(4..=50))]
    repeat: Option<u32>,
    #[command(flatten)]
    form: FormArgs,
}

/// What counts as a change, and what follows from it.
#[derive(Debug, Args)]
struct JudgementArgs {
    /// Changes below this share are of no interest
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = inputs::share)]
    delta: f64,
    /// The figure that decides, e.g. mixed.get.p99 [default: the throughput of the first closed
    /// phase]
    #[arg(long, value_name = "FIGURE")]
    metric: Option<String>,
    /// Exit with code 5 if the deciding figure is inconclusive
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Args)]
struct IndexArgs {
    /// The folder of the reports [default: results/ of the repository]
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct PeersArgs {
    /// The folder of the reports [default: results/ of the repository]
    folder: Option<PathBuf>,
    /// The revision whose reports are meant [default: the one that was measured last]
    #[arg(long, value_name = "REV")]
    revision: Option<String>,
    /// Write the table into this file instead, between its lines `<!-- peers -->` and
    /// `<!-- /peers -->`
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct HitRatioArgs {
    /// Recorded traces to play instead of the made ones
    #[arg(long, value_name = "FILE")]
    trace: Vec<PathBuf>,
    /// How recorded traces are written down; those of `harness trace` are known by themselves
    #[arg(long, value_enum, default_value = "lines")]
    format: TraceFormat,
    /// How many entries the caches hold [default: 1, 5 and 20 in a hundred of the keys]
    #[arg(long, value_name = "N,M", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    entries: Vec<u64>,
    /// How many gets a made trace has
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    accesses: u64,
    /// Write the table as Markdown, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TraceFormat {
    /// One key a line
    Lines,
    /// Records of 24 bytes as libCacheSim's oracleGeneral has them
    OracleGeneral,
}

/// Does what the command line asks.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap tells them apart.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let outcome = match cli.verb {
        Verb::Bench(args) => bench::run(&args),
        Verb::Capacity(args) => capacity::run(&args),
        Verb::Check(args) => check::run(&args),
        Verb::Show(args) => show::run(&args),
        Verb::Html(args) => html::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Ab(args) => ab::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Index(args) => {
            folder::results(args.folder.as_deref()).and_then(|folder| folder::write_index(&folder))
        }
        Verb::Peers(args) => peers::run(&args),
        Verb::HitRatio(args) => hit_ratio::run(&args),
        Verb::Trace(args) => trace::run(&args),
        Verb::Repeat { job } => child::run(&job),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message().is_empty() {
                output::note(&format!("error: {}", failure.message()));
            }
            ExitCode::from(failure.code())
        }
    }
}
