//! Rates that go up or down in steps.

use serde::{Deserialize, Serialize};

/// Arrivals whose rate changes from one end to the other, in steps of equal length.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    /// The rate of the first step, in operations a second over all threads.
    pub from_per_second: f64,
    /// The rate of the last.
    pub to_per_second: f64,
    /// How many there are, both ends included.
    pub steps: u32,
    /// How long each lasts.
    pub each_ns: u64,
    /// How the rates between the ends are laid out.
    pub spacing: Spacing,
}

/// What is the same from one step of a ramp to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// The difference between their rates.
    Linear,
    /// The ratio of their rates.
    Geometric,
}

impl Spacing {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Linear, Self::Geometric];

    /// The word for it in workload files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Geometric => "geometric",
        }
    }
}

impl Ramp {
    /// The rates of all steps, in operations a second.
    pub fn rates(self) -> impl Iterator<Item = f64> {
        let (from, to) = (self.from_per_second, self.to_per_second);
        let last = self.steps.saturating_sub(1);
        (0..self.steps).map(move |step| match step {
            // The ends as they were written, not as arithmetic would have them.
            0 => from,
            step if step == last => to,
            step => {
                let share = f64::from(step) / f64::from(last);
                match self.spacing {
                    Spacing::Linear => from + (to - from) * share,
                    Spacing::Geometric => from * libm::pow(to / from, share),
                }
            }
        })
    }

    /// How long all steps take together.
    #[must_use]
    pub fn total_ns(self) -> u64 {
        self.each_ns.saturating_mul(u64::from(self.steps))
    }

    /// The mean rate over all steps.
    #[must_use]
    pub fn mean_per_second(self) -> f64 {
        self.rates().sum::<f64>() / f64::from(self.steps.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(from: f64, to: f64, steps: u32, spacing: Spacing) -> Vec<f64> {
        let ramp = Ramp { from_per_second: from, to_per_second: to, steps, each_ns: 1, spacing };
        ramp.rates().map(|rate| (rate * 10.0).round() / 10.0).collect()
    }

    #[test]
    fn steps_differ_by_the_same_amount_or_by_the_same_factor() {
        assert_eq!(rates(100.0, 400.0, 4, Spacing::Linear), [100.0, 200.0, 300.0, 400.0]);
        assert_eq!(rates(400.0, 100.0, 3, Spacing::Linear), [400.0, 250.0, 100.0]);
        assert_eq!(rates(10.0, 640.0, 4, Spacing::Geometric), [10.0, 40.0, 160.0, 640.0]);
    }
}
