//! Calls whose closure decides on a pair, or changes it, under its bucket's lock.

use super::places::{Displaced, Newcomer};
use super::{Shared, Store, Ttl};
use crate::entry::{Keyed, Slot};
use crate::error::TtlError;
use crate::expiry::Lease;
use crate::listener::{Parting, RemovalCause};
use crate::removed::FirstPanic;
use crate::stats::Count;
use crate::table::{Occupied, Vacant};
use std::any::Any;
use std::borrow::Borrow;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// What a closure of [`Store::compute`] wants done with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compute<V> {
    /// Leave the key as it is: with its value, or absent.
    Keep,
    /// Store this value; the default TTL applies, as with [`Store::put`].
    Put(V),
    /// Store this value with this TTL, as with [`Store::put_with_ttl`]. `Ttl::Keep` leaves a live
    /// value's deadline as it is.
    PutWithTtl(V, Ttl),
    /// Remove the value, if there is one.
    Delete,
}

/// What the closure of a `compute` wants, weighed and with its TTL resolved.
enum Decision<V> {
    Keep,
    Delete,
    Put(Newcomer<V>),
    Unmet(Unmet<V>),
}

/// What cannot be done, and is to be dropped once nothing is held.
enum Unmet<V> {
    /// The TTL is bad.
    Refused(TtlError, V),
    /// The closure or the weigher panicked.
    Panicked(Box<dyn Any + Send>, Option<Compute<V>>),
}

/// What a `compute` did, or could not do; and a slot that is not needed, to drop later.
type Computed<'b, S, V> = (Result<Displaced<'b, S, V>, Unmet<V>>, Option<S>);

/// What an `update` returned, or the panic that it met, and the pair if it cannot stay any more.
type Updated<S, V, R> = (Result<R, Box<dyn Any + Send>>, Option<Parting<S, V>>);

impl<S: Slot, V> Shared<S, V> {
    /// Asks `f` what is to be done about the key in `slot`, and weighs what it wants stored.
    fn decide(
        &self,
        slot: &S,
        found: Option<(&V, Lease)>,
        f: impl FnOnce(Option<(&V, Lease)>) -> Compute<V>,
    ) -> Decision<V> {
        let mut wanted = None;
        let weighed = catch_unwind(AssertUnwindSafe(|| match wanted.insert(f(found)) {
            Compute::Put(value) | Compute::PutWithTtl(value, _) => self.weigh(slot, value),
            Compute::Keep | Compute::Delete => 0,
        }));
        let (value, ttl, weight) = match (weighed, wanted) {
            (Err(panic), wanted) => return Decision::Unmet(Unmet::Panicked(panic, wanted)),
            (Ok(_), None | Some(Compute::Keep)) => return Decision::Keep,
            (Ok(_), Some(Compute::Delete)) => return Decision::Delete,
            (Ok(weight), Some(Compute::Put(value))) => (value, Ttl::Default, weight),
            (Ok(weight), Some(Compute::PutWithTtl(value, ttl))) => (value, ttl, weight),
        };
        match self.resolve(ttl) {
            Ok(deadline) => Decision::Put(Newcomer { value, weight, deadline }),
            Err(error) => Decision::Unmet(Unmet::Refused(error, value)),
        }
    }

