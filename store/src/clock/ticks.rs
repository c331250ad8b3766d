//! The time, for those who must not wait.
//!
//! To read the kernel's precise clock is to wait for all memory that has been asked for before: there is
//! a fence in it, so that no reading is early by a fraction of a microsecond. Where calls would
//! otherwise overlap, that costs as much as everything else in them. So the clock is read once in half
//! a millisecond, and in between the processor's counter says how much time has passed since, which
//! takes no fence. It may be off by [`OFF_BY_NS`]: who must know better reads the clock.
//!
//! The counter is trusted only as far as the kernel trusts it: if the kernel's clock is that counter;
//! at a rate that it was seen to keep for two trials, one after the other; and as long as each further
//! reading of a thread agrees with the one before. Else the kernel's clock is read each time.

use super::system::precise_ns;
use crate::machine::ticks;
use crate::planted::{Bug, planted};
use crate::sync::{LazyLock, Ordering, Tally};
use std::cell::Cell;

/// By how much what is told may differ from the clock, either way: what a reading may be off by, and
/// the rate within the window, before it is noticed; and how far ahead the processor may look.
pub(super) const OFF_BY_NS: u64 = 10_000;

/// For how long a reading of the clock is gone on from.
const WINDOW_NS: u64 = 500_000;
/// For how long the counter is compared with the clock, twice, before its rate is known.
const TRIAL_NS: u64 = 5_000_000;
/// The counter may go on by so much while the clock is read, about a microsecond: else the thread was
/// interrupted, and what was read belongs to no one moment.
const AT_ONCE: u64 = 4_096;
/// One part in so many that the counter may be off its rate: the kernel itself may make its clock go
/// faster or slower by one in two thousand, to set it right.
const TOLERANCE: u64 = 512;
/// Binary digits of a rate behind the point.
const POINT: u32 = 32;
/// Rates between which that of a counter lies: of sixteen ticks a nanosecond, and of one in sixteen.
const SLOWEST: u64 = 1 << (POINT - 4);
const FASTEST: u64 = 1 << (POINT + 4);

/// Nanoseconds a tick of the counter, the same on all processors; with one of two marks instead.
static RATE: Tally = Tally::new(UNKNOWN);
const UNKNOWN: u64 = 0;
const UNSOUND: u64 = u64::MAX;

static IS_THE_KERNELS_CLOCK: LazyLock<bool> = LazyLock::new(is_the_kernels_clock);

std::thread_local! {
    static LATEST: Cell<Anchor> = const { Cell::new(Anchor::NONE) };
    static TRIAL: Cell<Trial> = const { Cell::new(Trial::NONE) };
}

/// What the clock shows, give or take [`OFF_BY_NS`].
#[inline]
pub(super) fn about_now_ns() -> u64 {
    LATEST.get().about_now_ns(ticks).unwrap_or_else(read_anew)
}

#[cold]
#[inline(never)]
fn read_anew() -> u64 {
    // ORDERING: Relaxed, here and below; a number that stands for itself.
    let rate = RATE.load(Ordering::Relaxed);
    if rate == UNSOUND {
        LATEST.set(Anchor::NONE);
        return precise_ns();
    }
    if !*IS_THE_KERNELS_CLOCK {
        distrust();
        return precise_ns();
    }
    let before = LATEST.replace(Anchor::NONE);
    let Some(reading) = Reading::take() else { return precise_ns() };
    if rate == UNKNOWN {
        try_out(reading);
    } else if before.window > 0 && !Rate(rate).agrees(before.reading, reading) {
        distrust();
    } else {
        LATEST.set(Anchor::new(reading, Rate(rate)));
    }
    reading.ns
}

