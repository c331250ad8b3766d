//! `trace`: records the calls of a workload, says what a trace holds, replays it.

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::inputs::{self, Input};
use super::{InputArgs, bench, child, folder, interrupt};
use crate::output;
use crate::replay::{self, Progress};
use crate::trace::play::{self, Plan, Source, Survey};
use crate::trace::summary::Summary;
use crate::trace::{Overflow, Torn};
use crate::workload::{self, Case, Overrides, units};

/// Threads that a replay takes at most, as a workload file does.
const THREADS_MAX: u64 = 64;
/// A replay at the recorded pace that takes longer than this is worth a word.
const LONG_NS: f64 = 120e9;

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    #[command(subcommand)]
    verb: TraceVerb,
}

#[derive(Debug, Subcommand)]
enum TraceVerb {
    /// Run a workload file against the store and record all calls, the load's too
    Record(RecordArgs),
    /// Make operations of a trace and run them against targets; a report as `bench` makes it
    Replay(ReplayArgs),
    /// Say what is in a trace
    Info(InfoArgs),
}

#[derive(Debug, Args)]
struct RecordArgs {
    #[command(flatten)]
    inputs: InputArgs,
    /// Where the trace goes
    #[arg(long, value_name = "FILE.trace")]
    out: PathBuf,
    /// What gives way when calls come faster than they can be written down
    #[arg(long, value_enum, default_value = "drop")]
    overflow: OverflowChoice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverflowChoice {
    /// Records are lost, and counted in the trace
    Drop,
    /// Callers wait
    Block,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TornChoice {
    /// Refuse it
    Refuse,
    /// Take what is before the damage
    Keep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaceChoice {
    /// At the recorded moments, whether or not earlier calls were answered: response times
    Recorded,
    /// Each call when the one before it is answered: service times
    Closed,
}

#[derive(Debug, Args)]
struct InfoArgs {
    /// A trace
    #[arg(value_name = "FILE.trace")]
    file: PathBuf,
    /// What to do about a trace that is damaged or was cut short
    #[arg(long, value_enum, default_value = "refuse")]
    torn: TornChoice,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ReplayArgs {
    /// A trace
    #[arg(value_name = "FILE.trace")]
    file: PathBuf,
    /// What to run against, separated by commas [default: store]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    target: Vec<String>,
    /// When calls are made
    #[arg(long, value_enum, default_value = "recorded")]
    pace: PaceChoice,
    /// So many times as fast as recorded; TTLs stay as they are
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Threads; all calls on one key go to one of them, in their order [default: as many as
    /// recorded, but no more than cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=THREADS_MAX))]
    threads: Option<u64>,
    /// Fresh processes that each replay all of it
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Targets hold no more than so many entries
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1 << 32))]
    max_entries: Option<u64>,
    /// What to do about a trace that is damaged or was cut short
    #[arg(long, value_enum, default_value = "refuse")]
    torn: TornChoice,
    /// Where reports go [default: results/ of the repository]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write no report
    #[arg(long, conflicts_with = "out")]
    no_write: bool,
}

impl From<TornChoice> for Torn {
    fn from(choice: TornChoice) -> Self {
        match choice {
            TornChoice::Refuse => Self::Refuse,
            TornChoice::Keep => Self::Keep,
        }
    }
}

pub(super) fn run(args: &TraceArgs) -> Result<(), Failure> {
    match &args.verb {
        TraceVerb::Record(args) => record(args),
        TraceVerb::Replay(args) => replay(args),
        TraceVerb::Info(args) => info(args),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse::<f64>().ok();
    speed
        .filter(|speed| (0.001..=1_000_000.0).contains(speed))
        .ok_or_else(|| format!("`{text}` is not a speed; write e.g. 2.0, or 0.001 to 1000000"))
}

fn info(args: &InfoArgs) -> Result<(), Failure> {
    let summary = Summary::of_file(&args.file, args.torn.into()).map_err(Failure::Failed)?;
    if args.json {
        let text = serde_json::to_string_pretty(&summary)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        output::print(&text);
    } else {
        output::print(&output::trace::render(&summary));
    }
    Ok(())
}

fn record(args: &RecordArgs) -> Result<(), Failure> {
    let inputs = inputs::read(&args.inputs)?;
    let [input] = inputs.as_slice() else {
        let what = "trace record: several workload files; record each into a file of its own";
        return Err(Failure::Usage(what.to_owned()));
    };
    let [case] = input.cases.as_slice() else {
        let label = &input.source.label;
        let what = format!(
            "{label}: a sweep of {} cases; choose one, e.g. with --set run.threads=2",
            input.cases.len()
        );
        return Err(Failure::Usage(what));
    };
    inputs::check_memory(input, &case.workload)?;
    interrupt::listen()?;
    let overflow = match args.overflow {
        OverflowChoice::Drop => Overflow::Drop,
        OverflowChoice::Block => Overflow::Block,
    };
    let bar = progress_bar(&case.workload.name);
    let file = args.out.display().to_string();
    let repeat = replay::record(&case.workload, &file, overflow, &mut Bar(&bar));
    bar.finish_and_clear();
    interrupt::check()?;
    let repeat = repeat.map_err(Failure::Failed)?;
    // Read back: what is on the disk is a trace, or this says so.
    let summary = Summary::of_file(&args.out, Torn::Refuse).map_err(Failure::Failed)?;
    let bytes = fs::metadata(&args.out).map_or(0, |data| data.len());
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let each = bytes as f64 / summary.calls.max(1) as f64;
    let calls = units::show_count(summary.calls);
    output::note(&format!("wrote {file}: {calls} calls, {each:.1} bytes each"));
    if summary.lost > 0 {
        let lost = units::show_count(summary.lost);
        output::note(&format!(
            "{lost} more calls came faster than they could be written, and are lost; --overflow \
             block lets callers wait instead"
        ));
    }
    let counts = repeat.phases.iter().map(|phase| phase.counts.false_answers()).sum::<u64>();
    if counts > 0 {
        let what = format!("{counts} answers were wrong, stale or early");
        return Err(Failure::FalseAnswers(what));
    }
    Ok(())
}

fn replay(args: &ReplayArgs) -> Result<(), Failure> {
    // Everything that can be wrong is found before anything runs.
    check_pace(args)?;
    let keep_torn = Torn::from(args.torn) == Torn::Keep;
    let path = fs::canonicalize(&args.file).unwrap_or_else(|_| args.file.clone());
    let named = |error: String| {
        // As the user named it.
        error.replace(&path.display().to_string(), &args.file.display().to_string())
    };
    let source = Source { path: path.clone(), keep_torn };
    let survey = Survey::new(&source).map_err(|error| Failure::Failed(named(error)))?;
    let plan = plan(args, &survey);
    let workload = play::workload(&survey, &plan);
    for note in survey.notes() {
        output::note(&note);
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let takes_ns = plan.speed.map(|speed| survey.span_ns() as f64 / speed);
    if let Some(takes_ns) = takes_ns.filter(|takes_ns| *takes_ns > LONG_NS) {
        let takes = units::show_ns(takes_ns);
        output::note(&format!("this takes {takes} a repeat; --speed or --pace closed is shorter"));
    }
    let text = text(args, &survey);
    let label = args.file.display().to_string();
    let input = Input {
        source: workload::Source { label, text },
        overrides: Overrides::default(),
        cases: vec![Case { label: None, workload }],
        trace: Some(source),
    };
    drop(survey);
    let targets = inputs::targets(&args.target, &input)?;
    inputs::check_memory(&input, &input.cases[0].workload)?;
    let out = if args.no_write { None } else { Some(folder::results(args.out.as_deref())?) };
    if let Some(out) = &out {
        folder::check_writable(out)?;
    }
    interrupt::listen()?;
    let outcome = bench::bench_file(&input, &targets, out.as_deref());
    if let Some(out) = &out
        && matches!(outcome, Ok(()) | Err(Failure::SloMissed | Failure::FalseAnswers(_)))
    {
        folder::write_index(out)?;
    }
    outcome
}

fn check_pace(args: &ReplayArgs) -> Result<(), Failure> {
    if args.pace == PaceChoice::Closed && args.speed.to_bits() != 1.0_f64.to_bits() {
        let what = "--speed: --pace closed is as fast as answers come; leave one of them out";
        return Err(Failure::Usage(what.to_owned()));
    }
    Ok(())
}

fn plan(args: &ReplayArgs, survey: &Survey) -> Plan {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let given = args.threads.and_then(|threads| usize::try_from(threads).ok());
    Plan {
        name: play::name_of(&args.file),
        threads: given.unwrap_or_else(|| survey.threads().min(cores)),
        repeat: args.repeat,
        speed: (args.pace == PaceChoice::Recorded).then_some(args.speed),
        max_entries: args.max_entries,
    }
}

/// What stands in the report where a workload's text would: which trace, and in what the replay
/// is not what was recorded.
fn text(args: &ReplayArgs, survey: &Survey) -> String {
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = vec![
        format!("# How does it answer the calls that were recorded in {name}?"),
        format!("# {} calls, SHA-256 {}", survey.end.records, survey.end.sha256),
    ];
    lines.extend(survey.notes().iter().map(|note| format!("# {note}")));
    lines.join("\n") + "\n"
}

/// Progress of a run in this process.
struct Bar<'a>(&'a ProgressBar);

impl Progress for Bar<'_> {
    fn report(&mut self, step: &str, share: f64) -> bool {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        self.0.set_position((share * 1_000.0) as u64);
        self.0.set_message(step.to_owned());
        interrupt::check().is_ok()
    }
}

fn progress_bar(name: &str) -> ProgressBar {
    let bar = ProgressBar::new(child::PROGRESS_STEPS);
    let template = format!("{name} [{{bar:30}}] {{msg}} ({{elapsed}})");
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
