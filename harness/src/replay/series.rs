//! The course of a phase in equal intervals, gathered from all threads.

use std::sync::{Mutex, PoisonError};

use hdrhistogram::Histogram;

use crate::report::Series;
use crate::report::histogram::{HIGHEST_NS, percentile};

/// The length of an interval while a phase runs.
const INTERVAL_MS: u64 = 200;
/// A phase of more intervals than this has them joined in pairs until it fits.
const POINTS_MAX: usize = 160;

/// So many intervals are made ahead of time: a second.
const AHEAD: usize = 5;

/// What happened in one interval.
#[derive(Clone, Debug)]
pub(crate) struct Interval {
    ops: u64,
    latencies: Histogram<u32>,
    rss_bytes: Option<u64>,
}

impl Interval {
    #[expect(clippy::expect_used, reason = "the bounds are constants")]
    fn new() -> Self {
        let latencies = Histogram::new_with_bounds(1, HIGHEST_NS, 2).expect("valid bounds");
        Self { ops: 0, latencies, rss_bytes: None }
    }

    fn join(&mut self, other: &Self) {
        self.ops += other.ops;
        // Same bounds on both sides, so nothing can fail.
        let _ = self.latencies.add(&other.latencies);
        self.rss_bytes = other.rss_bytes.or(self.rss_bytes);
    }
}

/// All intervals of a phase. Threads hand in theirs a few times a second.
#[derive(Debug, Default)]
pub(crate) struct Intervals(Mutex<Vec<Interval>>);

impl Intervals {
    /// The number of the interval that this moment after the phase's start falls into.
    pub(crate) fn number(elapsed_ns: u64) -> usize {
        usize::try_from(elapsed_ns / (INTERVAL_MS * 1_000_000)).unwrap_or(usize::MAX)
    }

    fn with(&self, number: usize, change: impl FnOnce(&mut Interval)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        extend(&mut all, number + 1);
        change(&mut all[number]);
    }

    /// Makes intervals before they are needed, so that threads which hand in do not allocate.
    pub(crate) fn prepare(&self, number: usize) {
        extend(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), number + AHEAD);
    }

    /// Notes the resident memory at the end of interval `number`.
    pub(crate) fn note_rss(&self, number: usize, rss_bytes: Option<u64>) {
        self.with(number, |interval| interval.rss_bytes = rss_bytes);
    }

    /// The series for the report, joined to few enough points.
    pub(crate) fn into_series(self) -> Series {
        let mut all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Those made ahead that the phase did not come to.
        let begun = |one: &Interval| one.ops > 0 || one.rss_bytes.is_some();
        all.truncate(all.iter().rposition(begun).map_or(0, |last| last + 1));
        let mut interval_ms = INTERVAL_MS;
        while all.len() > POINTS_MAX {
            all = all
                .chunks(2)
                .map(|pair| {
                    let mut joined = pair[0].clone();
                    pair[1..].iter().for_each(|second| joined.join(second));
                    joined
                })
                .collect();
            interval_ms *= 2;
        }
        let quantile = |percentage: f64| {
            all.iter().map(|one| percentile(&one.latencies, percentage)).collect()
        };
        Series {
            interval_ms,
            ops: all.iter().map(|one| one.ops).collect(),
            p50_ns: quantile(50.0),
            p99_ns: quantile(99.0),
            p999_ns: quantile(99.9),
            max_ns: all
                .iter()
                .map(|one| (!one.latencies.is_empty()).then(|| one.latencies.max()))
                .collect(),
            rss_bytes: all.iter().map(|one| one.rss_bytes).collect(),
        }
    }
}

fn extend(all: &mut Vec<Interval>, len: usize) {
    while all.len() < len {
        all.push(Interval::new());
    }
}

/// The interval that one thread is in.
#[derive(Debug)]
pub(crate) struct ThreadInterval {
    number: usize,
    interval: Interval,
}

impl ThreadInterval {
    pub(crate) fn new() -> Self {
        Self { number: 0, interval: Interval::new() }
    }

    #[inline]
    pub(crate) fn latency(&mut self, ns: u64) {
        let _ = self.interval.latencies.record(ns.clamp(1, HIGHEST_NS));
    }

    /// Adds operations that were done up to now, and hands the interval in if it is over.
    pub(crate) fn advance(&mut self, ops: u64, elapsed_ns: u64, all: &Intervals) {
        self.interval.ops += ops;
        let number = Intervals::number(elapsed_ns);
        if number != self.number {
            self.hand_in(all);
            self.number = number;
        }
    }

    /// Hands in what there is, at the end.
    pub(crate) fn hand_in(&mut self, all: &Intervals) {
        all.with(self.number, |interval| interval.join(&self.interval));
        self.interval.ops = 0;
        self.interval.latencies.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_land_in_their_interval_and_long_phases_are_joined() {
        let all = Intervals::default();
        let mut thread = ThreadInterval::new();
        for step in 0..=POINTS_MAX as u64 + 1 {
            for _ in 0..20 {
                thread.latency(1_000 + step);
            }
            thread.advance(10, (step + 1) * INTERVAL_MS * 1_000_000 - 1, &all);
        }
        thread.hand_in(&all);
        let series = all.into_series();
        assert_eq!(series.interval_ms, 2 * INTERVAL_MS);
        assert_eq!(series.ops.len(), POINTS_MAX / 2 + 1);
        assert_eq!(series.ops.iter().sum::<u64>(), 10 * (POINTS_MAX as u64 + 2));
        assert!(series.p50_ns[0].is_some() && series.p99_ns[0].is_none());
    }

    #[test]
    fn each_interval_shows_the_quantiles_that_it_has_samples_for() {
        let all = Intervals::default();
        let mut thread = ThreadInterval::new();
        for (step, samples) in (1..).zip([9_999, 10_000, 999, 0]) {
            (0..samples).for_each(|sample| thread.latency(1_000 * (1 + sample / 100)));
            thread.advance(samples, step * INTERVAL_MS * 1_000_000, &all);
        }
        thread.hand_in(&all);
        let series = all.into_series();
        let known = |of: &[Option<u64>]| of.iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(known(&series.p999_ns), [false, true, false]);
        assert_eq!(known(&series.p99_ns), [true, true, false]);
        assert_eq!(known(&series.p50_ns), [true, true, true]);
        // 9 990 of 10 000 are at or below it, to two digits.
        let p999_ns = series.p999_ns[1].expect("enough samples");
        assert!(p999_ns.abs_diff(100_000) < 1_000, "{p999_ns}");
    }
}
