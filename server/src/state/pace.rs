//! How fast a client must be for what the server holds of it.

use std::time::{Duration, Instant};

/// So much may be held of a client that is as slow as it likes, so long as it is not silent.
const FREE: usize = 64 * 1024;
/// What is larger must be moved in about so many periods.
const PERIODS: usize = 64;

/// What is asked of a client that receives or sends one thing bit by bit.
///
/// Were each byte to buy it another period, it could have the server hold hundreds of megabytes for
/// ever, a byte now and then. Of what takes more than a little room, a period has to be bought by a
/// share of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    period: Duration,
    since: Instant,
    /// Bytes that have moved since.
    moved: usize,
}

impl Pace {
    /// Begins a period.
    pub(crate) fn new(period: Duration) -> Self {
        Self { period, since: Instant::now(), moved: 0 }
    }

    /// What is left of the period; who has not moved enough at its end is to be given up.
    pub(crate) fn left(&self) -> Duration {
        self.period.saturating_sub(self.since.elapsed())
    }

    /// Notes that `bytes` have moved of what takes `held` bytes here. Enough of them begin another
    /// period.
    pub(crate) fn note(&mut self, bytes: usize, held: usize) {
        self.moved += bytes;
        if self.moved >= share(held) {
            *self = Self::new(self.period);
        }
    }
}

/// How many bytes have to move in each period of what takes `held` bytes.
fn share(held: usize) -> usize {
    if held <= FREE { 1 } else { FREE.max(held / PERIODS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_may_take_its_time_and_what_is_large_may_not() {
        assert_eq!([0, 1, FREE].map(share), [1; 3]);
        assert_eq!([FREE + 1, 4 << 20].map(share), [FREE; 2]);
        assert_eq!([8 << 20, 1 << 30].map(share), [128 << 10, 16 << 20]);
    }

    #[test]
    fn a_period_is_bought_by_all_that_has_moved_in_it() {
        let begun = Pace::new(Duration::from_secs(60));
        let mut pace = begun;
        pace.note(FREE - 1, 1 << 20);
        assert_eq!((pace.since, pace.moved), (begun.since, FREE - 1));
        pace.note(1, 1 << 20);
        assert_eq!(pace.moved, 0, "another has begun");
        pace.note(1, FREE);
        assert_eq!(pace.moved, 0, "and another");
    }
}
