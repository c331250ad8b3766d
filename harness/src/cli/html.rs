//! `html`: saved reports as a page.

use std::fs;
use std::path::{Path, PathBuf};

use super::HtmlArgs;
use super::compare::{DEPTH_MAX, explain, read, reports_below};
use super::failure::Failure;
use super::folder;
use crate::compare::trial::Trial;
use crate::compare::{self, Question};
use crate::output::html::versus;
use crate::output::{self, capacity, html, index};
use crate::report::load::{self, Loaded};

pub(super) fn run(args: &HtmlArgs) -> Result<(), Failure> {
    if let [a, b] = args.compare.as_slice() {
        return compare_sides(a, b, args);
    }
    if let Some(file) = &args.trials {
        let page = html::trials::page(&read_trials(file)?).map_err(Failure::Failed)?;
        return write(args.out.as_deref(), "trials", &page);
    }
    let (mut reports, mut others) = (Vec::new(), 0);
    for path in &args.reports {
        let folder = path.is_dir();
        let files = if folder { reports_below(path, DEPTH_MAX)? } else { vec![path.clone()] };
        for file in files {
            match load::read_any(&file).map_err(Failure::Failed)? {
                Loaded::Run(report) => reports.push(*report),
                Loaded::Capacity(found) => {
                    let (name, what) = (file.display(), capacity::title(&found));
                    output::note(&format!("{name}: {what}: no page; `harness show` prints it"));
                    others += 1;
                }
            }
        }
    }
    if args.reports.iter().any(|path| path.is_dir()) {
        reports = index::latest(reports);
    }
    if reports.is_empty() && others > 0 {
        return Ok(());
    }
    index::sort(&mut reports);
    let page = html::page(&reports).map_err(Failure::Usage)?;
    let name = reports.first().map_or("report", |report| report.workload.name.as_str());
    write(args.out.as_deref(), name, &page)
}

/// A page shows a verdict; the exit code for one is that of `compare`.
fn compare_sides(a: &str, b: &str, args: &HtmlArgs) -> Result<(), Failure> {
    let (a, b) = (read(a)?, read(b)?);
    let question = Question { delta: args.delta, metric: args.metric.clone() };
    let comparisons = compare::compare(&a, &b, &question).map_err(explain)?;
    let page = versus::page(&comparisons, &a, &b).map_err(Failure::Failed)?;
    write(args.out.as_deref(), "comparison", &page)
}

/// What `ab --json` printed.
fn read_trials(file: &Path) -> Result<Vec<Trial>, Failure> {
    let name = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("{name}: cannot be read: {error}")))?;
    serde_json::from_str(&text).map_err(|error| {
        Failure::Failed(format!(
            "{name}: not what `harness ab --json` of this version prints: {error}; run it again"
        ))
    })
}

/// Writes a page to `out`, else to a file called `name` in the current folder.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(out: Option<&Path>, name: &str, page: &str) -> Result<(), Failure> {
    if out == Some(Path::new("-")) {
        output::print(page.trim_end());
        return Ok(());
    }
    let path = out.map_or_else(|| PathBuf::from(format!("{name}.html")), Path::to_owned);
    folder::write_whole(&path, page)?;
    output::note(&format!("wrote {}", path.display()));
    Ok(())
}
