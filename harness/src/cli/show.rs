//! `show`: a saved report as text.

use super::ShowArgs;
use super::failure::Failure;
use crate::output::summary::{self, Form};
use crate::output::{self, capacity};
use crate::report::Report;
use crate::report::capacity::Capacity;
use crate::report::load::{self, Loaded};

pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let form = if args.markdown { Form::Markdown } else { Form::Terminal };
    let (mut reports, mut capacities) = (Vec::new(), Vec::new());
    for path in &args.reports {
        match load::read_any(path).map_err(Failure::Failed)? {
            Loaded::Run(report) => reports.push(report),
            Loaded::Capacity(found) => capacities.push(found),
        }
    }
    for report in &reports {
        output::print(&summary::render(report, form));
    }
    if reports.len() > 1 && reports.iter().all(|report| report.workload.case.is_some()) {
        let reports: Vec<&Report> = reports.iter().map(AsRef::as_ref).collect();
        output::print(&summary::sweep(&reports, form));
    }
    if !capacities.is_empty() {
        let capacities: Vec<&Capacity> = capacities.iter().map(AsRef::as_ref).collect();
        output::print(capacity::render(&capacities, form).trim_end());
    }
    Ok(())
}
