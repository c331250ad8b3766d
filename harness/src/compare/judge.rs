//! From the samples of two sides to rows with verdicts.

use super::figure::{Figure, Sample};
use super::rank::{CONFIDENCE, Null};
use super::shift::{self, Shift};
use super::{Doubt, Interval, Question, Row, Verdict};
use crate::report::Spread;
use crate::workload::model::LOAD;

/// Compares figure by figure.
pub(super) fn judged(a: &[Sample], b: &[Sample], question: &Question) -> Vec<Row> {
    let (mut rows, shifts): (Vec<Row>, Vec<Option<Shift>>) = matched(a, b)
        .map(|(first, second)| {
            let logs = |sample: &Sample| sample.values.iter().map(|value| value.ln()).collect();
            let (ours, theirs): (Vec<f64>, Vec<f64>) = (logs(first), logs(second));
            let mut row = row(first, second);
            let shift = shift::of_samples(&ours, &theirs).filter(|_| row.ratio.is_some());
            if let Some(shift) = shift {
                row.ratio = Some(shift.estimate.exp());
                row.interval = shift.interval.map(ratios);
                row.p = Some(shift.p);
            }
            let (a, b) = (ours.len(), theirs.len());
            let few = Null::mann_whitney(a, b).critical().is_none();
            row.doubt = match shift {
                None => Some(Doubt::NoRatio),
                Some(_) if few => Some(Doubt::FewRepeats { a, b }),
                Some(_) => None,
            };
            (row, shift)
        })
        .unzip();
    choose_primary(&mut rows, a, question);
    correct(&mut rows);
    for (row, shift) in rows.iter_mut().zip(&shifts) {
        conclude(row, *shift, question.delta);
    }
    rows
}

/// The same without anything that could be taken for a verdict.
pub(super) fn indicated(a: &[Sample], b: &[Sample], question: &Question) -> Vec<Row> {
    let mut rows: Vec<Row> = matched(a, b).map(|(a, b)| row(a, b)).collect();
    choose_primary(&mut rows, a, question);
    rows
}

/// The figures that both sides have, in the order of the first.
fn matched<'a>(a: &'a [Sample], b: &'a [Sample]) -> impl Iterator<Item = (&'a Sample, &'a Sample)> {
    a.iter().filter_map(|first| {
        b.iter().find(|second| second.figure == first.figure).map(|second| (first, second))
    })
}

/// Medians and their ratio.
fn row(a: &Sample, b: &Sample) -> Row {
    let spread = |sample: &Sample| {
        let none = Spread { median: 0.0, min: 0.0, max: 0.0 };
        Spread::of(sample.values.iter().copied().map(Some)).unwrap_or(none)
    };
    let (first, second) = (spread(a), spread(b));
    let quantity = a.figure.quantity;
    Row {
        figure: a.figure.clone(),
        unit: quantity.unit(),
        higher_is_better: quantity.higher_is_better(),
        primary: false,
        ratio: (first.min > 0.0 && second.min > 0.0).then(|| second.median / first.median),
        a: first,
        b: second,
        interval: None,
        p: None,
        p_corrected: None,
        verdict: None,
        doubt: None,
    }
}

fn choose_primary(rows: &mut [Row], samples: &[Sample], question: &Question) {
    let figures: Vec<&Figure> = rows.iter().map(|row| &row.figure).collect();
    if let Some(position) = primary(&figures, samples, question.metric.as_deref()) {
        rows[position].primary = true;
    }
}

