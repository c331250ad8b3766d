//! The system's monotonic clocks, on one time line, in nanoseconds.

#[cfg(target_os = "linux")]
#[inline]
fn read_ns(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    // Monotonic time is never negative; the width of its nanoseconds is the system's.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(target_os = "linux")]
#[inline]
pub(super) fn precise_ns() -> u64 {
    read_ns(rustix::time::ClockId::Monotonic)
}

/// The time of the last timer interrupt: behind [`precise_ns`] by some milliseconds, never
/// ahead.
#[cfg(target_os = "linux")]
#[inline]
pub(super) fn coarse_ns() -> u64 {
    read_ns(rustix::time::ClockId::MonotonicCoarse)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn precise_ns() -> u64 {
    use crate::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(not(target_os = "linux"))]
pub(super) use precise_ns as coarse_ns;
