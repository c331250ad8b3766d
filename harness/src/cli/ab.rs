//! `ab`: two revisions, built side by side, that take turns on the same workload.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::{AbArgs, JudgementArgs, child, compare, html, interrupt};
use crate::compare::trial::{self, Arm, Round, Trial};
use crate::compare::{Question, Standing, Verdict};
use crate::environment::worktree::{self, Tree, last_lines};
use crate::output::html::trials as page;
use crate::output::{self, trials};
use crate::report::{Report, load};

/// So much of what the compiler or a revision's harness says is shown when it fails.
const LINES_SHOWN: usize = 25;
/// Exit codes of a harness that has written its report.
const REPORTED: [i32; 2] = [0, 3];
/// The exit code for false answers.
const FALSE_ANSWERS: i32 = 6;

pub(super) fn run(args: &AbArgs) -> Result<(), Failure> {
    let trees = [&args.a, &args.b].map(|revision| Tree::find(revision).map_err(Failure::Usage));
    let [a, b] = trees;
    let (a, b) = (a?, b?);
    let name = args.file.display();
    File::open(&args.file)
        .map_err(|error| Failure::Usage(format!("{name}: cannot be read: {error}")))?;
    interrupt::listen()?;
    let first = build(&a)?;
    let second = if worktree::same(&a, &b) { first.clone() } else { build(&b)? };
    let rounds = measure(args, [&a.label, &b.label], [&first, &second])?;
    let trials = judge(&rounds, [&a.label, &b.label], &args.judgement)?;
    args.form.print(&trials, |trials, form| trials::render(trials, form))?;
    if let Some(path) = &args.html {
        let page = page::page(&trials).map_err(Failure::Failed)?;
        html::write(Some(path), "trials", &page)?;
    }
    decide(&trials, &args.judgement)
}

/// Builds a revision's harness and says where it is. An interrupt ends it at once.
fn build(tree: &Tree) -> Result<PathBuf, Failure> {
    output::note(&format!("building {}", tree.label));
    let said = tempfile::NamedTempFile::new()
        .map_err(|error| Failure::Failed(format!("{}: {error}", tree.label)))?;
    let mut cargo = tree.build(said.path()).map_err(Failure::Failed)?;
    if child::wait(&mut cargo)?.success() {
        return tree.program().map_err(Failure::Failed);
    }
    interrupt::check()?;
    let said = last_lines(&fs::read_to_string(said.path()).unwrap_or_default(), LINES_SHOWN);
    Err(Failure::Failed(format!("{} does not build:\n{said}", tree.label)))
}

/// The reports of the three runs of a round: one for each case and target.
type Runs = [Vec<Report>; 3];

fn measure(args: &AbArgs, labels: [&str; 2], programs: [&Path; 2]) -> Result<Vec<Runs>, Failure> {
    let bar = ProgressBar::new(3 * u64::from(args.pairs));
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} [{bar:30}] {msg} ({elapsed})") {
        bar.set_style(style.progress_chars("=> "));
    }
    let mut rounds = Vec::new();
    for round in 0..args.pairs as usize {
        let mut runs = Runs::default();
        for arm in trial::order(round) {
            interrupt::check()?;
            let of_revision = usize::from(arm == Arm::B);
            bar.set_message(labels[of_revision].to_owned());
            runs[arm as usize] = run_once(programs[of_revision], labels[of_revision], args)?;
            bar.inc(1);
        }
        rounds.push(runs);
    }
    bar.finish_and_clear();
    Ok(rounds)
}

/// One run by the harness of one revision, in processes of its own.
fn run_once(program: &Path, label: &str, args: &AbArgs) -> Result<Vec<Report>, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("{label}: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let (out, said) = (folder.path().join("out"), folder.path().join("said"));
    let mut command = Command::new(program);
    command.arg("bench").arg(&args.file).args(["--repeat", "1", "--out"]).arg(&out);
    if !args.target.is_empty() {
        command.arg("--target").arg(args.target.join(","));
    }
    for assignment in &args.set {
        command.arg("--set").arg(assignment);
    }
    let stderr = File::create(&said).map_err(failed)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr)
        .spawn()
        .map_err(failed)?;
    let code = child::wait(&mut child)?.code();
    if !code.is_some_and(|code| REPORTED.contains(&code)) {
        let said = last_lines(&fs::read_to_string(&said).unwrap_or_default(), LINES_SHOWN);
        let message = format!("the harness of {label} failed on {}:\n{said}", args.file.display());
        return Err(match code {
            Some(FALSE_ANSWERS) => Failure::FalseAnswers(message),
            _ => Failure::Failed(message),
        });
    }
    let paths = compare::reports_below(&out, compare::DEPTH_MAX)?;
    paths.iter().map(|path| load::read(path).map_err(Failure::Failed)).collect()
}

/// Each case and target for itself.
fn judge(
    rounds: &[Runs],
    labels: [&str; 2],
    judgement: &JudgementArgs,
) -> Result<Vec<Trial>, Failure> {
    let question = Question { delta: judgement.delta, metric: judgement.metric.clone() };
    let subjects = rounds.first().map_or(&[][..], |[a, ..]| a.as_slice());
    let mut trials = Vec::new();
    for subject in subjects {
        let of_subject = |reports: &&Report| {
            reports.workload.case == subject.workload.case && reports.target == subject.target
        };
        let of_rounds = rounds.iter().filter_map(|arms| {
            let [a, b, control] = arms.each_ref().map(|arm| arm.iter().find(of_subject));
            Some(Round { a: a?, b: b?, control: control? })
        });
        let of_rounds: Vec<Round<'_>> = of_rounds.collect();
        let trial = trial::judge(&of_rounds, labels, &question).map_err(compare::explain)?;
        trials.extend(trial);
    }
    if trials.is_empty() {
        let message = "the two revisions ran no case and target that both have".to_owned();
        return Err(Failure::NotComparable(message));
    }
    Ok(trials)
}

fn decide(trials: &[Trial], judgement: &JudgementArgs) -> Result<(), Failure> {
    if trials.iter().any(|trial| trial.verdict == Some(Verdict::Regressed)) {
        return Err(Failure::Regressed);
    }
    for trial in trials {
        if let Standing::NotComparable { reasons } = &trial.standing {
            let message = format!("{}: not comparable: {}", trial.workload, reasons.join("; "));
            return Err(Failure::NotComparable(message));
        }
    }
    let open = |verdict| matches!(verdict, None | Some(Verdict::Inconclusive));
    if judgement.strict && trials.iter().any(|trial| open(trial.verdict)) {
        return Err(Failure::Inconclusive);
    }
    Ok(())
}
