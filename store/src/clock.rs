//! Time: where it comes from, and what "now" and "a deadline" mean. Knows no entry.

mod system;
mod ticks;

use crate::error::TtlError;
use crate::planted::{Bug, planted};
use crate::sync::{Arc, AtomicU64, Ordering};
use std::num::NonZeroU64;
use std::ops::Range;
use std::time::Duration;

/// A source of time for a store.
///
/// The store asks it for the time since any fixed origin of its choosing. A clock that steps back
/// is survived: the store takes the latest time it has seen.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
/// use store::{Clock, Store};
///
/// /// Time that passes a thousand times faster.
/// struct Hurried(Instant);
/// impl Clock for Hurried {
///     fn now(&self) -> Duration {
///         self.0.elapsed() * 1000
///     }
/// }
///
/// let store = Store::<u32, u32>::builder().clock(Hurried(Instant::now())).build()?;
/// store.put(1, 1);
/// # Ok::<(), store::BuildError>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The time since this clock's origin. It should not go back.
    ///
    /// Called under a bucket's lock: it must be quick, must not panic, and must not call the store.
    fn now(&self) -> Duration;
}

/// The system's monotonic clock, for clocks of yours that build on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(system::precise_ns())
    }
}

/// A clock that stands still until it is advanced: for deterministic tests of code that expires.
///
/// It is a cheap handle: clone it, give one to the store and keep the other. What callers see
/// follows it at once. The sweeper's thread still rests in real time: where a test depends on what
/// is *held* (`len`, `stats`), use [`Sweeper::Manual`](crate::Sweeper) and call `clean`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use store::{ManualClock, Store, Ttl};
///
/// let clock = ManualClock::new();
/// let store = Store::<&str, u32>::builder().clock(clock.clone()).build()?;
/// store.put_with_ttl("session", 7, Ttl::After(Duration::from_secs(30)))?;
///
/// clock.advance(Duration::from_millis(29_999));
/// assert_eq!(store.get("session"), Some(7));
/// clock.advance(Duration::from_millis(1));
/// assert_eq!(store.get("session"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ManualClock {
    /// Nanoseconds since creation; atomic so that one thread may advance what others read.
    elapsed_ns: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that shows zero.
    #[must_use]
    pub fn new() -> Self {
        Self { elapsed_ns: Arc::new(AtomicU64::new(0)) }
    }

    /// Moves time on by `duration`. Time stops at 584 years, the most that is representable.
    pub fn advance(&self, duration: Duration) {
        let step_ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // One addition, not a loop around a load: loom overlooks races with the latter.
        // ORDERING: Release, for the Acquire in `now`: who sees a time sees what came before it.
        let before_ns = self.elapsed_ns.fetch_add(step_ns, Ordering::Release);
        if before_ns.checked_add(step_ns).is_none() {
            // ORDERING: Release, as above.
            self.elapsed_ns.store(u64::MAX, Ordering::Release);
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        // ORDERING: Acquire, for the Release in `advance`.
        Duration::from_nanos(self.elapsed_ns.load(Ordering::Acquire))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

/// A point in time after which an entry is dead: whole milliseconds since the store's origin.
///
/// Never zero, so that an entry's word can say "no deadline" with it, and a lease be handed on in
/// two registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(NonZeroU64);

impl Deadline {
    /// The bits that every deadline fits in: 2^40 ms are 34.8 years of up-time and TTL together.
    pub(crate) const BITS: u32 = 40;
    /// The last representable deadline.
    pub(crate) const MAX: Self = Self(NonZeroU64::MIN.saturating_add((1 << Self::BITS) - 2));

    /// The deadline at `ms`, or `None` for zero.
    #[inline]
    pub(crate) const fn from_ms(ms: u64) -> Option<Self> {
        match NonZeroU64::new(ms) {
            Some(ms) => Some(Self(ms)),
            None => None,
        }
    }

    /// Milliseconds since the store's origin.
    #[inline]
    pub(crate) const fn ms(self) -> u64 {
        self.0.get()
    }
}

/// A TTL, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(NonZeroU64);

impl TryFrom<Duration> for Lifetime {
    type Error = TtlError;

    #[inline]
    fn try_from(ttl: Duration) -> Result<Self, TtlError> {
        let ttl_ns = u64::try_from(ttl.as_nanos()).map_err(|_| TtlError::TooLong)?;
        NonZeroU64::new(ttl_ns).map(Self).ok_or(TtlError::Zero)
    }
}

impl From<Lifetime> for Duration {
    fn from(lifetime: Lifetime) -> Self {
        Self::from_nanos(lifetime.0.get())
    }
}

/// How far the coarse clock may lag behind the precise one before an expiry could be missed.
///
/// The kernel refreshes it at every timer interrupt (1 to 10 ms), but on a shared virtual machine
/// the processor that does so may be taken away for much longer, so the margin is generous: it
/// only decides how close to its deadline an entry costs a precise reading.
const COARSE_MARGIN_MS: u64 = 1_000;

const NS_A_MS: u64 = 1_000_000;

/// A store's view of time: nanoseconds since its creation, never going back. In one number, of
/// which 584 years fit: seconds and the rest apart would be carried and compared twice.
pub(crate) struct Timekeeper {
    source: Source,
}

enum Source {
    /// Monotonic by the kernel's promise, so that nothing is shared between readers.
    System {
        /// What the clock showed when the store was created.
        origin_ns: u64,
    },
    Custom(Box<Custom>),
}

/// A user's clock.
struct Custom {
    clock: Box<dyn Clock>,
    /// What it showed when the store was created.
    origin: Duration,
    /// The latest time seen since then; a clock that steps back is held here.
    latest_ns: AtomicU64,
}

impl Custom {
    fn now_ns(&self) -> u64 {
        let shown = self.clock.now().saturating_sub(self.origin);
        let shown_ns = u64::try_from(shown.as_nanos()).unwrap_or(u64::MAX);
        self.latest_ns.fetch_max(shown_ns, Ordering::SeqCst).max(shown_ns)
    }
}

impl Timekeeper {
    pub(crate) fn system() -> Self {
        Self { source: Source::System { origin_ns: system::precise_ns() } }
    }

    pub(crate) fn custom(clock: Box<dyn Clock>) -> Self {
        let origin = clock.now();
        let custom = Custom { clock, origin, latest_ns: AtomicU64::new(0) };
        Self { source: Source::Custom(Box::new(custom)) }
    }

    /// Nanoseconds since the store's creation, exact.
    #[inline]
    fn now_ns(&self) -> u64 {
        match &self.source {
            Source::System { origin_ns } => system::precise_ns().saturating_sub(*origin_ns),
            Source::Custom(custom) => custom.now_ns(),
        }
    }

    /// Whole milliseconds since the store's creation, rounded down.
    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ns() / NS_A_MS
    }

    /// How long it takes until this shows `ms`; `None` for a user's clock, which need not go as time
    /// does.
    pub(crate) fn until(&self, ms: u64) -> Option<Duration> {
        match &self.source {
            Source::System { .. } => {
                Some(Duration::from_nanos((ms * NS_A_MS).saturating_sub(self.now_ns())))
            }
            Source::Custom(_) => None,
        }
    }

    /// Whether `deadline` has been reached.
    ///
    /// Reads the coarse clock, and the precise one only where the coarse one cannot tell.
    #[inline]
    pub(crate) fn is_due(&self, deadline: Deadline) -> bool {
        if let Source::System { origin_ns } = self.source {
            // In nanoseconds, of which 2^40 ms fit in 64 bits: they need no division.
            let coarse_ns = system::coarse_ns().saturating_sub(origin_ns);
            let deadline_ns = deadline.ms() * NS_A_MS;
            if deadline_ns > coarse_ns + COARSE_MARGIN_MS * NS_A_MS {
                return false;
            }
            if deadline_ns <= coarse_ns {
                return true;
            }
        }
        deadline.ms() + u64::from(planted(Bug::DeadAfterItsDeadline)) <= self.now_ms()
    }

    /// The deadline `lifetime` from now, rounded up to the millisecond so that none comes early.
    ///
    /// # Errors
    /// [`TtlError::TooLong`] beyond [`Deadline::MAX`].
    #[inline]
    pub(crate) fn deadline_after(&self, lifetime: Lifetime) -> Result<Deadline, TtlError> {
        let end_ns = self.end_ns(lifetime).ok_or(TtlError::TooLong)?;
        let ms = if planted(Bug::DeadlineRoundedDown) {
            end_ns / NS_A_MS
        } else {
            end_ns.div_ceil(NS_A_MS)
        };
        Deadline::from_ms(ms).filter(|&deadline| deadline <= Deadline::MAX).ok_or(TtlError::TooLong)
    }

    /// Nanoseconds from the store's creation to the end of `lifetime`, if they fit: exact, or so that
    /// they are rounded as the exact ones would be.
    #[inline]
    fn end_ns(&self, lifetime: Lifetime) -> Option<u64> {
        let exact_ns = || self.now_ns().checked_add(lifetime.0.get());
        let Source::System { origin_ns } = self.source else { return exact_ns() };
        let about_now_ns = ticks::about_now_ns().saturating_sub(origin_ns);
        if_rounded_alike(about_now_ns.checked_add(lifetime.0.get())?).or_else(exact_ns)
    }

    /// What remains until `deadline`, or `None` when it has been reached.
    ///
    /// Rounded down to the millisecond, except within the last: never more than the TTL that was
    /// asked for, never zero.
    pub(crate) fn remaining(&self, deadline: Deadline) -> Option<Duration> {
        let left_ns = (deadline.ms() * NS_A_MS).checked_sub(self.now_ns()).filter(|&ns| ns > 0)?;
        let whole_ns = left_ns / NS_A_MS * NS_A_MS;
        Some(Duration::from_nanos(if whole_ns == 0 { left_ns } else { whole_ns }))
    }
}

/// A time that may be off by [`ticks::OFF_BY_NS`], if it is rounded up to the same millisecond
/// whatever it is off by.
#[inline]
fn if_rounded_alike(about_ns: u64) -> Option<u64> {
    const SURE: Range<u64> = ticks::OFF_BY_NS + 1..NS_A_MS - ticks::OFF_BY_NS;
    SURE.contains(&(about_ns % NS_A_MS)).then_some(about_ns)
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    fn manual() -> (ManualClock, Timekeeper) {
        let clock = ManualClock::new();
        (clock.clone(), Timekeeper::custom(Box::new(clock)))
    }

    #[test]
    fn the_coarse_clock_is_never_ahead_of_the_precise_one() {
        for _ in 0..10_000 {
            let coarse_ns = system::coarse_ns();
            assert!(coarse_ns <= system::precise_ns());
        }
    }

    #[test]
    fn a_deadline_is_rounded_up_and_the_remainder_down() {
        let (clock, time) = manual();
        clock.advance(Duration::from_micros(300));
        let deadline = time.deadline_after(Duration::from_millis(10).try_into().unwrap()).unwrap();
        assert_eq!(deadline.ms(), 11);
        assert_eq!(time.remaining(deadline), Some(Duration::from_millis(10)));
        clock.advance(Duration::from_millis(10));
        assert!(!time.is_due(deadline));
        assert_eq!(time.remaining(deadline), Some(Duration::from_micros(700)));
        clock.advance(Duration::from_micros(700));
        assert!(time.is_due(deadline));
        assert_eq!(time.remaining(deadline), None);
    }

    #[test]
    fn a_time_is_taken_only_if_nothing_it_may_be_off_by_makes_it_another_millisecond() {
        let off = ticks::OFF_BY_NS;
        let mut taken = 0;
        for about_ns in (7 * NS_A_MS..9 * NS_A_MS).step_by(100) {
            for about_ns in [about_ns, about_ns + 1, about_ns - 1] {
                let Some(about_ns) = if_rounded_alike(about_ns) else { continue };
                taken += 1;
                for exact_ns in [about_ns - off, about_ns, about_ns + off] {
                    assert_eq!(about_ns.div_ceil(NS_A_MS), exact_ns.div_ceil(NS_A_MS));
                }
            }
        }
        assert!(taken > 58_000, "{taken} of 60 000: else the clock is read too often");
    }

    #[test]
    fn a_deadline_by_the_systems_clock_is_neither_early_nor_more_than_was_asked_for() {
        let (time, ttl) = (Timekeeper::system(), Duration::from_millis(10));
        for _ in 0..300_000 {
            let before_ns = time.now_ns();
            let deadline = time.deadline_after(ttl.try_into().unwrap()).unwrap();
            let left = time.remaining(deadline);
            assert!(
                deadline.ms() * NS_A_MS >= before_ns + 10 * NS_A_MS,
                "{deadline:?} {before_ns}"
            );
            assert!(left.is_none_or(|left| left <= ttl), "{left:?}");
        }
    }

    #[test]
    fn a_clock_that_steps_back_is_held() {
        struct Faulty(AtomicU64);
        impl Clock for Faulty {
            fn now(&self) -> Duration {
                Duration::from_millis(self.0.fetch_xor(8, Ordering::SeqCst))
            }
        }
        let time = Timekeeper::custom(Box::new(Faulty(AtomicU64::new(0))));
        let first = time.now_ms();
        let second = time.now_ms();
        assert_eq!(first, 8);
        assert_eq!(second, first);
    }
}
