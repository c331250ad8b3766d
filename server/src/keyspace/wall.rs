//! Wall-clock milliseconds for a store that counts its own.
//!
//! The store's milliseconds begin when it is built. So that a deadline comes back as the very
//! millisecond it was set to, the wall clock is read on the store's grid: a point of that grid is
//! found once, and time is counted in whole milliseconds from there.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Half a step of the grid: what rounding up to it is kept away from both neighbours by.
const HALF: Duration = Duration::from_micros(500);

/// A deadline that is set within this time of being asked for is met to the millisecond.
pub(super) const PROMPT: Duration = Duration::from_micros(400);

/// How near to a point of the grid a reading may be on either side of it: many times what the anchor
/// is off the grid by, which is as long as it takes to read a TTL.
const UNSURE: Duration = Duration::from_micros(20);

/// How far the system's clock may differ from what was counted before it is believed to have been
/// set; less than that is the grid's own offset, or a reading that was interrupted.
const STEP_MS: i64 = 20;

/// The wall clock, in whole milliseconds on the store's grid.
#[derive(Debug)]
pub(super) struct WallClock {
    /// A point of the grid.
    anchor: Instant,
    /// The wall-clock time of the anchor.
    anchor_ms: AtomicI64,
}

impl WallClock {
    /// A clock on the grid of which `anchor` is a point.
    pub(super) fn anchored(anchor: Instant) -> Self {
        let clock = Self { anchor, anchor_ms: AtomicI64::new(0) };
        clock.anchor_ms.store(system_ms() - clock.counted_ms(), Ordering::SeqCst);
        clock
    }

    /// Milliseconds since the anchor, rounded down.
    fn counted_ms(&self) -> i64 {
        let now = Instant::now();
        match now.checked_duration_since(self.anchor) {
            Some(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            None => -i64::try_from((self.anchor - now).as_nanos().div_ceil(1_000_000)).unwrap_or(0),
        }
    }

    /// The wall-clock time of the anchor; corrected if the system's clock was set meanwhile.
    fn anchor_ms(&self) -> i64 {
        let anchor_ms = self.anchor_ms.load(Ordering::SeqCst);
        let shown = || system_ms() - self.counted_ms();
        let first = shown();
        if (first - anchor_ms).abs() < STEP_MS {
            return anchor_ms;
        }
        // A thread that was interrupted between the two readings would believe in a step, too.
        let shown = shown();
        if (first - shown).abs() > 1 {
            return anchor_ms;
        }
        self.anchor_ms.store(shown, Ordering::SeqCst);
        shown
    }

    /// The wall-clock time in milliseconds, rounded down.
    pub(super) fn now_ms(&self) -> i64 {
        self.anchor_ms().saturating_add(self.counted_ms())
    }

    /// How long it is until `deadline_ms`, to be rounded up to the grid; `None` if it has passed.
    pub(super) fn until(&self, deadline_ms: i64) -> Option<Duration> {
        let ahead_ms = deadline_ms.saturating_sub(self.anchor_ms());
        let since = Instant::now().saturating_duration_since(self.anchor);
        let ahead = Duration::from_millis(u64::try_from(ahead_ms).ok()?);
        let left = ahead.checked_sub(since).filter(|left| !left.is_zero())?;
        Some(left.checked_sub(HALF).filter(|left| !left.is_zero()).unwrap_or(left))
    }

    /// The wall-clock time in milliseconds of the point that lies `left` ahead, or, where that was
    /// rounded down, of the point of the grid that comes next.
    pub(super) fn after(&self, left: Duration) -> i64 {
        let anchor_ms = self.anchor_ms();
        let point = (Instant::now() + left).saturating_duration_since(self.anchor);
        let whole = left.subsec_nanos().is_multiple_of(1_000_000);
        let point = if whole { point } else { point.saturating_sub(HALF) };
        let point_ms = i64::try_from(point.as_millis()).unwrap_or(i64::MAX);
        anchor_ms.saturating_add(point_ms).saturating_add(1)
    }

    /// Tells, whenever it is asked, whether no point of the grid has passed since this call. Waits
    /// out the moment in which one does.
    pub(super) fn watch(&self) -> impl Fn() -> bool + '_ {
        let before = loop {
            match self.between_points() {
                Some(between) => break between,
                None => std::hint::spin_loop(),
            }
        };
        move || self.between_points() == Some(before)
    }

    /// The number of the grid's point that has passed last, unless one is so near that the store
    /// might see it on the other side.
    fn between_points(&self) -> Option<u128> {
        // Before the anchor, nothing has been stored that could be looked at.
        let since = Instant::now().saturating_duration_since(self.anchor);
        let beyond = Duration::from_nanos(u64::from(since.subsec_nanos() % 1_000_000));
        let is_between = beyond >= UNSURE && beyond + UNSURE < 2 * HALF;
        is_between.then_some(since.as_millis())
    }

    /// What `look` returns once it returns something; it reads a deadline, and is given what says
    /// whether that is the right one: it looks again, if a point of the grid may have passed between
    /// its reading of the store and of the clock.
    pub(super) fn told<R>(
        &self,
        mut look: impl FnMut(&dyn Fn(Option<i64>) -> bool) -> Option<R>,
    ) -> Option<R> {
        const LOOKS: u32 = 10;
        (1..=LOOKS).find_map(|number| {
            // Without a deadline, no clock need be watched; with one, it is the second look that tells.
            let is_steady = (number > 1).then(|| self.watch());
            let is_steady = || number == LOOKS || is_steady.as_ref().is_some_and(|it| it());
            look(&|deadline_ms| deadline_ms.is_none() || is_steady())
        })
    }
}

/// The system's wall clock in milliseconds; zero before 1970.
fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
