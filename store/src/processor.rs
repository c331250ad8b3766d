//! What is asked of the processor itself: to fetch memory that will be read soon, and its counter.
//!
//! The only `unsafe` code of the project: two instructions that are not to be had without it.

#![expect(unsafe_code, reason = "neither instruction has a safe form in the standard library yet")]

/// Bytes that are fetched together, on all processors that this crate asks something of.
pub(crate) const CACHE_LINE: usize = 64;

/// Starts fetching the cache line of `place`, and does not wait for it.
///
/// A hint, which changes nothing but the time that a later access takes. `place` may be anything:
/// nothing is read from there as far as the program can tell. On other processors than those of
/// x86-64 nothing happens.
#[inline]
pub(crate) fn prefetch<T: ?Sized>(place: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the instruction is there on every x86-64 (SSE), and it neither faults nor reads
        // or writes as far as the program can tell, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = place;
}

/// The same for bytes that lie together: for their first three lines. Of none, nothing.
#[inline]
pub(crate) fn prefetch_bytes(place: *const u8, bytes: usize) {
    const MOST: usize = 3;
    let within = if bytes == 0 { 0 } else { place.addr() % CACHE_LINE };
    let lines = within.saturating_add(bytes).div_ceil(CACHE_LINE);
    for line in 0..lines.min(MOST) {
        prefetch(place.wrapping_add(line * CACHE_LINE));
    }
}

/// What the processor's time-stamp counter shows, or about to: the instruction is not held back until
/// those before it are done. Always 0 on other processors than those of x86-64.
#[inline]
pub(crate) fn ticks() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        // SAFETY: the instruction is there on every x86-64, and only reads a counter. A system may
        // forbid it to a program, and stops the program then, which is no undefined behaviour; Linux
        // does so only if asked to, and the one caller, `clock::ticks`, asks only where the kernel's
        // own clock, as programs read it, is this counter.
        unsafe { std::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    0
}
