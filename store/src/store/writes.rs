//! Calls that change the pair of one key.

use super::{NewDeadline, Shared, Store, Ttl};
use crate::entry::hash_of;
use crate::error::TtlError;
use crate::expiry::Lease;
use crate::planted::{Bug, planted};
use crate::stats::Count;
use crate::table::{Occupied, Place, Vacant};
use std::borrow::Borrow;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

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

/// What a write leaves for the caller, to be dropped or returned once the bucket is unlocked.
enum Displaced<K, V> {
    Nothing,
    Live(V),
    Expired(V),
    ExpiredPair(K, V),
    /// A value that was refused.
    Refused(TtlError, V),
}

impl<K, V> Displaced<K, V> {
    fn into_result(self) -> Result<Option<V>, TtlError> {
        match self {
            Self::Live(value) => Ok(Some(value)),
            Self::Nothing | Self::Expired(_) | Self::ExpiredPair(..) => Ok(None),
            Self::Refused(error, _) => Err(error),
        }
    }
}

impl<K: Hash + Eq, V> Shared<K, V> {
    fn put(&self, key: K, value: V, deadline: NewDeadline) -> Option<V> {
        let hash = hash_of(&key);
        let displaced = self.table.with_place(key, |place| match place {
            Place::Occupied(entry) => {
                let expired = self.is_expired(entry.lease());
                self.replace(hash, entry, expired, value, deadline)
            }
            Place::Vacant(vacant) => {
                self.insert(hash, vacant, value, deadline);
                Displaced::Nothing
            }
        });
        // Of all that a write can leave, only a refusal is an error, and nothing was refused.
        displaced.into_result().unwrap_or(None)
    }

    fn insert(&self, hash: u64, vacant: Vacant<'_, K, V>, value: V, deadline: NewDeadline) {
        let deadline = match deadline {
            NewDeadline::Keep => self.default_deadline(),
            NewDeadline::At(deadline) => deadline,
        };
        let lease = self.expiry.lease(hash, Lease::default(), deadline);
        vacant.insert(value, lease);
        self.counters.entries_changed(1);
        self.counters.add(Count::Put, 1);
    }

    /// Replaces the value of a pair, which may be expired: the new value is then a fresh one.
    ///
    /// Whether it is, the caller has looked up, once: time goes on, and an answer that came from
    /// two looks could contradict itself.
    fn replace(
        &self,
        hash: u64,
        mut entry: Occupied<'_, K, V>,
        expired: bool,
        value: V,
        deadline: NewDeadline,
    ) -> Displaced<K, V> {
        let lease = entry.lease();
        let deadline = match deadline {
            NewDeadline::At(deadline) => deadline,
            NewDeadline::Keep if expired && !planted(Bug::KeepKeepsTheDead) => {
                self.default_deadline()
            }
            NewDeadline::Keep => lease.deadline,
        };
        entry.set_lease(self.expiry.lease(hash, lease, deadline));
        let former = std::mem::replace(entry.value_mut(), value);
        self.counters.add(Count::Put, 1);
        if expired {
            self.count_expired(lease, Count::ExpiredLazily);
            if planted(Bug::PutReturnsTheDead) {
                return Displaced::Live(former);
            }
            if planted(Bug::DroppedUnderTheLock) {
                drop(former);
                return Displaced::Nothing;
            }
            Displaced::Expired(former)
        } else {
            Displaced::Live(former)
        }
    }

    /// Removes a pair for its caller, who is given the value if it was live, and has looked whether
    /// it is.
    fn remove(&self, hash: u64, entry: Occupied<'_, K, V>, expired: bool) -> Displaced<K, V> {
        if expired {
            let (key, value) = self.take_expired(hash, entry, Count::ExpiredLazily);
            return Displaced::ExpiredPair(key, value);
        }
        self.counters.add(Count::Delete, 1);
        Displaced::Live(self.take(hash, entry).1)
    }

