//! The facade over threads, locks and atomics: the only file that names `std::sync`, `loom` or
//! `shuttle`, so that one store runs on real threads and under both model checkers.
//!
//! | | real | `checker="loom"` | `checker="shuttle"` |
//! |---|---|---|---|
//! | atomics | std | loom: every interleaving and allowed reordering | std: no scheduling point |
//! | [`Leaf`] | mutex | loom mutex | mutex; a scheduling point before it, none while it is held |
//! | [`atomic_step`] | nothing | nothing | one scheduling point before, none inside |
//! | [`Monitor`] | mutex, condition variable | yields, then looks | yields, then looks |
//! | [`StopSignal`] | condition variable | yields, then looks | yields, then looks |
//!
//! What it cannot see. Under shuttle the map's own locks are real ones, unknown to the scheduler,
//! so each call into the map is one indivisible step: shuttle checks *our* protocol, and takes
//! the map's calls as atomic. Under loom the map's epoch guard issues a `SeqCst` fence, which hides
//! an ordering of ours that is too weak when it stands beside a call into the map.

#[cfg(not(checker = "loom"))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize},
};

#[cfg(checker = "loom")]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize},
};

/// For what is guessed about the real map.
#[cfg(all(not(table = "stand_in"), checker = "loom"))]
pub(crate) use loom::sync::atomic::{AtomicU16, AtomicU32};
#[cfg(all(not(table = "stand_in"), not(checker = "loom")))]
pub(crate) use std::sync::atomic::{AtomicU16, AtomicU32};

/// For the stand-in map of the models.
#[cfg(all(table = "stand_in", checker = "loom"))]
pub(crate) use loom::sync::{RwLock, RwLockWriteGuard};
#[cfg(all(table = "stand_in", not(checker = "loom")))]
pub(crate) use std::sync::{RwLock, RwLockWriteGuard};

/// A counter on which no decision depends: never loom's, which would try every order of additions
/// that commute.
pub(crate) type Tally = std::sync::atomic::AtomicU64;

/// Whether a checker explores this build. What only saves time is left out then: it would be one more thing to
/// explore, and changes nothing that models see.
pub(crate) const MODELLED: bool = cfg!(any(checker = "loom", checker = "shuttle"));

pub(crate) use std::sync::LazyLock;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(test)]
pub(crate) mod model;

/// A lock under which nothing else is locked, nothing yields and no user code runs.
///
/// It is the last lock of every lock order, which is why its holder needs no thought about
/// deadlock, and why a poisoned one is simply entered: only a bug of ours could have poisoned it.
pub(crate) struct Leaf<T>(mutex::Mutex<T>);

impl<T> Leaf<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(mutex::Mutex::new(value))
    }

    /// Runs `f` on the value, alone.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        atomic_step(|| {
            let mut value = self.0.lock().unwrap_or_else(mutex::PoisonError::into_inner);
            f(&mut value)
        })
    }
}

mod mutex {
    #[cfg(checker = "loom")]
    pub(super) use loom::sync::Mutex;
    #[cfg(not(checker = "loom"))]
    pub(super) use std::sync::Mutex;
    pub(super) use std::sync::PoisonError;
}

/// A [`Leaf`] whose holder can tell waiting threads that something has changed.
pub(crate) struct Monitor<T> {
    value: Leaf<T>,
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    changed: std::sync::Condvar,
    /// Who waits; changed while the value is held.
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    waiting: AtomicUsize,
}

