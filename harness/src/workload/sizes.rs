//! Lengths of values that follow a law.
//!
//! An operation has ten bits for its value's length, so the lengths that a law can give are put
//! into a table of at most 1,024, and a draw is a position in it. Within a bucket the table has
//! equal distances; for the lognormal law it has equal ratios, under 1.5% even between the
//! shortest and the longest value there can be, and each draw takes the nearest.

use super::model::{SizeDist, ValueKind};
use super::random::Random;

/// The smallest value that holds its own key, version, deadline and checksum.
pub const VALUE_LEN_MIN: u32 = 16;
/// So many lengths an operation can tell apart.
const LENGTHS_MAX: u32 = 1 << 10;
/// Of the normal distribution, what one draw in a hundred exceeds.
const Z99: f64 = 2.326_347_874_040_841;

/// The lengths that values of this kind have, by the positions that operations carry.
#[must_use]
pub fn lengths(kind: &ValueKind) -> Vec<u32> {
    match kind {
        ValueKind::U64 => vec![8],
        ValueKind::Bytes { sizes } => sizes.iter().map(|(bytes, _)| *bytes).collect(),
        ValueKind::Drawn { sizes: SizeDist::Lognormal { max, .. } } => ratios(*max),
        ValueKind::Drawn { sizes } => {
            let buckets = buckets(sizes);
            let most = most_steps(&buckets);
            let lengths = buckets.iter().flat_map(|bucket| {
                let count = steps(*bucket, most);
                (0..count).map(move |step| length_at(*bucket, step, count))
            });
            lengths.collect()
        }
    }
}

/// The mean length of values of this kind.
#[must_use]
pub fn mean(kind: &ValueKind) -> u64 {
    match kind {
        ValueKind::U64 => 8,
        ValueKind::Bytes { sizes } => {
            weighted(sizes.iter().map(|(bytes, weight)| (u64::from(*bytes), *weight)))
        }
        ValueKind::Drawn { sizes: SizeDist::Lognormal { median, p99, max } } => {
            let sigma = sigma(*median, *p99);
            let mean = f64::from(*median) * libm::exp(sigma * sigma / 2.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "capped")]
            let mean = mean.min(f64::from(*max)) as u64;
            mean
        }
        ValueKind::Drawn { sizes } => {
            let middles = buckets(sizes).into_iter();
            weighted(
                middles.map(|(from, to, weight)| (u64::midpoint(from.into(), to.into()), weight)),
            )
        }
    }
}

fn weighted(pairs: impl Iterator<Item = (u64, u32)>) -> u64 {
    let (sum, weights) = pairs.fold((0u128, 0u128), |(sum, weights), (value, weight)| {
        (sum + u128::from(value) * u128::from(weight), weights + u128::from(weight))
    });
    u64::try_from(sum.div_ceil(weights.max(1))).unwrap_or(u64::MAX)
}

/// Draws positions in the table of [`lengths`].
#[derive(Clone, Debug)]
pub(super) enum Sizes {
    /// There is one length.
    One,
    /// Weights of the lengths.
    Weights(Vec<u32>),
    /// Weights of the buckets, and how many of the lengths each has.
    Buckets(Vec<(u32, u32)>),
    /// The law's two parameters and the table, to look up the nearest.
    Lognormal { median: f64, sigma: f64, table: Vec<u32> },
}

impl Sizes {
    pub(super) fn new(kind: &ValueKind) -> Self {
        match kind {
            ValueKind::U64 => Self::One,
            ValueKind::Bytes { sizes } if sizes.len() == 1 => Self::One,
            ValueKind::Bytes { sizes } => {
                Self::Weights(sizes.iter().map(|(_, weight)| *weight).collect())
            }
            ValueKind::Drawn { sizes: SizeDist::Lognormal { median, p99, max } } => {
                let (sigma, table) = (sigma(*median, *p99), ratios(*max));
                Self::Lognormal { median: f64::from(*median), sigma, table }
            }
            ValueKind::Drawn { sizes } => {
                let buckets = buckets(sizes);
                let most = most_steps(&buckets);
                let with_steps = |bucket: &(u32, u32, u32)| (bucket.2, steps(*bucket, most));
                Self::Buckets(buckets.iter().map(with_steps).collect())
            }
        }
    }

    pub(super) fn draw(&self, random: &mut Random) -> usize {
        match self {
            Self::One => 0,
            Self::Weights(weights) => {
                let sum = weights.iter().map(|weight| u64::from(*weight)).sum();
                pick(weights.iter().copied(), random.below(sum))
            }
            Self::Buckets(buckets) => {
                let sum = buckets.iter().map(|(weight, _)| u64::from(*weight)).sum();
                let bucket = pick(buckets.iter().map(|(weight, _)| *weight), random.below(sum));
                let before: u32 = buckets[..bucket].iter().map(|(_, steps)| *steps).sum();
                let step = random.below(u64::from(buckets[bucket].1));
                before as usize + usize::try_from(step).unwrap_or(0)
            }
            Self::Lognormal { median, sigma, table } => {
                let length = median * libm::exp(sigma * random.normal());
                let above = table.partition_point(|entry| f64::from(*entry) < length);
                match (above.checked_sub(1), table.get(above)) {
                    (None, _) => 0,
                    (Some(below), None) => below,
                    (Some(below), Some(upper)) => {
                        let middle = f64::midpoint(f64::from(table[below]), f64::from(*upper));
                        if length < middle { below } else { above }
                    }
                }
            }
        }
    }
}

