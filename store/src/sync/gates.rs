//! Gates before the map's locks, for buckets that are written to by more threads than there are processors.
//!
//! The map's lock hands itself on to whoever has waited longest. Once a thread that holds it has been stopped
//! by the system for longer than others spin, those queue, and from then on each call waits until
//! another thread has been woken, which takes many times as long. Behind a gate that only
//! one writer passes at a time nobody queues at the lock, and the gate is passed by whoever comes when it is
//! free, so that a thread that runs goes on running.
//!
//! A gate stands open, which costs a call one load, until a call is seen to have queued; and again once a
//! million calls in a row have found it free. Which way a call goes changes nothing but time.
//!
//! User code that runs within a call, as a panic of other user code drops a key, may call again: a thread that is
//! inside passes all gates freely.

use super::MODELLED;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// One gate for so many bits of a hash: the top ones, since those choose the bucket, too.
const BITS: u32 = 10;

/// A call that takes so long has queued: the map's lock is spun for 32 us before.
const QUEUED: Duration = Duration::from_micros(30);
/// One call of so many, of a thread's, is timed.
const TIMED: u32 = 128;
/// So many calls, one after the other, that found a gate free open it for all.
const QUIET: u32 = 1 << 20;
/// How often to look whether a gate is free before others are let run, and before resting. Soon: who is inside
/// gets further when nobody looks on, and who gives way of his own accord is not stopped inside.
const SPINS: u32 = 2;
const YIELDS: u32 = 256;
const REST: Duration = Duration::from_micros(50);

pub(crate) struct Gates(Box<[Gate]>);

std::thread_local! {
    /// Calls of this thread, to time some.
    static CALLS: Cell<u32> = const { Cell::new(0) };
    /// Whether this thread is inside a guarded gate.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// When the call of this thread that is timed began. Not in [`Passed`], which each call keeps until it
    /// ends: it is to fit into registers.
    static SINCE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// A gate: open, and free, at first.
#[derive(Default)]
pub(crate) struct Gate {
    /// 0 if it is open; otherwise one more than the calls, one after the other, that found it free. Written by
    /// who is inside, and by who guards it.
    guarded: AtomicU32,
    /// Whether a call is inside.
    taken: AtomicBool,
}

/// A call that has passed; the gate is free for the next when this is dropped.
pub(crate) enum Passed<'g> {
    Open,
    Timed(&'g Gate),
    Guarded(&'g Gate),
}

impl Gates {
    /// None in models, where gates would hide orders of events that the map alone allows.
    pub(crate) fn new() -> Self {
        let gates = if MODELLED { 0 } else { 1 << BITS };
        Self((0..gates).map(|_| Gate::default()).collect())
    }

    /// Lets a call on the pair of this hash in that will lock its bucket exclusively.
    ///
    /// It may wait for others that do so, hence must not be called by one that is inside.
    #[inline]
    pub(crate) fn pass(&self, hash: u64) -> Passed<'_> {
        let Some(gate) = self.0.get((hash >> (u64::BITS - BITS)) as usize) else {
            return Passed::Open;
        };
        // ORDERING: Relaxed; a hint.
        if gate.guarded.load(Ordering::Relaxed) != 0 {
            gate.take()
        } else if is_timed() {
            begin();
            Passed::Timed(gate)
        } else {
            Passed::Open
        }
    }
}

/// Whether the call is one of those that are timed.
#[inline]
fn is_timed() -> bool {
    let calls = CALLS.get().wrapping_add(1);
    CALLS.set(calls);
    calls.is_multiple_of(TIMED)
}

#[cold]
fn begin() {
    SINCE.set(Some(Instant::now()));
}

impl Gate {
    #[cold]
    fn take(&self) -> Passed<'_> {
        if INSIDE.replace(true) {
            return Passed::Open;
        }
        for attempt in 0.. {
            // ORDERING: Acquire, for the Release in `leave`: nobody is inside beside another.
            if !self.taken.load(Ordering::Relaxed) && !self.taken.swap(true, Ordering::Acquire) {
                // ORDERING: Relaxed; only who is inside counts.
                let found_free = self.guarded.load(Ordering::Relaxed) + 1;
                let found_free = if attempt == 0 { found_free } else { 1 };
                // ORDERING: Relaxed, as above.
                self.guarded.store(found_free, Ordering::Relaxed);
                break;
            }
            match attempt {
                0..SPINS => std::hint::spin_loop(),
                SPINS..YIELDS => thread::yield_now(),
                _ => thread::sleep(REST),
            }
        }
        Passed::Guarded(self)
    }

    #[cold]
    fn leave(&self) {
        INSIDE.set(false);
        // ORDERING: Relaxed, as in `take`.
        if self.guarded.load(Ordering::Relaxed) > QUIET {
            // ORDERING: Relaxed, as in `take`.
            self.guarded.store(0, Ordering::Relaxed);
        }
        // ORDERING: Release, for the Acquire in `take`.
        self.taken.store(false, Ordering::Release);
    }

    #[cold]
    fn guard_if_queued(&self) {
        let queued = SINCE.take().is_some_and(|since| since.elapsed() > QUEUED);
        if queued {
            // ORDERING: Relaxed; what it undoes, if anything, is a count.
            self.guarded.store(1, Ordering::Relaxed);
        }
    }
}

