//! Two revisions that took turns: each round ran A, B and A once more, so that whatever changed
//! on the machine meanwhile fell on all three.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::figure::{self, Figure, Sample};
use super::rank::CONFIDENCE;
use super::shift::{self, Shift};
use super::{
    Doubt, Interval, Question, Standing, Unit, Verdict, comparability, holm, judge, overall,
};
use crate::report::{Report, Spread, Surroundings};

/// Three runs made side by side.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// The first revision.
    pub a: &'a Report,
    /// The second.
    pub b: &'a Report,
    /// The first once more: what differs from itself is the machine.
    pub control: &'a Report,
}

/// One of the three runs of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// The first revision.
    A,
    /// The second.
    B,
    /// The first once more.
    Control,
}

/// The order of a round's runs. Each round mirrors the one before: A B B A for the change and
/// A A A A for the control, so that a machine that grows slower slows all arms alike.
#[must_use]
pub const fn order(round: usize) -> [Arm; 3] {
    if round.is_multiple_of(2) {
        [Arm::A, Arm::B, Arm::Control]
    } else {
        [Arm::Control, Arm::B, Arm::A]
    }
}

/// What the rounds say about one case of a workload on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The workload's name.
    pub workload: String,
    /// The case of a sweep.
    pub case: Option<String>,
    /// The target.
    pub target: String,
    /// How many rounds there were.
    pub rounds: usize,
    /// Changes below this share count as none.
    pub delta: f64,
    /// The first revision.
    pub a: Party,
    /// The second.
    pub b: Party,
    /// Whether the two did the same work.
    pub standing: Standing,
    /// Figure by figure.
    pub rows: Vec<TrialRow>,
    /// A regression of any figure is one of the whole; else what the primary figure says.
    pub verdict: Option<Verdict>,
}

/// A revision that took part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Party {
    /// What to call it.
    pub label: String,
    /// What it was and where it ran, as its first run tells.
    pub surroundings: Surroundings,
}

/// One figure of both revisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// Which one.
    pub figure: Figure,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// Whether it is the one that decides.
    pub primary: bool,
    /// The first revision, over the rounds.
    pub a: Spread,
    /// The second.
    pub b: Spread,
    /// The second over the first.
    pub change: Option<Estimate>,
    /// The first once more over the first.
    pub control: Option<Estimate>,
    /// The ratios of the second to the first, round by round; of a round without one, none.
    pub change_ratios: Vec<f64>,
    /// And those of the first once more to the first.
    pub control_ratios: Vec<f64>,
    /// The chance of the change after Holm's correction; not for the one that decides.
    pub p_corrected: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
    /// Why it is no clearer.
    pub doubt: Option<Doubt>,
}

/// A ratio of two arms of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The ratio itself.
    pub ratio: f64,
    /// Where it lies with 95% confidence.
    pub interval: Option<Interval>,
    /// The chance that so large a difference comes of itself.
    pub p: f64,
}

impl Estimate {
    fn of(shift: Shift) -> Self {
        let interval = shift.interval.map(judge::ratios);
        Self { ratio: shift.estimate.exp(), interval, p: shift.p }
    }
}

impl Trial {
    /// The row that decides.
    #[must_use]
    pub fn primary(&self) -> Option<&TrialRow> {
        self.rows.iter().find(|row| row.primary)
    }
}