impl<T> Monitor<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: Leaf::new(value),
            #[cfg(not(any(checker = "loom", checker = "shuttle")))]
            changed: std::sync::Condvar::new(),
            #[cfg(not(any(checker = "loom", checker = "shuttle")))]
            waiting: AtomicUsize::new(0),
        }
    }

    /// Runs `f` on the value, alone.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        self.value.with(f)
    }

    /// The same, and lets all that wait look again.
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        #[cfg(not(any(checker = "loom", checker = "shuttle")))]
        {
            // ORDERING: Relaxed, here and in `wait_for`; it changes under the lock.
            let waiting = |waiting: &AtomicUsize| waiting.load(Ordering::Relaxed) > 0;
            let (result, waiting) = self.value.with(|value| (f(value), waiting(&self.waiting)));
            if waiting {
                self.changed.notify_all();
            }
            result
        }
        #[cfg(any(checker = "loom", checker = "shuttle"))]
        self.value.with(f)
    }

    /// The same, if `f` says that somebody may wait for what it changed.
    pub(crate) fn change_if(&self, f: impl FnOnce(&mut T) -> bool) {
        if self.value.with(f) {
            #[cfg(not(any(checker = "loom", checker = "shuttle")))]
            self.changed.notify_all();
        }
    }

    /// Waits until `f` finds what it looks for. No lock may be held.
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    pub(crate) fn wait_for<R>(&self, mut f: impl FnMut(&mut T) -> Option<R>) -> R {
        let mut value = self.value.0.lock().unwrap_or_else(mutex::PoisonError::into_inner);
        loop {
            if let Some(found) = f(&mut value) {
                return found;
            }
            // ORDERING: Relaxed, as in `change`.
            self.waiting.fetch_add(1, Ordering::Relaxed);
            value = self.changed.wait(value).unwrap_or_else(mutex::PoisonError::into_inner);
            // ORDERING: Relaxed, as in `change`.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Waits until `f` finds what it looks for, letting the other model threads run meanwhile.
    #[cfg(any(checker = "loom", checker = "shuttle"))]
    pub(crate) fn wait_for<R>(&self, mut f: impl FnMut(&mut T) -> Option<R>) -> R {
        loop {
            if let Some(found) = self.value.with(&mut f) {
                return found;
            }
            thread::pause();
        }
    }
}

/// Runs one call into the map, or one hold of a [`Leaf`], as one step of the model.
///
/// Steps nest (a leaf is taken inside a bucket's lock); only the outermost is a scheduling point,
/// because a thread that yields while it holds a lock the scheduler cannot see hangs the process.
#[cfg(not(checker = "shuttle"))]
#[inline(always)]
#[expect(clippy::inline_always, reason = "nothing but a call of its argument")]
pub(crate) fn atomic_step<R>(f: impl FnOnce() -> R) -> R {
    f()
}

#[cfg(checker = "shuttle")]
pub(crate) use steps::atomic_step;

#[cfg(checker = "shuttle")]
mod steps {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        /// How many steps are open. Every model thread runs on one thread of the system, and none
        /// is switched away from inside a step, so the count is that of the running model thread.
        static DEPTH: Cell<usize> = const { Cell::new(0) };
    }

    struct Open;

    impl Drop for Open {
        fn drop(&mut self) {
            DEPTH.set(DEPTH.get() - 1);
        }
    }

    pub(crate) fn atomic_step<R>(f: impl FnOnce() -> R) -> R {
        if DEPTH.get() == 0 {
            // Not `yield_now`: it lowers the thread's priority, and PCT then misses bugs.
            shuttle::thread::sleep(Duration::ZERO);
            assert_eq!(DEPTH.get(), 0, "a step was left open across a scheduling point");
        }
        DEPTH.set(DEPTH.get() + 1);
        let _open = Open;
        f()
    }
}

/// Tells one waiting thread to stop.
#[cfg(not(any(checker = "loom", checker = "shuttle")))]
pub(crate) struct StopSignal {
    raised: std::sync::Mutex<bool>,
    changed: std::sync::Condvar,
}

#[cfg(not(any(checker = "loom", checker = "shuttle")))]
impl StopSignal {
    pub(crate) fn new() -> Self {
        Self { raised: std::sync::Mutex::new(false), changed: std::sync::Condvar::new() }
    }

    /// Waits for the signal, at most for `timeout`. Returns whether it was raised.
    pub(crate) fn wait(&self, timeout: std::time::Duration) -> bool {
        let raised = self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.changed.wait_timeout_while(raised, timeout, |raised| !*raised) {
            Ok((raised, _)) => *raised,
            Err(poisoned) => *poisoned.into_inner().0,
        }
    }

