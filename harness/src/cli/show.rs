//! `show`: a saved report as text.

use super::ShowArgs;
use super::failure::Failure;
use crate::output;
use crate::output::summary::{self, Form};
use crate::report::load;

pub(super) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let form = if args.markdown { Form::Markdown } else { Form::Terminal };
    let reports = args
        .reports
        .iter()
        .map(|path| load::read(path).map_err(Failure::Failed))
        .collect::<Result<Vec<_>, _>>()?;
    for report in &reports {
        output::print(&summary::render(report, form));
    }
    if reports.len() > 1 && reports.iter().all(|report| report.workload.case.is_some()) {
        output::print(&summary::sweep(&reports.iter().collect::<Vec<_>>(), form));
    }
    Ok(())
}
