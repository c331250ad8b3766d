//! Permutations of `0..n`: every number once, in an order that looks random.
//!
//! Popular ranks must land on keys that have nothing in common, and each rank on a key of its
//! own. `hash(rank) % n` does not do that: it throws about a third of the keys away and gives
//! some keys the popularity of two ranks. A Feistel network is a bijection of any even number of
//! bits whatever its round function; walking the cycle until the result falls below `n` makes it
//! a bijection of `0..n`.

/// A keyed bijection of `0..n`.
#[derive(Clone, Copy, Debug)]
pub struct Mixer {
    n: u64,
    half_bits: u32,
    keys: [u64; ROUNDS],
}

const ROUNDS: usize = 4;

impl Mixer {
    /// The bijection of `0..n` that `seed` picks.
    #[must_use]
    pub fn new(n: u64, seed: u64) -> Self {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let mut keys = [0; ROUNDS];
        for (round, key) in (1u64..).zip(keys.iter_mut()) {
            *key = scramble(seed ^ scramble(round));
        }
        Self { n, half_bits: bits.div_ceil(2).max(1), keys }
    }

    /// Where `value` goes. The walk takes at most four steps on average, because the network's
    /// domain is at most four times `n`.
    #[must_use]
    pub fn permute(&self, value: u64) -> u64 {
        debug_assert!(value < self.n, "{value} is outside 0..{}", self.n);
        let mut value = self.network(value);
        while value >= self.n {
            value = self.network(value);
        }
        value
    }

    fn network(&self, value: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let (mut left, mut right) = (value >> self.half_bits, value & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (scramble(right ^ key) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// A bijection of all 64-bit words that changes about half the bits for each bit of its input
/// (the finalizer of `SplitMix64`).
#[must_use]
pub const fn scramble(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_hit_exactly_once() {
        for n in [1u64, 2, 3, 5, 16, 17, 255, 256, 257, 1000, 65_537] {
            let mixer = Mixer::new(n, 24_301);
            let mut seen = vec![false; usize::try_from(n).expect("small")];
            for value in 0..n {
                let image = usize::try_from(mixer.permute(value)).expect("small");
                assert!(!seen[image], "n = {n}: {image} is hit twice");
                seen[image] = true;
            }
        }
    }

    #[test]
    fn seeds_give_different_orders_and_neighbours_are_torn_apart() {
        let (a, b) = (Mixer::new(1_000, 1), Mixer::new(1_000, 2));
        let same = (0..1_000).filter(|v| a.permute(*v) == b.permute(*v)).count();
        assert!(same < 20, "{same} of 1000 in the same place");
        let close = (0..999).filter(|v| a.permute(*v).abs_diff(a.permute(v + 1)) < 5).count();
        assert!(close < 50, "{close} of 999 neighbours stayed close");
    }
}
