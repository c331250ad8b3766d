//! Calls that change the pair of one key.

use super::places::Newcomer;
use super::{NewDeadline, Shared, Store, Ttl};
use crate::entry::{Keyed, Slot};
use crate::error::TtlError;
use crate::eviction::Bound;
use crate::expiry::Lease;
use crate::listener::Parting;
use crate::planted::{Bug, planted};
use crate::stats::Count;
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;

/// A pair that [`Store::try_put`] did not store, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<K, V> {
    /// The key passed.
    pub key: K,
    /// The value passed.
    pub value: V,
    /// Why they were not stored.
    pub reason: Refusal,
}

/// Why a pair was not stored. Nothing in the store was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The TTL is zero or too long.
    Ttl(TtlError),
    /// The pair alone weighs more than the store may hold.
    TooHeavy {
        /// What the weigher says.
        weight: u64,
        /// What the store may hold.
        max_weight: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ttl(error) => error.fmt(f),
            Self::TooHeavy { weight, max_weight } => write!(
                f,
                "the pair weighs {weight}, the store may hold {max_weight}: \
                 store less under one key or build with a larger `max_weight`"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// The live pair that was replaced; or the pair that was not stored, and why.
type Tried<S, V> = Result<Option<(S, V)>, (S, V, Refusal)>;

impl<S: Slot, V> Shared<S, V> {
    /// Stores a pair whose key is `sought`; returns the live one it replaced.
    ///
    /// Its slot is made where it is put: one that was handed on through memory, written in parts and
    /// read as a whole, would wait until all that was written before has reached the cache.
    #[inline]
    pub(super) fn put(
        &self,
        hash: u64,
        slot: impl FnOnce() -> S,
        value: V,
        ttl: Ttl,
    ) -> Result<Option<(S, V)>, TtlError> {
        let deadline = self.resolve(ttl)?;
        Ok(self.put_until(hash, slot, value, deadline))
    }

    /// The same, for as long as the default TTL says.
    #[inline]
    pub(super) fn put_by_default(
        &self,
        hash: u64,
        slot: impl FnOnce() -> S,
        value: V,
    ) -> Option<(S, V)> {
        let deadline = NewDeadline::At(self.default_deadline());
        self.put_until(hash, slot, value, deadline)
    }

    #[inline]
    fn put_until(
        &self,
        hash: u64,
        slot: impl FnOnce() -> S,
        value: V,
        deadline: NewDeadline,
    ) -> Option<(S, V)> {
        let slot = slot();
        let weight = self.weigh(&slot, &value);
        self.put_weighed(hash, slot, Newcomer { value, weight, deadline })
    }

    /// What is displaced is settled later, unless it is a live pair that nobody is to be told of: that
    /// is handed out as it is, since what goes through memory in between takes its time.
    #[inline]
    fn put_weighed(&self, hash: u64, slot: S, newcomer: Newcomer<V>) -> Option<(S, V)> {
        // Nobody is told of pairs, and all weigh the same: none goes because another is replaced.
        let plain = self.notifier.is_none() && self.weigher.is_none();
        let stands_in_queues = self.bound.is_some();
        let put = self.table.with_place(
            self.gates.pass(hash),
            slot,
            newcomer,
            |newcomer, entry, former_slot| {
                self.table.learn(hash, entry.slot());
                let lease = entry.slot().word().lease();
                let expired = self.is_expired(lease);
                if plain && !expired {
                    let former = self.replace_plain(hash, entry, lease, newcomer);
                    return Ok(Some((former_slot, former)));
                }
                Err(self.replace(hash, entry, former_slot, expired, newcomer))
            },
            |newcomer, vacant| {
                if plain && !stands_in_queues {
                    self.insert_plain(hash, vacant, newcomer, Lease::default());
                    return Ok(None);
                }
                Err(self.insert(hash, vacant, newcomer))
            },
        );
        let former = match put {
            Ok(former) => former,
            Err(displaced) => return self.settle(hash, displaced),
        };
        if self.is_over() {
            self.make_room(hash, None);
        }
        former
    }

    /// Stores a pair unless it can never stay or its TTL is bad: then it is handed back.
    pub(super) fn try_put(&self, slot: S, value: V, ttl: Ttl) -> Tried<S, V> {
        let hash = self.sought(slot.key());
        let weight = self.weigh(&slot, &value);
        let reason = match self.resolve(ttl) {
            Ok(deadline) if !self.is_too_heavy(weight) => {
                return Ok(self.put_weighed(hash, slot, Newcomer { value, weight, deadline }));
            }
            Ok(_) => {
                let max_weight = self.bound.as_deref().map_or(u64::MAX, Bound::max);
                Refusal::TooHeavy { weight, max_weight }
            }
            Err(error) => Refusal::Ttl(error),
        };
        Err((slot, value, reason))
    }

    /// Removes `key`; returns its live pair.
    #[inline]
    pub(super) fn delete<Q>(&self, key: &Q) -> Option<(S, V)>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.sought(key);
        // Before the look: a load that it does not see stored must see this.
        self.flights.overtake(hash);
        let displaced = self.table.modify(self.gates.pass(hash), hash, key, |entry| {
            let expired = self.is_expired(entry.slot().word().lease());
            self.remove(hash, entry, expired)
        })?;
        self.settle(hash, displaced)
    }

    /// Gives a live pair another deadline; returns whether there is one, and what it was.
    fn change_deadline<Q>(&self, hash: u64, key: &Q, deadline: NewDeadline) -> Option<Lease>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let changed = self.table.modify(self.gates.pass(hash), hash, key, |entry| {
            let lease = entry.slot().word().lease();
            if self.is_expired(lease) && !planted(Bug::ExpireRevives) {
                return Err(self.take_expired(hash, entry, Count::ExpiredLazily));
            }
            if let NewDeadline::At(deadline) = deadline {
                entry.slot().word().set_lease(self.expiry.lease(hash, lease, deadline));
            }
            Ok(lease)
        });
        self.live(changed?)
    }

    /// Gives a live pair another TTL; returns whether there is one.
    pub(super) fn expire<Q>(&self, key: &Q, ttl: Ttl) -> Result<bool, TtlError>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.sought(key);
        let deadline = self.resolve(ttl)?;
        Ok(self.change_deadline(hash, key, deadline).is_some())
    }

    /// Lets a live pair stay for ever; returns whether it had a TTL.
    pub(super) fn persist<Q>(&self, key: &Q) -> bool
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let before = self.change_deadline(self.sought(key), key, NewDeadline::At(None));
        before.is_some_and(|lease| lease.deadline.is_some())
    }

    /// What was found live; a dead pair is told of and dropped.
    pub(super) fn live<R>(&self, found: Result<R, Parting<S, V>>) -> Option<R> {
        match found {
            Ok(found) => Some(found),
            Err(dead) => {
                drop(self.told(dead));
                None
            }
        }
    }
}