    /// Does with the pair in `entry` what `f` says; hands back a slot that is not needed.
    fn compute_occupied(
        &self,
        hash: u64,
        entry: Occupied<'_, S, V>,
        former_slot: S,
        f: impl FnOnce(Option<(&V, Lease)>) -> Compute<V>,
    ) -> Computed<'_, S, V> {
        let lease = entry.slot().word().lease();
        let expired = self.is_expired(lease);
        let found = (!expired).then(|| (entry.value(), lease));
        match self.decide(entry.slot(), found, f) {
            Decision::Keep if !expired => (Ok(Displaced::nothing()), Some(former_slot)),
            Decision::Keep | Decision::Delete => {
                self.flights.overtake(hash);
                (Ok(self.remove(hash, entry, expired)), Some(former_slot))
            }
            Decision::Put(newcomer) => {
                (Ok(self.replace(hash, entry, former_slot, expired, newcomer)), None)
            }
            Decision::Unmet(unmet) => (Err(unmet), Some(former_slot)),
        }
    }

    /// Does with the free place in `vacant` what `f` says; hands back a slot that found no place.
    fn compute_vacant(
        &self,
        hash: u64,
        vacant: Vacant<'_, S, V>,
        f: impl FnOnce(Option<(&V, Lease)>) -> Compute<V>,
    ) -> Computed<'_, S, V> {
        match self.decide(vacant.slot(), None, f) {
            Decision::Keep => (Ok(Displaced::nothing()), Some(vacant.into_slot())),
            Decision::Delete => {
                self.flights.overtake(hash);
                (Ok(Displaced::nothing()), Some(vacant.into_slot()))
            }
            Decision::Put(newcomer) => (Ok(self.insert(hash, vacant, newcomer)), None),
            Decision::Unmet(unmet) => (Err(unmet), Some(vacant.into_slot())),
        }
    }

    /// What remains of the TTL of a pair that was found alive a moment ago: if its deadline was
    /// reached since, the last instant before it.
    pub(super) fn ttl_of_live(&self, lease: Lease) -> Ttl {
        lease.deadline.map_or(Ttl::Never, |deadline| {
            Ttl::After(self.clock.remaining(deadline).unwrap_or(Duration::from_nanos(1)))
        })
    }

    /// Changes the live value in `entry`; returns what `f` returns, or the panic of `f` or of the
    /// weigher, and the pair if it has become too heavy to stay.
    fn update<R>(
        &self,
        hash: u64,
        mut entry: Occupied<'_, S, V>,
        f: impl FnOnce(&mut V) -> R,
    ) -> Updated<S, V, R> {
        self.note_use(hash, entry.slot());
        if self.weigher.is_none() {
            return (Ok(f(entry.value_mut())), None);
        }
        // Also what `f` leaves behind when it panics has a weight.
        let result = catch_unwind(AssertUnwindSafe(|| f(entry.value_mut())));
        let weigh = || self.weigh(entry.slot(), entry.value());
        let (weight, panic) = match catch_unwind(AssertUnwindSafe(weigh)) {
            Ok(weight) => (weight, None),
            Err(panic) => (0, Some(panic)),
        };
        let evicted = if self.is_too_heavy(weight) {
            self.counters.add(Count::Evict, 1);
            Some(self.take(hash, entry, RemovalCause::Evicted))
        } else {
            if panic.is_none() {
                self.reweigh(hash, entry.slot().word().lease().node, weight);
            }
            drop(entry);
            None
        };
        match panic {
            Some(panic) if result.is_ok() => (Err(panic), evicted),
            _ => (result, evicted),
        }
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// Changes the live value of `key` in place; returns what `f` returns. The TTL is kept.
    ///
    /// `f` runs under the bucket's exclusive lock: keep it short, and do not call the store in
    /// it. What it drops is dropped there, too: let it return a value whose `Drop` may call the
    /// store (`std::mem::replace`). If it panics, the value stays as `f` left it.
    /// Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// let visits = store::Store::<&str, u32>::new();
    /// visits.put("home", 41);
    /// assert_eq!(visits.update("home", |n| { *n += 1; *n }), Some(42));
    /// assert_eq!(visits.update("away", |n| *n), None);
    /// ```
    pub fn update<Q, R>(&self, key: &Q, f: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (shared, hash) = (&self.shared, self.shared.sought(key));
        let updated = shared.table.modify(shared.gates.pass(hash), hash, key, |entry| {
            if shared.is_expired(entry.slot().word().lease()) {
                return Err(shared.take_expired(hash, entry, Count::ExpiredLazily));
            }
            Ok(shared.update(hash, entry, f))
        })?;
        let (result, evicted) = shared.live(updated)?;
        let mut panics = FirstPanic::default();
        let result = result.map_err(|panic| panics.remember(panic)).ok();
        // Also what a panic leaves behind may be heavier than before.
        panics.catch(|| shared.settle(hash, Displaced::outgrown(evicted)));
        panics.resume();
        result
    }

    /// Decides on `key` in one atomic step: `f` is shown its live value, if any, and says what to
    /// do. Returns the live value that was replaced or removed.
    ///
    /// `f` runs under the bucket's exclusive lock: keep it short, and do not call the store in
    /// it. If it panics, nothing is changed. Whatever it says, the pair is left with the key passed
    /// here, which equals the one it had. Complexity: O(1).
    ///
    /// # Errors
    /// [`TtlError`] if `f` asks for a TTL that is zero or too long; nothing is changed then.
    ///
    /// # Examples
    /// Store only if absent, or only if present; compare and set; count, with a TTL that starts at the first count:
    /// ```
    /// use std::time::Duration;
    /// use store::{Compute, Store, Ttl};
    ///
    /// let store = Store::<&str, u32>::new();
    /// let absent_only = |found: Option<&u32>| match found {
    ///     None => Compute::Put(1),
    ///     Some(_) => Compute::Keep,
    /// };
    /// store.compute("a", absent_only)?;
    /// assert_eq!(store.compute("a", absent_only)?, None);
    ///
    /// let present_only = |found: Option<&u32>| match found {
    ///     Some(_) => Compute::PutWithTtl(2, Ttl::Keep),
    ///     None => Compute::Keep,
    /// };
    /// assert_eq!(store.compute("b", present_only)?, None);
    /// assert_eq!((store.get("a"), store.get("b")), (Some(1), None));
    ///
    /// let swapped = store.compute("a", |found| match found {
    ///     Some(1) => Compute::Put(5),
    ///     _ => Compute::Keep,
    /// })?;
    /// assert_eq!((swapped, store.get("a")), (Some(1), Some(5)));
    ///
    /// for _ in 0..3 {
    ///     store.compute("requests", |found| match found {
    ///         Some(n) => Compute::PutWithTtl(n + 1, Ttl::Keep),
    ///         None => Compute::PutWithTtl(1, Ttl::After(Duration::from_secs(60))),
    ///     })?;
    /// }
    /// assert_eq!(store.get("requests"), Some(3));
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn compute(
        &self,
        key: K,
        f: impl FnOnce(Option<&V>) -> Compute<V>,
    ) -> Result<Option<V>, TtlError> {
        self.compute_leased(key, |found| f(found.map(|(value, _)| value)))
    }

    /// The same for an `f` that is also shown what remains of the value's TTL, as
    /// [`ttl`](Store::ttl) tells it: to give a value another TTL only under a condition.
    ///
    /// # Errors
    /// As [`compute`](Store::compute).
    ///
    /// # Examples
    /// Extend a TTL, but never shorten it:
    /// ```
    /// use std::time::Duration;
    /// use store::{Compute, Store, Ttl};
    ///
    /// let store = Store::<&str, u32>::new();
    /// store.put_with_ttl("lock", 7, Ttl::After(Duration::from_secs(60)))?;
    /// let at_least = |seconds| {
    ///     let wanted = Duration::from_secs(seconds);
    ///     store.compute_with_ttl("lock", |found| match found {
    ///         Some((owner, Ttl::After(left))) if left < wanted => {
    ///             Compute::PutWithTtl(*owner, wanted.into())
    ///         }
    ///         _ => Compute::Keep,
    ///     })
    /// };
    /// assert_eq!(at_least(30)?, None);
    /// assert_eq!(at_least(90)?, Some(7));
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn compute_with_ttl(
        &self,
        key: K,
        f: impl FnOnce(Option<(&V, Ttl)>) -> Compute<V>,
    ) -> Result<Option<V>, TtlError> {
        let shared = &self.shared;
        self.compute_leased(key, |found| {
            f(found.map(|(value, lease)| (value, shared.ttl_of_live(lease))))
        })
    }

    /// What `compute` and `compute_with_ttl` share.
    fn compute_leased(
        &self,
        key: K,
        f: impl FnOnce(Option<(&V, Lease)>) -> Compute<V>,
    ) -> Result<Option<V>, TtlError> {
        let (shared, hash) = (&self.shared, self.shared.sought(&key));
        let (computed, _unused_key) = shared.table.with_place(
            shared.gates.pass(hash),
            Keyed::new(key),
            f,
            |f, entry, former_slot| shared.compute_occupied(hash, entry, former_slot, f),
            |f, vacant| shared.compute_vacant(hash, vacant, f),
        );
        match computed {
            Ok(displaced) => Ok(shared.settle(hash, displaced).map(|(_key, value)| value)),
            Err(Unmet::Refused(error, _value)) => Err(error),
            Err(Unmet::Panicked(panic, _wanted)) => resume_unwind(panic),
        }
    }
}
