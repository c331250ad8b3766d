//! Exact Zipf ranks in constant time and memory.
//!
//! Rank `k` of `1..=n` has probability proportional to `k^-s`. The method is the
//! rejection-inversion of Hoermann and Derflinger (1996): invert the integral of a continuous
//! hat, round to a rank, and reject the little that the hat has too much. Nothing is tabulated, so
//! ten million keys cost as much as ten, and no rank is approximated.
//!
//! Logarithms and exponentials come from `libm`, not from the platform, whose last bit differs
//! from system to system and would change the operations with it.

use super::random::Random;

/// A Zipf distribution over the ranks `0..n`, most popular first.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    n: f64,
    s: f64,
    /// The hat's integral at its left end: what remains after the first rank's own share.
    integral_first: f64,
    integral_last: f64,
    /// Below this distance from a rank the draw is accepted without computing the density.
    squeeze: f64,
}

impl Zipf {
    /// The distribution of exponent `s > 0` over `n >= 1` ranks.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "key counts are far below 2^53")]
    pub fn new(n: u64, s: f64) -> Self {
        let n = n as f64;
        let mut zipf = Self { n, s, integral_first: 0.0, integral_last: 0.0, squeeze: 0.0 };
        zipf.integral_first = zipf.integral(1.5) - 1.0;
        zipf.integral_last = zipf.integral(n + 0.5);
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf
    }

    /// Draws a rank in `0..n`; 0 is the most popular.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1.0 ..= n")]
    pub fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let share = random.fraction();
            let u = self.integral_last + share * (self.integral_first - self.integral_last);
            let x = self.inverse(u);
            let rank = libm::floor(x + 0.5).clamp(1.0, self.n);
            let accepted =
                rank - x <= self.squeeze || u >= self.integral(rank + 0.5) - self.density(rank);
            if accepted {
                return rank as u64 - 1;
            }
        }
    }

    fn density(&self, x: f64) -> f64 {
        libm::exp(-self.s * libm::log(x))
    }

    /// `(x^(1-s) - 1) / (1-s)`, and its limit `ln x` where `s` is 1.
    fn integral(&self, x: f64) -> f64 {
        let log = libm::log(x);
        let t = (1.0 - self.s) * log;
        if t.abs() > 1e-8 { libm::expm1(t) / t * log } else { log * (1.0 + t / 2.0) }
    }

    fn inverse(&self, y: f64) -> f64 {
        let t = ((1.0 - self.s) * y).max(-1.0);
        let log = if t.abs() > 1e-8 { libm::log1p(t) / t * y } else { y * (1.0 - t / 2.0) };
        libm::exp(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 400_000;

    /// Pearson's statistic of `DRAWS` draws against the exact probabilities.
    fn chi_square(n: u64, s: f64, draw: impl Fn(&mut Random) -> u64) -> f64 {
        let ranks = || (1..=u32::try_from(n).expect("small")).map(f64::from);
        let total: f64 = ranks().map(|k| k.powf(-s)).sum();
        let mut counts = vec![0u32; usize::try_from(n).expect("small")];
        let mut random = Random::new(99, "chi", [n, 0]);
        for _ in 0..DRAWS {
            counts[usize::try_from(draw(&mut random)).expect("small")] += 1;
        }
        ranks()
            .zip(counts)
            .map(|(k, count)| {
                let expected = f64::from(DRAWS) * k.powf(-s) / total;
                (f64::from(count) - expected).powi(2) / expected
            })
            .sum()
    }

    /// Mean n - 1, standard deviation sqrt(2 (n - 1)): six of them is once in a billion.
    fn bound(n: u64) -> f64 {
        let freedom = f64::from(u32::try_from(n).expect("small")) - 1.0;
        freedom + 6.0 * (2.0 * freedom).sqrt()
    }

    #[test]
    fn draws_follow_the_exact_probabilities() {
        for (n, s) in [(2, 0.99), (10, 0.5), (10, 1.0), (100, 0.99), (100, 1.3), (1_000, 0.99)] {
            let zipf = Zipf::new(n, s);
            let statistic = chi_square(n, s, |random| zipf.draw(random));
            assert!(statistic < bound(n), "n = {n}, s = {s}: chi-square {statistic:.0}");
        }
    }

    #[test]
    fn the_check_sees_a_distribution_that_is_off_by_one() {
        let zipf = Zipf::new(101, 0.99);
        let shifted = |random: &mut Random| zipf.draw(random).saturating_sub(1);
        assert!(chi_square(100, 0.99, shifted) > 10.0 * bound(100));
    }

    #[test]
    fn one_rank_is_always_drawn_and_the_last_rank_can_be() {
        let mut random = Random::new(1, "edge", [0, 0]);
        let (one, three) = (Zipf::new(1, 0.99), Zipf::new(3, 0.2));
        assert!((0..100).all(|_| one.draw(&mut random) == 0));
        assert!((0..1_000).any(|_| three.draw(&mut random) == 2));
    }
}
