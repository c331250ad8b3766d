//! Time: where it comes from, and what "now" and "a deadline" mean. Knows no entry.

use crate::error::TtlError;
use crate::planted::{Bug, planted};
use crate::sync::{Arc, AtomicU64, Ordering};
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
        system::precise()
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
/// Never zero, so that an entry's word can say "no deadline" with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(u64);

impl Deadline {
    /// The bits that every deadline fits in: 2^40 ms are 34.8 years of up-time and TTL together.
    pub(crate) const BITS: u32 = 40;
    /// The last representable deadline.
    pub(crate) const MAX: Self = Self((1 << Self::BITS) - 1);

    /// The deadline at `ms`, or `None` for zero.
    #[inline]
    pub(crate) const fn from_ms(ms: u64) -> Option<Self> {
        if ms == 0 { None } else { Some(Self(ms)) }
    }

    /// Milliseconds since the store's origin.
    #[inline]
    pub(crate) const fn ms(self) -> u64 {
        self.0
    }
}

/// How far the coarse clock may lag behind the precise one before an expiry could be missed.
///
/// The kernel refreshes it at every timer interrupt (1 to 10 ms), but on a shared virtual machine
/// the processor that does so may be taken away for much longer, so the margin is generous: it
/// only decides how close to its deadline an entry costs a precise reading.
const COARSE_MARGIN_MS: u64 = 1_000;

/// A store's view of time: milliseconds since its creation, never going back.
pub(crate) struct Timekeeper {
    source: Source,
    /// What the source showed when the store was created.
    origin: Duration,
}

enum Source {
    /// Monotonic by the kernel's promise, so that nothing is shared between readers.
    System,
    Custom {
        clock: Box<dyn Clock>,
        /// The latest time seen, in nanoseconds; a clock that steps back is held here.
        latest_ns: AtomicU64,
    },
}

impl Timekeeper {
    pub(crate) fn system() -> Self {
        Self { source: Source::System, origin: system::precise() }
    }

    pub(crate) fn custom(clock: Box<dyn Clock>) -> Self {
        let origin = clock.now();
        Self { source: Source::Custom { clock, latest_ns: AtomicU64::new(0) }, origin }
    }

    /// Time since the store's creation, exact.
    pub(crate) fn now(&self) -> Duration {
        match &self.source {
            Source::System => system::precise().saturating_sub(self.origin),
            Source::Custom { clock, latest_ns } => {
                let shown = clock.now().saturating_sub(self.origin);
                let shown_ns = u64::try_from(shown.as_nanos()).unwrap_or(u64::MAX);
                let latest_ns = latest_ns.fetch_max(shown_ns, Ordering::SeqCst);
                Duration::from_nanos(latest_ns.max(shown_ns))
            }
        }
    }

    /// Whole milliseconds since the store's creation, rounded down.
    pub(crate) fn now_ms(&self) -> u64 {
        whole_ms(self.now())
    }

    /// Whether `deadline` has been reached.
    ///
    /// Reads the coarse clock, and the precise one only where the coarse one cannot tell.
    #[inline]
    pub(crate) fn is_due(&self, deadline: Deadline) -> bool {
        if let Source::System = self.source {
            // In nanoseconds, of which 2^40 ms fit in 64 bits: they need no division.
            let since = system::coarse().saturating_sub(self.origin);
            let coarse_ns = since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos());
            let deadline_ns = deadline.ms() * 1_000_000;
            if deadline_ns > coarse_ns + COARSE_MARGIN_MS * 1_000_000 {
                return false;
            }
            if deadline_ns <= coarse_ns {
                return true;
            }
        }
        deadline.ms() + u64::from(planted(Bug::DeadAfterItsDeadline)) <= self.now_ms()
    }

    /// The deadline `ttl` from now, rounded up to the millisecond so that none comes early.
    ///
    /// # Errors
    /// [`TtlError::Zero`] for a TTL of zero, [`TtlError::TooLong`] beyond [`Deadline::MAX`].
    pub(crate) fn deadline_after(&self, ttl: Duration) -> Result<Deadline, TtlError> {
        if ttl.is_zero() {
            return Err(TtlError::Zero);
        }
        let end = self.now().checked_add(ttl).ok_or(TtlError::TooLong)?;
        let within = if planted(Bug::DeadlineRoundedDown) {
            end.subsec_millis()
        } else {
            end.subsec_nanos().div_ceil(1_000_000)
        };
        let ms = end.as_secs().checked_mul(1_000).and_then(|ms| ms.checked_add(within.into()));
        match ms {
            Some(ms) if ms <= Deadline::MAX.ms() => Ok(Deadline(ms)),
            _ => Err(TtlError::TooLong),
        }
    }

    /// What remains until `deadline`, or `None` when it has been reached.
    ///
    /// Rounded down to the millisecond, except within the last: never more than the TTL that was
    /// asked for, never zero.
    pub(crate) fn remaining(&self, deadline: Deadline) -> Option<Duration> {
        let now = self.now();
        let left = Duration::from_millis(deadline.ms()).checked_sub(now)?;
        if left.is_zero() {
            return None;
        }
        let whole = Duration::from_millis(whole_ms(left));
        Some(if whole.is_zero() { left } else { whole })
    }
}

/// Whole milliseconds, rounded down. Durations here fit: they come from 64-bit nanoseconds.
#[inline]
fn whole_ms(duration: Duration) -> u64 {
    duration.as_secs() * 1_000 + u64::from(duration.subsec_millis())
}

/// The system's monotonic clocks, on one time line.
mod system {
    use std::time::Duration;

    #[cfg(target_os = "linux")]
    fn read(clock: rustix::time::ClockId) -> Duration {
        let time = rustix::time::clock_gettime(clock);
        // Monotonic time is never negative and its nanoseconds stay below 10^9.
        Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn precise() -> Duration {
        read(rustix::time::ClockId::Monotonic)
    }

    /// The time of the last timer interrupt: behind [`precise`] by some milliseconds, never ahead.
    #[cfg(target_os = "linux")]
    pub(super) fn coarse() -> Duration {
        read(rustix::time::ClockId::MonotonicCoarse)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn precise() -> Duration {
        use crate::sync::LazyLock;
        use std::time::Instant;
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) use precise as coarse;
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
            let coarse = system::coarse();
            assert!(coarse <= system::precise());
        }
    }

    #[test]
    fn a_deadline_is_rounded_up_and_the_remainder_down() {
        let (clock, time) = manual();
        clock.advance(Duration::from_micros(300));
        let deadline = time.deadline_after(Duration::from_millis(10)).unwrap();
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
    fn a_clock_that_steps_back_is_held() {
        struct Faulty(AtomicU64);
        impl Clock for Faulty {
            fn now(&self) -> Duration {
                Duration::from_millis(self.0.fetch_xor(8, Ordering::SeqCst))
            }
        }
        let time = Timekeeper::custom(Box::new(Faulty(AtomicU64::new(0))));
        let first = time.now();
        let second = time.now();
        assert_eq!(first, Duration::from_millis(8));
        assert_eq!(second, first);
    }
}
