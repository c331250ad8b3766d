//! Random numbers that are the same on every machine and with every release of `rand`.
//!
//! Only the generator itself (PCG, whose output is fixed by its paper) comes from a crate. How its
//! words become bounded integers and fractions is written here, because samplers of a library may
//! change between releases, and the ops digest must not.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};

/// A seeded source of random numbers.
#[derive(Clone, Debug)]
pub struct Random(Pcg64);

impl Random {
    /// The source for one purpose (`"ops"`, `"load"`, ..) and one place in it. Different names or
    /// places give independent sources.
    #[must_use]
    pub fn new(seed: u64, purpose: &str, place: [u64; 2]) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        for number in place {
            hash.update(number.to_le_bytes());
        }
        hash.update(purpose.as_bytes());
        Self(Pcg64::from_seed(hash.finalize().into()))
    }

    /// Any 64-bit word.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`, by multiplication; its bias is below `bound / 2^64`.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.word()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in the half-open unit interval, with 53 random bits.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn fraction(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Whether an event of this probability happens.
    pub fn chance(&mut self, probability: f64) -> bool {
        // No draw for a certainty: an unused option must not shift the rest of the stream.
        probability > 0.0 && (probability >= 1.0 || self.fraction() < probability)
    }

    /// The gap to the next arrival of a Poisson process, as a multiple of the mean gap.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.fraction())
    }

    /// A number of the normal distribution of mean 0 and deviation 1, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(2.0 * self.exponential());
        radius * libm::cos(std::f64::consts::TAU * self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_gives_the_same_words_and_another_place_others() {
        let words = |place| {
            let mut random = Random::new(7, "ops", place);
            [random.word(), random.word()]
        };
        assert_eq!(words([0, 1]), words([0, 1]));
        assert_ne!(words([0, 1]), words([1, 0]));
    }

    #[test]
    fn bounded_numbers_and_gaps_have_the_right_mean() {
        let mut random = Random::new(7, "test", [0, 0]);
        let (mut sum, mut gaps, mut normals, mut squares) = (0, 0.0, 0.0, 0.0);
        for _ in 0..100_000 {
            sum += random.below(11);
            gaps += random.exponential();
            let normal = random.normal();
            normals += normal;
            squares += normal * normal;
        }
        assert!((490_000..510_000).contains(&sum), "{sum}");
        assert!((98_000.0..102_000.0).contains(&gaps), "{gaps}");
        assert!((-2_000.0..2_000.0).contains(&normals), "{normals}");
        assert!((98_000.0..102_000.0).contains(&squares), "{squares}");
    }
}
