//! How long a thread of a closed loop waits between an answer and its next operation.

use crate::workload::model::{Think, ThinkDist};
use crate::workload::random::Random;

/// Pauses are drawn before the clock starts, so many of them, and used in a cycle.
const DRAWN: usize = 1 << 16;

/// The pauses of one thread.
#[derive(Debug)]
pub(super) struct Pauses {
    drawn_ns: Vec<u64>,
    position: usize,
}

impl Pauses {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "nanoseconds, positive, far below 2^53"
    )]
    pub(super) fn new(think: Think, seed: u64, place: [u64; 2]) -> Self {
        let drawn_ns = match think.dist {
            ThinkDist::Fixed => vec![think.mean_ns],
            ThinkDist::Exponential => {
                let mut random = Random::new(seed, "think", place);
                let mut draw = || (random.exponential() * think.mean_ns as f64) as u64;
                (0..DRAWN).map(|_| draw()).collect()
            }
        };
        Self { drawn_ns, position: 0 }
    }

    pub(super) fn next_ns(&mut self) -> u64 {
        let ns = self.drawn_ns[self.position % self.drawn_ns.len()];
        self.position += 1;
        ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_have_their_mean_and_differ_unless_they_are_fixed() {
        for (dist, shorter) in [(ThinkDist::Fixed, 0), (ThinkDist::Exponential, 632)] {
            let mut pauses = Pauses::new(Think { dist, mean_ns: 1_000_000 }, 7, [0, 0]);
            let drawn: Vec<u64> = (0..100_000).map(|_| pauses.next_ns()).collect();
            let mean = drawn.iter().sum::<u64>() / 100_000;
            assert!((990_000..=1_010_000).contains(&mean), "{dist:?}: {mean}");
            // Of an exponential law, 1 - 1/e stays below the mean.
            let below = drawn.iter().filter(|ns| **ns < 1_000_000).count() / 100;
            assert!(below.abs_diff(shorter) < 10, "{dist:?}: {below} of 1000");
        }
    }
}
