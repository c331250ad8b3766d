//! `html`: saved reports as a page.

use std::fs;
use std::path::{Path, PathBuf};

use super::HtmlArgs;
use super::failure::Failure;
use super::folder;
use crate::output::{self, html, index};
use crate::report::Report;

pub(super) fn run(args: &HtmlArgs) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for path in &args.reports {
        for file in reports_at(path)? {
            reports.push(index::read(&file).map_err(Failure::Failed)?);
        }
    }
    if args.reports.iter().any(|path| path.is_dir()) {
        reports = index::latest(reports);
    }
    index::sort(&mut reports);
    let page = html::page(&reports).map_err(Failure::Usage)?;
    write(args.out.as_deref(), &reports, &page)
}

fn write(out: Option<&Path>, reports: &[Report], page: &str) -> Result<(), Failure> {
    if out == Some(Path::new("-")) {
        output::print(page.trim_end());
        return Ok(());
    }
    let name = reports.first().map_or("report", |report| report.workload.name.as_str());
    let path = out.map_or_else(|| PathBuf::from(format!("{name}.html")), Path::to_owned);
    folder::write_whole(&path, page)?;
    output::note(&format!("wrote {}", path.display()));
    Ok(())
}

/// The file itself, or all reports in the folder, at any depth.
fn reports_at(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "json") {
            found.extend(reports_at(&entry)?);
        }
    }
    Ok(found)
}
