//! Calls that load what is missing: one loader for a key, however many threads ask.

use super::places::{Displaced, Newcomer};
use super::{NewDeadline, Shared, Store, Ttl};
use crate::entry::{Keyed, Slot, hash_of};
use crate::error::TtlError;
use crate::flights::{Claim, Lead};
use crate::stats::Count;
use std::borrow::Borrow;
use std::convert::Infallible;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What came of asking for a value.
pub(super) enum Sought<'f, R> {
    Found(R),
    /// The caller is to load it, and to store it, under this hash, only with a lead.
    Missing(u64, Option<Lead<'f>>),
}

impl<S: Slot, V> Shared<S, V> {
    /// What `f` makes of the live value of `key`, waiting for whoever is loading it; counted as a hit
    /// or a miss.
    pub(super) fn seek<Q, R>(&self, key: &Q, f: impl Fn(&S, &V) -> R) -> Sought<'_, R>
    where
        S::Key: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(found) = self.read(key, &f) {
            return Sought::Found(found);
        }
        let hash = hash_of(key);
        let lead = loop {
            let claim = self.flights.claim(hash);
            // Whoever loaded it has stored it by now, also between the look and the claim.
            if let Some(found) = self.visit_to_use(key, &f) {
                return Sought::Found(found);
            }
            match claim {
                Claim::Mine(lead) => break Some(lead),
                Claim::Circular => break None,
                Claim::Waited => {}
            }
        };
        self.counters.add(Count::Load, 1);
        Sought::Missing(hash, lead)
    }
}

impl<K: Hash + Eq, V: Clone> Shared<Keyed<K>, V> {
    /// The live value of `key`, or what `f` loads, which is then stored.
    fn get_or_load<E>(
        &self,
        key: K,
        f: impl FnOnce() -> Result<(V, NewDeadline), E>,
    ) -> Result<V, E> {
        let (hash, lead) = match self.seek(&key, |_, value| value.clone()) {
            Sought::Found(value) => return Ok(value),
            Sought::Missing(hash, lead) => (hash, lead),
        };
        let (value, deadline) = f()?;
        let Some(lead) = lead else { return Ok(value) };
        let loaded = value.clone();
        let slot = Keyed::new(key);
        let weight = self.weigh(&slot, &value);
        let newcomer = Newcomer { value, weight, deadline };
        Ok(self.store_loaded(hash, slot, newcomer, lead).unwrap_or(loaded))
    }

    /// Stores a loaded value, unless its key was written since the load began; returns the live
    /// value that is there instead, if there is one.
    fn store_loaded(
        &self,
        hash: u64,
        slot: Keyed<K>,
        newcomer: Newcomer<V>,
        lead: Lead<'_>,
    ) -> Option<V> {
        let (displaced, found, _unused) = self.table.with_place(
            self.gates.pass(hash),
            slot,
            newcomer,
            |newcomer, entry, former_slot| {
                let expired = self.is_expired(entry.slot().word().lease());
                if expired && !lead.is_overtaken() {
                    let displaced = self.replace(hash, entry, former_slot, expired, newcomer);
                    return (displaced, None, None);
                }
                // A panic waits until the lock is gone: what unwinding drops may call the store.
                let clone = || catch_unwind(AssertUnwindSafe(|| entry.value().clone()));
                let found = (!expired).then(clone);
                (Displaced::nothing(), found, Some((former_slot, newcomer)))
            },
            |newcomer, vacant| {
                if lead.is_overtaken() {
                    return (Displaced::nothing(), None, Some((vacant.into_slot(), newcomer)));
                }
                (self.insert(hash, vacant, newcomer), None, None)
            },
        );
        // Those who wait for the value need not wait for listeners and evictions.
        drop(lead);
        self.settle(hash, displaced);
        found.map(|found| found.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<K: Hash + Eq, V: Clone> Store<K, V> {
    /// The live value of `key`; if there is none, `f` makes one, which is stored with the default
    /// TTL.
    ///
    /// However many threads ask for a missing key, one of them runs its `f`; the others wait, and
    /// take what is stored then. If that `f` panics, or nothing is stored (see below), one of the
    /// others runs its own.
    ///
    /// What `f` made is not stored if the key was put, deleted or computed, or all keys were visited
    /// by `purge` or `retain`, while `f` ran, as it might be older than that: this call then returns the newer value if there is one, and
    /// what `f` made otherwise. Counts as a hit or a miss.
    ///
    /// `f` runs with no lock held and may use the store, but must not wait for another thread that
    /// asks for `key`. Where a value cannot stay (too heavy, expired at once), those who wait load
    /// one after the other. If it asks for a key whose loader waits for
    /// `key`, that one is loaded without being stored, rather than waiting for ever; so is one that
    /// a removal listener asks for while another thread loads it.
    /// Complexity: O(1) besides `f`.
    ///
    /// # Examples
    /// ```
    /// let squares = store::Store::<u64, u64>::new();
    /// assert_eq!(squares.get_or_put_with(12, || 12 * 12), 144);
    /// assert_eq!(squares.get_or_put_with(12, || unreachable!("it is there")), 144);
    /// ```
    pub fn get_or_put_with(&self, key: K, f: impl FnOnce() -> V) -> V {
        let shared = &self.shared;
        let load = || Ok((f(), NewDeadline::At(shared.default_deadline())));
        match shared.get_or_load::<Infallible>(key, load) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// The same with an `f` that can fail: its error is returned, nothing is stored, and of those
    /// who wait the next one loads.
    ///
    /// # Errors
    /// Those of `f`.
    ///
    /// # Examples
    /// ```
    /// let numbers = store::Store::<&str, u32>::new();
    /// assert!(numbers.try_get_or_put_with("x", || "x".parse::<u32>()).is_err());
    /// assert_eq!(numbers.try_get_or_put_with("x", || "7".parse::<u32>()), Ok(7));
    /// assert_eq!(numbers.get("x"), Some(7));
    /// ```
    pub fn try_get_or_put_with<E>(&self, key: K, f: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let shared = &self.shared;
        shared.get_or_load(key, || Ok((f()?, NewDeadline::At(shared.default_deadline()))))
    }

    /// The same with an `f` that also says how long the value is to live, from when it returns.
    ///
    /// # Errors
    /// Those of `f`, and [`TtlError`] if its TTL is zero or too long; nothing is stored then.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use store::{Store, Ttl, TtlError};
    ///
    /// let tokens = Store::<&str, String>::new();
    /// let token = tokens.try_get_or_put_with_ttl("api", || {
    ///     // ... asks an identity provider, which says how long its answer holds.
    ///     Ok::<_, TtlError>(("secret".to_owned(), Ttl::After(Duration::from_secs(300))))
    /// })?;
    /// assert_eq!(token, "secret");
    /// assert!(matches!(tokens.ttl("api"), Some(Ttl::After(_))));
    /// # Ok::<(), TtlError>(())
    /// ```
    pub fn try_get_or_put_with_ttl<E: From<TtlError>>(
        &self,
        key: K,
        f: impl FnOnce() -> Result<(V, Ttl), E>,
    ) -> Result<V, E> {
        let shared = &self.shared;
        shared.get_or_load(key, || {
            let (value, ttl) = f()?;
            Ok((value, shared.resolve(ttl)?))
        })
    }
}