    /// Does with the pair in `entry` what `f` says.
    fn compute_occupied(
        &self,
        hash: u64,
        entry: Occupied<'_, K, V>,
        f: impl FnOnce(Option<&V>) -> Compute<V>,
    ) -> Displaced<K, V> {
        let expired = self.is_expired(entry.lease());
        let (value, ttl) = match f((!expired).then(|| entry.value())) {
            Compute::Keep if !expired => return Displaced::Nothing,
            Compute::Keep | Compute::Delete => return self.remove(hash, entry, expired),
            Compute::Put(value) => (value, Ttl::Default),
            Compute::PutWithTtl(value, ttl) => (value, ttl),
        };
        match self.resolve(ttl) {
            Ok(deadline) => self.replace(hash, entry, expired, value, deadline),
            Err(error) => Displaced::Refused(error, value),
        }
    }

    /// Does with the free place in `vacant` what `f` says; hands back a key that found no place.
    fn compute_vacant(
        &self,
        hash: u64,
        vacant: Vacant<'_, K, V>,
        f: impl FnOnce(Option<&V>) -> Compute<V>,
    ) -> (Displaced<K, V>, Option<K>) {
        // Were `f` to unwind through here, the key would be dropped before the lock.
        let wanted = catch_unwind(AssertUnwindSafe(|| f(None)));
        let (value, ttl) = match wanted {
            Ok(Compute::Keep | Compute::Delete) => {
                return (Displaced::Nothing, Some(vacant.into_key()));
            }
            Ok(Compute::Put(value)) => (value, Ttl::Default),
            Ok(Compute::PutWithTtl(value, ttl)) => (value, ttl),
            Err(panic) => {
                let _key = vacant.into_key();
                resume_unwind(panic);
            }
        };
        match self.resolve(ttl) {
            Ok(deadline) => {
                self.insert(hash, vacant, value, deadline);
                (Displaced::Nothing, None)
            }
            Err(error) => (Displaced::Refused(error, value), Some(vacant.into_key())),
        }
    }

    /// Gives a live pair another deadline; returns whether there is one, and what it was.
    fn change_deadline<Q>(&self, key: &Q, deadline: NewDeadline) -> Option<Lease>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = hash_of(key);
        let changed = self.table.modify(hash, key, |entry| {
            let lease = entry.lease();
            if self.is_expired(lease) && !planted(Bug::ExpireRevives) {
                return Err(self.take_expired(hash, entry, Count::ExpiredLazily));
            }
            if let NewDeadline::At(deadline) = deadline {
                entry.set_lease(self.expiry.lease(hash, lease, deadline));
            }
            Ok(lease)
        });
        changed.and_then(Result::ok)
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
        self.shared.put(key, value, NewDeadline::At(self.shared.default_deadline()))
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
        let deadline = self.shared.resolve(ttl)?;
        Ok(self.shared.put(key, value, deadline))
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
        let hash = hash_of(key);
        let displaced = self.shared.table.modify(hash, key, |entry| {
            let expired = self.shared.is_expired(entry.lease());
            self.shared.remove(hash, entry, expired)
        });
        displaced.and_then(|displaced| displaced.into_result().unwrap_or(None))
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
        let deadline = self.shared.resolve(ttl)?;
        Ok(self.shared.change_deadline(key, deadline).is_some())
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
        let before = self.shared.change_deadline(key, NewDeadline::At(None));
        before.is_some_and(|lease| lease.deadline.is_some())
    }

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
        let hash = hash_of(key);
        let updated = self.shared.table.modify(hash, key, |mut entry| {
            if self.shared.is_expired(entry.lease()) {
                return Err(self.shared.take_expired(hash, entry, Count::ExpiredLazily));
            }
            Ok(f(entry.value_mut()))
        });
        updated.and_then(Result::ok)
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
    /// Store only if absent; compare and set; count, with a TTL that starts at the first count:
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
        let shared = &self.shared;
        let hash = hash_of(&key);
        let (displaced, _unused_key) = shared.table.with_place(key, |place| match place {
            Place::Occupied(entry) => (shared.compute_occupied(hash, entry, f), None),
            Place::Vacant(vacant) => shared.compute_vacant(hash, vacant, f),
        });
        displaced.into_result()
    }
}
