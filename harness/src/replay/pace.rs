//! When the next operation is due, in an open loop.

use std::hint::spin_loop;
use std::thread;
use std::time::{Duration, Instant};

use crate::workload::model::Arrival;
use crate::workload::random::Random;

/// Gaps are drawn before the clock starts, so many of them, and used in a cycle.
const GAPS: usize = 1 << 16;
/// Waits longer than this sleep, for all but the margin; shorter ones keep the core, since a
/// sleep oversleeps by about as much.
const SLEEP_MIN_NS: u64 = 100_000;
const SLEEP_MARGIN_NS: u64 = 60_000;
/// Waits longer than this let others run if any want to.
const YIELD_MIN_NS: u64 = 10_000;

/// The arrivals of one thread's share of a Poisson process, whose rate may change in steps.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Gaps at the rate of the first step.
    gaps_ns: Vec<f32>,
    position: usize,
    /// When the next operation is due, in nanoseconds from the phase's start.
    due_ns: f64,
    steps: Vec<Step>,
    /// The step that the next operation is due in.
    step: usize,
}

/// A stretch of one rate.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// When the next one begins.
    end_ns: f64,
    /// How often a gap of the first step is as long as one of this step.
    slowness: f64,
}

/// Says when the operations of one thread are due, one after the other.
pub(crate) trait Due {
    /// Moves on to the next; returns when it is due, in nanoseconds from the phase's start.
    fn next_due_ns(&mut self) -> u64;

    /// The step of a ramp that the last one belongs to; the first of what has none.
    fn step(&self) -> usize {
        0
    }
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
    /// The arrivals of which each of `threads` has its share; none in a closed loop and of a
    /// trace.
    #[expect(clippy::cast_precision_loss, reason = "few threads and steps of hours at most")]
    pub(crate) fn of(arrival: Arrival, threads: usize, seed: u64, place: [u64; 2]) -> Option<Self> {
        let (first, steps) = match arrival {
            // A trace's streams carry their moments.
            Arrival::Closed | Arrival::Recorded { .. } => return None,
            Arrival::Poisson { per_second } => {
                (per_second, vec![Step { end_ns: f64::INFINITY, slowness: 1.0 }])
            }
            Arrival::Ramp(ramp) => {
                let first = ramp.from_per_second;
                let mut steps: Vec<Step> = (1..)
                    .zip(ramp.rates())
                    .map(|(end, rate)| Step {
                        end_ns: f64::from(end) * ramp.each_ns as f64,
                        slowness: first / rate,
                    })
                    .collect();
                // What comes after the phase's end is asked for only to be found late.
                steps.iter_mut().last()?.end_ns = f64::INFINITY;
                (first, steps)
            }
        };
        let mean_ns = 1e9 * threads as f64 / first;
        let mut random = Random::new(seed, "arrivals", place);
        #[expect(clippy::cast_possible_truncation, reason = "a gap needs no more digits")]
        let gaps_ns = (0..GAPS).map(|_| (random.exponential() * mean_ns) as f32).collect();
        Some(Self { gaps_ns, position: 0, due_ns: 0.0, steps, step: 0 })
    }
}

impl Due for Pace {
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "nanoseconds")]
    fn next_due_ns(&mut self) -> u64 {
        let mut gap_ns = f64::from(self.gaps_ns[self.position % GAPS]);
        self.position += 1;
        loop {
            let Step { end_ns, slowness } = self.steps[self.step];
            let due_ns = self.due_ns + gap_ns * slowness;
            if due_ns < end_ns {
                self.due_ns = due_ns;
                return due_ns as u64;
            }
            // What is left of the gap passes at the next step's rate.
            gap_ns -= (end_ns - self.due_ns) / slowness;
            self.due_ns = end_ns;
            self.step += 1;
        }
    }

    #[inline]
    fn step(&self) -> usize {
        self.step
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
    use crate::workload::ramp::{Ramp, Spacing};

    #[test]
    fn arrivals_keep_the_rate_over_all_threads() {
        let arrival = Arrival::Poisson { per_second: 1e6 };
        let mut pace = Pace::of(arrival, 2, 7, [0, 0]).expect("an open loop");
        let mut due_ns = 0;
        for _ in 0..50_000 {
            due_ns = pace.next_due_ns();
        }
        // 50 000 of one thread at 500 000 a second: 100 ms.
        assert!((98_000_000..102_000_000).contains(&due_ns), "{due_ns}");
    }

    #[test]
    fn each_step_of_a_ramp_has_its_rate() {
        let ramp = Ramp {
            from_per_second: 100_000.0,
            to_per_second: 400_000.0,
            steps: 4,
            each_ns: 100_000_000,
            spacing: Spacing::Linear,
        };
        let mut pace = Pace::of(Arrival::Ramp(ramp), 1, 7, [0, 0]).expect("an open loop");
        let mut counts = [0_u32; 4];
        loop {
            let due_ns = pace.next_due_ns();
            if due_ns >= ramp.total_ns() {
                break;
            }
            let step = usize::try_from(due_ns / ramp.each_ns).expect("small");
            assert_eq!(step, pace.step());
            counts[step] += 1;
        }
        for (count, expected) in counts.into_iter().zip([10_000, 20_000, 30_000, 40_000]) {
            assert!(count.abs_diff(expected) < expected / 20, "{counts:?}");
        }
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