/// The figure that was asked for; else the throughput of the first closed phase of the file, of
/// the load if there is no other, of anything if nothing is closed.
pub(super) fn primary(
    figures: &[&Figure],
    samples: &[Sample],
    metric: Option<&str>,
) -> Option<usize> {
    if let Some(metric) = metric {
        return figures.iter().position(|figure| figure.to_string() == metric);
    }
    let closed = |figure: &Figure| {
        samples.iter().any(|sample| sample.figure == *figure && sample.closed_loop)
    };
    let is_rate = |figure: &Figure| figure.quantity == super::Quantity::Throughput;
    let is_load = |figure: &Figure| figure.phase.as_deref() == Some(LOAD);
    let first = |wanted: &dyn Fn(&Figure) -> bool| {
        figures.iter().position(|figure| is_rate(figure) && wanted(figure))
    };
    first(&|figure| closed(figure) && !is_load(figure))
        .or_else(|| first(&|figure| closed(figure)))
        .or_else(|| first(&|_| true))
}

/// Holm's correction over all figures but the primary: the smallest chance counts as many times
/// as there are figures, the next one time less, and so on. Figures that cannot differ because
/// all values are equal are not among them.
fn correct(rows: &mut [Row]) {
    let varies = |row: &Row| row.a.min != row.b.max || row.a.max != row.b.min;
    let mut family: Vec<usize> = (0..rows.len())
        .filter(|&at| !rows[at].primary && rows[at].p.is_some() && varies(&rows[at]))
        .collect();
    let chance = |row: &Row| row.p.unwrap_or(1.0);
    family.sort_by(|&first, &second| chance(&rows[first]).total_cmp(&chance(&rows[second])));
    let (mut least, count) = (0.0_f64, family.len());
    for (position, &at) in family.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few dozen figures")]
        let times = (count - position) as f64;
        least = least.max((chance(&rows[at]) * times).min(1.0));
        rows[at].p_corrected = Some(least);
        if rows[at].doubt.is_none() && least > 1.0 - CONFIDENCE + 1e-12 {
            rows[at].doubt = Some(Doubt::OneOfMany { figures: count });
        }
    }
}

/// The verdict of one row. Until here `doubt` says what stands against a change.
fn conclude(row: &mut Row, shift: Option<Shift>, delta: f64) {
    let against = row.doubt.take();
    let equal = row.a == row.b && row.a.min.total_cmp(&row.a.max).is_eq();
    if equal && against == Some(Doubt::NoRatio) {
        row.verdict = Some(Verdict::Same);
        return;
    }
    let interval = shift.and_then(|shift| shift.interval);
    let (verdict, doubt) = match (shift, interval, against) {
        (Some(shift), Some(interval), against) => {
            let many = matches!(against, Some(Doubt::OneOfMany { .. }));
            let (verdict, doubt) = weigh(shift.estimate, interval, row.higher_is_better, delta);
            let changed = matches!(verdict, Verdict::Regressed | Verdict::Improved);
            if changed && many { (Verdict::Inconclusive, against) } else { (verdict, doubt) }
        }
        (_, _, against) => (Verdict::Inconclusive, against),
    };
    row.verdict = Some(verdict);
    row.doubt = doubt;
}

/// What the interval of a shift of logs means against `delta`, a share.
///
/// A change needs an interval without zero and an estimate beyond delta; sameness an interval
/// within delta. Everything else is not known.
pub(super) fn weigh(
    estimate: f64,
    (low, high): (f64, f64),
    higher_is_better: bool,
    delta: f64,
) -> (Verdict, Option<Doubt>) {
    let limit = delta.ln_1p();
    if low >= -limit && high <= limit {
        return (Verdict::Same, None);
    }
    if low <= 0.0 && high >= 0.0 {
        let half_width = ratios((low, high)).half_width();
        return (Verdict::Inconclusive, Some(Doubt::Wide { half_width }));
    }
    if estimate.abs() < limit {
        return (Verdict::Inconclusive, Some(Doubt::Borderline));
    }
    let better = (estimate > 0.0) == higher_is_better;
    (if better { Verdict::Improved } else { Verdict::Regressed }, None)
}

pub(super) fn ratios((low, high): (f64, f64)) -> Interval {
    Interval { low: low.exp(), high: high.exp() }
}
