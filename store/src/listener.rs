//! The removal listener: who is told of every pair that leaves, once, in order, outside every lock.
//!
//! Order and "outside every lock" pull apart: two threads that removed values of one key may reach
//! the listener the other way round. So each removal takes its place in its key's line while its
//! bucket is locked, and is told once the lock is gone and all before it have been told. A thread
//! waits for that, unless it is in a listener itself: there it tells what stands before its own
//! instead of waiting for whoever was to, and tells its own although somebody else is about to tell what stood
//! before it, because two listeners that waited for each other would do so for ever.

use crate::planted::{Bug, planted};
use crate::sync::{Arc, AtomicUsize, Leaf, Monitor, Ordering, Tally, thread};
use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why a pair left the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RemovalCause {
    /// Its deadline passed.
    Expired,
    /// It had to go to keep the bound, or was too heavy for it alone.
    Evicted,
    /// `delete`, `retain` or `compute` removed it.
    Deleted,
    /// Another value was stored under its key.
    Replaced,
    /// `purge` removed it.
    Purged,
}

/// The user's function, or one that hands it a pair's parts.
pub(crate) type Listener<S, V> = Box<dyn Fn(&S, &V, RemovalCause) + Send + Sync>;

/// The listener, and the order of what it is to be told.
pub(crate) struct Notifier<S, V> {
    listener: Listener<S, V>,
    stripes: Box<[Monitor<Stripe<S, V>>]>,
    panics: Tally,
}

/// Removals of some keys, by the hash: a purge places millions, among which nobody is to search for his own.
struct Stripe<S, V>(HashMap<u64, Line<S, V>, foldhash::fast::FixedState>);

/// The removals of one key, in their order.
struct Line<S, V> {
    /// Most often the only one.
    first: Option<Arc<Notice<S, V>>>,
    others: VecDeque<Arc<Notice<S, V>>>,
    /// How many are out of the line and being told.
    telling: usize,
}

/// One removal.
pub(crate) struct Notice<S, V> {
    hash: u64,
    cause: RemovalCause,
    stripe: usize,
    /// One of the stages below; it changes while the stripe is held, so that no wait misses it.
    stage: AtomicUsize,
    /// There once it is ready, but for the time that it is being told.
    pair: Leaf<Option<(S, V)>>,
}

/// Its place in the queue is taken, but the pair is on its way out of the map still.
const PLACED: usize = 0;
const READY: usize = 1;
/// Out of the queue; somebody tells it.
const TAKEN: usize = 2;
const TOLD: usize = 3;

/// A pair that has left the map.
pub(crate) enum Parting<S, V> {
    /// Nobody is to be told.
    Silent(S, V),
    Noticed(Arc<Notice<S, V>>),
}

impl<S, V> Parting<S, V> {
    /// The pair, out of the map by now; `notice` is its place, if anybody is to be told.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "a pair that was handed on through memory stalls")]
    pub(crate) fn new(
        notifier: Option<&Notifier<S, V>>,
        notice: Option<Arc<Notice<S, V>>>,
        (slot, value): (S, V),
    ) -> Self {
        match (notifier, notice) {
            (Some(notifier), Some(notice)) => {
                notifier.ready(&notice, (slot, value));
                Self::Noticed(notice)
            }
            _ => Self::Silent(slot, value),
        }
    }

    /// The pair, once the listener has been told. No lock may be held.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub(crate) fn told(self, notifier: Option<&Notifier<S, V>>) -> Option<(S, V)> {
        match self {
            Self::Silent(slot, value) => Some((slot, value)),
            Self::Noticed(notice) => notifier?.tell(&notice),
        }
    }
}

const STRIPES: usize = if cfg!(any(checker = "loom", checker = "shuttle")) { 1 } else { 64 };

impl<S, V> Notifier<S, V> {
    pub(crate) fn new(listener: Listener<S, V>) -> Self {
        let stripe = |_| Monitor::new(Stripe(HashMap::default()));
        Self { listener, stripes: (0..STRIPES).map(stripe).collect(), panics: Tally::new(0) }
    }

    /// Takes the next place for a removal of the key with `hash`, whose bucket is locked.
    #[inline(never)]
    pub(crate) fn place(&self, hash: u64, cause: RemovalCause) -> Arc<Notice<S, V>> {
        let stripe = (hash >> 26) as usize % self.stripes.len();
        let stage = AtomicUsize::new(PLACED);
        let notice = Arc::new(Notice { hash, cause, stripe, stage, pair: Leaf::new(None) });
        self.stripes[stripe].with(|stripe| stripe.place(Arc::clone(&notice)));
        notice
    }