/// Goes on with the trial of the counter by another reading.
fn try_out(reading: Reading) {
    let (trial, rate) = TRIAL.get().after(reading);
    TRIAL.set(trial);
    if let Some(rate) = rate {
        // ORDERING: Relaxed, as in `read_anew`. Who comes second, or after it was found unsound, leaves
        // what is there.
        let _ = RATE.compare_exchange(UNKNOWN, rate.0, Ordering::Relaxed, Ordering::Relaxed);
    }
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
        (ticks().wrapping_sub(before) < AT_ONCE).then_some(Self { ticks: before, ns })
    }

    /// How far both have gone on from an earlier one: the counter's ticks and the clock's nanoseconds.
    fn since(self, before: Self) -> (u64, u64) {
        (self.ticks.wrapping_sub(before.ticks), self.ns.saturating_sub(before.ns))
    }
}

/// What is known of the counter before its rate is: two readings a while apart, at most.
#[derive(Clone, Copy)]
struct Trial {
    first: Option<Reading>,
    second: Option<Reading>,
}

impl Trial {
    const NONE: Self = Self { first: None, second: None };

    /// The trial after a further reading, and the rate, if it has kept one from the first reading to
    /// the second and from there to this. A machine that slept meanwhile, its counter awake, begins
    /// anew.
    fn after(self, reading: Reading) -> (Self, Option<Rate>) {
        let anew = Self { first: Some(reading), second: None };
        let Some(first) = self.first else { return (anew, None) };
        let earlier = self.second.unwrap_or(first);
        if reading.since(earlier).1 < TRIAL_NS {
            return (self, None);
        }
        let Some(rate) = Rate::between(first, reading) else { return (anew, None) };
        match self.second {
            None => (Self { second: Some(reading), ..self }, None),
            Some(second) if rate.agrees(first, second) && rate.agrees(second, reading) => {
                (self, Some(rate))
            }
            Some(_) => (anew, None),
        }
    }
}

/// Nanoseconds a tick.
#[derive(Clone, Copy)]
struct Rate(u64);

impl Rate {
    /// The rate between two readings; `None` if no counter has it.
    fn between(first: Reading, second: Reading) -> Option<Self> {
        let (ticks, ns) = second.since(first);
        let rate = (u128::from(ns) << POINT).checked_div(u128::from(ticks))?;
        let rate = u64::try_from(rate).ok()?;
        (SLOWEST..FASTEST).contains(&rate).then_some(Self(rate))
    }

