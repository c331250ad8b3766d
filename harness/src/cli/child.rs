//! One repeat in a process of its own: how it is started, watched and answered.
//!
//! A fresh process has a fresh heap, a fresh layout in memory and a cold cache; what is measured
//! in it depends on nothing that ran before. The parent passes a job as a file and gets the
//! outcome as a file; progress comes line by line over standard output.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::interrupt;
use crate::replay::{self, Plan, Progress};
use crate::report::Repeat;
use crate::report::capacity::SearchRecord;
use crate::target::Choice;
use crate::trace::play::Source;
use crate::workload::Workload;

/// What a child is to do.
#[derive(Debug, Serialize, Deserialize)]
struct Job {
    workload: Workload,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    trace: Option<Source>,
    target: String,
    outcome: PathBuf,
    /// Search the capacity of a phase instead of running the whole.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    plan: Option<Plan>,
}

/// How often the parent looks whether its child is done, or is to be stopped.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// Steps of a progress bar.
pub(super) const PROGRESS_STEPS: u64 = 1_000;

/// The child's side: runs the job, writes the outcome.
pub(super) fn run(job: &Path) -> Result<(), Failure> {
    let failed = |error: String| Failure::Failed(format!("{}: {error}", job.display()));
    let text = fs::read_to_string(job).map_err(|error| failed(error.to_string()))?;
    let job: Job = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let target: Choice = job.target.parse().map_err(Failure::Usage)?;
    let (workload, progress) = (&job.workload, &mut Lines);
    let text = match &job.plan {
        None => {
            let trace = job.trace.as_ref();
            serde_json::to_string(&replay::run(workload, trace, &target, progress))
        }
        Some(plan) => serde_json::to_string(&replay::capacity(workload, plan, &target, progress)),
    };
    let text = text.map_err(|error| failed(error.to_string()))?;
    fs::write(&job.outcome, text)
        .map_err(|error| Failure::Failed(format!("{}: {error}", job.outcome.display())))
}

/// Progress as lines of `share step`. When nobody reads them any more, the run is given up.
struct Lines;

impl Progress for Lines {
    fn report(&mut self, step: &str, share: f64) -> bool {
        let mut out = io::stdout().lock();
        writeln!(out, "{share:.4} {step}").and_then(|()| out.flush()).is_ok()
    }
}

/// The parent's side: runs all of `workload` in a child, showing its progress on `bar`.
pub(super) fn start(
    workload: &Workload,
    trace: Option<&Source>,
    target: &Choice,
    bar: &ProgressBar,
) -> Result<Repeat, Failure> {
    outcome(workload, trace, target, None, bar)
}

/// The same for a search.
pub(super) fn search(
    workload: &Workload,
    target: &Choice,
    plan: &Plan,
    bar: &ProgressBar,
) -> Result<SearchRecord, Failure> {
    outcome(workload, None, target, Some(plan.clone()), bar)
}

fn outcome<T: DeserializeOwned>(
    workload: &Workload,
    trace: Option<&Source>,
    target: &Choice,
    plan: Option<Plan>,
    bar: &ProgressBar,
) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("a repeat cannot be started: {error}"));
    let folder = tempfile::tempdir().map_err(failed)?;
    let (job_path, outcome) = (folder.path().join("job"), folder.path().join("outcome"));
    let (workload, spec) = (workload.clone(), target.spec());
    let job = Job { workload, trace: trace.cloned(), target: spec, outcome: outcome.clone(), plan };
    let text = serde_json::to_string(&job).map_err(|error| Failure::Failed(error.to_string()))?;
    fs::write(&job_path, text).map_err(failed)?;
    let program = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(program)
        .arg("repeat")
        .arg(&job_path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let lines = child.stdout.take();
    let (progress, prefix) = (bar.clone(), target.label.clone());
    let reader = thread::spawn(move || {
        if let Some(lines) = lines {
            show_progress(lines, &progress, &prefix);
        }
    });
    let status = wait(&mut child);
    let _ = reader.join();
    let status = status?;
    let text = fs::read_to_string(&outcome).map_err(|_| died(target, status))?;
    let outcome: Result<T, String> =
        serde_json::from_str(&text).map_err(|_| died(target, status))?;
    outcome.map_err(|error| Failure::Failed(format!("{target}: {error}")))
}

/// Waits for the child's end. An interrupt ends it at once.
pub(super) fn wait(child: &mut Child) -> Result<ExitStatus, Failure> {
    loop {
        let status = child.try_wait().map_err(|error| Failure::Failed(error.to_string()))?;
        if let Err(interrupted) = interrupt::check() {
            if status.is_none() {
                let _ = child.kill();
                let _ = child.wait();
            }
            return Err(interrupted);
        }
        if let Some(status) = status {
            return Ok(status);
        }
        thread::sleep(POLL_EVERY);
    }
}

fn died(target: &Choice, status: ExitStatus) -> Failure {
    Failure::Failed(format!(
        "{target}: the repeat ended without an outcome ({status}); if it was killed, it may have \
         run out of memory: lower keys"
    ))
}

fn show_progress(lines: ChildStdout, bar: &ProgressBar, target: &str) {
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        let Some((share, step)) = line.split_once(' ') else { continue };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        let position = share.parse::<f64>().map_or(0, |share| (share * 1_000.0) as u64);
        bar.set_position(position.min(PROGRESS_STEPS));
        bar.set_message(format!("{target}: {step}"));
    }
}
