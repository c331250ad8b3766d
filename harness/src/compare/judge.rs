//! From the samples of two sides to rows with verdicts.

use super::figure::{Figure, Sample};
use super::rank::{CONFIDENCE, Null};
use super::shift::{self, Shift};
use super::{Doubt, Interval, Question, Row, Verdict, holm};
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

/// Corrects the chances of all figures but the primary. Figures that cannot differ because all
/// values are equal are not among them.
fn correct(rows: &mut [Row]) {
    let chance = |row: &Row| row.p.filter(|_| !row.primary && !all_equal(row));
    let family: Vec<usize> = (0..rows.len()).filter(|&at| chance(&rows[at]).is_some()).collect();
    let chances: Vec<f64> = family.iter().filter_map(|&at| chance(&rows[at])).collect();
    for (at, corrected) in family.iter().zip(holm::corrected(&chances)) {
        let row = &mut rows[*at];
        row.p_corrected = Some(corrected);
        if row.doubt.is_none() && corrected > 1.0 - CONFIDENCE + 1e-12 {
            row.doubt = Some(Doubt::OneOfMany { figures: chances.len() });
        }
    }
}

/// A metric that is nowhere is a slip of the pen, not a comparison without a verdict.
pub(super) fn check_metric<'a>(
    figures: impl Iterator<Item = &'a Figure>,
    question: &Question,
) -> Result<(), String> {
    let Some(metric) = &question.metric else { return Ok(()) };
    let mut known: Vec<String> = figures.map(|figure| format!("`{figure}`")).collect();
    known.dedup();
    if known.contains(&format!("`{metric}`")) {
        return Ok(());
    }
    Err(format!("--metric: there is no figure `{metric}`; known here: {}", known.join(", ")))
}

/// Whether every repeat of both sides gave the same number.
fn all_equal(row: &Row) -> bool {
    row.a == row.b && row.a.min.total_cmp(&row.a.max).is_eq()
}

