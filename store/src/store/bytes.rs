//! The store of byte strings: the calls of [`Store`](super::Store) on pairs that share an
//! allocation. All rules of a pair are those of [`Shared`](super::Shared); what differs is that a value cannot be
//! changed where it lies, so what decides on one (`bytes/compute.rs`) replaces the whole pair.

mod compute;
mod loads;

use super::handle::Handle;
use super::{Refusal, Ttl};
use crate::error::TtlError;
use crate::record::{Packed, Record};
use crate::stats::Stats;
use crate::sweep::Swept;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

/// A concurrent key/value store of byte strings with a TTL on any key, which keeps each pair in one
/// allocation.
///
/// The calls and their promises are those of [`Store`](crate::Store), whose pages say more, but that it has no
/// `update`, `compute_with_ttl` and `try_get_or_put_with_ttl`, that its [`compute`](ByteStore::compute) holds no lock
/// and may run its closure more than once, and that [`expire_with`](ByteStore::expire_with) is its own. Choose
/// this one where memory counts and keys and values are byte strings or texts: a pair takes one
/// allocation with a header of 24 bytes instead of two, some 40 bytes less in all, and `get` returns
/// a [`Record`], a counted reference that copies nothing. Keys and values are whatever can be seen as
/// bytes: `&str`, `&[u8]`, `String`, `Vec<u8>`.
///
/// Like `Store` it is a cheap handle: clone it into threads.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use store::{ByteStore, Ttl};
///
/// let pages = ByteStore::builder().capacity(10_000).build()?;
/// pages.put("/about", "<h1>About</h1>");
/// pages.put_with_ttl("/news", "<h1>News</h1>", Ttl::After(Duration::from_secs(60)))?;
///
/// let page = pages.get("/news");
/// assert_eq!(page.as_deref(), Some(&b"<h1>News</h1>"[..]));
/// assert_eq!(pages.read("/about", |page| page.len()), Some(14));
/// assert!(pages.delete("/about").is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Locks
/// As [`Store`](crate::Store#locks) has them; the closures of [`compute`](ByteStore::compute) run
/// with none.
pub struct ByteStore {
    shared: Handle<Packed, ()>,
}

/// The live value that was replaced.
fn record(pair: Option<(Packed, ())>) -> Option<Record> {
    pair.map(|(slot, ())| slot.into_record())
}

impl ByteStore {
    /// Stores `value` under `key`; returns the live value it replaced. The default TTL applies.
    ///
    /// As [`Store::put`](crate::Store::put). Complexity: O(1) amortized, and the bytes copied.
    #[inline]
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Option<Record> {
        let key = key.as_ref();
        let hash = self.shared.sought(key);
        let slot = || Packed::new(key, value.as_ref());
        record(self.shared.put_by_default(hash, slot, ()))
    }

    /// Stores `value` under `key` for as long as `ttl` says; returns the live value it replaced.
    ///
    /// # Errors
    /// [`TtlError`] if the TTL is zero or too long; nothing is changed then.
    #[inline]
    pub fn put_with_ttl(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Ttl,
    ) -> Result<Option<Record>, TtlError> {
        let key = key.as_ref();
        let hash = self.shared.sought(key);
        let slot = || Packed::new(key, value.as_ref());
        Ok(record(self.shared.put(hash, slot, (), ttl)?))
    }

    /// Stores `value` under `key` as [`put_with_ttl`](ByteStore::put_with_ttl) does, or changes
    /// nothing: also where the pair alone weighs more than `max_weight`.
    ///
    /// # Errors
    /// [`Refusal`] says why.
    ///
    /// # Examples
    /// ```
    /// use store::{ByteStore, Refusal, Ttl};
    ///
    /// let small = ByteStore::builder()
    ///     .max_weight(10)
    ///     .weigher(|_, value| value.len() as u64)
    ///     .build()?;
    /// assert!(small.try_put("a", "short", Ttl::Default).is_ok());
    /// let refused = small.try_put("a", "a very long text", Ttl::Default).unwrap_err();
    /// assert_eq!(refused, Refusal::TooHeavy { weight: 16, max_weight: 10 });
    /// assert_eq!(small.get("a").as_deref(), Some(&b"short"[..]));
    /// # Ok::<(), store::BuildError>(())
    /// ```
    pub fn try_put(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        ttl: Ttl,
    ) -> Result<Option<Record>, Refusal> {
        let slot = Packed::new(key.as_ref(), value.as_ref());
        self.shared.try_put(slot, (), ttl).map(record).map_err(|(_, (), reason)| reason)
    }

