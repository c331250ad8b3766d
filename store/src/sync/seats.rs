//! Seats: small numbers of which most belong to one living thread each, so that what is kept under
//! one is written by nobody else meanwhile, and needs no locked instruction.

use super::MODELLED;

/// Seats that belong to one thread at a time; none in a model, whose threads all run on one of the
/// system's.
pub(crate) const OWN: usize = if MODELLED { 0 } else { 64 };

/// All seats: the last are for threads beyond those, which share them. One in a model: what is
/// counted there is then as hard to get right as it can be.
pub(crate) const ALL: usize = OWN + if MODELLED { 1 } else { 8 };

/// The seat that is the calling thread's own while it lives, below [`OWN`], if it has one.
#[inline]
pub(crate) fn own() -> Option<usize> {
    if MODELLED { None } else { mine::own() }
}

/// The calling thread's seat, below [`ALL`]: its own, if it has one.
pub(crate) fn any() -> usize {
    if MODELLED { 0 } else { mine::any() }
}

mod mine {
    use super::{ALL, OWN};
    use std::cell::Cell;
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// A bit for each seat that has an owner.
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    /// Gives shared seats out in turn.
    static NEXT: AtomicUsize = AtomicUsize::new(0);

    /// The thread has not asked for a seat yet.
    const UNKNOWN: usize = usize::MAX;

    std::thread_local! {
        /// In a cell that is there to the thread's end.
        static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
        /// Gives the seat back when the thread ends.
        static TENANCY: Tenancy = Tenancy::begin();
    }

    struct Tenancy(Option<usize>);

    impl Tenancy {
        fn begin() -> Self {
            let first_free = |taken: u64| taken.trailing_ones() as usize;
            let take = |taken| (first_free(taken) < OWN).then(|| taken | 1 << first_free(taken));
            // ORDERING: Acquire, for the Release in `drop`: who takes a seat sees all that was
            // written under it. Relaxed where there is none.
            let taken = TAKEN.fetch_update(Ordering::Acquire, Ordering::Relaxed, take);
            Self(taken.ok().map(first_free))
        }
    }

    impl Drop for Tenancy {
        fn drop(&mut self) {
            // The thread's other destructors may come later.
            NUMBER.set(shared());
            if let Some(seat) = self.0 {
                // ORDERING: Release, for the Acquire in `begin`.
                TAKEN.fetch_and(!(1 << seat), Ordering::Release);
            }
        }
    }

    #[inline]
    pub(super) fn own() -> Option<usize> {
        let number = NUMBER.get();
        if number < OWN { Some(number) } else { own_if_first_asked() }
    }

    #[cold]
    fn own_if_first_asked() -> Option<usize> {
        Some(any()).filter(|&seat| seat < OWN)
    }

    pub(super) fn any() -> usize {
        let number = NUMBER.get();
        if number != UNKNOWN {
            return number;
        }
        let own = TENANCY.try_with(|tenancy| tenancy.0);
        NUMBER.set(own.ok().flatten().unwrap_or_else(shared));
        NUMBER.get()
    }

    fn shared() -> usize {
        // ORDERING: Relaxed; it only spreads load.
        OWN + NEXT.fetch_add(1, Ordering::Relaxed) % (ALL - OWN)
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::HashSet;
    use std::sync::mpsc::{Sender, channel};
    use std::sync::{Barrier, Mutex};

    #[test]
    fn no_two_threads_own_a_seat_at_a_time_and_all_are_given_back() {
        const THREADS: usize = OWN + 8;
        for _ in 0..3 {
            let (all_here, seen) = (Barrier::new(THREADS), Mutex::new(Vec::new()));
            std::thread::scope(|threads| {
                let seated = || {
                    let own = own();
                    let any = any();
                    assert!(own.is_none_or(|own| own == any));
                    seen.lock().unwrap().push(any);
                    all_here.wait();
                };
                let threads: Vec<_> = (0..THREADS).map(|_| threads.spawn(seated)).collect();
                // Joined one by one: the scope itself does not wait for a thread's destructors.
                for thread in threads {
                    thread.join().unwrap();
                }
            });
            let seen = seen.into_inner().unwrap();
            assert!(seen.iter().all(|&number| number < ALL));
            let owned: Vec<_> = seen.into_iter().filter(|&number| number < OWN).collect();
            assert_eq!(owned.iter().collect::<HashSet<_>>().len(), owned.len(), "{owned:?}");
            // Tests that run beside this one have some.
            assert!(owned.len() > OWN / 2, "seats were lost: {owned:?}");
        }
    }

    #[test]
    fn destructors_that_come_late_have_no_seat_of_their_own() {
        struct Late(Sender<usize>);
        impl Drop for Late {
            fn drop(&mut self) {
                self.0.send(any()).unwrap();
            }
        }
        std::thread_local! {
            static BEFORE: RefCell<Option<Late>> = const { RefCell::new(None) };
            static AFTER: RefCell<Option<Late>> = const { RefCell::new(None) };
        }
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            BEFORE.set(Some(Late(sender.clone())));
            assert!(own().is_some());
            AFTER.set(Some(Late(sender)));
        })
        .join()
        .unwrap();
        // In whichever order this system destroys them, one of them came after the seat.
        let numbers: Vec<usize> = receiver.iter().collect();
        assert_eq!(numbers.len(), 2);
        assert!(numbers.iter().any(|&number| number >= OWN), "{numbers:?}");
    }
}
