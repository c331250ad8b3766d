//! What two revisions that took turns gave, as text: the change beside what A differs from
//! itself.

use std::fmt::Write as _;

use super::comparison::{change, interval, shown};
use super::figures::spread;
use super::grid::Grid;
use super::summary::{Form, bullet};
use crate::compare::Standing;
use crate::compare::trial::{Estimate, Trial, TrialRow};

/// Each trial with its table, and one sentence at its end.
#[must_use]
pub fn render(trials: &[Trial], labels: [&str; 2], form: Form) -> String {
    let mut text = String::new();
    for trial in trials {
        let case = trial.case.as_ref().map_or_else(String::new, |case| format!(" ({case})"));
        let title = format!("{} on {}{case}", trial.workload, trial.target);
        let (heading, [a, b]) = (form.heading(&title), labels);
        let _ = writeln!(text, "{heading}\nA {a}\nB {b}\n{} rounds of A, B, A\n", trial.rounds);
        if !trial.rows.is_empty() {
            let _ = writeln!(text, "{}", form.table(&table(&trial.rows)));
        }
        let _ = writeln!(text, "{} {title}: {}\n", bullet(form), conclusion(trial));
    }
    text.truncate(text.trim_end().len());
    text
}

fn table(rows: &[TrialRow]) -> Grid {
    let headers =
        ["figure", "A", "B", "change", "95% interval", "A/A interval", "verdict", "because"];
    let mut grid = Grid::new(1, &headers);
    for row in rows {
        let mark = if row.primary { "* " } else { "" };
        let show = shown(row.unit, row.figure.quantity);
        grid.push(vec![
            format!("{mark}{}", row.figure),
            spread(Some(&row.a), show),
            spread(Some(&row.b), show),
            row.change.map_or_else(|| "-".to_owned(), |estimate| change(estimate.ratio)),
            range(row.change),
            range(row.control),
            row.verdict.name().to_owned(),
            row.doubt.as_ref().map_or_else(|| "-".to_owned(), crate::compare::Doubt::brief),
        ]);
    }
    grid.without_empty_columns()
}

fn range(estimate: Option<Estimate>) -> String {
    let found = estimate.and_then(|estimate| estimate.interval);
    found.as_ref().map_or_else(|| "-".to_owned(), interval)
}

fn conclusion(trial: &Trial) -> String {
    if let Standing::NotComparable { reasons } = &trial.standing {
        return format!("not comparable: {}", reasons.join("; "));
    }
    let Some(row) = trial.primary() else { return "no figure to decide by".to_owned() };
    let by = row.change.map_or_else(|| "-".to_owned(), |estimate| change(estimate.ratio));
    let ranges = if row.change.is_some_and(|estimate| estimate.interval.is_some()) {
        let (own, control, delta) = (range(row.change), range(row.control), 100.0 * trial.delta);
        format!(" ({own} with 95%; A against itself {control}; delta {delta:.1}%)")
    } else {
        String::new()
    };
    let why = row.doubt.as_ref().map_or_else(String::new, |doubt| format!("; {doubt}"));
    let others = trial
        .rows
        .iter()
        .filter(|row| !row.primary && row.verdict == crate::compare::Verdict::Regressed);
    let others: Vec<String> = others.map(|row| row.figure.to_string()).collect();
    let also = match others.as_slice() {
        [] => String::new(),
        others => format!("; regressed too: {}", others.join(", ")),
    };
    format!("{}: {} {by}{ranges}{why}{also}", row.verdict.name(), row.figure)
}
