//! An operation in eight bytes.

use std::ops::Range;

use crate::workload::model::TtlDist;

/// Positions that a drawn TTL can take between the two ends of its distribution.
pub(super) const TTL_STEPS: u64 = u16::MAX as u64;
/// No TTL that is drawn is shorter: deadlines are exact to a millisecond.
const TTL_MIN_NS: u64 = 1_000_000;

/// One operation: which key, which command, how large a value, how long a TTL.
///
/// ```text
/// 63        48 47      42 41      36 35       32 31                 0
/// | ttl step  |  size    | command  | size, high |       key         |
/// ```
/// An operation on several keys has their number in place of the TTL's step, and instead of a key
/// the position of the first one in [`super::Stream::batches`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op(u64);

impl Op {
    pub(crate) fn new(key: u32, command: usize, size: usize, ttl: u16) -> Self {
        debug_assert!(command < 64 && size < 1 << 10);
        let (command, size) = (command as u64, size as u64);
        let size = (size & 63) << 42 | (size >> 6) << 32;
        Self(u64::from(key) | command << 36 | size | u64::from(ttl) << 48)
    }

    /// All of it.
    pub(super) const fn word(self) -> u64 {
        self.0
    }

    /// The key's number among the keys of all key spaces.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
    pub const fn key(self) -> u32 {
        self.0 as u32
    }

    /// The position of the command in its phase.
    #[must_use]
    pub const fn command(self) -> usize {
        (self.0 >> 36 & 63) as usize
    }

    /// The same key and value for the command at another position.
    pub(in crate::workload) fn for_command(self, command: usize) -> Self {
        debug_assert!(command < 64);
        Self(self.0 & !(63 << 36) | (command as u64) << 36)
    }

    /// The position of the value's length among those of its key space.
    #[must_use]
    pub const fn size(self) -> usize {
        (self.0 >> 42 & 63) as usize | ((self.0 >> 32 & 15) as usize) << 6
    }

    /// Which of the stream's batches' keys are those of an operation on several.
    #[must_use]
    pub const fn batch(self) -> Range<usize> {
        let first = self.key() as usize;
        first..first + (self.0 >> 48) as usize
    }

    /// Whether the operation gives a TTL.
    #[must_use]
    pub const fn has_ttl(self) -> bool {
        self.0 >> 48 != 0
    }

    /// The TTL in nanoseconds that the operation gives out of `dist`. For a cliff it is the
    /// moment instead, counted from the start of the load.
    #[must_use]
    pub fn ttl_ns(self, dist: TtlDist) -> u64 {
        match dist {
            TtlDist::Fixed { after_ns } => after_ns,
            TtlDist::Cliff { at_ns } => at_ns,
            TtlDist::Exponential { mean_ns } => exponential_ns(mean_ns, self.0 >> 48),
            TtlDist::Uniform { min_ns, max_ns } => {
                let step = u128::from((self.0 >> 48).saturating_sub(1));
                let span = u128::from(max_ns - min_ns);
                let above = span * step / u128::from(TTL_STEPS - 1);
                min_ns + u64::try_from(above).unwrap_or(u64::MAX)
            }
        }
    }

    /// The step with which an operation gives a TTL out of `dist`, as near as there is one.
    pub(crate) fn ttl_step(dist: TtlDist, ttl_ns: u64) -> u16 {
        let TtlDist::Uniform { min_ns, max_ns } = dist else { return 1 };
        let span = u128::from(max_ns.saturating_sub(min_ns)).max(1);
        let above = u128::from(ttl_ns.saturating_sub(min_ns));
        let step = (above * u128::from(TTL_STEPS - 1) + span / 2) / span;
        u16::try_from(step + 1).unwrap_or(u16::MAX)
    }
}

/// The TTL that a share of `step` in [`TTL_STEPS`] of an exponential distribution stays below.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a step has 16 bits, and a TTL is positive and saturates"
)]
fn exponential_ns(mean_ns: u64, step: u64) -> u64 {
    let above = (TTL_STEPS.saturating_sub(step) as f64 + 0.5) / TTL_STEPS as f64;
    ((-libm::log(above) * mean_ns as f64) as u64).max(TTL_MIN_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_an_operation_is_given_back() {
        for (key, command, size, ttl) in
            [(0, 0, 0, 0), (u32::MAX, 63, 1_023, u16::MAX), (7, 5, 64, 1)]
        {
            let op = Op::new(key, command, size, ttl);
            assert_eq!((op.key(), op.command(), op.size()), (key, command, size));
            assert_eq!(op.has_ttl(), ttl > 0);
            assert_eq!(op.batch(), key as usize..key as usize + usize::from(ttl));
        }
    }

    #[test]
    fn exponential_ttls_have_their_mean_and_their_median() {
        let dist = TtlDist::Exponential { mean_ns: 1_000_000_000 };
        let ttl = |step: u16| Op::new(0, 0, 0, step).ttl_ns(dist);
        let sum: u64 = (1..=u16::MAX).map(ttl).sum();
        let mean = sum / TTL_STEPS;
        assert!((995_000_000..1_005_000_000).contains(&mean), "{mean}");
        assert!((692_000_000..694_000_000).contains(&ttl(u16::MAX / 2)), "{}", ttl(u16::MAX / 2));
        assert_eq!(ttl(1), TTL_MIN_NS);
    }
}