/// The position that `draw`, below the sum of all weights, falls on.
pub(super) fn pick(weights: impl Iterator<Item = u32>, draw: u64) -> usize {
    let mut left = draw;
    let mut last = 0;
    for (position, weight) in weights.enumerate() {
        if left < u64::from(weight) {
            return position;
        }
        left -= u64::from(weight);
        last = position;
    }
    last
}

/// A lognormal law is the exponential of a normal one; this is the deviation of that.
fn sigma(median: u32, p99: u32) -> f64 {
    libm::log(f64::from(p99) / f64::from(median)) / Z99
}

fn buckets(sizes: &SizeDist) -> Vec<(u32, u32, u32)> {
    match sizes {
        SizeDist::Uniform { min, max } => vec![(*min, *max, 1)],
        SizeDist::Histogram { buckets } => buckets.clone(),
        SizeDist::Lognormal { .. } => Vec::new(),
    }
}

/// How many lengths a bucket may have when all of them share the table.
fn most_steps(buckets: &[(u32, u32, u32)]) -> u32 {
    LENGTHS_MAX / u32::try_from(buckets.len()).unwrap_or(u32::MAX).max(1)
}

fn steps((from, to, _): (u32, u32, u32), most: u32) -> u32 {
    (to - from).saturating_add(1).min(most)
}

/// The length at `step` of `count` that divide a bucket evenly, both ends included.
fn length_at((from, to, _): (u32, u32, u32), step: u32, count: u32) -> u32 {
    let above = u64::from(to - from) * u64::from(step) / u64::from(count - 1).max(1);
    from + u32::try_from(above).unwrap_or(u32::MAX)
}

/// Lengths from the shortest possible to `max` at equal ratios, each once.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "16 ..= max")]
fn ratios(max: u32) -> Vec<u32> {
    let span = libm::log(f64::from(max) / f64::from(VALUE_LEN_MIN));
    let last = f64::from(LENGTHS_MAX - 1);
    let length = |step: u32| {
        let exact = f64::from(VALUE_LEN_MIN) * libm::exp(span * f64::from(step) / last);
        (libm::round(exact) as u32).clamp(VALUE_LEN_MIN, max)
    };
    let mut lengths: Vec<u32> = (0..LENGTHS_MAX).map(length).collect();
    lengths.dedup();
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 200_000;

    fn draw(sizes: SizeDist) -> Vec<u32> {
        let kind = ValueKind::Drawn { sizes };
        let (lengths, sizes) = (lengths(&kind), Sizes::new(&kind));
        assert!(lengths.len() <= LENGTHS_MAX as usize, "{}", lengths.len());
        let mut random = Random::new(3, "sizes", [0, 0]);
        let mut drawn: Vec<u32> = (0..DRAWS).map(|_| lengths[sizes.draw(&mut random)]).collect();
        drawn.sort_unstable();
        let sum: u64 = drawn.iter().map(|length| u64::from(*length)).sum();
        let (measured, said) = (sum / DRAWS as u64, mean(&kind));
        assert!(measured.abs_diff(said) <= said / 40, "mean {measured}, said to be {said}");
        drawn
    }

    #[test]
    fn a_lognormal_law_has_its_median_its_99th_percentile_and_its_end() {
        let drawn = draw(SizeDist::Lognormal { median: 35, p99: 400, max: 4_096 });
        assert!((34..=36).contains(&drawn[DRAWS / 2]), "{}", drawn[DRAWS / 2]);
        let p99 = drawn[DRAWS * 99 / 100];
        assert!((385..=415).contains(&p99), "{p99}");
        // Of the law itself: one in a thousand exceeds exp(3.09 sigma) times the median.
        let p999 = drawn[DRAWS * 999 / 1_000];
        assert!((820..=970).contains(&p999), "{p999}");
        assert!(drawn[0] == VALUE_LEN_MIN && drawn[DRAWS - 1] <= 4_096);
    }

    #[test]
    fn a_uniform_law_is_even_between_its_ends() {
        for (min, max) in [(100, 300), (16, 100_000), (50, 50)] {
            let drawn = draw(SizeDist::Uniform { min, max });
            assert_eq!((drawn[0], drawn[DRAWS - 1]), (min, max));
            for tenth in 1..10 {
                let (length, step) = (drawn[DRAWS * tenth / 10], (max - min) / 10);
                let expected = min + step * u32::try_from(tenth).expect("small");
                assert!(length.abs_diff(expected) <= step / 10, "{length} for {expected}");
            }
        }
    }

    #[test]
    fn buckets_have_their_weights_and_nothing_lies_between_them() {
        let buckets = vec![(16, 64, 50), (1_000, 1_000, 30), (20_000, 60_000, 20)];
        let drawn = draw(SizeDist::Histogram { buckets: buckets.clone() });
        for (from, to, weight) in buckets {
            let count = drawn.iter().filter(|length| (from..=to).contains(length)).count();
            let expected = DRAWS * weight as usize / 100;
            assert!(count.abs_diff(expected) < DRAWS / 200, "{count} of {from} to {to}");
        }
        assert!(drawn.iter().all(|length| matches!(length, 16..=64 | 1_000 | 20_000..=60_000)));
    }
}