    /// The live value of `key`, not copied: it stays readable whatever happens to the key.
    ///
    /// As [`Store::get`](crate::Store::get).
    #[inline]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Record> {
        self.shared.read(key.as_ref(), |slot, ()| slot.record().clone())
    }

    /// What `f` makes of the live value of `key`, read in place, under the bucket's shared lock.
    ///
    /// As [`Store::read`](crate::Store::read).
    #[inline]
    pub fn read<R>(&self, key: impl AsRef<[u8]>, f: impl FnOnce(&[u8]) -> R) -> Option<R> {
        self.shared.read(key.as_ref(), |slot, ()| f(slot.record().value()))
    }

    /// The live values of `keys`, in their order; as [`Store::get_many`](crate::Store::get_many).
    pub fn get_many<Q: AsRef<[u8]>>(
        &self,
        keys: impl IntoIterator<Item = Q>,
    ) -> Vec<Option<Record>> {
        self.shared.read_many(keys.into_iter(), Q::as_ref, |slot, ()| slot.record().clone())
    }

    /// Whether `key` has a live value; as [`Store::contains`](crate::Store::contains).
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.shared.contains(key.as_ref())
    }

    /// Removes `key`; returns its live value.
    #[inline]
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Option<Record> {
        record(self.shared.delete(key.as_ref()))
    }

    /// What remains of the TTL of `key`; as [`Store::ttl`](crate::Store::ttl).
    pub fn ttl(&self, key: impl AsRef<[u8]>) -> Option<Ttl> {
        self.shared.peek(key.as_ref(), |_, (), ttl| ttl)
    }

    /// What `f` makes of the live value of `key` and of what remains of its TTL; as
    /// [`Store::peek`](crate::Store::peek).
    pub fn peek<R>(&self, key: impl AsRef<[u8]>, f: impl FnOnce(&Record, Ttl) -> R) -> Option<R> {
        self.shared.peek(key.as_ref(), |slot, (), ttl| f(slot.record(), ttl))
    }

    /// Gives the live value of `key` another TTL, counted from now; returns whether there is one.
    ///
    /// As [`Store::expire`](crate::Store::expire).
    ///
    /// # Errors
    /// [`TtlError`] if the TTL is zero or too long; nothing is changed then.
    pub fn expire(&self, key: impl AsRef<[u8]>, ttl: Ttl) -> Result<bool, TtlError> {
        self.shared.expire(key.as_ref(), ttl)
    }

    /// Lets the live value of `key` stay for ever; returns whether it had a TTL.
    pub fn persist(&self, key: impl AsRef<[u8]>) -> bool {
        self.shared.persist(key.as_ref())
    }

    /// Reclaims everything that has expired; as [`Store::clean`](crate::Store::clean).
    pub fn clean(&self) -> usize {
        self.shared.clean()
    }

    /// One bounded step of reclaiming; as [`Store::sweep`](crate::Store::sweep).
    pub fn sweep(&self, budget: usize) -> Swept {
        self.shared.sweep_once(budget)
    }

    /// Removes everything; returns how many pairs. As [`Store::purge`](crate::Store::purge).
    pub fn purge(&self) -> usize {
        self.shared.purge()
    }

    /// Runs `f` on every live key and value, under its bucket's shared lock; as
    /// [`Store::for_each`](crate::Store::for_each).
    pub fn for_each(&self, mut f: impl FnMut(&[u8], &[u8])) {
        self.for_each_record(|record| f(record.key(), record.value()));
    }

    /// The same for what wants to keep records: a clone of one costs no copy of its bytes.
    pub fn for_each_record(&self, mut f: impl FnMut(&Record)) {
        self.shared.for_each(|slot, ()| f(slot.record()));
    }

    /// Keeps the live pairs for which `f` returns `true`, and removes all others; as
    /// [`Store::retain`](crate::Store::retain).
    pub fn retain(&self, mut f: impl FnMut(&[u8], &[u8]) -> bool) {
        self.shared.retain(|slot, ()| f(slot.record().key(), slot.record().value()));
    }

    /// The number of pairs held, expired ones that are not yet reclaimed among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.counters().entries()
    }

    /// Whether no pair is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of live pairs, counted one by one.
    #[must_use]
    pub fn live_len(&self) -> usize {
        self.shared.live_len()
    }

    /// The slots of the table as it is now; as [`Store::capacity`](crate::Store::capacity).
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.shared.table.capacity()
    }

    /// What has been counted since the store was created. The estimate of its bytes leaves the
    /// records out, as `Store`'s leaves out what keys and values point to.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// As [`Shared::verify`](super::Shared::verify).
    #[cfg(test)]
    pub(crate) fn verify(&self) {
        self.shared.verify();
    }
}

impl From<Handle<Packed, ()>> for ByteStore {
    fn from(shared: Handle<Packed, ()>) -> Self {
        Self { shared }
    }
}

impl Clone for ByteStore {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl UnwindSafe for ByteStore {}

impl RefUnwindSafe for ByteStore {}

impl fmt::Debug for ByteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.show("ByteStore", f)
    }
}
