//! How long pairs stay: what of the keyspace tells deadlines and changes them.

use std::time::Instant;

use super::{EncodedKey, End, Found, Keyspace, Lifetime, Record, Refused, Ttl, wall};

impl Keyspace {
    /// Has `f` set a deadline in a keyspace that nobody else uses, to the very millisecond: again, if
    /// the thread was kept from running meanwhile.
    ///
    /// # Errors
    /// Those of `f`.
    pub(crate) fn punctually<R>(f: impl Fn() -> Result<R, Refused>) -> Result<R, Refused> {
        let mut attempts = 0..100;
        loop {
            let begun = Instant::now();
            let done = f()?;
            if begun.elapsed() < wall::PROMPT || attempts.next().is_none() {
                return Ok(done);
            }
        }
    }

    /// Gives the live value of `key` another lifetime: the one that `f` says, which is shown both;
    /// returns what `f` returns beside it.
    ///
    /// `f` runs under a lock: no call of the keyspace.
    ///
    /// # Errors
    /// [`Refused`]; nothing is changed then.
    pub(crate) fn change_lifetime<R>(
        &self,
        key: &[u8],
        f: impl FnOnce(Found<'_>) -> (Lifetime, R),
    ) -> Result<Option<R>, Refused> {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        if let Some(values) = &self.values {
            let Some(fetched) = self.fetch(values, key)? else { return Ok(None) };
            let found = Found { value: &fetched.value, deadline_ms: fetched.deadline_ms };
            let (lifetime, answer) = f(found);
            // It may have expired while it came from disk, and is not revived.
            return Ok(self.set_lifetime(key, lifetime)?.then_some(answer));
        }
        let mut f = Some(f);
        let changed = self.wall.told(|is_right| {
            let mut answer = None;
            let is_there = self.store.expire_with(key, |record, ttl| {
                let deadline_ms = self.deadline_of(ttl);
                let Some(f) = f.take_if(|_| is_right(deadline_ms)) else { return Some(Ttl::Keep) };
                let (lifetime, returned) = f(Found { value: record.value(), deadline_ms });
                answer = Some(returned);
                self.ttl(lifetime)
            });
            match is_there {
                Ok(true) => answer.map(|answer| Ok(Some(answer))),
                Ok(false) => Some(Ok(None)),
                Err(error) => Some(Err(error.into())),
            }
        });
        changed.unwrap_or(Ok(None))
    }

    /// Gives the live value of `key` another deadline, or removes it if that has passed; returns
    /// whether there was one.
    ///
    /// # Errors
    /// [`Refused::TooFar`]; nothing is changed then.
    pub(crate) fn expire(&self, key: &[u8], deadline_ms: i64) -> Result<bool, Refused> {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        self.set_lifetime(key, Lifetime::Until(deadline_ms))
    }

    /// Gives the live value of `key` another lifetime, whatever it has; returns whether there was one.
    fn set_lifetime(&self, key: &EncodedKey<'_>, lifetime: Lifetime) -> Result<bool, Refused> {
        match self.ttl(lifetime) {
            // Where there is no value, a deadline is as good as any other.
            Some(ttl) => match self.store.expire(key, ttl) {
                Err(_) if !self.store.contains(key) => Ok(false),
                expired => Ok(expired?),
            },
            None => Ok(self.store.delete(key).is_some()),
        }
    }

    /// Lets the live value of `key` stay for ever; returns whether it had a deadline.
    pub(crate) fn persist(&self, key: &[u8]) -> bool {
        let key = &EncodedKey::of(key);
        let _turn = self.turn(key);
        self.store.persist(key)
    }

    /// How many milliseconds `key` has left.
    pub(crate) fn remaining_ms(&self, key: &[u8]) -> End {
        match self.store.ttl(EncodedKey::of(key)) {
            None => End::NoValue,
            Some(Ttl::After(left)) => End::Ms(i64::try_from(left.as_millis()).unwrap_or(i64::MAX)),
            Some(_) => End::Never,
        }
    }

    /// The wall-clock time at which `key` will be dead, in milliseconds.
    pub(crate) fn deadline_ms(&self, key: &[u8]) -> End {
        match self.peek_stored(&EncodedKey::of(key), |_, deadline_ms| deadline_ms) {
            None => End::NoValue,
            Some(None) => End::Never,
            Some(Some(deadline_ms)) => End::Ms(deadline_ms),
        }
    }

    /// What `f` makes of the live pair of `key` as it is stored, and of its deadline, both of one
    /// moment, which is no use of it. It runs under a lock: no call of the keyspace.
    pub(super) fn peek_stored<R>(
        &self,
        key: &EncodedKey<'_>,
        f: impl FnOnce(&Record, Option<i64>) -> R,
    ) -> Option<R> {
        let mut f = Some(f);
        let seen = self.wall.told(|is_right| {
            let seen = self.store.peek(key, |record, ttl| {
                let deadline_ms = self.deadline_of(ttl);
                let f = f.take_if(|_| is_right(deadline_ms))?;
                Some(f(record, deadline_ms))
            });
            // Where nobody is, there is no deadline to look for again.
            seen.map_or(Some(None), |told| told.map(Some))
        });
        seen.flatten()
    }

    /// The wall-clock millisecond that a live value's TTL means.
    pub(super) fn deadline_of(&self, ttl: Ttl) -> Option<i64> {
        match ttl {
            Ttl::After(left) => Some(self.wall.after(left)),
            _ => None,
        }
    }

    /// The TTL that a lifetime means now; `None` if it is over.
    pub(super) fn ttl(&self, lifetime: Lifetime) -> Option<Ttl> {
        Some(match lifetime {
            Lifetime::Default => Ttl::Default,
            Lifetime::Never => Ttl::Never,
            Lifetime::Keep => Ttl::Keep,
            Lifetime::Until(deadline_ms) => Ttl::After(self.wall.until(deadline_ms)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, ValuesOnDisk};
    use super::*;

    /// Each look falls somewhere on the grid, some between its reading of the store and of the clock.
    fn is_told_as_it_was_set(settings: Settings) {
        let keyspace = Keyspace::new(settings).expect("it opens");
        let deadline_ms = keyspace.now_ms() + 1_000_000;
        let put = || keyspace.put(b"key", &[1; 5_000], Lifetime::Until(deadline_ms));
        Keyspace::punctually(put).expect("it is stored");
        for _ in 0..30_000 {
            let shown = |found: Found<'_>| (Lifetime::Keep, found.deadline_ms);
            assert_eq!(keyspace.change_lifetime(b"key", shown), Ok(Some(Some(deadline_ms))));
            let seen = keyspace.peek(b"key", |_, deadline_ms| deadline_ms);
            assert_eq!(seen, Ok(Some(Some(deadline_ms))));
            assert_eq!(keyspace.deadline_ms(b"key"), End::Ms(deadline_ms));
        }
    }

    #[test]
    fn a_deadline_is_told_as_it_was_set_whoever_asks() {
        is_told_as_it_was_set(Settings::default());
    }

    fn on_disk(folder: &tempfile::TempDir) -> Settings {
        let values = ValuesOnDisk { folder: folder.path().join("values"), cache: 0, spare: 0 };
        Settings { values: Some(values), ..Settings::default() }
    }

    #[test]
    fn a_deadline_is_told_as_it_was_set_where_the_value_comes_from_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        is_told_as_it_was_set(on_disk(&folder));
    }

    #[test]
    fn what_dies_while_it_comes_from_disk_is_not_revived() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyspace = Keyspace::new(on_disk(&folder)).expect("it opens");
        let later_ms = keyspace.now_ms() + 1_000_000;
        for lifetime in [Lifetime::Until(later_ms), Lifetime::Never, Lifetime::Keep] {
            keyspace.put(b"key", b"value", Lifetime::Until(later_ms)).expect("it is stored");
            let changed = keyspace.change_lifetime(b"key", |found| {
                assert_eq!((found.value, found.deadline_ms), (&b"value"[..], Some(later_ms)));
                // As expiry and eviction take it away, without the key's turn.
                assert!(keyspace.store.delete(EncodedKey::of(b"key")).is_some());
                (lifetime, ())
            });
            assert_eq!(changed, Ok(None), "{lifetime:?}");
            assert!(!keyspace.contains(b"key"), "{lifetime:?}");
        }
    }

    /// By as much as it takes to write the value, it would come late.
    #[test]
    fn a_deadline_is_kept_however_long_the_disk_takes() {
        let folder = tempfile::tempdir().expect("a folder");
        let keyspace = Keyspace::new(on_disk(&folder)).expect("it opens");
        let value = vec![1; 32 << 20];
        // A thread that is kept from running as the deadline is set may be late; not each time.
        let is_kept = (0..20).any(|_| {
            let deadline_ms = keyspace.now_ms() + 2;
            keyspace.put(b"key", &value, Lifetime::Until(deadline_ms)).expect("there is room");
            while keyspace.now_ms() < deadline_ms {
                std::hint::spin_loop();
            }
            !keyspace.contains(b"key")
        });
        assert!(is_kept, "it was there after its deadline, 20 times");
    }
}