    /// Whether the signal was raised.
    pub(crate) fn is_raised(&self) -> bool {
        *self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Raises the signal, for good.
    pub(crate) fn raise(&self) {
        *self.raised.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// The model's signal: a wait may end at any moment, as a timeout may.
#[cfg(any(checker = "loom", checker = "shuttle"))]
pub(crate) struct StopSignal(Leaf<ModelSignal>);

#[cfg(any(checker = "loom", checker = "shuttle"))]
struct ModelSignal {
    raised: bool,
    waits: u32,
}

#[cfg(any(checker = "loom", checker = "shuttle"))]
impl StopSignal {
    pub(crate) fn new() -> Self {
        Self(Leaf::new(ModelSignal { raised: false, waits: 0 }))
    }

    /// The first waits end at once; later ones let the others run first, as a model thread that
    /// never did would be explored for ever, and one that always did would meet nobody.
    pub(crate) fn wait(&self, _timeout: std::time::Duration) -> bool {
        let waits = self.0.with(|signal| {
            signal.waits += 1;
            signal.waits
        });
        if waits > 2 {
            thread::pause();
        }
        self.is_raised()
    }

    pub(crate) fn is_raised(&self) -> bool {
        self.0.with(|signal| signal.raised)
    }

    pub(crate) fn raise(&self) {
        self.0.with(|signal| signal.raised = true);
    }
}

pub(crate) mod gates;
pub(crate) mod seats;

/// Threads, as the checker in force provides them.
pub(crate) mod thread {
    use std::cell::Cell;

    #[cfg(checker = "loom")]
    use loom::thread_local;
    #[cfg(checker = "shuttle")]
    use shuttle::thread_local;
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    use std::thread_local;

    thread_local! {
        /// How many removal listeners the thread is in, one inside the other.
        #[cfg_attr(
            not(any(checker = "loom", checker = "shuttle")),
            expect(clippy::missing_const_for_thread_local, reason = "loom's macro has no such form")
        )]
        static LISTENERS: Cell<usize> = Cell::new(0);
    }

    /// Runs `f` as a removal listener.
    pub(crate) fn as_listener<R>(f: impl FnOnce() -> R) -> R {
        LISTENERS.with(|depth| depth.set(depth.get() + 1));
        let result = f();
        LISTENERS.with(|depth| depth.set(depth.get() - 1));
        result
    }

    /// Whether the thread is in a removal listener.
    pub(crate) fn is_listener() -> bool {
        LISTENERS.with(Cell::get) > 0
    }

    #[cfg(checker = "loom")]
    use loom::thread::Builder;
    #[cfg(all(test, checker = "loom"))]
    pub(crate) use loom::thread::spawn;
    #[cfg(checker = "loom")]
    pub(crate) use loom::thread::{JoinHandle, ThreadId, current};
    #[cfg(checker = "shuttle")]
    use shuttle::thread::Builder;
    #[cfg(all(test, checker = "shuttle"))]
    pub(crate) use shuttle::thread::spawn;
    #[cfg(checker = "shuttle")]
    pub(crate) use shuttle::thread::{JoinHandle, ThreadId, current};
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    use std::thread::Builder;
    #[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
    pub(crate) use std::thread::spawn;
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    pub(crate) use std::thread::{JoinHandle, ThreadId, current};

    /// Starts a thread that runs `f`; returns once it is at it, having asked for memory once.
    ///
    /// An allocator may set a region aside for a new thread, at a moment nobody foresees: here it is
    /// not while the caller reckons with where memory will be given out next, as the table does.
    #[cfg(not(any(checker = "loom", checker = "shuttle")))]
    pub(crate) fn start(
        name: &str,
        f: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (begins, begun) = std::sync::mpsc::channel::<()>();
        let thread = Builder::new().name(name.to_owned()).spawn(move || {
            drop(std::hint::black_box(Box::new(0_u8)));
            drop(begins);
            f();
        })?;
        // An error, once the other end is gone: also if the thread is.
        let _ = begun.recv();
        Ok(thread)
    }

    /// The same in a model, where there is nothing to wait for.
    #[cfg(any(checker = "loom", checker = "shuttle"))]
    pub(crate) fn start(
        name: &str,
        f: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        Builder::new().name(name.to_owned()).spawn(f)
    }

    /// Lets the other model threads run: without it a waiting loop would be explored for ever.
    #[cfg(any(checker = "loom", checker = "shuttle"))]
    pub(crate) fn pause() {
        #[cfg(checker = "loom")]
        loom::thread::yield_now();
        #[cfg(checker = "shuttle")]
        shuttle::thread::yield_now();
    }
}
