//! Picks operations to time.

use crate::workload::mixer::scramble;

/// Picks operations to time: one in `every` on average, at distances that no pattern of the
/// workload can be in step with.
#[derive(Debug)]
pub(super) struct Sampler {
    every: u64,
    left: u64,
    state: u64,
}

impl Sampler {
    pub(super) fn new(every: u32, thread: usize) -> Self {
        Self { every: u64::from(every), left: 0, state: scramble(thread as u64) }
    }

    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        self.state = scramble(self.state);
        // Evenly in 0..=2(every - 1), of mean every - 1: the skipped ones between two samples.
        self.left = self.state % (2 * self.every - 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_in_so_many_is_timed() {
        for every in [1, 2, 64] {
            let mut sampler = Sampler::new(every, 1);
            let timed = (0..640_000).filter(|_| sampler.is_due()).count();
            let expected = 640_000 / every as usize;
            assert!(timed.abs_diff(expected) <= expected / 20, "1 in {every}: {timed}");
        }
    }
}