    /// Adds the pair, which is out of the map.
    #[inline(never)]
    fn ready(&self, notice: &Notice<S, V>, pair: (S, V)) {
        notice.pair.with(|place| *place = Some(pair));
        self.stripes[notice.stripe].change(|_| notice.set_stage(READY));
    }

    /// Returns the pair once the listener has been told of it, and of all before it.
    ///
    /// No lock may be held, and the notice must be ready.
    #[inline(never)]
    fn tell(&self, own: &Arc<Notice<S, V>>) -> Option<(S, V)> {
        let stripe = &self.stripes[own.stripe];
        let within = thread::is_listener();
        while let Some(notice) = stripe.wait_for(|stripe| stripe.next(own, within)) {
            self.tell_one(&notice);
            stripe.change(|stripe| stripe.has_told(&notice));
        }
        own.pair.with(Option::take)
    }

    /// Panics of the listener that were caught.
    pub(crate) fn panics(&self) -> u64 {
        // ORDERING: Relaxed; a count orders nothing.
        self.panics.load(Ordering::Relaxed)
    }

    fn tell_one(&self, notice: &Notice<S, V>) {
        // Whoever took the notice out of the queue is alone with its pair.
        let Some((slot, value)) = notice.pair.with(Option::take) else { return };
        let told = AssertUnwindSafe(|| {
            (self.listener)(&slot, &value, notice.cause);
            if planted(Bug::ListenerToldTwice) && notice.cause == RemovalCause::Replaced {
                (self.listener)(&slot, &value, notice.cause);
            }
        });
        if let Err(panic) = thread::as_listener(|| catch_unwind(told)) {
            // What it carries may panic when it is dropped.
            forget(panic);
            // ORDERING: Relaxed, as in `panics`.
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
        notice.pair.with(|place| *place = Some((slot, value)));
    }
}

/// What to do next: `Some(Some)` to tell, `Some(None)` when `own` has been told, `None` to wait.
type Next<S, V> = Option<Option<Arc<Notice<S, V>>>>;

impl<S, V> Stripe<S, V> {
    fn place(&mut self, notice: Arc<Notice<S, V>>) {
        let new = || Line { first: None, others: VecDeque::new(), telling: 0 };
        let line = self.0.entry(notice.hash).or_insert_with(new);
        match line.first {
            None => line.first = Some(notice),
            Some(_) => line.others.push_back(notice),
        }
    }

    /// The first of the key's notices, unless it is on its way still or, for a thread in no
    /// listener, another of the key is being told: a key's calls do not overlap.
    ///
    /// Other keys' notices are their removers': told from here, listeners that remove would nest
    /// as deep as the queue is long.
    fn next(&mut self, own: &Arc<Notice<S, V>>, within: bool) -> Next<S, V> {
        match own.stage() {
            TOLD => return Some(None),
            TAKEN => return None,
            _ => {}
        }
        let line = self.0.get_mut(&own.hash)?;
        let told_now = line.telling > 0 && !planted(Bug::ListenerOutOfOrder);
        if told_now && !within {
            return None;
        }
        let notice = line.first.take_if(|first| first.stage() != PLACED)?;
        line.first = line.others.pop_front();
        line.telling += 1;
        notice.set_stage(TAKEN);
        Some(Some(notice))
    }

    fn has_told(&mut self, notice: &Notice<S, V>) {
        notice.set_stage(TOLD);
        let Entry::Occupied(mut line) = self.0.entry(notice.hash) else { return };
        line.get_mut().telling -= 1;
        if line.get().telling == 0 && line.get().first.is_none() {
            line.remove();
            // After a purge it would hold memory for as many again.
            if self.0.is_empty() && self.0.capacity() > 1_024 {
                self.0 = HashMap::default();
            }
        }
    }
}

impl<S, V> Notice<S, V> {
    fn stage(&self) -> usize {
        // ORDERING: Relaxed; the stripe's lock orders it.
        self.stage.load(Ordering::Relaxed)
    }

    fn set_stage(&self, stage: usize) {
        // ORDERING: Relaxed, as in `stage`.
        self.stage.store(stage, Ordering::Relaxed);
    }
}
