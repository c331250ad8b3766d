//! Values on disk: the store keeps, as each key's value, the position at which the real one lies.
//!
//! ```text
//! store:  key -> position, with the key's deadline     who is there, as ever
//! hot:    position -> value, bounded, the least recently used goes
//! disk:   position -> value, all of them
//! ```
//!
//! A position is used once. So what is found at one is what was written for it: a stale value, or
//! another key's, cannot be. A value is written before its position is told, and removed after the
//! position has left the store, by the store's listener, whyever it left: replaced, deleted,
//! expired, evicted.
//!
//! Whoever changes a key holds its turn meanwhile, one of a few hundred locks, so that what is read,
//! decided and written is one step although the disk lies between. Who reads a key takes no turn:
//! where the value is gone that its position told, the key has another by now, or none, and is
//! looked up again. Expiry and eviction take no turn either: what is found gone at the end of a
//! step has gone after it.
//!
//! All of it happens on the thread that asks, the disk's part too.

mod disk;
mod folder;

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use disk::{Disk, DiskError, Position};
pub use folder::FolderError;

use super::{
    Bytes, Change, Compute, EncodedKey, Hot, Keyspace, Lifetime, OpenError, Refused, Ttl, hot,
};

/// Up to so many values a purge removes one by one; the disk takes its time for all at once.
const FEW: usize = 1_000;

/// Locks for keys that are being changed.
const TURNS: usize = 256;

/// Where values are to be, if not in memory.
#[derive(Debug, Clone)]
pub struct ValuesOnDisk {
    /// The folder for them; a server of its own has it, and begins and ends with nothing in it.
    pub folder: PathBuf,
    /// Memory for values that were used last, in bytes; none if 0.
    pub cache: u64,
    /// Values are refused where the disk would have less room than this many bytes.
    pub spare: u64,
}

/// What is counted of values on disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueStats {
    /// Values that were asked for and found in memory, or not.
    pub(crate) hot_hits: u64,
    pub(crate) hot_misses: u64,
    /// Values in memory, and what they take there.
    pub(crate) hot_values: u64,
    pub(crate) hot_bytes: u64,
    /// What all files take.
    pub(crate) disk_bytes: u64,
    /// Reads and writes that failed.
    pub(crate) failures: u64,
    /// Values that were refused for want of room.
    pub(crate) refusals: u64,
}

/// The values of a keyspace that has them on disk.
pub(super) struct Values {
    disk: Disk,
    hot: Option<Hot>,
    /// The last position that was used.
    last: AtomicU64,
    turns: Box<[Mutex<()>]>,
    /// Whether the purge that is on removes all values at once. Changed by who has all turns.
    at_once: AtomicBool,
    /// Which lock is a key's.
    hasher: RandomState,
}

impl From<DiskError> for Refused {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Failed => Self::DiskFailed,
            DiskError::Full => Self::DiskFull,
        }
    }
}

/// The position that the store has as a value; `None` if it is none.
fn position(stored: &[u8]) -> Option<Position> {
    stored.try_into().ok().map(Position::from_be_bytes)
}

