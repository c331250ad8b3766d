//! What can be measured on a machine, as text.

use std::fmt::Write as _;

use super::figures::{latency, spread, to_f64};
use super::grid::Grid;
use super::summary::{Form, bullet, plural};
use crate::doctor::{Advice, Diagnosis};
use crate::workload::units;

/// Facts first, then what could be claimed, then what to do.
#[must_use]
pub fn render(diagnosis: &Diagnosis, form: Form) -> String {
    let machine = &diagnosis.machine;
    let memory = units::show_bytes(to_f64(machine.memory_bytes));
    let mut text = format!(
        "{} · {} core{} · {memory} · {}\n\n{}\n\n",
        machine.cpu,
        machine.cores,
        plural(machine.cores),
        machine.kernel,
        form.table(&facts(diagnosis))
    );
    if !diagnosis.claims.is_empty() {
        let _ = writeln!(text, "{}\n", form.table(&claims(diagnosis)));
    }
    for advice in &diagnosis.advice {
        let kind = if matches!(advice, Advice::Enough { .. }) { "note" } else { "warning" };
        let _ = writeln!(text, "{} {kind}: {advice}", bullet(form));
    }
    text.truncate(text.trim_end().len());
    text
}

fn facts(diagnosis: &Diagnosis) -> Grid {
    let mut grid = Grid::new(2, &["what", "found"]);
    let mut add = |what: &str, found: String| grid.push(vec![what.to_owned(), found]);
    let told = |setting: &Option<String>| setting.as_deref().unwrap_or("not told").to_owned();
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    add("timer floor", latency(Some(diagnosis.timer_floor_ns)));
    add("clock source", told(&diagnosis.settings.clock));
    add("load before", format!("{:.2}", diagnosis.load));
    add("virtualization", diagnosis.machine.virtualization.clone());
    add("stolen time", diagnosis.steal.map_or_else(|| "not told".to_owned(), percent));
    add("frequency governor", told(&diagnosis.settings.governor));
    add("huge pages", told(&diagnosis.settings.huge_pages));
    let pauses = diagnosis.pauses;
    let seconds = pauses.seconds;
    add(
        &format!("idle loop, worst pause in {seconds:.0}s on {} threads", pauses.threads),
        latency(Some(pauses.worst_ns)),
    );
    add("idle loop, pauses above 1ms", pauses.long.to_string());
    add("idle loop, time lost", format!("{:.2}%", 100.0 * pauses.lost));
    let runs = &diagnosis.runs;
    let count = runs.rates.len();
    let rate = spread(Some(&runs.rate), units::show_rate).replace('\n', ", ");
    add(&format!("{count} identical runs"), rate);
    add("from slowest to fastest", percent(runs.range()));
    let drift = runs.drift.map_or_else(|| "none".to_owned(), percent);
    add("drift between halves", drift);
    grid
}

fn claims(diagnosis: &Diagnosis) -> Grid {
    let headers =
        ["repeats a side", "usual 95% interval", "smallest slowdown found (4 of 5 times)"];
    let mut grid = Grid::new(0, &headers);
    for claim in &diagnosis.claims {
        grid.push(vec![
            claim.repeats.to_string(),
            format!("±{:.1}%", 100.0 * claim.half_width),
            format!("{:.1}%", 100.0 * claim.change),
        ]);
    }
    grid
}