impl Passed<'_> {
    /// Notes that the map's lock is held: what the call does from now on is no queueing.
    #[inline]
    pub(crate) fn has_locked(&mut self) {
        if matches!(self, Passed::Timed(_)) {
            // What is replaced is dropped, which tells the gate.
            *self = Passed::Open;
        }
    }
}

impl Drop for Passed<'_> {
    #[inline]
    fn drop(&mut self) {
        match self {
            Passed::Open => {}
            Passed::Timed(gate) => gate.guard_if_queued(),
            Passed::Guarded(gate) => gate.leave(),
        }
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A timed call at the gate of the hash 0, which took so long.
    fn times(gates: &Gates, took: Duration) {
        // This thread may be stopped meanwhile: a call that is to be short begins in time to come.
        let long_before =
            Instant::now().checked_sub(took).expect("the system has been up for longer");
        let began =
            if took.is_zero() { Instant::now() + Duration::from_secs(3600) } else { long_before };
        SINCE.set(Some(began));
        gates.0[0].guard_if_queued();
    }

    /// Of the hash 0.
    fn guarded() -> Gates {
        let gates = Gates::new();
        times(&gates, 2 * QUEUED);
        gates
    }

    #[test]
    fn one_call_in_so_many_is_timed() {
        let gates = Gates::new();
        let passes: Vec<_> = (0..TIMED).map(|_| gates.pass(0)).collect();
        let timed = passes.iter().filter(|passed| matches!(passed, Passed::Timed(_))).count();
        let open = passes.iter().filter(|passed| matches!(passed, Passed::Open)).count();
        assert_eq!((timed, open), (1, TIMED as usize - 1));
    }

    #[test]
    fn a_gate_is_open_until_a_timed_call_has_queued() {
        let gates = Gates::new();
        let is_guarded = |hash| matches!(gates.pass(hash), Passed::Guarded(_));
        times(&gates, Duration::ZERO);
        assert!(!is_guarded(0));
        times(&gates, 2 * QUEUED);
        assert!(is_guarded(0));
        assert!(!is_guarded(u64::MAX), "another gate");
    }

    #[test]
    fn a_call_is_timed_from_the_gate_to_the_lock() {
        let gates = Gates::new();
        let mut passes: Vec<_> = (0..TIMED).map(|_| gates.pass(0)).collect();
        let timed = passes.iter_mut().find(|passed| matches!(passed, Passed::Timed(_)));
        thread::sleep(2 * QUEUED);
        timed.expect("one of so many").has_locked();
        assert!(!passes.iter().any(|passed| matches!(passed, Passed::Timed(_))));
        assert!(matches!(gates.pass(0), Passed::Guarded(_)));
    }

    #[test]
    fn what_a_call_does_once_it_has_the_lock_is_no_queueing() {
        let gates = Gates::new();
        let mut passes: Vec<_> = (0..TIMED).map(|_| gates.pass(0)).collect();
        let timed = passes.iter_mut().find(|passed| matches!(passed, Passed::Timed(_)));
        // This thread may be stopped for longer than a call may queue: so it has not begun yet.
        SINCE.set(Some(Instant::now() + Duration::from_secs(3600)));
        timed.expect("one of so many").has_locked();
        thread::sleep(2 * QUEUED);
        drop(passes);
        assert!(!matches!(gates.pass(0), Passed::Guarded(_)));
    }

    #[test]
    fn who_is_inside_passes_every_gate() {
        let gates = guarded();
        let inside = gates.pass(0);
        assert!(matches!(inside, Passed::Guarded(_)));
        assert!(matches!(gates.pass(0), Passed::Open));
        drop(inside);
        assert!(matches!(gates.pass(0), Passed::Guarded(_)));
    }

    #[test]
    fn one_at_a_time_passes_a_guarded_gate_also_after_a_panic() {
        let gates = guarded();
        let inside = AtomicBool::new(false);
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for call in 0..100_000 {
                        let outcome = catch_unwind(AssertUnwindSafe(|| {
                            let _passed = gates.pass(0);
                            assert!(!inside.swap(true, Ordering::SeqCst), "two were inside");
                            if call % 7 == 0 {
                                thread::yield_now();
                            }
                            inside.store(false, Ordering::SeqCst);
                            // Not one that is told of.
                            if call % 10_000 == 0 {
                                std::panic::resume_unwind(Box::new(()));
                            }
                        }));
                        assert_eq!(outcome.is_err(), call % 10_000 == 0);
                    }
                });
            }
        });
    }

    #[test]
    fn a_gate_that_is_always_found_free_is_opened_and_one_that_is_waited_at_is_not() {
        let gates = guarded();
        for _ in 0..QUIET / 2 {
            assert!(matches!(gates.pass(0), Passed::Guarded(_)));
        }
        let inside = gates.pass(0);
        thread::scope(|threads| {
            let waiting = threads.spawn(|| matches!(gates.pass(0), Passed::Guarded(_)));
            thread::sleep(Duration::from_millis(20));
            drop(inside);
            assert!(waiting.join().unwrap());
        });
        let passes = (0..2 * QUIET).take_while(|_| matches!(gates.pass(0), Passed::Guarded(_)));
        assert_eq!(passes.count(), QUIET as usize);
    }
}
