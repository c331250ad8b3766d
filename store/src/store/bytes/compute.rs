//! What decides on a pair of bytes: a look, the closure with no lock held, and a write that takes
//! place only if the pair looked at is still the one that is there.

use super::super::places::{Displaced, Newcomer};
use super::super::{Compute, NewDeadline, Shared, Ttl};
use super::{ByteStore, record};
use crate::entry::{Slot, hash_of};
use crate::error::TtlError;
use crate::listener::{Parting, RemovalCause};
use crate::record::{Packed, Record};
use crate::stats::Count;

/// That the pair was another than the one looked at: nothing was changed.
struct Changed;

type Replaced = Result<Option<Record>, Changed>;

impl Shared<Packed, ()> {
    /// The live record of `key`, which is no use of it.
    fn glance(&self, key: &[u8]) -> Option<Record> {
        self.visit(key, |slot, ()| slot.record().clone())
    }

    /// Puts a pair in the place of `expected`, the live record of its key when it was looked at.
    fn replace_if(
        &self,
        expected: &Record,
        key: &[u8],
        value: &[u8],
        deadline: NewDeadline,
    ) -> Replaced {
        let hash = self.sought(key);
        let slot = Packed::instead_of(expected, key, value);
        let weight = self.weigh(&slot, &());
        let newcomer = Newcomer { value: (), weight, deadline };
        let (displaced, replaced) = self.table.with_place(
            self.gates.pass(hash),
            slot,
            newcomer,
            |newcomer, entry, former| {
                let lease = entry.slot().word().lease();
                if !self.is_expired(lease) {
                    return (self.replace(hash, entry, former, false, newcomer), true);
                }
                // It was live when it was looked at: the pair that has taken its place goes with
                // it, as if both had never met, and the closure is asked again.
                self.count_expired(lease, Count::ExpiredLazily);
                let notice = self.notice(hash, RemovalCause::Expired);
                let (_newcomer, ()) = self.take_out(hash, entry);
                let former = Parting::new(self.notifier.as_deref(), notice, (former, ()));
                (Displaced::dead(former), false)
            },
            |_, _vacant| (Displaced::nothing(), false),
        );
        let former = record(self.settle(hash, displaced));
        if replaced { Ok(former) } else { Err(Changed) }
    }

    /// Puts a pair if its key has no pair and `unless` is false. If it has, returns its live record;
    /// an expired pair is taken out, and the caller is to try again. What was displaced is to be
    /// settled.
    pub(super) fn put_if_absent(
        &self,
        slot: Packed,
        deadline: NewDeadline,
        unless: impl FnOnce() -> bool,
    ) -> (Displaced<'_, Packed, ()>, Result<(), Option<Record>>) {
        let hash = self.sought(slot.key());
        let weight = self.weigh(&slot, &());
        let newcomer = Newcomer { value: (), weight, deadline };
        self.table.with_absence(
            self.gates.pass(hash),
            slot,
            newcomer,
            |entry| {
                if self.is_expired(entry.slot().word().lease()) {
                    let dead = self.take_expired(hash, entry, Count::ExpiredLazily);
                    return (Displaced::dead(dead), Err(None));
                }
                (Displaced::nothing(), Err(Some(entry.slot().record().clone())))
            },
            |newcomer, vacant| {
                if unless() {
                    return (Displaced::nothing(), Ok(()));
                }
                (self.insert(hash, vacant, newcomer), Ok(()))
            },
        )
    }

    /// Removes `expected` if it is still the live record of its key.
    fn delete_if(&self, expected: &Record) -> Replaced {
        let (key, hash) = (expected.key(), hash_of(expected.key()));
        self.flights.overtake(hash);
        let displaced = self.table.modify(self.gates.pass(hash), hash, key, |entry| {
            let expired = self.is_expired(entry.slot().word().lease());
            let wanted = !expired && entry.slot().record().is_same(expected);
            wanted.then(|| self.remove(hash, entry, false))
        });
        match displaced.flatten() {
            Some(displaced) => Ok(record(self.settle(hash, displaced))),
            None => Err(Changed),
        }
    }

    /// Carries out what was wanted of `found`, if that is still there.
    fn carry_out(
        &self,
        key: &[u8],
        found: Option<&Record>,
        wanted: Compute<impl AsRef<[u8]>>,
    ) -> Result<Replaced, TtlError> {
        let (value, ttl) = match wanted {
            Compute::Keep => return Ok(Ok(None)),
            Compute::Delete => {
                self.flights.overtake(hash_of(key));
                return Ok(found.map_or(Ok(None), |found| self.delete_if(found)));
            }
            Compute::Put(value) => (value, Ttl::Default),
            Compute::PutWithTtl(value, ttl) => (value, ttl),
        };
        let (value, deadline) = (value.as_ref(), self.resolve(ttl)?);
        if let Some(found) = found {
            return Ok(self.replace_if(found, key, value, deadline));
        }
        let slot = Packed::new(key, value);
        let (displaced, placed) = self.put_if_absent(slot, deadline, || false);
        self.settle(hash_of(key), displaced);
        Ok(placed.map(|()| None).map_err(|_| Changed))
    }
}

