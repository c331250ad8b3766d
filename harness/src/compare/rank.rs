//! How ranks are distributed when two samples come from one population: exactly, by counting.

/// Two-sided confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// More combinations than this are not counted: the normal distribution is as good by then.
const COUNTED_MAX: usize = 10_000;
/// The same for the pairs of a paired sample.
const COUNTED_PAIRS_MAX: usize = 200;

/// What a rank statistic is when there is no difference: whole numbers, evenly about a middle.
#[derive(Clone, Debug)]
pub struct Null {
    /// The chance of a value of at most the index.
    cumulative: Vec<f64>,
}

impl Null {
    /// Of the Mann-Whitney statistic of `a` and `b` values: in how many of the `a * b` pairs the
    /// value of one sample is the larger.
    #[must_use]
    pub fn mann_whitney(a: usize, b: usize) -> Self {
        let pairs = a * b;
        if pairs > COUNTED_MAX {
            let variance = number(pairs) * number(a + b + 1) / 12.0;
            return Self::normal(pairs, variance);
        }
        // The largest of all values is one of `i` with chance i / (i + j); it then beats `j`.
        let mut row: Vec<Vec<f64>> = vec![vec![1.0]; b + 1];
        for i in 1..=a {
            for j in 1..=b {
                let mut chances = vec![0.0; i * j + 1];
                let (first, second) = (number(i), number(j));
                for (beaten, chance) in row[j].iter().enumerate() {
                    chances[beaten + j] += chance * first / (first + second);
                }
                for (beaten, chance) in row[j - 1].iter().enumerate() {
                    chances[beaten] += chance * second / (first + second);
                }
                row[j] = chances;
            }
        }
        Self::summed(row.pop().unwrap_or_default())
    }

    /// Of Wilcoxon's signed-rank statistic of `pairs` differences: the sum of the ranks of those
    /// above zero.
    #[must_use]
    pub fn signed_rank(pairs: usize) -> Self {
        let sum = pairs * (pairs + 1) / 2;
        if pairs > COUNTED_PAIRS_MAX {
            let variance = number(sum) * number(2 * pairs + 1) / 12.0;
            return Self::normal(sum, variance);
        }
        let mut chances = vec![0.0; sum + 1];
        chances[0] = 1.0;
        for rank in 1..=pairs {
            for value in (0..=sum).rev() {
                let with = if value >= rank { chances[value - rank] } else { 0.0 };
                chances[value] = f64::midpoint(chances[value], with);
            }
        }
        Self::summed(chances)
    }

    fn summed(chances: Vec<f64>) -> Self {
        let mut sum = 0.0;
        let cumulative = chances.into_iter().map(|chance| {
            sum += chance;
            sum
        });
        Self { cumulative: cumulative.collect() }
    }

    /// The normal distribution with a correction for whole numbers.
    fn normal(largest: usize, variance: f64) -> Self {
        let (mean, deviation) = (number(largest) / 2.0, variance.sqrt());
        let below = |value| {
            let distance = (number(value) + 0.5 - mean) / deviation;
            0.5 * libm::erfc(-distance / std::f64::consts::SQRT_2)
        };
        Self { cumulative: (0..=largest).map(below).collect() }
    }

    /// The chance of a value of at most `value`.
    #[must_use]
    pub fn at_most(&self, value: usize) -> f64 {
        self.cumulative.get(value).copied().unwrap_or(1.0).min(1.0)
    }

    /// The largest value that still speaks against chance on two sides, the critical value of
    /// printed tables; `None` if no value does.
    #[must_use]
    pub fn critical(&self) -> Option<usize> {
        // A hair of tolerance for sums that are exactly the level.
        let level = (1.0 - CONFIDENCE) / 2.0 + 1e-12;
        self.cumulative.iter().take_while(|chance| **chance <= level).count().checked_sub(1)
    }

    /// The chance of a value at least as far from the middle, on both sides.
    #[must_use]
    pub fn two_sided(&self, value: usize) -> f64 {
        (2.0 * self.at_most(value)).min(1.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of repeats and their products")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mann_whitney_agrees_with_the_printed_critical_values() {
        // Two-sided, 5%: Milton (1964), as in any book of tables.
        let printed = [
            (2, 8, Some(0)),
            (3, 3, None),
            (3, 4, None),
            (3, 5, Some(0)),
            (4, 4, Some(0)),
            (5, 5, Some(2)),
            (6, 6, Some(5)),
            (7, 9, Some(12)),
            (8, 8, Some(13)),
            (10, 10, Some(23)),
            (12, 17, Some(57)),
            (15, 15, Some(64)),
            (20, 20, Some(127)),
        ];
        for (a, b, critical) in printed {
            assert_eq!(Null::mann_whitney(a, b).critical(), critical, "{a} and {b}");
            assert_eq!(Null::mann_whitney(b, a).critical(), critical, "{b} and {a}");
        }
    }

    #[test]
    fn mann_whitney_agrees_with_counting_all_arrangements() {
        // 5 of 10 places: 252 arrangements, of which 1, 2, 4, 7 give at most 0, 1, 2, 3.
        let null = Null::mann_whitney(5, 5);
        for (value, arrangements) in [(0, 1.0), (1, 2.0), (2, 4.0), (3, 7.0), (25, 252.0)] {
            assert!((null.at_most(value) - arrangements / 252.0).abs() < 1e-12, "{value}");
        }
        assert!((null.two_sided(0) - 2.0 / 252.0).abs() < 1e-12);
        assert!((null.two_sided(25) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn signed_rank_agrees_with_the_printed_critical_values() {
        // Two-sided, 5%: Wilcoxon and Wilcox (1964).
        let printed = [
            (5, None),
            (6, Some(0)),
            (7, Some(2)),
            (8, Some(3)),
            (9, Some(5)),
            (10, Some(8)),
            (12, Some(13)),
            (15, Some(25)),
            (20, Some(52)),
            (25, Some(89)),
        ];
        for (pairs, critical) in printed {
            assert_eq!(Null::signed_rank(pairs).critical(), critical, "{pairs} pairs");
        }
        assert!((Null::signed_rank(4).at_most(1) - 2.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn beyond_counting_the_normal_distribution_takes_over_without_a_step() {
        let (counted, normal) = (Null::mann_whitney(100, 100), Null::normal(10_000, 167_500.0));
        for value in [3_000, 4_000, 4_500, 5_000] {
            let apart = counted.at_most(value) - normal.at_most(value);
            assert!(apart.abs() < 1e-3, "{value}: {apart}");
        }
        assert!(Null::mann_whitney(1_000, 1_000).critical().is_some());
        assert!(Null::signed_rank(1_000).critical().is_some());
    }
}
