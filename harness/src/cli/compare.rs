//! `compare`: whether B differs from A, and by how much.

use std::fs;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::{CompareArgs, JudgementArgs};
use crate::compare::{self, Comparisons, Named, Question, Standing, Verdict};
use crate::environment::repository;
use crate::output::comparison;
use crate::report::load::{self, Loaded};

/// Reports lie at most so many folders deep: `<results>/<workload>/<target>/`.
pub(super) const DEPTH_MAX: usize = 3;

pub(super) fn run(args: &CompareArgs) -> Result<(), Failure> {
    let (a, b) = (read(&args.a)?, read(&args.b)?);
    let question = Question { delta: args.judgement.delta, metric: args.judgement.metric.clone() };
    let comparisons = compare::compare(&a, &b, &question).map_err(explain)?;
    args.form.print(&comparisons, comparison::render)?;
    decide(&comparisons, &args.judgement)
}

/// A mistyped metric is the user's mistake, anything else a report's.
pub(super) fn explain(error: String) -> Failure {
    if error.starts_with("--metric") { Failure::Usage(error) } else { Failure::Failed(error) }
}

/// The reports that an argument means: a file, a folder, or what a revision has under `results/`.
pub(super) fn read(argument: &str) -> Result<Vec<Named>, Failure> {
    let path = Path::new(argument);
    let named = if path.is_dir() {
        reports_below(path, DEPTH_MAX)?.iter().filter_map(|path| read_run(path)).collect()
    } else if path.exists() {
        read_file(path).map(|named| vec![named])
    } else {
        let Some(commit) = repository::commit(argument) else {
            return Err(Failure::Usage(format!(
                "{argument}: there is no such file, folder or revision; name a report, a folder \
                 of reports, or a revision of the repository around the current folder"
            )));
        };
        let reports = repository::reports(&commit).map_err(Failure::Failed)?;
        let named = reports.into_iter().map(|(path, text)| {
            let label = format!("{argument}:{path}");
            let report = load::parse(&label, &text).map_err(Failure::Failed)?;
            Ok(Named { label, report })
        });
        named.collect()
    }?;
    if named.is_empty() {
        let complaint = "there are no reports; `harness bench` writes them";
        return Err(Failure::Failed(format!("{argument}: {complaint}")));
    }
    Ok(named)
}

fn read_file(path: &Path) -> Result<Named, Failure> {
    let report = load::read(path).map_err(Failure::Failed)?;
    Ok(Named { label: path.display().to_string(), report })
}

/// The same of a file that a folder has: a capacity is passed over.
fn read_run(path: &Path) -> Option<Result<Named, Failure>> {
    let label = path.display().to_string();
    match load::read_any(path) {
        Ok(Loaded::Run(report)) => Some(Ok(Named { label, report: *report })),
        Ok(Loaded::Capacity(_)) => None,
        Err(error) => Some(Err(Failure::Failed(error))),
    }
}

/// The files below `folder` that can be reports.
pub(super) fn reports_below(folder: &Path, depth: usize) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::Failed(format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() && depth > 1 {
            found.extend(reports_below(&path, depth - 1)?);
        } else if path.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The exit code: a regression matters most, then that something could not be compared at all.
fn decide(comparisons: &Comparisons, judgement: &JudgementArgs) -> Result<(), Failure> {
    let of_all = &comparisons.comparisons;
    if of_all.iter().any(|one| one.verdict == Some(Verdict::Regressed)) {
        return Err(Failure::Regressed);
    }
    if of_all.is_empty() {
        let message = "A and B have no workload, case and target in common".to_owned();
        return Err(Failure::NotComparable(message));
    }
    for one in of_all {
        if let Standing::NotComparable { reasons } = &one.standing {
            let message = format!("{}: not comparable: {}", one.workload, reasons.join("; "));
            return Err(Failure::NotComparable(message));
        }
    }
    let open = |verdict| matches!(verdict, None | Some(Verdict::Inconclusive));
    if judgement.strict && of_all.iter().any(|one| open(one.verdict)) {
        return Err(Failure::Inconclusive);
    }
    Ok(())
}
