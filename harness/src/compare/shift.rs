//! How far two samples lie apart, without assuming how either is distributed.
//!
//! The estimates are those of Hodges and Lehmann, the intervals belong to the rank tests of
//! [`Null`]: exact for every number of repeats, and indifferent to a few wild ones.

use super::rank::Null;

/// A difference and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The middle of all differences.
    pub estimate: f64,
    /// Where the difference lies with 95% confidence; `None` if no number of values as small as
    /// this one can tell.
    pub interval: Option<(f64, f64)>,
    /// The chance that so large a difference comes of itself.
    pub p: f64,
}

/// How far `b` lies above `a`: the repeats of two separate runs. `None` if either is empty.
#[must_use]
pub fn of_samples(a: &[f64], b: &[f64]) -> Option<Shift> {
    let differences = b.iter().flat_map(|b| a.iter().map(move |a| b - a)).collect();
    of_differences(differences, &Null::mann_whitney(a.len(), b.len()))
}

/// How far the values lie above zero: one difference for each pair of runs made side by side.
/// `None` if there is none.
#[must_use]
pub fn of_pairs(differences: &[f64]) -> Option<Shift> {
    let averages = (0..differences.len()).flat_map(|first| {
        differences[first..].iter().map(move |second| f64::midpoint(differences[first], *second))
    });
    of_differences(averages.collect(), &Null::signed_rank(differences.len()))
}

/// From all elementary differences. Ties with zero count against a difference, so that the
/// interval excludes zero exactly if the chance is below the level.
fn of_differences(mut differences: Vec<f64>, null: &Null) -> Option<Shift> {
    differences.sort_by(f64::total_cmp);
    let count = differences.len();
    let middle = count / 2;
    let upper = *differences.get(middle)?;
    let estimate =
        if count % 2 == 1 { upper } else { f64::midpoint(differences[middle - 1], upper) };
    let below = differences.iter().filter(|difference| **difference <= 0.0).count();
    let above = differences.iter().filter(|difference| **difference >= 0.0).count();
    Some(Shift {
        estimate,
        interval: null.critical().map(|cut| (differences[cut], differences[count - 1 - cut])),
        p: null.two_sided(below.min(above)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn two_samples_agree_with_a_calculation_by_hand() {
        // Differences b - a: 1 1.5 4 | 0 .5 3 | -1 -.5 2, in order -1 -.5 0 .5 1 1.5 2 3 4.
        let shift = of_samples(&[1.0, 2.0, 3.0], &[2.0, 2.5, 5.0]).expect("not empty");
        assert!(close(shift.estimate, 1.0));
        assert_eq!(shift.interval, None, "3 and 3 cannot tell");
        // At most 0 are three of nine: arrangements with U <= 3 are 7 of 20.
        assert!(close(shift.p, 0.7));

        // Four and four: the interval is from the smallest difference to the largest.
        let shift = of_samples(&[1.0, 2.0, 3.0, 4.0], &[11.0, 12.5, 13.0, 14.0]).expect("some");
        assert_eq!(shift.interval, Some((7.0, 13.0)));
        assert!(close(shift.p, 2.0 / 70.0));
    }

    #[test]
    fn five_and_five_leave_out_two_differences_at_each_end() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0];
        let b = a.map(|value| value + 10.0);
        let shift = of_samples(&a, &b).expect("not empty");
        assert!(close(shift.estimate, 10.0));
        // 25 differences: 6, 7 7, 8 8 8, ...: the third from below is 7, from above 13.
        assert_eq!(shift.interval, Some((7.0, 13.0)));
    }

    #[test]
    fn pairs_agree_with_a_calculation_by_hand() {
        // Walsh averages of 1 2 4: 1 1.5 2 2.5 3 4.
        let shift = of_pairs(&[1.0, 2.0, 4.0]).expect("not empty");
        assert!(close(shift.estimate, 2.25));
        assert_eq!(shift.interval, None);
        assert!(close(shift.p, 0.25));
        let six = of_pairs(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("not empty");
        assert!(close(six.estimate, 3.5));
        assert_eq!(six.interval, Some((1.0, 6.0)));
    }

    #[test]
    fn nothing_has_no_shift_and_equal_values_have_none_for_sure() {
        assert_eq!(of_samples(&[], &[1.0]), None);
        assert_eq!(of_pairs(&[]), None);
        let same = of_samples(&[2.0; 5], &[2.0; 5]).expect("not empty");
        assert_eq!(same, Shift { estimate: 0.0, interval: Some((0.0, 0.0)), p: 1.0 });
    }
}
