//! Two sides compared: what is concluded, figure by figure, and what else differs.

use super::spectrum::{self, Entry};
use super::{environment, parts, single};
use crate::compare::{Comparison, Comparisons, Named, Row, Verdict, figure};
use crate::output::chart::{Chart, IntervalRow, Intervals};
use crate::output::comparison::{change, conclusion, named, origin, subject, table};
use crate::output::markup::Markup;
use crate::output::summary::{primary_verb, primary_verb_name};
use crate::report::{Report, Surroundings};

const READING: &str = "Each line is the ratio of B to A with its 95% interval; the band holds what \
    counts as no change. The ticks above a line are the repeats of A, those below it the repeats \
    of B, all over the median of A. What lies beyond the scale stands at its edge. The starred \
    figure decides; the others are corrected for their number.";

/// A page of comparisons between the reports `a` and `b`.
///
/// # Errors
/// If a histogram cannot be read.
pub fn page(comparisons: &Comparisons, a: &[Named], b: &[Named]) -> Result<String, String> {
    let all = &comparisons.comparisons;
    let title = match all.as_slice() {
        [one] => format!("{}: is B as good as A?", name(one)),
        _ => format!("{} comparisons: is B as good as A?", all.len()),
    };
    let mut outcome = Ok(());
    let page = parts::document(&title, |markup| {
        markup.element("h1", &[], &title);
        outcome = all.iter().try_for_each(|one| {
            let (first, second) = (find(a, &one.a.label)?, find(b, &one.b.label)?);
            if all.len() > 1 {
                markup.element("h2", &[], &name(one));
            }
            section(markup, one, comparisons.delta, [first, second])
        });
        for alone in &comparisons.alone {
            let what = subject(&alone.workload, alone.case.as_deref(), &alone.target);
            parts::paragraph(markup, "soft", &format!("Only {} has {what}.", alone.side));
        }
    });
    outcome.map(|()| page)
}

fn name(one: &Comparison) -> String {
    let (a, b) = (&one.a.target, &one.b.target);
    let targets = if a == b { b.clone() } else { format!("{b} against {a}") };
    subject(&one.workload, one.case.as_deref(), &targets)
}

fn find<'a>(named: &'a [Named], label: &str) -> Result<&'a Report, String> {
    let found = named.iter().find(|named| named.label == label);
    found.map(|named| &named.report).ok_or_else(|| format!("{label}: this report is not at hand"))
}

fn section(
    markup: &mut Markup,
    one: &Comparison,
    delta: f64,
    sides: [&Report; 2],
) -> Result<(), String> {
    let (intervals, spectra) = (intervals(one, delta, sides)?, spectra(sides)?);
    let verdict = one.verdict();
    let class = format!("question {}", class(verdict));
    let cannot = "? A and B cannot be compared.";
    let said = if one.rows.is_empty() { cannot } else { plain(verdict) };
    parts::paragraph(markup, &class, said);
    parts::paragraph(markup, "", &conclusion(one, delta));
    parts::paragraph(markup, "soft", &format!("A: {}", origin(&one.a, &one.b)));
    parts::paragraph(markup, "soft", &format!("B: {}", origin(&one.b, &one.a)));
    let cautions: Vec<String> = one.cautions.iter().map(ToString::to_string).collect();
    parts::notes(markup, &cautions);
    if !one.rows.is_empty() {
        markup.element("h3", &[], "Figure by figure");
        parts::paragraph(markup, "soft", READING);
        parts::intervals(markup, "B over A", &intervals);
        parts::table(markup, "Figures", &table(&one.rows));
    }
    markup.element("h3", &[], "Percentiles");
    parts::figures(markup, &spectra);
    markup.element("h3", &[], "Where and what");
    let surroundings = sides.map(Surroundings::of);
    let table = environment::of_both([&surroundings[0], &surroundings[1]]);
    parts::table(markup, "Environment", &table);
    Ok(())
}

/// The verdict as one would say it.
pub(super) fn plain(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Regressed) => "✗ B is worse than A.",
        Some(Verdict::Improved) => "✓ B is better than A.",
        Some(Verdict::Same) => "= B does as well as A: any change is too small to matter.",
        Some(Verdict::Inconclusive) => "? These repeats cannot tell whether B differs from A.",
        None => "? Ratios only: A and B were not measured on the same machine.",
    }
}

/// How a verdict looks: a class of the style.
pub(super) fn class(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Regressed) => "missed",
        Some(Verdict::Improved) => "met",
        Some(Verdict::Same | Verdict::Inconclusive) | None => "none",
    }
}

fn intervals(one: &Comparison, delta: f64, sides: [&Report; 2]) -> Result<Intervals, String> {
    let [a, b] = [figure::samples(&sides[0].repeats)?, figure::samples(&sides[1].repeats)?];
    let values = |samples: &[figure::Sample], row: &Row| {
        let own = samples.iter().find(|sample| sample.figure == row.figure);
        let values = own.map(|sample| sample.values.clone()).unwrap_or_default();
        values.into_iter().map(|value| value / row.a.median).collect()
    };
    let rows = one.rows.iter().map(|row| {
        let by = row.ratio.map_or_else(|| "-".to_owned(), change);
        let verdict = row.verdict.map_or("", Verdict::name);
        IntervalRow {
            name: named(&row.figure, row.primary),
            outcome: format!("{by} {verdict}").trim_end().to_owned(),
            class: class(row.verdict),
            ratio: row.ratio,
            interval: row.interval.as_ref().map(|interval| (interval.low, interval.high)),
            control: None,
            strips: [values(&a, row), values(&b, row)],
        }
    });
    Ok(Intervals::of("Ratios of B to A", delta, rows.collect()))
}

/// Both sides over each other, phase by phase.
fn spectra([a, b]: [&Report; 2]) -> Result<Vec<(String, Chart)>, String> {
    let mut charts = Vec::new();
    for phase in a.merged.iter().filter(|phase| phase.report) {
        let Some(other) = b.merged.iter().find(|other| other.name == phase.name) else { continue };
        let Some(name) = primary_verb_name(phase) else { continue };
        let (Some(ours), Some(theirs)) = (primary_verb(phase), primary_verb(other)) else {
            continue;
        };
        let of = format!("{}: {} of {name}", phase.name, single::kind(phase));
        let entries = [("A", 0, ours), ("B", 1, theirs)].map(|(label, style, verb)| Entry {
            label: label.to_owned(),
            style,
            verb,
        });
        if let Some(chart) = spectrum::chart(&of, &entries, &[])? {
            charts.push((of, chart));
        }
    }
    Ok(charts)
}
