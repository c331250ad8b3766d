//! Reports as one page that needs nothing else: no network, no other file, no script to be read.

mod environment;
mod parts;
mod several;
mod single;
mod spectrum;
mod timeline;
pub mod trials;
pub mod versus;

use super::markup::Markup;
use crate::report::Report;

/// The page of one report, or of several of the same workload: its targets, the points of its
/// sweep.
///
/// # Errors
/// If there is no report, if they are of different workloads, or if a histogram is damaged.
pub fn page(reports: &[Report]) -> Result<String, String> {
    let Some(first) = reports.first() else { return Err("no report to make a page of".to_owned()) };
    if let Some(other) = reports.iter().find(|other| other.workload.name != first.workload.name) {
        return Err(format!(
            "a page is of one workload, and these are of `{}` and `{}`: make a page for each",
            first.workload.name, other.workload.name
        ));
    }
    let title = title(reports);
    let mut outcome = Ok(());
    let page = parts::document(&title, |markup| {
        markup.element("h1", &[], &title);
        parts::paragraph(markup, "question", &first.workload.question);
        outcome = body(markup, reports);
    });
    outcome.map(|()| page)
}

fn title(reports: &[Report]) -> String {
    let workload = &reports[0].workload;
    match (reports, &workload.case) {
        ([report], Some(case)) => format!("{} on {} ({case})", workload.name, report.target),
        ([report], None) => format!("{} on {}", workload.name, report.target),
        _ => workload.name.clone(),
    }
}

fn body(markup: &mut Markup, reports: &[Report]) -> Result<(), String> {
    if let [report] = reports {
        return single::sections(markup, report);
    }
    several::sections(markup, reports)?;
    markup.element("h2", &[], "Each report");
    for report in reports {
        let mut outcome = Ok(());
        markup.line_break();
        markup.around("details", &[], |markup| {
            let title = title(std::slice::from_ref(report));
            markup.element("summary", &[], &title);
            outcome = single::sections(markup, report);
        });
        outcome?;
    }
    Ok(())
}
