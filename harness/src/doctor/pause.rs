//! How long a thread that never waits is kept from running: what no program can do anything
//! about, and every tail contains.

use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

/// Gaps below this are the loop itself, a cache miss, or an interrupt that is none of our business.
const SHORT: Duration = Duration::from_micros(10);
/// Gaps above this would be seen in a 99th percentile.
const LONG: Duration = Duration::from_millis(1);

/// What threads that only read the clock missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Pauses {
    /// How long they watched.
    pub seconds: f64,
    /// How many threads watched.
    pub threads: usize,
    /// The longest time that one of them did not run.
    pub worst_ns: u64,
    /// How often one did not run for more than a millisecond.
    pub long: u64,
    /// The share of time in which one did not run, in gaps above ten microseconds.
    pub lost: f64,
}

impl Pauses {
    /// Watches with so many threads for so long.
    #[must_use]
    pub fn watch(threads: usize, length: Duration) -> Self {
        let watched: Vec<Self> = thread::scope(|scope| {
            let watchers: Vec<_> =
                (0..threads).map(|_| scope.spawn(move || watch_one(length))).collect();
            watchers.into_iter().filter_map(|watcher| watcher.join().ok()).collect()
        });
        let threads = watched.len();
        let mut all = Self { threads, ..Self::default() };
        for one in watched {
            all.seconds = all.seconds.max(one.seconds);
            all.worst_ns = all.worst_ns.max(one.worst_ns);
            all.long += one.long;
            #[expect(clippy::cast_precision_loss, reason = "a few threads")]
            let share = threads as f64;
            all.lost += one.lost / share;
        }
        all
    }

    /// Both stretches together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let seconds = self.seconds + other.seconds;
        let lost = self.lost * self.seconds + other.lost * other.seconds;
        Self {
            seconds,
            threads: self.threads.max(other.threads),
            worst_ns: self.worst_ns.max(other.worst_ns),
            long: self.long + other.long,
            lost: if seconds > 0.0 { lost / seconds } else { 0.0 },
        }
    }
}

fn watch_one(length: Duration) -> Pauses {
    let start = Instant::now();
    let (mut last, mut lost, mut worst, mut long) = (start, Duration::ZERO, Duration::ZERO, 0);
    while last - start < length {
        let now = Instant::now();
        let gap = now - last;
        if gap > SHORT {
            lost += gap;
            long += u64::from(gap > LONG);
        }
        worst = worst.max(gap);
        last = now;
    }
    let seconds = (last - start).as_secs_f64();
    Pauses {
        seconds,
        threads: 1,
        worst_ns: u64::try_from(worst.as_nanos()).unwrap_or(u64::MAX),
        long,
        lost: lost.as_secs_f64() / seconds.max(1e-9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_add_up() {
        let one = Pauses { seconds: 1.0, threads: 2, worst_ns: 5_000, long: 0, lost: 0.0 };
        let other = Pauses { seconds: 3.0, threads: 2, worst_ns: 2_000_000, long: 4, lost: 0.2 };
        let both = one.and(other);
        assert_eq!((both.worst_ns, both.long, both.threads), (2_000_000, 4, 2));
        assert!((both.seconds - 4.0).abs() < 1e-9 && (both.lost - 0.15).abs() < 1e-9);
    }

    #[test]
    fn watching_takes_its_time_and_sees_something() {
        let pauses = Pauses::watch(2, Duration::from_millis(5));
        assert!(pauses.seconds >= 0.005 && pauses.threads == 2 && pauses.worst_ns > 0);
        assert!((0.0..=1.0).contains(&pauses.lost), "{pauses:?}");
    }
}
