//! Whether a figure is what it was held to: for claims that are stated as a number, such as "at
//! least nine tenths of the bare map's throughput".

use std::fmt;

use super::shift;

/// What a figure is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// It may not be larger.
    AtMost(f64),
    /// It may not be smaller.
    AtLeast(f64),
}

impl Goal {
    /// Whether `value` is as it should be.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    /// What a figure means that is known to lie within an interval.
    #[must_use]
    pub fn judge(self, measured: Measured) -> Attained {
        match (self.holds(measured.low), self.holds(measured.high)) {
            (true, true) => Attained::Met,
            (false, false) => Attained::Missed,
            _ => Attained::Inconclusive,
        }
    }
}

/// A figure, and where it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The median of the rounds.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Measured {
    /// Of ratios of runs made side by side, one a round: the exact 95% interval of the signed-rank
    /// test; of fewer than six, from the least to the largest. `None` if there are none, or
    /// one is no ratio.
    #[must_use]
    pub fn of_ratios(ratios: &[f64]) -> Option<Self> {
        if !ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0) {
            return None;
        }
        let all = Self::of_values(ratios)?;
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let Some((low, high)) = shift::of_pairs(&logs).and_then(|shift| shift.interval) else {
            return Some(all);
        };
        // The interval is of the middle of all pairs' means; that of the values may lie just out.
        let (low, high) = (low.exp().min(all.value), high.exp().max(all.value));
        Some(Self { value: all.value, low, high })
    }

    /// Of values that are compared with nothing: from the least to the largest. `None` if there
    /// are none.
    #[must_use]
    pub fn of_values(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let value = match sorted.len() % 2 {
            1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        Some(Self { value, low, high })
    }
}

/// What came of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attained {
    /// All of the interval is as it should be.
    Met,
    /// None of it is.
    Missed,
    /// Some of it is: what was measured does not tell.
    Inconclusive,
}

impl fmt::Display for Attained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// Judges the worst time of each round against a limit, beside the worst that a loop which does
/// nothing was kept waiting in as long a time: what the machine does to that loop it may do to
/// anything.
///
/// Met if no round was over the limit. Missed if most were although the idle loop mostly was
/// not, or took longer than the idle loop ever did. Else nobody can tell.
#[must_use]
pub fn judge_worst(worst: &[f64], idle: &[f64], limit: f64) -> Attained {
    let (Some(worst), Some(idle)) = (Measured::of_values(worst), Measured::of_values(idle)) else {
        return Attained::Inconclusive;
    };
    if worst.high <= limit {
        Attained::Met
    } else if worst.value > limit && (idle.value <= limit || worst.value > idle.high) {
        Attained::Missed
    } else {
        Attained::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_by_the_whole_interval_or_nobody_can_tell() {
        let measured = |low, high| Measured { value: f64::midpoint(low, high), low, high };
        for (goal, low, high, attained) in [
            (Goal::AtLeast(0.92), 0.93, 0.97, Attained::Met),
            (Goal::AtLeast(0.92), 0.92, 0.92, Attained::Met),
            (Goal::AtLeast(0.92), 0.85, 0.91, Attained::Missed),
            (Goal::AtLeast(0.92), 0.91, 0.97, Attained::Inconclusive),
            (Goal::AtMost(46.0), 43.0, 46.0, Attained::Met),
            (Goal::AtMost(46.0), 46.1, 47.0, Attained::Missed),
            (Goal::AtMost(46.0), 45.0, 47.0, Attained::Inconclusive),
        ] {
            assert_eq!(goal.judge(measured(low, high)), attained, "{goal:?} of {low}..{high}");
        }
    }

    #[test]
    fn one_wild_round_of_twelve_does_not_decide() {
        let mut ratios = vec![0.98, 1.01, 0.99, 1.0, 1.02, 0.97, 1.0, 1.01, 0.99, 1.0, 1.03];
        ratios.push(3.0);
        let measured = Measured::of_ratios(&ratios).expect("twelve ratios");
        assert!((measured.value - 1.0).abs() < 0.011, "{measured:?}");
        assert!(measured.low > 0.97 && measured.high < 1.1, "{measured:?}");
        assert_eq!(Goal::AtMost(1.15).judge(measured), Attained::Met);
    }

    #[test]
    fn of_few_rounds_all_count_and_of_none_nothing_is_known() {
        let few = Measured { value: 1.0, low: 0.5, high: 2.0 };
        assert_eq!(Measured::of_ratios(&[2.0, 0.5, 1.0]), Some(few));
        assert_eq!(Measured::of_values(&[4.0, 2.0]).map(|m| m.value), Some(3.0));
        assert_eq!(Measured::of_ratios(&[]), None);
        assert_eq!(Measured::of_ratios(&[1.0, 0.0]), None);
        assert_eq!(Measured::of_ratios(&[1.0, f64::NAN]), None);
    }

    #[test]
    fn a_pause_that_the_machine_gives_an_idle_loop_too_is_no_fault() {
        for (worst, idle, attained) in [
            ([5.0, 6.0, 19.0], [1.0, 1.0, 1.0], Attained::Met),
            ([30.0, 40.0, 35.0], [1.0, 2.0, 25.0], Attained::Missed),
            // The idle loop is kept waiting as long.
            ([30.0, 40.0, 35.0], [45.0, 30.0, 28.0], Attained::Inconclusive),
            // Over the limit like the idle loop, but longer than it ever was.
            ([90.0, 80.0, 85.0], [45.0, 30.0, 28.0], Attained::Missed),
            // Once is chance.
            ([5.0, 6.0, 40.0], [1.0, 1.0, 1.0], Attained::Inconclusive),
        ] {
            assert_eq!(judge_worst(&worst, &idle, 20.0), attained, "{worst:?} beside {idle:?}");
        }
        assert_eq!(judge_worst(&[], &[], 20.0), Attained::Inconclusive);
    }
}