impl<K: Hash + Eq, V> Store<K, V> {
    /// Stores `value` under `key`; returns the live value it replaced. The default TTL applies.
    ///
    /// Over an expired value this is an insertion and returns `None`. The pair takes the new key,
    /// which equals the one it had.
    /// Complexity: O(1) amortized; the table grows in steps that callers share.
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, &str>::new();
    /// assert_eq!(store.put(1, "a"), None);
    /// assert_eq!(store.put(1, "b"), Some("a"));
    /// ```
    #[inline]
    pub fn put(&self, key: K, value: V) -> Option<V> {
        let hash = self.shared.sought(&key);
        let former = self.shared.put_by_default(hash, || Keyed::new(key), value);
        former.map(|(_key, former)| former)
    }

    /// Stores `value` under `key` for as long as `ttl` says; returns the live value it replaced.
    ///
    /// # Errors
    /// [`TtlError`] if the TTL is zero or too long; nothing is changed then.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{Store, Ttl, TtlError};
    ///
    /// let store = Store::<u32, &str>::new();
    /// assert_eq!(store.put_with_ttl(1, "a", Ttl::After(Duration::from_secs(5)))?, None);
    /// assert_eq!(store.put_with_ttl(1, "b", Ttl::Keep)?, Some("a"));
    /// assert_eq!(store.put_with_ttl(1, "c", Duration::ZERO.into()), Err(TtlError::Zero));
    /// assert_eq!(store.get(&1), Some("b"));
    /// # Ok::<(), TtlError>(())
    /// ```
    #[inline]
    pub fn put_with_ttl(&self, key: K, value: V, ttl: Ttl) -> Result<Option<V>, TtlError> {
        let hash = self.shared.sought(&key);
        let former = self.shared.put(hash, || Keyed::new(key), value, ttl)?;
        Ok(former.map(|(_key, former)| former))
    }

