//! The lengths of a trace's values, brought down to as many as operations can tell apart.

use std::collections::BTreeMap;

/// An operation has six bits for its value's length.
pub(super) const SIZES_MAX: usize = 64;

/// At most [`SIZES_MAX`] lengths, and which of them stands for which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// The longest length that each stands for, rising.
    upto: Vec<u32>,
    /// The lengths, each with how often it stands for one.
    pub(super) pairs: Vec<(u32, u32)>,
    /// Whether each stands for itself alone.
    pub(super) is_exact: bool,
}

impl Sizes {
    /// Of all lengths with their counts. Few are kept as they are; of many, each stands for its
    /// share of the values, and is their mean, so that all of them together are as long.
    pub(super) fn new(counts: &BTreeMap<u32, u64>) -> Self {
        let is_exact = counts.len() <= SIZES_MAX;
        let total: u64 = counts.values().sum();
        let share = if is_exact { 0 } else { total.div_ceil(SIZES_MAX as u64) };
        let (mut upto, mut pairs) = (Vec::new(), Vec::new());
        let (mut values, mut bytes, mut seen) = (0u64, 0u128, 0u64);
        let mut left = counts.len();
        for (&len, &count) in counts {
            values += count;
            seen += count;
            bytes += u128::from(len) * u128::from(count);
            left -= 1;
            // By the count of all so far, so that one very common length costs no other its place.
            if left == 0 || is_exact || seen >= (pairs.len() as u64 + 1) * share {
                let mean = (bytes + u128::from(values) / 2) / u128::from(values.max(1));
                upto.push(len);
                pairs.push((u32::try_from(mean).unwrap_or(u32::MAX), narrow(values)));
                (values, bytes) = (0, 0);
            }
        }
        Self { upto, pairs, is_exact }
    }

    /// The position of the length that stands for `len`.
    pub(super) fn position(&self, len: u32) -> usize {
        self.upto.partition_point(|upto| *upto < len).min(self.upto.len().saturating_sub(1))
    }
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lengths_are_kept_and_many_keep_their_sum() {
        let few: BTreeMap<u32, u64> = (0..64).map(|n| (n * n, u64::from(n) + 1)).collect();
        let sizes = Sizes::new(&few);
        assert!(sizes.is_exact);
        for len in few.keys() {
            assert_eq!(sizes.pairs[sizes.position(*len)].0, *len);
        }
        let many: BTreeMap<u32, u64> =
            (1..5_000).map(|n| (n, if n == 700 { 100_000 } else { 3 })).collect();
        let sizes = Sizes::new(&many);
        assert!(!sizes.is_exact && sizes.pairs.len() <= SIZES_MAX, "{}", sizes.pairs.len());
        let sum = |pairs: &mut dyn Iterator<Item = (u64, u64)>| -> u64 {
            pairs.map(|(len, count)| len * count).sum()
        };
        let before = sum(&mut many.iter().map(|(len, count)| (u64::from(*len), *count)));
        let after = sum(&mut sizes.pairs.iter().map(|(len, n)| (u64::from(*len), u64::from(*n))));
        assert!(before.abs_diff(after) * 200 < before, "{before} bytes became {after}");
        let positions: Vec<_> = many.keys().map(|len| sizes.position(*len)).collect();
        assert!(positions.is_sorted() && positions.last() == Some(&(sizes.pairs.len() - 1)));
    }
}
