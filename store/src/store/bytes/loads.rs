//! Loads of missing byte strings: one loader for a key, as in [`Store`](crate::Store).

use super::super::NewDeadline;
use super::super::loads::Sought;
use super::{ByteStore, Record};
use crate::record::Packed;
use std::convert::Infallible;

impl ByteStore {
    /// The live value of `key`; if there is none, `f` makes one, which is stored with the default
    /// TTL. However many threads ask for a missing key, one of them runs its `f`.
    ///
    /// As [`Store::get_or_put_with`](crate::Store::get_or_put_with), which says what becomes of a
    /// value that is overtaken by other writes.
    ///
    /// # Examples
    /// ```
    /// let files = store::ByteStore::new();
    /// let text = files.get_or_put_with("motto", || "write once");
    /// assert_eq!(&*text, b"write once");
    /// assert_eq!(files.get_or_put_with("motto", || unreachable!("it is there") as &str).len(), 10);
    /// ```
    pub fn get_or_put_with<B: AsRef<[u8]>>(
        &self,
        key: impl AsRef<[u8]>,
        f: impl FnOnce() -> B,
    ) -> Record {
        match self.try_get_or_put_with::<B, Infallible>(key, || Ok(f())) {
            Ok(record) => record,
            Err(never) => match never {},
        }
    }

    /// The same with an `f` that can fail: its error is returned, nothing is stored, and of those
    /// who wait the next one loads.
    ///
    /// # Errors
    /// Those of `f`.
    pub fn try_get_or_put_with<B: AsRef<[u8]>, E>(
        &self,
        key: impl AsRef<[u8]>,
        f: impl FnOnce() -> Result<B, E>,
    ) -> Result<Record, E> {
        let (key, shared) = (key.as_ref(), &self.shared);
        let (hash, lead) = match shared.seek(key, |slot, ()| slot.record().clone()) {
            Sought::Found(record) => return Ok(record),
            Sought::Missing(hash, lead) => (hash, lead),
        };
        let loaded = Packed::new(key, f()?.as_ref()).into_record();
        let Some(lead) = lead else { return Ok(loaded) };
        loop {
            let slot = Packed::of(&loaded);
            let deadline = NewDeadline::At(shared.default_deadline());
            let (displaced, placed) = shared.put_if_absent(slot, deadline, || lead.is_overtaken());
            if let Err(None) = placed {
                shared.settle(hash, displaced);
                continue;
            }
            // Those who wait for the value need not wait for listeners and evictions.
            drop(lead);
            shared.settle(hash, displaced);
            return Ok(match placed {
                Err(Some(newer)) => newer,
                _ => loaded,
            });
        }
    }
}