    /// Stores `value` under `key` as [`put_with_ttl`](Store::put_with_ttl) does, or hands both back.
    ///
    /// For stores with weights: a pair heavier than `max_weight` alone is handed back, and nothing
    /// is changed, while `put` and `put_with_ttl` treat it as stored and evicted at once.
    ///
    /// # Errors
    /// [`Refused`] holds the pair and the reason.
    ///
    /// # Examples
    /// ```
    /// use store::{Refusal, Store, Ttl};
    ///
    /// let texts = Store::<u32, String>::builder()
    ///     .max_weight(10)
    ///     .weigher(|_, text| text.len() as u64)
    ///     .build()?;
    /// assert!(texts.try_put(1, "short".to_owned(), Ttl::Default).is_ok());
    /// let refused = texts.try_put(1, "a very long text".to_owned(), Ttl::Default).unwrap_err();
    /// assert_eq!(refused.reason, Refusal::TooHeavy { weight: 16, max_weight: 10 });
    /// assert_eq!(texts.get(&1).as_deref(), Some("short"));
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn try_put(&self, key: K, value: V, ttl: Ttl) -> Result<Option<V>, Box<Refused<K, V>>> {
        match self.shared.try_put(Keyed::new(key), value, ttl) {
            Ok(former) => Ok(former.map(|(_key, former)| former)),
            Err((slot, value, reason)) => Err(Box::new(Refused { key: slot.key, value, reason })),
        }
    }

    /// Removes `key`; returns its live value.
    ///
    /// Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// let store = store::Store::<u32, &str>::new();
    /// store.put(1, "a");
    /// assert_eq!(store.delete(&1), Some("a"));
    /// assert_eq!(store.delete(&1), None);
    /// ```
    #[inline]
    pub fn delete<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.delete(key).map(|(_key, value)| value)
    }

    /// Gives the live value of `key` another TTL, counted from now; returns whether there is one.
    /// `Ttl::Keep` changes nothing. An expired value is never revived.
    ///
    /// Complexity: O(1); extending a TTL does not touch the expiry index.
    ///
    /// # Errors
    /// [`TtlError`] if the TTL is zero or too long; nothing is changed then.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{Store, Ttl};
    ///
    /// let sessions = Store::<&str, u32>::new();
    /// sessions.put("alice", 1);
    /// assert!(sessions.expire("alice", Ttl::After(Duration::from_secs(1800)))?);
    /// assert!(!sessions.expire("bob", Ttl::After(Duration::from_secs(1800)))?);
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn expire<Q>(&self, key: &Q, ttl: Ttl) -> Result<bool, TtlError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.expire(key, ttl)
    }

    /// Lets the live value of `key` stay for ever; returns whether it had a TTL.
    ///
    /// Complexity: O(1).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{Store, Ttl};
    ///
    /// let store = Store::<u32, u32>::new();
    /// store.put_with_ttl(1, 1, Ttl::After(Duration::from_secs(5)))?;
    /// assert!(store.persist(&1));
    /// assert!(!store.persist(&1));
    /// assert_eq!(store.ttl(&1), Some(Ttl::Never));
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn persist<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shared.persist(key)
    }
}
