//! Single flight: of all who miss a key, one loads it and the others wait. Knows hashes and
//! threads; no map, no key, no value.
//!
//! Those who waited look in the store again; only if nothing is there does one of them load. So
//! keys whose hashes collide merely wait for each other, and a load that failed, panicked or was
//! overtaken by a write leaves the next one free to begin.

use crate::planted::{Bug, planted};
use crate::sync::{AtomicUsize, Monitor, Ordering, thread};

/// The loads in progress.
pub(crate) struct Flights {
    air: Monitor<Air>,
    /// How many there are, so that writers need no lock to see that there are none.
    count: AtomicUsize,
}

struct Air {
    flights: Vec<Flight>,
    /// Which flight each waiting thread waits for.
    waiting: Vec<(thread::ThreadId, u64)>,
    /// Flights ever begun.
    begun: u64,
}

struct Flight {
    number: u64,
    hash: u64,
    leader: thread::ThreadId,
    /// Whether the key was written since the load began: its result is then out of date.
    overtaken: bool,
}

/// What became of the wish to load.
pub(crate) enum Claim<'f> {
    /// The load is the caller's, until this is dropped.
    Mine(Lead<'f>),
    /// Somebody else's load has ended: look again.
    Waited,
    /// Waiting might never end: the load in progress waits for the caller, or the caller is a
    /// removal listener. It must load alone.
    Circular,
}

/// A load in progress; dropping it, also by a panic, ends it and wakes those who wait.
pub(crate) struct Lead<'f> {
    flights: &'f Flights,
    number: u64,
}

impl Flights {
    pub(crate) fn new() -> Self {
        let air = Air { flights: Vec::new(), waiting: Vec::new(), begun: 0 };
        Self { air: Monitor::new(air), count: AtomicUsize::new(0) }
    }

    /// Begins to load the key with `hash`, or waits for the load of it that is in progress.
    pub(crate) fn claim(&self, hash: u64) -> Claim<'_> {
        let me = thread::current().id();
        let found = self.air.with(|air| {
            let same = |flight: &&Flight| flight.hash == hash && !planted(Bug::EveryMissLoads);
            let Some(flight) = air.flights.iter().find(same) else {
                return Ok(air.begin(hash, me));
            };
            let awaited = flight.number;
            // A listener must not wait for a loader, who may wait for what the listener is told.
            if air.waits_for(awaited, me) || thread::is_listener() {
                return Err(None);
            }
            air.waiting.push((me, awaited));
            Err(Some(awaited))
        });
        match found {
            Ok(number) => {
                self.count.fetch_add(1, Ordering::SeqCst);
                Claim::Mine(Lead { flights: self, number })
            }
            Err(None) => Claim::Circular,
            Err(Some(awaited)) => {
                self.air.wait_for(|air| {
                    let over = air.flight(awaited).is_none();
                    over.then(|| air.waiting.retain(|&waiting| waiting != (me, awaited)))
                });
                Claim::Waited
            }
        }
    }

    /// Notes that the key with `hash` is written: no load of it that has begun is up to date.
    ///
    /// To be called under the key's bucket lock, or before it is taken.
    #[inline]
    pub(crate) fn overtake(&self, hash: u64) {
        if self.count.load(Ordering::SeqCst) > 0 && !planted(Bug::StaleLoadStored) {
            self.overtake_if(|flight| flight.hash == hash);
        }
    }

    /// The same for every key.
    pub(crate) fn overtake_all(&self) {
        if self.count.load(Ordering::SeqCst) > 0 {
            self.overtake_if(|_| true);
        }
    }

    #[cold]
    fn overtake_if(&self, concerns: impl Fn(&Flight) -> bool) {
        self.air.with(|air| {
            let flights = air.flights.iter_mut().filter(|flight| concerns(flight));
            flights.for_each(|flight| flight.overtaken = true);
        });
    }
}

impl Air {
    fn begin(&mut self, hash: u64, leader: thread::ThreadId) -> u64 {
        self.begun += 1;
        let number = self.begun;
        self.flights.push(Flight { number, hash, leader, overtaken: false });
        number
    }

    fn flight(&self, number: u64) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.number == number)
    }

    /// Whether the end of a flight depends on `thread`: who leads it may wait for another, whose
    /// leader waits for one that `thread` leads.
    fn waits_for(&self, number: u64, thread: thread::ThreadId) -> bool {
        let mut awaited = Some(number);
        // Nobody could have begun to wait in a circle, so this ends.
        while let Some(flight) = awaited.and_then(|number| self.flight(number)) {
            if flight.leader == thread {
                return true;
            }
            let waits = self.waiting.iter().find(|(waiting, _)| *waiting == flight.leader);
            awaited = waits.map(|&(_, number)| number);
        }
        false
    }
}

impl Lead<'_> {
    /// Whether the key was written since the load began. To be called under its bucket's lock.
    pub(crate) fn is_overtaken(&self) -> bool {
        self.flights.air.with(|air| air.flight(self.number).is_some_and(|flight| flight.overtaken))
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.flights.count.fetch_sub(1, Ordering::SeqCst);
        self.flights.air.change_if(|air| {
            air.flights.retain(|flight| flight.number != self.number);
            air.waiting.iter().any(|&(_, number)| number == self.number)
        });
    }
}
