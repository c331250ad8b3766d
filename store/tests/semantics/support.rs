//! What the tests share: stores in virtual time, a watchdog, and values that act when dropped.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Barrier;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;
use store::{Builder, ManualClock, Store, Sweeper, Ttl};

/// So long that only a deadlock takes it; nothing asserts that anything is faster.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);

pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) const fn after(n: u64) -> Ttl {
    Ttl::After(ms(n))
}

/// A builder of stores that nobody sweeps, and the clock that they show.
pub(crate) fn unswept<K, V>() -> (ManualClock, Builder<K, V>)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let clock = ManualClock::new();
    let builder = Store::builder().clock(clock.clone()).sweeper(Sweeper::Manual);
    (clock, builder)
}

/// A store in virtual time that nobody sweeps and that knows no default TTL.
pub(crate) fn manual<K, V>() -> (ManualClock, Store<K, V>)
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    let (clock, builder) = unswept();
    (clock, builder.build().expect("a plain store can be built"))
}

/// Runs `f` on a thread of its own, and fails rather than hang if it does not come back.
pub(crate) fn must_return<R: Send + 'static>(
    what: &str,
    f: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (done, outcome) = mpsc::channel();
    let worker = thread::spawn(move || {
        let _ = done.send(f());
    });
    match outcome.recv_timeout(WATCHDOG) {
        Ok(result) => {
            worker.join().expect("the worker has nothing left to do");
            result
        }
        Err(RecvTimeoutError::Timeout) => panic!("{what}: a deadlock, as it seems"),
        Err(RecvTimeoutError::Disconnected) => {
            resume_unwind(worker.join().expect_err("it sent nothing, so it panicked"))
        }
    }
}

/// Runs `body` on `threads` threads that start together; each is told its number.
pub(crate) fn together(threads: u64, body: impl Fn(u64) + Send + Sync + 'static) {
    must_return("the threads", move || {
        let start = Barrier::new(usize::try_from(threads).expect("a few"));
        thread::scope(|scope| {
            for number in 0..threads {
                let (start, body) = (&start, &body);
                scope.spawn(move || {
                    start.wait();
                    body(number);
                });
            }
        });
    });
}

/// Lets other threads work until `condition` holds.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool + Send + 'static) {
    must_return(what, move || {
        while !condition() {
            thread::yield_now();
        }
    });
}

/// Unwinds as a panic does, without the message that would clutter the output of a passing test.
pub(crate) fn unwind() -> ! {
    resume_unwind(Box::new("a panic on purpose"))
}

/// Whether `f` panicked.
pub(crate) fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// A value that does something when it is dropped.
pub(crate) struct OnDrop(Option<Box<dyn FnOnce() + Send + Sync>>);

impl OnDrop {
    pub(crate) fn run(action: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(action)))
    }

    /// One that does nothing.
    pub(crate) const fn quiet() -> Self {
        Self(None)
    }
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

/// Drops what a call returned, where only what it did is looked at.
pub(crate) fn ignore<T>(_returned: T) {}

/// Numbers without end, each thread's own; by xorshift: any spread will do.
pub(crate) fn random_numbers(thread: u64) -> impl Iterator<Item = u64> {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(thread + 1);
    std::iter::repeat_with(move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    })
}
