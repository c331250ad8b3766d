//! The smallest change that so many repeats could tell from noise, found by drawing repeats from
//! the runs that were measured.

use serde::Serialize;

use crate::compare::shift;
use crate::workload::random::Random;

/// Comparisons drawn for each number of repeats.
const DRAWS: u64 = 400;
/// A change counts as found if so large a share of the comparisons would have found it.
pub const POWER: f64 = 0.8;

/// What comparisons of so many repeats on each side can tell here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// Repeats on each side.
    pub repeats: usize,
    /// Half the width of the usual 95% interval, as a share.
    pub half_width: f64,
    /// The smallest slowdown that four of five comparisons find, as a share.
    pub change: f64,
}

/// For one number of repeats; `None` if so few have no interval at all, or nothing was measured.
#[must_use]
pub fn of(rates: &[f64], repeats: usize) -> Option<Claim> {
    let logs: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    let (mut half_widths, mut changes) = (Vec::new(), Vec::new());
    for draw in 0..DRAWS {
        let mut random = Random::new(0, "doctor", [repeats as u64, draw]);
        let mut side = || -> Vec<f64> {
            let mut one = || logs.get(usize::try_from(random.below(logs.len() as u64)).ok()?);
            (0..repeats).filter_map(|_| one().copied()).collect()
        };
        let (low, high) = shift::of_samples(&side(), &side())?.interval?;
        half_widths.push((high - low) / 2.0);
        // A slowdown moves the whole interval down; it is found once the upper end is below zero.
        changes.push(high.max(0.0));
    }
    let at = |values: &mut Vec<f64>, share: f64| {
        values.sort_by(f64::total_cmp);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 399")]
        #[expect(clippy::cast_precision_loss, reason = "a few hundred draws")]
        let position = (share * (values.len() - 1) as f64).round() as usize;
        values[position]
    };
    let half_width = at(&mut half_widths, 0.5).exp_m1();
    Some(Claim { repeats, half_width, change: -(-at(&mut changes, POWER)).exp_m1() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty rates with log-normal noise.
    fn rates(deviation: f64) -> Vec<f64> {
        let mut random = Random::new(9, "rates", [0, 0]);
        let mut normal = || (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
        (0..40).map(|_| 1e6 * (deviation * normal()).exp()).collect()
    }

    #[test]
    fn more_repeats_and_less_noise_tell_smaller_changes() {
        let change = |deviation, repeats| of(&rates(deviation), repeats).expect("enough").change;
        assert!(change(0.05, 5) > change(0.05, 10) && change(0.05, 10) > change(0.05, 20));
        assert!(change(0.1, 10) > change(0.05, 10));
        assert_eq!(of(&rates(0.05), 3), None, "3+3 have no interval");
        assert_eq!(of(&[], 5), None);
        assert!(of(&[1e6; 9], 5).expect("enough").change.abs() < 1e-12);
    }

    #[test]
    fn a_change_of_the_size_that_is_named_is_found_in_four_of_five_comparisons() {
        let (deviation, repeats) = (0.05, 10);
        let claim = of(&rates(deviation), repeats).expect("enough");
        let mut random = Random::new(10, "power", [0, 0]);
        let mut side = |level: f64| -> Vec<f64> {
            let mut normal = || (0..12).map(|_| random.fraction()).sum::<f64>() - 6.0;
            (0..repeats).map(|_| level.ln() + deviation * normal()).collect()
        };
        let comparisons = 500;
        let mut found = 0;
        for _ in 0..comparisons {
            let shift = shift::of_samples(&side(1.0), &side(1.0 - claim.change));
            let interval = shift.and_then(|shift| shift.interval).expect("enough repeats");
            found += usize::from(interval.1 < 0.0);
        }
        // The forty rates are a sample too: what they promise is met roughly.
        assert!(found * 100 > comparisons * 65 && found * 100 < comparisons * 95, "{found}");
    }
}
