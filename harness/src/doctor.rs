//! What can be measured on this machine at all: its noise, and the smallest change that could be
//! told from it.
//!
//! `pause` and `claim` measure and calculate, `advice` says what to do about it. Running the
//! workload is left to whoever asks.

pub mod advice;
pub mod claim;
pub mod pause;

use serde::Serialize;

use crate::compare::shift;
use crate::environment::disturbance::Settings;
use crate::report::{Machine, Spread};
pub use advice::Advice;
pub use claim::Claim;
pub use pause::Pauses;

/// The workload whose identical runs are compared, as a workload file.
pub const WORKLOAD: &str = include_str!("doctor/workload.toml");

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    /// The machine.
    pub machine: Machine,
    /// Whether the harness was built with optimization.
    pub optimized: bool,
    /// Two readings of the clock with nothing between them.
    pub timer_floor_ns: u64,
    /// Load average before anything was measured.
    pub load: f64,
    /// The share of time that the hypervisor gave to others meanwhile; `None` if not told.
    pub steal: Option<f64>,
    /// What the system is set to.
    pub settings: Settings,
    /// When nothing was to be done, for how long it was not done.
    pub pauses: Pauses,
    /// Identical runs.
    pub runs: Runs,
    /// What could be claimed with how many repeats.
    pub claims: Vec<Claim>,
    /// What to do about it.
    pub advice: Vec<Advice>,
}

/// Identical runs, each in a fresh process.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Runs {
    /// Operations a second of each, in the order they ran.
    pub rates: Vec<f64>,
    /// The same, together.
    pub rate: Spread,
    /// How much faster the second half of the runs was than the first, as a share, if that is more
    /// than chance.
    pub drift: Option<f64>,
}

impl Runs {
    /// Of these rates; `None` of none.
    #[must_use]
    pub fn of(rates: Vec<f64>) -> Option<Self> {
        let rate = Spread::of(rates.iter().copied().map(Some))?;
        let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
        let (early, late) = logs.split_at(logs.len() / 2);
        let shift = shift::of_samples(early, late);
        let sure = shift.filter(|shift| shift.interval.is_some_and(|(low, high)| low * high > 0.0));
        Some(Self { rates, rate, drift: sure.map(|shift| shift.estimate.exp_m1()) })
    }

    /// How far the fastest and the slowest lie apart, as a share of the middle one.
    #[must_use]
    pub fn range(&self) -> f64 {
        (self.rate.max - self.rate.min) / self.rate.median
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_is_told_from_noise() {
        let steady = Runs::of(vec![1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 1.08, 0.93]).expect("some");
        assert_eq!(steady.drift, None);
        assert!((steady.range() - 0.2 / 1.01).abs() < 1e-9, "{}", steady.range());
        let slower = Runs::of(vec![1.0, 1.01, 0.99, 1.02, 0.8, 0.81, 0.79, 0.82]).expect("some");
        assert!((slower.drift.expect("plain to see") + 0.2).abs() < 0.01);
        assert_eq!(Runs::of(Vec::new()), None);
    }
}
