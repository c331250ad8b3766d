//! `html`: saved reports as a page.

use std::path::{Path, PathBuf};

use super::HtmlArgs;
use super::compare::{DEPTH_MAX, reports_below};
use super::failure::Failure;
use super::folder;
use crate::output::{self, html, index};
use crate::report::{Report, load};

pub(super) fn run(args: &HtmlArgs) -> Result<(), Failure> {
    let mut reports = Vec::new();
    for path in &args.reports {
        let folder = path.is_dir();
        let files = if folder { reports_below(path, DEPTH_MAX)? } else { vec![path.clone()] };
        for file in files {
            reports.push(load::read(&file).map_err(Failure::Failed)?);
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