fn take(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Values {
    /// None yet.
    pub(super) fn open(chosen: &ValuesOnDisk) -> Result<Self, OpenError> {
        let hot = (chosen.cache > 0).then(|| hot(chosen.cache)).transpose()?;
        let disk = Disk::open(&chosen.folder, chosen.spare).map_err(OpenError::Values)?;
        let turns = (0..TURNS).map(|_| Mutex::new(())).collect();
        let (last, at_once) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { disk, hot, last, turns, at_once, hasher: RandomState::new() })
    }

    /// Forgets a value whose position has left the store.
    pub(super) fn forget(&self, stored: &[u8]) {
        // What was stored to find the clock's grid is no position.
        if let Some(position) = position(stored) {
            self.remove(position);
        }
    }

    fn remove(&self, position: Position) {
        // In this order: see `reheat`.
        self.disk.remove(position);
        self.cool(position);
    }

    /// Writes a value where none has been; the position as the store keeps it.
    fn write(&self, value: &[u8]) -> Result<[u8; 8], DiskError> {
        let position = self.last.fetch_add(1, Ordering::SeqCst) + 1;
        self.disk.write(position, value)?;
        self.heat(position, value);
        Ok(position.to_be_bytes())
    }

    /// Keeps a value in memory for a while.
    fn heat(&self, position: Position, value: &[u8]) {
        if let Some(hot) = &self.hot {
            // One that is larger than all together may be is not kept.
            let _ = hot.try_put(position, value.into(), Ttl::Never);
        }
    }

    /// Keeps a value in memory that was read from disk, unless it is removed at this moment.
    fn reheat(&self, position: Position, value: &[u8]) {
        self.heat(position, value);
        // Who removes it may have looked in memory before it was here: then the disk has it no more.
        // If the disk still has it, it will be looked for here, too.
        if self.hot.is_some() && !self.disk.holds(position) {
            self.cool(position);
        }
    }

    fn cool(&self, position: Position) {
        if let Some(hot) = &self.hot {
            hot.delete(&position);
        }
    }

    /// What `f` makes of the value at `position`, if it is still there.
    fn read<R>(
        &self,
        position: Position,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, DiskError> {
        let mut f = Some(f);
        let found = self
            .hot
            .as_ref()
            .and_then(|hot| hot.read(&position, |value| f.take().map(|f| f(value))).flatten());
        let (None, Some(f)) = (&found, f) else { return Ok(found) };
        let value = self.disk.read(position)?;
        Ok(value.map(|value| {
            self.reheat(position, &value);
            f(&value)
        }))
    }

    /// Waits until nobody else changes `key`, and keeps others from it.
    pub(super) fn turn(&self, key: &EncodedKey<'_>) -> MutexGuard<'_, ()> {
        let chosen =
            usize::try_from(self.hasher.hash_one(key.as_ref()) % TURNS as u64).unwrap_or(0);
        take(&self.turns[chosen])
    }

    /// Forgets a value that was purged.
    pub(super) fn forget_purged(&self, stored: &[u8]) {
        if !self.at_once.load(Ordering::SeqCst) {
            self.forget(stored);
        }
    }

    /// Takes everybody's turn and runs `purge`, which purges the store of about `held` pairs.
    pub(super) fn clear(&self, held: usize, purge: impl FnOnce()) {
        let _turns: Vec<_> = self.turns.iter().map(take).collect();
        let at_once = held > FEW || self.disk.has_files();
        self.at_once.store(at_once, Ordering::SeqCst);
        purge();
        if at_once {
            self.disk.clear();
            if let Some(hot) = &self.hot {
                hot.purge();
            }
        }
    }

    /// What was counted.
    pub(super) fn stats(&self) -> ValueStats {
        let hot = self.hot.as_ref().map(Hot::stats).unwrap_or_default();
        ValueStats {
            hot_hits: hot.hits,
            hot_misses: hot.misses,
            hot_values: hot.entries as u64,
            hot_bytes: hot.weight,
            disk_bytes: self.disk.bytes(),
            failures: self.disk.failures(),
            refusals: self.disk.refusals(),
        }
    }
}

/// A live value that was read from where it lies.
pub(super) struct Fetched {
    pub(super) value: Bytes,
    /// The wall-clock millisecond at which it will be dead, if ever.
    pub(super) deadline_ms: Option<i64>,
}

/// Looks a position up by `look` until what it says is at hand, and has `read` use it.
fn settle<L: Copy, R>(
    look: impl Fn() -> Option<(Position, L)>,
    mut read: impl FnMut(Position, L) -> Result<Option<R>, DiskError>,
    values: &Values,
) -> Result<Option<R>, Refused> {
    let mut missing = None;
    loop {
        let Some((position, more)) = look() else { return Ok(None) };
        if missing == Some(position) {
            return Err(values.disk.lost().into());
        }
        if let Some(found) = read(position, more)? {
            return Ok(Some(found));
        }
        missing = Some(position);
    }
}

/// What the calls of the same names do where values are on disk. Who changes a key has its turn.
impl Keyspace {
    pub(super) fn read_on_disk<R>(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
        f: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, Refused> {
        let look = || Some((self.store.read(key, position).flatten()?, ()));
        let mut f = Some(f);
        let read = |position, ()| {
            values.read(position, |value| f.take().map(|f| f(value))).map(Option::flatten)
        };
        settle(look, read, values)
    }

    /// The live value of `key`, where it lies, and how long it stays.
    ///
    /// # Errors
    /// [`Refused::DiskFailed`].
    pub(super) fn fetch(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
    ) -> Result<Option<Fetched>, Refused> {
        // The deadline here, not after the disk, which takes its time.
        let look = || {
            let seen = self.peek_stored(key, |stored, deadline_ms| {
                Some((position(stored.value())?, deadline_ms))
            });
            seen.flatten()
        };
        let read = |position, deadline_ms| {
            let value = values.read(position, |value| Bytes::from(value))?;
            Ok(value.map(|value| Fetched { value, deadline_ms }))
        };
        settle(look, read, values)
    }

    /// The live value of `key`; that it was fetched is no use of it.
    fn fetch_value(&self, values: &Values, key: &EncodedKey<'_>) -> Result<Option<Bytes>, Refused> {
        let look = || {
            let seen = self.store.peek(key, |stored, _| position(stored.value()));
            Some((seen.flatten()?, ()))
        };
        let read = |position, ()| values.read(position, |value| Bytes::from(value));
        settle(look, read, values)
    }

    pub(super) fn put_on_disk(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
        value: &[u8],
        lifetime: Lifetime,
    ) -> Result<bool, Refused> {
        let stored = values.write(value)?;
        // Only now: the disk takes its time, and a deadline is right for a moment.
        let Some(ttl) = self.ttl(lifetime) else {
            values.forget(&stored);
            return Ok(self.store.delete(key).is_some());
        };
        let put = self.store.try_put(key, stored, ttl);
        put.map(|former| former.is_some()).map_err(|refused| {
            values.forget(&stored);
            refused.into()
        })
    }

    pub(super) fn change_on_disk<R>(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
        f: impl FnOnce(Option<&[u8]>) -> (Change, R),
    ) -> Result<R, Refused> {
        let former = self.fetch_value(values, key)?;
        let (change, answer) = f(former.as_deref());
        let Change::Put(value, lifetime) = change else { return Ok(answer) };
        if self.ttl(lifetime).is_none() {
            self.store.delete(key);
            return Ok(answer);
        }
        match former {
            Some(former) => self.replace(values, key, &former, &value, lifetime)?,
            None => drop(self.put_on_disk(values, key, &value, lifetime)?),
        }
        Ok(answer)
    }

    /// Stores `value` in place of what was fetched.
    fn replace(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
        former: &[u8],
        value: &[u8],
        lifetime: Lifetime,
    ) -> Result<(), Refused> {
        // Only the deadline is to be another one, perhaps.
        if *former == *value
            && let Some(ttl) = self.ttl(lifetime)
            && self.store.expire(key, ttl)?
        {
            return Ok(());
        }
        if lifetime != Lifetime::Keep {
            return self.put_on_disk(values, key, value, lifetime).map(drop);
        }
        let stored = values.write(value)?;
        // What is there is the former position: nobody else has had the turn. Or nothing, if it has
        // expired or was evicted meanwhile: so has what was to have its deadline.
        let former = self.store.compute(key, |there| match there {
            Some(_) => Compute::PutWithTtl(stored, Ttl::Keep),
            None => Compute::Keep,
        })?;
        if former.is_none() {
            values.forget(&stored);
        }
        Ok(())
    }

    pub(super) fn delete_on_disk(
        &self,
        values: &Values,
        key: &EncodedKey<'_>,
    ) -> Result<Option<Bytes>, Refused> {
        let Some(value) = self.fetch_value(values, key)? else { return Ok(None) };
        Ok(self.store.delete(key).map(|_| value))
    }
}

#[cfg(test)]
mod tests;
