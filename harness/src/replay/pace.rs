//! When the next operation is due, in an open loop.

use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

use crate::workload::random::Random;

/// Gaps are drawn before the clock starts, so many of them, and used in a cycle.
const GAPS: usize = 1 << 16;
/// Waits longer than this sleep, for all but the margin; shorter ones keep the core, since a
/// sleep oversleeps by about as much.
const SLEEP_MIN_NS: u64 = 100_000;
const SLEEP_MARGIN_NS: u64 = 60_000;
/// Waits longer than this let others run if any want to.
const YIELD_MIN_NS: u64 = 10_000;

/// The arrivals of one thread's share of a Poisson process.
#[derive(Debug)]
pub(crate) struct Pace {
    gaps_ns: Vec<f32>,
    position: usize,
    /// When the next operation is due, in nanoseconds from the phase's start.
    due_ns: f64,
}

/// Says when the operations of one thread are due, one after the other.
pub(crate) trait Due {
    /// Moves on to the next; returns when it is due, in nanoseconds from the phase's start.
    fn next_due_ns(&mut self) -> u64;
}

/// The moments that a trace has; none comes after the last.
#[derive(Debug)]
pub(crate) struct Moments<'a> {
    due_ns: std::slice::Iter<'a, u64>,
}

impl<'a> Moments<'a> {
    pub(crate) fn new(due_ns: &'a [u64]) -> Self {
        Self { due_ns: due_ns.iter() }
    }
}

impl Due for Moments<'_> {
    #[inline]
    fn next_due_ns(&mut self) -> u64 {
        self.due_ns.next().copied().unwrap_or(u64::MAX)
    }
}

impl Pace {
    /// The arrivals at `per_second` in all, of which each of `threads` has its share.
    #[expect(clippy::cast_precision_loss, reason = "few threads")]
    #[expect(clippy::cast_possible_truncation, reason = "a gap needs no more than seven digits")]
    pub(crate) fn new(per_second: f64, threads: usize, seed: u64, place: [u64; 2]) -> Self {
        let mean_ns = 1e9 * threads as f64 / per_second;
        let mut random = Random::new(seed, "arrivals", place);
        let gaps_ns = (0..GAPS).map(|_| (random.exponential() * mean_ns) as f32).collect();
        Self { gaps_ns, position: 0, due_ns: 0.0 }
    }
}

impl Due for Pace {
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds")]
    fn next_due_ns(&mut self) -> u64 {
        self.due_ns += f64::from(self.gaps_ns[self.position % GAPS]);
        self.position += 1;
        self.due_ns as u64
    }
}

/// Asks the system to end this thread's sleeps on time instead of some 50 us late, in which it
/// can batch them. Without an effect where that cannot be asked for.
pub(crate) fn sharpen_sleep() {
    let Ok(task) = std::fs::read_link("/proc/thread-self") else { return };
    if let Some(thread) = task.file_name().and_then(|name| name.to_str()) {
        let _ = std::fs::write(format!("/proc/{thread}/timerslack_ns"), "1");
    }
}

/// Waits until `due_ns` after `start`; returns the time that was read last, which is `due_ns` or
/// later. Does not wait at all for what is due already: what is late is caught up.
#[inline]
pub(crate) fn wait_until(start: Instant, due_ns: u64) -> u64 {
    loop {
        let now_ns = elapsed_ns(start);
        if now_ns >= due_ns {
            return now_ns;
        }
        let left_ns = due_ns - now_ns;
        if left_ns > SLEEP_MIN_NS {
            thread::sleep(Duration::from_nanos(left_ns - SLEEP_MARGIN_NS));
        } else if left_ns > YIELD_MIN_NS {
            // Lets a target's own threads have the core in the meantime.
            thread::yield_now();
        } else {
            spin_loop();
        }
    }
}

pub(crate) fn elapsed_ns(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_the_rate_over_all_threads() {
        let mut pace = Pace::new(1e6, 2, 7, [0, 0]);
        let mut due_ns = 0;
        for _ in 0..50_000 {
            due_ns = pace.next_due_ns();
        }
        // 50 000 of one thread at 500 000 a second: 100 ms.
        assert!((98_000_000..102_000_000).contains(&due_ns), "{due_ns}");
    }

    #[test]
    fn waiting_ends_at_or_after_the_due_time_and_never_waits_for_the_past() {
        let start = Instant::now();
        assert!(wait_until(start, 3_000_000) >= 3_000_000);
        let before = elapsed_ns(start);
        assert!(wait_until(start, 1_000) >= before);
        assert!(elapsed_ns(start) < 500_000_000);
    }
}