    /// Whether it holds from one reading to the next, as far as that can be told.
    fn agrees(self, before: Reading, after: Reading) -> bool {
        let (ticks, ns) = after.since(before);
        let in_ns = |ticks: u64| (u128::from(ticks) * u128::from(self.0)) >> POINT;
        let off = in_ns(ticks).abs_diff(u128::from(ns));
        off <= u128::from(ns / TOLERANCE) + in_ns(2 * AT_ONCE)
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

    /// The time when the counter shows `ticks`, unless the reading is too old for that. Without a
    /// reading the counter is not asked.
    #[inline]
    fn about_now_ns(self, ticks: impl FnOnce() -> u64) -> Option<u64> {
        if self.window == 0 {
            return None;
        }
        let since = ticks().wrapping_sub(self.reading.ticks);
        let passed_ns = || since.wrapping_mul(self.rate) >> POINT;
        (since < self.window).then(|| self.reading.ns + passed_ns())
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
    fn what_is_told_is_what_the_clock_shows_give_or_take_a_little() {
        let began = Instant::now();
        let trusted = || RATE.load(Ordering::SeqCst) != UNSOUND;
        let mut told_by_the_counter = 0;
        while trusted() && told_by_the_counter < 100_000 {
            assert!(began.elapsed() < Duration::from_secs(60), "its rate is not found");
            let before_ns = precise_ns();
            let known = LATEST.get().about_now_ns(ticks);
            let told_ns = known.unwrap_or_else(about_now_ns);
            let after_ns = precise_ns();
            assert!(before_ns <= told_ns + OFF_BY_NS, "{before_ns} {told_ns}");
            assert!(told_ns <= after_ns + OFF_BY_NS, "{told_ns} {after_ns}");
            told_by_the_counter += u64::from(known.is_some());
        }
        // Without that clock there is nothing to compare, and the counter is not to be believed.
        assert_eq!(trusted(), is_the_kernels_clock());
    }

    /// The rate after these readings, each a number of ticks and of nanoseconds after the one before.
    fn tried(steps: &[(u64, u64)]) -> Option<Rate> {
        let (mut trial, mut rate) = (Trial::NONE, None);
        let mut at = Reading { ticks: u64::MAX - 7, ns: 1_000 };
        for &(ticks, ns) in steps {
            at = Reading { ticks: at.ticks.wrapping_add(ticks), ns: at.ns + ns };
            (trial, rate) = trial.after(at);
        }
        rate
    }

    #[test]
    fn a_rate_is_known_once_it_was_kept_for_two_trials() {
        let step = (3 * TRIAL_NS, TRIAL_NS);
        let third = (1u64 << POINT) / 3;
        assert_eq!(tried(&[step, step, step]).unwrap().0, third);
        assert!(tried(&[step, step]).is_none());
        // As often as a busy thread asks.
        let short = vec![(30_000, 10_000); 2 * 500];
        assert!(tried(&short).is_none());
        assert_eq!(tried(&[&short[..], &[step]].concat()).unwrap().0, third);
    }

    #[test]
    fn a_counter_that_does_not_keep_its_rate_is_not_believed() {
        let step = (3 * TRIAL_NS, TRIAL_NS);
        let slept = (3 * 8 * 3_600_000_000_000, TRIAL_NS);
        let a_moment = (2 * 3 * TRIAL_NS, TRIAL_NS);
        let went_back = (u64::MAX - 1_000, TRIAL_NS);
        let stood = (0, TRIAL_NS);
        for odd in [slept, a_moment, went_back, stood] {
            assert!(tried(&[step, odd, step]).is_none());
            assert!(tried(&[step, step, odd]).is_none());
            // It is tried anew, and that may take one trial more.
            assert!(tried(&[step, odd, step, step, step]).is_some(), "{odd:?}");
        }
        // The longer of two trials decides what the rate is, the shorter may differ all the same.
        let long = |(ticks, ns)| (1_000 * ticks, 1_000 * ns);
        assert!(tried(&[step, step, long(a_moment)]).is_none());
        assert!(tried(&[step, long(step), a_moment]).is_none());
        for (ticks, ns) in [(32 * TRIAL_NS, TRIAL_NS), (TRIAL_NS / 32, TRIAL_NS)] {
            assert!(tried(&[(ticks, ns); 5]).is_none(), "no counter goes at {ticks} in {ns} ns");
        }
        let rate = tried(&[step; 3]).unwrap();
        let after = |ticks| Reading { ticks: 1_000 + ticks, ns: 5_000 + TRIAL_NS };
        let begun = Reading { ticks: 1_000, ns: 5_000 };
        assert!(rate.agrees(begun, after(step.0)));
        for ticks in [0, step.0 / 2, step.0 - step.0 / 100, step.0 + step.0 / 100, 2 * step.0] {
            assert!(!rate.agrees(begun, after(ticks)), "{ticks}");
        }
    }

    #[test]
    fn a_reading_is_gone_on_from_for_its_window_and_no_longer() {
        let rate = Rate::between(reading(0), reading(TRIAL_NS)).unwrap();
        let anchor = Anchor::new(reading(7_000_000), rate);
        for passed_ns in [0, 1, 1_000, 100_000, WINDOW_NS - 1_000] {
            let now = reading(7_000_000 + passed_ns);
            let told_ns = anchor.about_now_ns(|| now.ticks).unwrap();
            assert!(told_ns.abs_diff(now.ns) <= 1, "{told_ns} {}", now.ns);
        }
        let old = reading(7_000_000 + WINDOW_NS + 1);
        assert_eq!(anchor.about_now_ns(|| old.ticks), None);
        // A counter that has gone back, or begun anew.
        assert_eq!(anchor.about_now_ns(|| anchor.reading.ticks - 1), None);
        assert_eq!(Anchor::NONE.about_now_ns(|| unreachable!("nothing to go on from")), None);
    }
}
