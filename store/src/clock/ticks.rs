//! The precise clock, for those who must not wait.
//!
//! To read the kernel's precise clock is to wait for all memory that has been asked for before: there is
//! a fence in it, so that no reading is early by a fraction of a microsecond. Where calls would
//! otherwise overlap, that costs as much as everything else in them. A deadline needs no such
//! precision. So the clock is read once in half a millisecond, and in between the processor's counter
//! says how much time has passed since, which takes no fence.
//!
//! It is trusted only as far as the kernel trusts it: if the kernel's clock is that counter; at the
//! rate that was seen between two readings of that clock, a while apart; and as long as each further
//! reading agrees with it. Else the kernel's clock is read each time.

use super::system::precise_ns;
use crate::planted::{Bug, planted};
use crate::processor::ticks;
use crate::sync::{LazyLock, Ordering, Tally};
use std::cell::Cell;

/// For how long a reading of the clock is gone on from.
const WINDOW_NS: u64 = 500_000;
/// For how long the counter is compared with the clock before its rate is known.
const TRIAL_NS: u64 = 10_000_000;
/// The counter may go on by so much while the clock is read, about a microsecond: else the thread was
/// interrupted, and what was read belongs to no one moment.
const AT_ONCE: u64 = 4_096;
/// What is told is so far ahead: the counter may be read too early by as much as the processor looks
/// ahead, some hundred instructions.
const AHEAD_NS: u64 = 1_000;
/// One part in so many that the counter may be off its rate.
const TOLERANCE: u64 = 256;
/// Binary digits of a rate behind the point.
const POINT: u32 = 32;

/// Nanoseconds a tick of the counter, the same on all processors; with one of two marks instead.
static RATE: Tally = Tally::new(UNKNOWN);
const UNKNOWN: u64 = 0;
const UNSOUND: u64 = u64::MAX;

/// The first reading of both, if the kernel's clock is the counter.
static FIRST: LazyLock<Option<Reading>> =
    LazyLock::new(|| if is_the_kernels_clock() { Reading::take() } else { None });

std::thread_local! {
    static LATEST: Cell<Anchor> = const { Cell::new(Anchor::NONE) };
}

/// What the clock shows, or will in some microseconds: never less than it has shown.
#[inline]
pub(super) fn now_or_soon_ns() -> u64 {
    LATEST.get().now_or_soon_ns(ticks()).unwrap_or_else(read_anew)
}

#[cold]
#[inline(never)]
fn read_anew() -> u64 {
    // ORDERING: Relaxed, here and below; a number that stands for itself.
    let known = RATE.load(Ordering::Relaxed);
    if known == UNSOUND {
        return precise_ns();
    }
    let Some(reading) = Reading::take() else { return precise_ns() };
    let before = LATEST.replace(Anchor::NONE);
    let rate = if known == UNKNOWN { first_rate(reading) } else { Some(Rate(known)) };
    let Some(rate) = rate else { return reading.ns };
    if known == UNKNOWN {
        // ORDERING: Relaxed, as above; who comes second has a rate that is as good.
        RATE.store(rate.0, Ordering::Relaxed);
    }
    if before.window > 0 && !rate.agrees(before.reading, reading) {
        distrust();
    } else {
        LATEST.set(Anchor::new(reading, rate));
    }
    reading.ns
}

/// The rate by the first reading and this one, once they are far enough apart.
fn first_rate(reading: Reading) -> Option<Rate> {
    let Some(first) = *FIRST else {
        distrust();
        return None;
    };
    Rate::between(first, reading)
}

/// Has the kernel's clock read each time from now on.
fn distrust() {
    // ORDERING: Relaxed, as in `read_anew`.
    RATE.store(UNSOUND, Ordering::Relaxed);
}

/// What counter and clock showed at one moment.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    ns: u64,
}

impl Reading {
    /// Reads both; `None` if the thread was interrupted meanwhile.
    fn take() -> Option<Self> {
        let before = ticks();
        let ns = precise_ns();
        // That counter first: who goes on from it is ahead by what the reading took.
        (ticks().wrapping_sub(before) < AT_ONCE).then_some(Self { ticks: before, ns })
    }

    /// How far both have gone on from an earlier one: the counter's ticks and the clock's nanoseconds.
    fn since(self, before: Self) -> (u64, u64) {
        (self.ticks.wrapping_sub(before.ticks), self.ns.saturating_sub(before.ns))
    }
}

/// Nanoseconds a tick.
#[derive(Clone, Copy)]
struct Rate(u64);

impl Rate {
    /// The rate between two readings; `None` while they are too close to tell it.
    fn between(first: Reading, second: Reading) -> Option<Self> {
        let (ticks, ns) = second.since(first);
        if ns < TRIAL_NS {
            return None;
        }
        let rate = (u128::from(ns) << POINT).checked_div(u128::from(ticks))?;
        // Rounded up by more than both readings may be off: time may be told ahead, not behind.
        let rate = u64::try_from(rate + rate / 2_048 + 1).ok()?;
        (rate < 1 << (POINT + 4)).then_some(Self(rate))
    }

