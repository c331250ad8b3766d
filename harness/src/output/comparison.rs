//! What two sides have in common, as text.

use std::fmt::Write as _;

use super::figures::{bytes_per_entry, spread};
use super::grid::Grid;
use super::summary::{Form, bullet, plural};
use crate::compare::{
    Alone, Caution, Comparison, Comparisons, Doubt, Figure, Interval, Origin, Quantity, Row,
    Standing, Unit, Verdict,
};
use crate::report::Spread;
use crate::workload::units;

/// All comparisons, each with a table of its figures; the conclusions come last.
#[must_use]
pub fn render(comparisons: &Comparisons, form: Form) -> String {
    let mut text = String::new();
    for one in &comparisons.comparisons {
        let _ = writeln!(text, "{}", render_one(one, form));
    }
    for alone in &comparisons.alone {
        let Alone { side, workload, target, .. } = alone;
        let subject = subject(workload, alone.case.as_deref(), target);
        let _ = writeln!(text, "{} only {side} has {subject}", bullet(form));
    }
    for one in &comparisons.comparisons {
        let _ = writeln!(text, "{} {}", bullet(form), conclusion(one, comparisons.delta));
    }
    text.truncate(text.trim_end().len());
    text
}

fn render_one(one: &Comparison, form: Form) -> String {
    let title = subject(&one.workload, one.case.as_deref(), &one.a.target);
    let (a, b) = (origin(&one.a, &one.b), origin(&one.b, &one.a));
    let mut text = format!("{}\nA {a}\nB {b}\n", form.heading(&title));
    if !one.rows.is_empty() {
        let _ = writeln!(text, "\n{}", form.table(&table(&one.rows)));
    }
    for caution in &one.cautions {
        let _ = writeln!(text, "{} warning: {caution}", bullet(form));
    }
    text
}

pub(super) fn subject(workload: &str, case: Option<&str>, target: &str) -> String {
    let case = case.map_or_else(String::new, |case| format!(" ({case})"));
    format!("{workload} on {target}{case}")
}

pub(super) fn origin(own: &Origin, other: &Origin) -> String {
    let target = if own.target == other.target { "" } else { &*format!(" · {}", own.target) };
    format!(
        "{} · {} · {} repeat{}{target} · {}",
        own.revision,
        own.started,
        own.repeats,
        plural(own.repeats),
        own.label
    )
}

pub(super) fn table(rows: &[Row]) -> Grid {
    let mut grid =
        Grid::new(1, &["figure", "A", "B", "change", "95% interval", "verdict", "because"]);
    for row in rows {
        let mut cells = figure_cells(&row.figure, row.primary, [&row.a, &row.b], row.ratio);
        cells.extend([
            row.interval.as_ref().map_or_else(|| "-".to_owned(), interval),
            row.verdict.map_or("-", Verdict::name).to_owned(),
            row.doubt.as_ref().map_or_else(|| "-".to_owned(), Doubt::brief),
        ]);
        grid.push(cells);
    }
    grid.without_empty_columns()
}

/// What every row of a comparison begins with: the figure, both sides, and the change.
pub(super) fn figure_cells(
    figure: &Figure,
    primary: bool,
    [a, b]: [&Spread; 2],
    ratio: Option<f64>,
) -> Vec<String> {
    let show = shown(figure.quantity);
    vec![
        named(figure, primary),
        spread(Some(a), show),
        spread(Some(b), show),
        ratio.map_or_else(|| "-".to_owned(), change),
    ]
}

/// A figure's name, with a star if it decides.
pub(super) fn named(figure: &Figure, primary: bool) -> String {
    let mark = if primary { "* " } else { "" };
    format!("{mark}{figure}")
}

/// How figures of this kind are written.
fn shown(quantity: Quantity) -> fn(f64) -> String {
    match quantity.unit() {
        Unit::PerSecond => units::show_rate,
        Unit::Nanoseconds => units::show_ns,
        Unit::Share => |share| format!("{:.2}%", 100.0 * share),
        Unit::Bytes if quantity == Quantity::BytesPerEntry => bytes_per_entry,
        Unit::Bytes => units::show_bytes,
    }
}

/// A ratio as a change: `-9.1%`; beyond a doubling as a factor.
pub(super) fn change(ratio: f64) -> String {
    if ratio >= 2.0 { format!("x{ratio:.2}") } else { format!("{:+.1}%", 100.0 * (ratio - 1.0)) }
}

/// The ends of an interval of ratios.
pub(super) fn interval(interval: &Interval) -> String {
    format!("{} to {}", change(interval.low), change(interval.high))
}

/// One sentence on one comparison.
pub(super) fn conclusion(one: &Comparison, delta: f64) -> String {
    let name = subject(&one.workload, one.case.as_deref(), &one.b.target);
    if let Standing::NotComparable { reasons } = &one.standing {
        return format!("{name}: not comparable: {}", reasons.join("; "));
    }
    let Some(row) = one.primary() else {
        return format!("{name}: no figure to decide by");
    };
    let by = row.ratio.map_or_else(|| "-".to_owned(), change);
    let Some(verdict) = row.verdict else {
        return format!("{name}: indicative: {} {by}", row.figure);
    };
    let range = row.interval.as_ref().map_or_else(String::new, |range| {
        format!(" ({} with 95%, delta {:.1}%)", interval(range), 100.0 * delta)
    });
    let why = row.doubt.as_ref().map_or_else(String::new, |doubt| format!("; {doubt}"));
    let others = one.rows.iter().filter(|row| !row.primary);
    let also = also(others.map(|row| (&row.figure, row.verdict)));
    let again = if one.cautions.contains(&Caution::SameReport) {
        "; both sides are the same report"
    } else {
        ""
    };
    format!("{name}: {}: {} {by}{range}{why}{also}{again}", verdict.name(), row.figure)
}

/// What else became worse.
pub(super) fn also<'a>(others: impl Iterator<Item = (&'a Figure, Option<Verdict>)>) -> String {
    let worse = others.filter(|(_, verdict)| *verdict == Some(Verdict::Regressed));
    let worse: Vec<String> = worse.map(|(figure, _)| figure.to_string()).collect();
    if worse.is_empty() { String::new() } else { format!("; regressed too: {}", worse.join(", ")) }
}
