//! A row of the result: what was measured, what it is held to, what came of it.

use harness::compare::goal::{Attained, Goal, Measured};
use harness::workload::units;

/// The middle of some figures; of none, no number.
pub(crate) fn median(figures: &[f64]) -> f64 {
    Measured::of_values(figures).map_or(f64::NAN, |measured| measured.value)
}

/// So many threads, in words.
pub(crate) fn threads(count: usize) -> String {
    if count == 1 { "1 thread".to_owned() } else { format!("{count} threads") }
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// One throughput, time or size over another.
    Ratio,
    /// Bytes an entry.
    Bytes,
    /// Ticks of the expiry index.
    Ticks,
    /// A time, in nanoseconds.
    Time,
}

impl Unit {
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Bytes => format!("{value:.1} B"),
            Self::Ticks => format!("{value:.2} ticks"),
            Self::Time => units::show_ns(value),
        }
    }
}

/// One target, measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// What was measured, and beside what.
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) goal: Goal,
    pub(crate) measured: Measured,
    /// What the same gave beside itself, or an idle loop in its place.
    pub(crate) noise: Option<String>,
    /// Absolute figures of both sides, and what else helps to read the ratio.
    pub(crate) aside: String,
    pub(crate) verdict: Attained,
}

impl Row {
    /// A row that is judged by its interval. `series` has one figure a round.
    ///
    /// # Errors
    /// If there is none, or one is no ratio.
    pub(crate) fn judged(
        what: String,
        unit: Unit,
        goal: Goal,
        series: &[f64],
    ) -> Result<Self, String> {
        let measured = match unit {
            Unit::Ratio => Measured::of_ratios(series),
            _ => Measured::of_values(series),
        };
        let measured = measured.ok_or_else(|| format!("{what}: no figure came of {series:?}"))?;
        let verdict = goal.judge(measured);
        Ok(Self { what, unit, goal, measured, noise: None, aside: String::new(), verdict })
    }

    /// The same with the figures of a control, one a round: their range is shown as noise.
    #[must_use]
    pub(crate) fn beside(mut self, control: &[f64]) -> Self {
        self.noise = Measured::of_values(control)
            .map(|control| format!("{:.3}..{:.3}", control.low, control.high));
        self
    }

    #[must_use]
    pub(crate) fn aside(mut self, aside: String) -> Self {
        self.aside = aside;
        self
    }

    pub(crate) fn shown_goal(&self) -> String {
        let whole = |value: f64| match self.unit {
            Unit::Ratio => format!("{value:.2}"),
            Unit::Bytes => format!("{value:.0} B"),
            Unit::Ticks => format!("{value:.0} ticks"),
            Unit::Time => units::show_ns(value),
        };
        match self.goal {
            Goal::AtMost(limit) => format!("<= {}", whole(limit)),
            Goal::AtLeast(limit) => format!(">= {}", whole(limit)),
        }
    }

    pub(crate) fn shown_interval(&self) -> String {
        let (low, high) = (self.unit.show(self.measured.low), self.unit.show(self.measured.high));
        if low == high { "-".to_owned() } else { format!("{low}..{high}") }
    }
}