    /// Whether it holds from one reading to the next, as far as that can be told.
    fn agrees(self, before: Reading, after: Reading) -> bool {
        let (ticks, ns) = after.since(before);
        let expected = (u128::from(ticks) * u128::from(self.0)) >> POINT;
        let off = expected.abs_diff(u128::from(ns));
        off <= u128::from(ns / TOLERANCE) + u128::from(2 * AT_ONCE)
    }
}

/// A reading that is gone on from.
#[derive(Clone, Copy)]
struct Anchor {
    reading: Reading,
    rate: u64,
    /// For how many ticks of the counter.
    window: u64,
}

impl Anchor {
    const NONE: Self = Self { reading: Reading { ticks: 0, ns: 0 }, rate: 0, window: 0 };

    fn new(reading: Reading, rate: Rate) -> Self {
        let window = (WINDOW_NS << POINT) / rate.0.max(1);
        let window = if planted(Bug::AnchorHeldForEver) { u64::MAX } else { window };
        Self { reading, rate: rate.0, window }
    }

    /// The time when the counter shows `ticks`, unless the reading is too old for that.
    #[inline]
    fn now_or_soon_ns(self, ticks: u64) -> Option<u64> {
        let since = ticks.wrapping_sub(self.reading.ticks);
        let passed_ns = || since.wrapping_mul(self.rate) >> POINT;
        (since < self.window).then(|| self.reading.ns + AHEAD_NS + passed_ns())
    }
}

/// Whether what the kernel tells the time by is the counter, which it watches: then it goes at one
/// rate, on all processors alike, also while they rest.
fn is_the_kernels_clock() -> bool {
    const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    cfg!(all(target_os = "linux", target_arch = "x86_64", not(miri)))
        && std::fs::read_to_string(SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// A counter of three ticks a nanosecond.
    fn reading(ns: u64) -> Reading {
        Reading { ticks: 1_000 + 3 * ns, ns }
    }

    #[test]
    fn time_is_never_told_behind_and_only_a_little_ahead() {
        let began = Instant::now();
        let trusted = || FIRST.is_some() && RATE.load(Ordering::SeqCst) != UNSOUND;
        let mut told_by_the_counter = 0;
        while trusted() && told_by_the_counter < 100_000 {
            assert!(began.elapsed() < Duration::from_secs(60), "its rate is not found");
            let before_ns = precise_ns();
            let known = LATEST.get().now_or_soon_ns(ticks());
            let told_ns = now_or_soon_ns();
            let after_ns = precise_ns();
            assert!(before_ns <= told_ns, "{before_ns} {told_ns}");
            assert!(told_ns <= after_ns + AHEAD_NS + 2 * AT_ONCE, "{told_ns} {after_ns}");
            told_by_the_counter += u64::from(known.is_some());
        }
    }

    #[test]
    fn a_rate_takes_a_while_to_be_known_and_is_a_little_fast() {
        let first = reading(5_000);
        assert!(Rate::between(first, reading(5_000 + TRIAL_NS - 1)).is_none());
        let second = reading(5_000 + TRIAL_NS);
        let rate = Rate::between(first, second).unwrap();
        let third = (1u64 << POINT) / 3;
        assert!(rate.0 > third && rate.0 < third + third / 1_000, "{}", rate.0);
        assert!(rate.agrees(first, second) && rate.agrees(second, reading(3_600_000_000_000)));
        let stopped = Reading { ticks: second.ticks, ns: second.ns + 1_000_000 };
        assert!(!rate.agrees(first, stopped));
        let jumped = Reading { ticks: second.ticks + 3_000_000, ns: second.ns };
        assert!(!rate.agrees(first, jumped));
        let stands = Reading { ticks: first.ticks, ns: second.ns };
        assert!(Rate::between(first, stands).is_none());
    }

    #[test]
    fn a_reading_is_gone_on_from_for_its_window_and_no_longer() {
        let rate = Rate::between(reading(0), reading(TRIAL_NS)).unwrap();
        let anchor = Anchor::new(reading(7_000_000), rate);
        for passed_ns in [0, 1, 1_000, 100_000, WINDOW_NS - 1_000] {
            let now = reading(7_000_000 + passed_ns);
            let told_ns = anchor.now_or_soon_ns(now.ticks).unwrap();
            assert!(now.ns <= told_ns && told_ns <= now.ns + 2 * AHEAD_NS, "{told_ns}");
        }
        assert_eq!(anchor.now_or_soon_ns(reading(7_000_000 + WINDOW_NS).ticks), None);
        // A counter that has gone back, or begun anew.
        assert_eq!(anchor.now_or_soon_ns(anchor.reading.ticks - 1), None);
        assert_eq!(Anchor::NONE.now_or_soon_ns(5), None);
    }
}