/// The verdict of one row. Until here `doubt` says what stands against a change.
fn conclude(row: &mut Row, shift: Option<Shift>, delta: f64) {
    let against = row.doubt.take();
    if all_equal(row) && against == Some(Doubt::NoRatio) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Quantity;
    use crate::workload::random::Random;

    const QUESTION: Question = Question { delta: 0.03, metric: None };

    fn sample(phase: &str, quantity: Quantity, values: Vec<f64>) -> Sample {
        let figure = Figure { phase: Some(phase.to_owned()), verb: None, quantity };
        Sample { figure, closed_loop: true, values }
    }

    /// Repeats about `level` with log-normal noise.
    fn repeats(random: &mut Random, level: f64, noise: f64, count: usize) -> Vec<f64> {
        let mut normal = || (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
        (0..count).map(|_| level * (noise * normal()).exp()).collect()
    }

    fn rate(a: Vec<f64>, b: Vec<f64>) -> Row {
        let samples = [a, b].map(|values| vec![sample("mixed", Quantity::Throughput, values)]);
        judged(&samples[0], &samples[1], &QUESTION).remove(0)
    }

    fn is_change(row: &Row) -> bool {
        matches!(row.verdict, Some(Verdict::Regressed | Verdict::Improved))
    }

    #[test]
    fn of_thousands_of_identical_pairs_at_most_one_in_twenty_is_called_a_change() {
        let mut random = Random::new(1, "pairs", [0, 0]);
        for (count, noise) in [(4, 0.2), (5, 0.05), (5, 0.2), (10, 0.1)] {
            let pairs = 2_000;
            let mut once = || repeats(&mut random, 1e6, noise, count);
            let alarms = (0..pairs).filter(|_| is_change(&rate(once(), once()))).count();
            assert!(alarms * 20 <= pairs, "{count} repeats, noise {noise}: {alarms} of {pairs}");
            // The test below would be empty if nothing could ever be a change.
            assert!(alarms > 0, "{count} repeats, noise {noise}");
        }
    }

    #[test]
    fn among_many_figures_of_identical_pairs_the_corrected_ones_rarely_cry_wolf() {
        let mut random = Random::new(2, "families", [0, 0]);
        let (pairs, mut corrected, mut single) = (400, 0, 0);
        for _ in 0..pairs {
            let mut side = || {
                let noisy = |phase: usize| {
                    let values = repeats(&mut random, 1e6, 0.1, 8);
                    sample(&format!("p{phase:02}"), Quantity::Throughput, values)
                };
                (0..20).map(noisy).collect::<Vec<_>>()
            };
            let rows = judged(&side(), &side(), &QUESTION);
            corrected += usize::from(rows.iter().any(|row| !row.primary && is_change(row)));
            single += usize::from(rows.iter().any(|row| row.p.is_some_and(|p| p <= 0.05)));
        }
        assert!(corrected * 20 <= pairs, "{corrected} of {pairs}");
        assert!(single * 2 > pairs, "without the correction most would: {single} of {pairs}");
    }

    #[test]
    fn a_slowdown_of_a_tenth_is_found_at_low_noise() {
        let mut random = Random::new(3, "slow", [0, 0]);
        for _ in 0..200 {
            let (a, b) = (repeats(&mut random, 1e6, 0.01, 5), repeats(&mut random, 0.9e6, 0.01, 5));
            let row = rate(a.clone(), b.clone());
            assert_eq!(row.verdict, Some(Verdict::Regressed), "{row:?}");
            let interval = row.interval.expect("five and five have one");
            assert!(interval.low < 0.91 && interval.high > 0.89 && interval.high < 0.95);
            assert_eq!(rate(b, a).verdict, Some(Verdict::Improved));
        }
    }

    #[test]
    fn lower_latency_is_better_and_higher_throughput_is() {
        let (few, many) = (vec![100.0, 101.0, 102.0, 103.0], vec![120.0, 121.0, 122.0, 123.0]);
        for (quantity, verdict) in [
            (Quantity::Throughput, Verdict::Improved),
            (Quantity::HitRatio, Verdict::Improved),
            (Quantity::P99, Verdict::Regressed),
            (Quantity::BytesPerEntry, Verdict::Regressed),
            (Quantity::PeakRss, Verdict::Regressed),
            (Quantity::ExpiryLagMax, Verdict::Regressed),
        ] {
            let question = Question { metric: Some(format!("m.{}", quantity.name())), ..QUESTION };
            let (a, b) = (sample("m", quantity, few.clone()), sample("m", quantity, many.clone()));
            assert_eq!(judged(&[a], &[b], &question)[0].verdict, Some(verdict), "{quantity:?}");
        }
    }

    #[test]
    fn wide_noise_is_inconclusive_and_says_how_wide() {
        let a = vec![100.0, 130.0, 90.0, 120.0, 80.0];
        let b = vec![95.0, 125.0, 85.0, 118.0, 82.0];
        let row = rate(a, b);
        assert_eq!(row.verdict, Some(Verdict::Inconclusive));
        let Some(Doubt::Wide { half_width }) = row.doubt else { panic!("{row:?}") };
        assert!(half_width > 0.2 && half_width < 0.6, "{half_width}");
        let interval = row.interval.expect("five and five have one");
        assert!((interval.half_width() - half_width).abs() < 1e-12);
    }

    #[test]
    fn small_differences_are_the_same_and_delta_decides_what_is_small() {
        let a = vec![100.0, 100.2, 100.4, 100.1, 100.3];
        let b: Vec<f64> = a.iter().map(|value| value * 0.98).collect();
        assert_eq!(rate(a.clone(), b.clone()).verdict, Some(Verdict::Same));
        let strict = Question { delta: 0.01, metric: None };
        let [a, b] = [a, b].map(|values| vec![sample("mixed", Quantity::Throughput, values)]);
        assert_eq!(judged(&a, &b, &strict)[0].verdict, Some(Verdict::Regressed));
        let between = Question { delta: 0.0205, metric: None };
        let row = judged(&a, &b, &between).remove(0);
        assert_eq!(
            (row.verdict, row.doubt),
            (Some(Verdict::Inconclusive), Some(Doubt::Borderline))
        );
    }

    #[test]
    fn three_and_three_cannot_tell_whatever_they_say() {
        let row = rate(vec![100.0, 101.0, 102.0], vec![10.0, 11.0, 12.0]);
        assert_eq!(row.verdict, Some(Verdict::Inconclusive));
        assert_eq!(row.doubt, Some(Doubt::FewRepeats { a: 3, b: 3 }));
        assert_eq!(row.interval, None);
    }

    #[test]
    fn zero_has_no_ratio_and_two_zeroes_are_the_same() {
        let zero = rate(vec![0.0; 5], vec![1.0; 5]);
        assert_eq!((zero.verdict, zero.doubt), (Some(Verdict::Inconclusive), Some(Doubt::NoRatio)));
        assert_eq!(rate(vec![0.0; 5], vec![0.0; 5]).verdict, Some(Verdict::Same));
    }

    #[test]
    fn holm_multiplies_the_smallest_chance_most() {
        let five = |from: f64| (0..5).map(|step| from + f64::from(step)).collect::<Vec<_>>();
        let side = |levels: [f64; 4]| {
            let phases = ["mixed", "x", "y", "z"].iter().zip(levels);
            phases.map(|(phase, from)| sample(phase, Quantity::Throughput, five(from))).collect()
        };
        let a: Vec<Sample> = side([100.0, 100.0, 100.0, 100.0]);
        let rows = judged(&a, &side([100.0, 200.0, 104.0, 100.5]), &QUESTION);
        let (p, corrected): (Vec<f64>, Vec<Option<f64>>) =
            rows.iter().map(|row| (row.p.expect("judged"), row.p_corrected)).unzip();
        assert_eq!(corrected[0], None, "the primary stands alone");
        assert!((p[1] - 2.0 / 252.0).abs() < 1e-12);
        assert!((corrected[1].expect("of three") - 3.0 * p[1]).abs() < 1e-12);
        assert!((corrected[2].expect("of three") - 2.0 * p[2]).abs() < 1e-12);
        assert!(corrected[3] >= corrected[2]);
        assert_eq!(rows[1].verdict, Some(Verdict::Improved));
    }

    #[test]
    fn the_first_closed_phase_that_is_not_the_load_decides_unless_told() {
        let open = |phase: &str| Sample {
            closed_loop: false,
            ..sample(phase, Quantity::Throughput, vec![1.0])
        };
        let closed = |phase: &str| sample(phase, Quantity::Throughput, vec![1.0]);
        let decides = |samples: Vec<Sample>, metric: Option<&str>| {
            let figures: Vec<&Figure> = samples.iter().map(|sample| &sample.figure).collect();
            primary(&figures, &samples, metric)
        };
        let all = || vec![closed("load"), open("paced"), closed("mixed"), closed("more")];
        assert_eq!(decides(all(), None), Some(2));
        assert_eq!(decides(all(), Some("paced.throughput")), Some(1));
        assert_eq!(decides(all(), Some("paced.p99")), None);
        assert_eq!(decides(vec![open("paced"), closed("load")], None), Some(1));
        assert_eq!(decides(vec![open("paced")], None), Some(0));
    }
}
