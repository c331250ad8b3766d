//! What is asked of the machine itself: to fetch memory that will be read soon, the processor's counter,
//! and large pages.
//!
//! The only `unsafe` code of the project: two instructions and one system call that are not to be had
//! without it. None of them changes what any memory holds.

#![expect(unsafe_code, reason = "none of the three has a safe form yet")]

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

/// Memory is to come in huge pages, as far as nothing was written there yet: so many bytes from `place` on.
/// Where the system has none, or none for programs that ask, nothing happens.
///
/// No byte changes, whatever is there. Where `place` is that of somebody else, he may get more memory than
/// he needs.
pub(crate) fn want_huge_pages(place: usize, bytes: usize) {
    advise(place, bytes, Advice::HugePages);
}

/// Has the system give all memory of so many bytes from `place` on now, rather than page by page as it is
/// written to.
///
/// No byte changes, whatever is there, but it is treated as if it were written: so only for a `place` that is
/// known with some certainty. Memory that somebody else has reserved there would be taken, and pages of
/// a file that he has mapped to write to would be written.
pub(crate) fn take_now(place: usize, bytes: usize) {
    advise(place, bytes, Advice::TakeNow);
}

#[derive(Clone, Copy)]
enum Advice {
    HugePages,
    TakeNow,
}

#[cfg(all(target_os = "linux", not(miri)))]
fn advise(place: usize, bytes: usize, advice: Advice) {
    use rustix::mm::{Advice as System, madvise};
    /// A multiple of the size of any system's pages.
    const PAGES: usize = 1 << 16;
    let Some(begin) = place.checked_next_multiple_of(PAGES) else { return };
    let bytes = place.saturating_add(bytes).saturating_sub(begin);
    let advice = match advice {
        Advice::HugePages => System::LinuxHugepage,
        Advice::TakeNow => System::LinuxPopulateWrite,
    };
    // SAFETY: neither changes what any memory holds, nor what may be done with it, whosoever it is. What
    // nothing lies in is left alone by both, and what may not be written to by the second.
    let advised = unsafe { madvise(std::ptr::without_provenance_mut(begin), bytes, advice) };
    // A kernel may be too old for the one, or made without the other.
    advised.ok();
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise(_place: usize, _bytes: usize, _advice: Advice) {}