impl ByteStore {
    /// Decides on `key` in one atomic step: `f` is shown its live value, if any, and says what to
    /// do. Returns the live value that was replaced or removed.
    ///
    /// Unlike in [`Store::compute`](crate::Store::compute), `f` runs with no lock held and may use
    /// the store; if the value is another by the time that it returns, it is asked again. (Another
    /// TTL of the same value is not another value.) If it panics, nothing is changed.
    /// Complexity: O(1), once for each other write that comes between.
    ///
    /// # Errors
    /// [`TtlError`] if `f` asks for a TTL that is zero or too long; nothing is changed then.
    ///
    /// # Examples
    /// Append; store only if absent:
    /// ```
    /// use store::{ByteStore, Compute, Ttl};
    ///
    /// let log = ByteStore::new();
    /// for word in ["to", "be"] {
    ///     log.compute("text", |found| {
    ///         let mut text = found.map_or(Vec::new(), |text| text.to_vec());
    ///         text.extend_from_slice(word.as_bytes());
    ///         Compute::PutWithTtl(text, Ttl::Keep)
    ///     })?;
    /// }
    /// log.compute("text", |found| match found {
    ///     None => Compute::Put("not stored"),
    ///     Some(_) => Compute::Keep,
    /// })?;
    /// assert_eq!(log.get("text").as_deref(), Some(&b"tobe"[..]));
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn compute<B: AsRef<[u8]>>(
        &self,
        key: impl AsRef<[u8]>,
        mut f: impl FnMut(Option<&Record>) -> Compute<B>,
    ) -> Result<Option<Record>, TtlError> {
        let key = key.as_ref();
        loop {
            let found = self.shared.glance(key);
            let wanted = f(found.as_ref());
            if let Ok(former) = self.shared.carry_out(key, found.as_ref(), wanted)? {
                return Ok(former);
            }
        }
    }

    /// Gives the live value of `key` the TTL that `f` says, which is shown the value and the TTL it
    /// has: to change a TTL only under a condition. `Ttl::Keep` changes nothing; `None` removes the value.
    /// Returns whether there was a live one.
    ///
    /// `f` runs under the bucket's exclusive lock: keep it short, and do not call the store in it.
    ///
    /// # Errors
    /// [`TtlError`] if the TTL is zero or too long; nothing is changed then.
    ///
    /// # Examples
    /// Extend a TTL, but never shorten it:
    /// ```
    /// use std::time::Duration;
    /// use store::{ByteStore, Ttl};
    ///
    /// let locks = ByteStore::new();
    /// locks.put_with_ttl("lock", "me", Ttl::After(Duration::from_secs(60)))?;
    /// let at_least = |wanted: Duration| {
    ///     locks.expire_with("lock", |_, ttl| match ttl {
    ///         Ttl::After(left) if left < wanted => Some(Ttl::After(wanted)),
    ///         _ => Some(Ttl::Keep),
    ///     })
    /// };
    /// assert!(at_least(Duration::from_secs(30))?);
    /// assert!(at_least(Duration::from_secs(90))?);
    /// assert!(matches!(locks.ttl("lock"), Some(Ttl::After(left)) if left.as_secs() >= 89));
    /// # Ok::<(), store::TtlError>(())
    /// ```
    pub fn expire_with(
        &self,
        key: impl AsRef<[u8]>,
        f: impl FnOnce(&Record, Ttl) -> Option<Ttl>,
    ) -> Result<bool, TtlError> {
        let (key, shared) = (key.as_ref(), &self.shared);
        let hash = hash_of(key);
        let changed = shared.table.modify(shared.gates.pass(hash), hash, key, |entry| {
            let lease = entry.slot().word().lease();
            if shared.is_expired(lease) {
                return Err(shared.take_expired(hash, entry, Count::ExpiredLazily));
            }
            let ttl = f(entry.slot().record(), shared.ttl_of_live(lease));
            let Some(ttl) = ttl else {
                shared.flights.overtake(hash);
                return Ok(Ok(shared.remove(hash, entry, false)));
            };
            Ok(shared.resolve(ttl).map(|deadline| {
                if let NewDeadline::At(deadline) = deadline {
                    let lease = shared.expiry.lease(hash, lease, deadline);
                    entry.slot().word().set_lease(lease);
                }
                Displaced::nothing()
            }))
        });
        match changed.and_then(|changed| shared.live(changed)) {
            Some(changed) => {
                shared.settle(hash, changed?);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}