/// Judges what the rounds of the revisions called `a` and `b` gave; `None` if there are none.
///
/// # Errors
/// If a histogram cannot be read, or there is no such metric.
pub fn judge(
    rounds: &[Round<'_>],
    [a, b]: [&str; 2],
    question: &Question,
) -> Result<Option<Trial>, String> {
    let Some(first) = rounds.first() else { return Ok(None) };
    let workload = &first.a.workload;
    let mut trial = Trial {
        workload: workload.name.clone(),
        case: workload.case.clone(),
        target: first.a.target.clone(),
        rounds: rounds.len(),
        delta: question.delta,
        a: Party { label: a.to_owned(), surroundings: Surroundings::of(first.a) },
        b: Party { label: b.to_owned(), surroundings: Surroundings::of(first.b) },
        standing: comparability::standing(first.a, first.b),
        rows: Vec::new(),
        verdict: None,
    };
    if trial.standing == Standing::Judged {
        let order = figure::samples(&first.a.repeats)?;
        let values = rounds
            .iter()
            .map(|round| Ok([of_run(round.a)?, of_run(round.b)?, of_run(round.control)?]))
            .collect::<Result<Vec<_>, String>>()?;
        trial.rows = rows(&order, &values, question)?;
        trial.verdict = overall(trial.rows.iter().map(|row| (Some(row.verdict), row.primary)));
    }
    Ok(Some(trial))
}

/// Every figure of one run.
type Run = HashMap<Figure, f64>;

fn of_run(report: &Report) -> Result<Run, String> {
    let samples = figure::samples(&report.repeats)?;
    Ok(samples
        .into_iter()
        .filter_map(|sample| Some((sample.figure, *sample.values.first()?)))
        .collect())
}

fn rows(
    order: &[Sample],
    rounds: &[[Run; 3]],
    question: &Question,
) -> Result<Vec<TrialRow>, String> {
    let mut rows: Vec<TrialRow> =
        order.iter().filter_map(|sample| row(&sample.figure, rounds, question.delta)).collect();
    let figures: Vec<&Figure> = rows.iter().map(|row| &row.figure).collect();
    match judge::primary(&figures, order, question.metric.as_deref()) {
        Some(position) => rows[position].primary = true,
        None => judge::check_metric(figures.into_iter(), question)?,
    }
    correct(&mut rows);
    Ok(rows)
}

fn row(figure: &Figure, rounds: &[[Run; 3]], delta: f64) -> Option<TrialRow> {
    let of_arm =
        |arm: usize| Spread::of(rounds.iter().map(|round| round[arm].get(figure).copied()));
    let ratios = |arm: usize| -> Vec<f64> {
        let ratio = |round: &[Run; 3]| {
            let (base, other) = (*round[0].get(figure)?, *round[arm].get(figure)?);
            (base > 0.0 && other > 0.0).then(|| (other / base).ln())
        };
        rounds.iter().filter_map(ratio).collect()
    };
    let (changes, controls) = (ratios(1), ratios(2));
    let (change, control) = (shift::of_pairs(&changes), shift::of_pairs(&controls));
    let (verdict, doubt) = match (change, control) {
        (Some(change), Some(control)) => {
            conclude(change, control, changes.len(), figure.quantity.higher_is_better(), delta)
        }
        _ => (Verdict::Inconclusive, Some(Doubt::NoRatio)),
    };
    Some(TrialRow {
        figure: figure.clone(),
        unit: figure.quantity.unit(),
        higher_is_better: figure.quantity.higher_is_better(),
        primary: false,
        a: of_arm(0)?,
        b: of_arm(1)?,
        change: change.map(Estimate::of),
        control: control.map(Estimate::of),
        change_ratios: changes.iter().map(|change| change.exp()).collect(),
        control_ratios: controls.iter().map(|change| change.exp()).collect(),
        p_corrected: None,
        verdict,
        doubt,
    })
}

/// What a change means beside what A differs from itself.
fn conclude(
    change: Shift,
    control: Shift,
    pairs: usize,
    higher_is_better: bool,
    delta: f64,
) -> (Verdict, Option<Doubt>) {
    let (Some(interval), Some((low, high))) = (change.interval, control.interval) else {
        return (Verdict::Inconclusive, Some(Doubt::FewPairs { pairs }));
    };
    if low > 0.0 || high < 0.0 {
        return (Verdict::Inconclusive, Some(Doubt::ControlDiffers));
    }
    let half_width = judge::ratios((low, high)).half_width();
    if half_width > delta {
        return (Verdict::Inconclusive, Some(Doubt::ControlWide { half_width }));
    }
    judge::weigh(change.estimate, interval, higher_is_better, delta)
}

/// Of many figures, one that is far off is to be expected.
fn correct(rows: &mut [TrialRow]) {
    let chance = |row: &TrialRow| {
        let differs = |change: &Estimate| change.p < 1.0;
        row.change.filter(|change| !row.primary && differs(change)).map(|change| change.p)
    };
    let family: Vec<usize> = (0..rows.len()).filter(|&at| chance(&rows[at]).is_some()).collect();
    let chances: Vec<f64> = family.iter().filter_map(|&at| chance(&rows[at])).collect();
    for (at, corrected) in family.iter().zip(holm::corrected(&chances)) {
        let row = &mut rows[*at];
        row.p_corrected = Some(corrected);
        let changed = matches!(row.verdict, Verdict::Regressed | Verdict::Improved);
        if changed && corrected > 1.0 - CONFIDENCE + 1e-12 {
            row.verdict = Verdict::Inconclusive;
            row.doubt = Some(Doubt::OneOfMany { figures: chances.len() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Quantity;
    use crate::workload::random::Random;

    const QUESTION: Question = Question { delta: 0.03, metric: None };

    fn rate() -> Figure {
        Figure { phase: Some("mixed".into()), verb: None, quantity: Quantity::Throughput }
    }

    fn noise(random: &mut Random, deviation: f64) -> f64 {
        let normal = (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
        (deviation * normal).exp()
    }

    /// Rounds of one figure, run in their order on a machine that loses `drift` with each run.
    fn rounds(
        random: &mut Random,
        pairs: usize,
        pace: [f64; 3],
        loss: f64,
        dev: f64,
    ) -> Vec<[Run; 3]> {
        let mut speed = 1e6;
        (0..pairs)
            .map(|round| {
                let mut runs = [Run::new(), Run::new(), Run::new()];
                for arm in order(round) {
                    speed *= 1.0 - loss;
                    let value = speed * pace[arm as usize] * noise(random, dev);
                    runs[arm as usize].insert(rate(), value);
                }
                runs
            })
            .collect()
    }

    fn judged(rounds: &[[Run; 3]]) -> TrialRow {
        let order = [Sample { figure: rate(), closed_loop: true, values: Vec::new() }];
        rows(&order, rounds, &QUESTION).expect("no metric was asked for").remove(0)
    }

    #[test]
    fn of_thousands_of_identical_revisions_at_most_one_in_twenty_is_called_a_change() {
        let mut random = Random::new(1, "trials", [0, 0]);
        let trials = 2_000;
        let mut alarms = 0;
        // A delta of nothing to speak of, so that only chance stands against an alarm.
        for _ in 0..trials {
            let rounds = rounds(&mut random, 8, [1.0; 3], 0.0, 0.02);
            let changes: Vec<f64> =
                rounds.iter().map(|[a, b, _]| (b[&rate()] / a[&rate()]).ln()).collect();
            let change = shift::of_pairs(&changes).expect("eight pairs");
            let interval = change.interval.expect("eight pairs");
            let (verdict, _) = judge::weigh(change.estimate, interval, true, 1e-9);
            alarms += usize::from(verdict != Verdict::Inconclusive);
        }
        assert!(alarms * 20 <= trials && alarms * 50 > trials, "{alarms} of {trials}");
    }

    #[test]
    fn a_slowdown_of_a_tenth_is_found_on_a_machine_that_grows_slower() {
        let mut random = Random::new(2, "slow", [0, 0]);
        for _ in 0..100 {
            let row = judged(&rounds(&mut random, 8, [1.0, 0.9, 1.0], 0.002, 0.005));
            assert_eq!(row.verdict, Verdict::Regressed, "{row:?}");
            let change = row.change.expect("eight rounds");
            assert!((change.ratio - 0.9).abs() < 0.02, "{change:?}");
            let same = judged(&rounds(&mut random, 8, [1.0; 3], 0.002, 0.005));
            assert_eq!(same.verdict, Verdict::Same, "the drift is not a change: {same:?}");
        }
    }

    #[test]
    fn a_machine_that_favours_one_arm_proves_nothing() {
        let mut random = Random::new(3, "biased", [0, 0]);
        let row = judged(&rounds(&mut random, 8, [1.0, 0.8, 0.97], 0.0, 0.002));
        assert_eq!(row.doubt, Some(Doubt::ControlDiffers), "{row:?}");
        assert_eq!(row.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn a_machine_that_varies_by_more_than_delta_proves_nothing_and_says_how_much() {
        let mut random = Random::new(4, "noisy", [0, 0]);
        let row = judged(&rounds(&mut random, 8, [1.0, 0.8, 1.0], 0.0, 0.2));
        let Some(Doubt::ControlWide { half_width }) = row.doubt else { panic!("{row:?}") };
        assert!(half_width > 0.05 && half_width < 0.5, "{half_width}");
        assert_eq!(row.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn five_pairs_are_too_few() {
        let mut random = Random::new(5, "few", [0, 0]);
        let row = judged(&rounds(&mut random, 5, [1.0, 0.5, 1.0], 0.0, 0.001));
        assert_eq!(row.doubt, Some(Doubt::FewPairs { pairs: 5 }));
        assert_eq!(row.verdict, Verdict::Inconclusive);
    }
}
