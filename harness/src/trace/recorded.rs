//! A store whose calls are recorded.

use std::borrow::Borrow;
use std::hash::Hash;

use store::{Store, Ttl, TtlError};

use super::recorder::life_of;
use super::{Call, Length, Life, Recorder, Verb};

/// A store in use, with a recorder beside it: each call goes through and is noted, with the key's
/// hash, the lengths of key and value, the TTL, and whether there was a live value.
///
/// A cheap handle, as the store is: clone it into threads. What it does not offer is called on
/// [`store`](Recorded::store), and is not recorded; neither is a call that fails.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use harness::trace::{Options, Reader, Recorded, Recorder, Torn, Verb};
/// use store::{Store, Ttl};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("sessions.trace");
///
/// let recorder = Recorder::create(&path, Options::default())?;
/// let sessions = Recorded::new(Store::<String, Vec<u8>>::new(), recorder.clone());
///
/// sessions.put_with_ttl("alice".to_owned(), vec![0; 120], Ttl::After(Duration::from_secs(60)))?;
/// assert!(sessions.get("alice").is_some());
/// assert!(sessions.get("bob").is_none());
///
/// let written = recorder.finish()?;
/// assert_eq!((written.records, written.lost), (3, 0));
///
/// let mut gets = Vec::new();
/// let end = Reader::open(&path, Torn::Refuse)?.for_each(|record| {
///     if record.verb == Verb::Get {
///         gets.push((record.hit, record.key_len, record.value_len));
///     }
/// });
/// assert_eq!(end.map(|end| end.records), Ok(3));
/// assert_eq!(gets, [(true, 5, Some(120)), (false, 3, None)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Recorded<K, V> {
    store: Store<K, V>,
    recorder: Recorder,
}

impl<K, V> Clone for Recorded<K, V> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), recorder: self.recorder.clone() }
    }
}

/// A call that has begun: all that is known of it before the answer.
struct Begun<'a> {
    recorder: &'a Recorder,
    call: Call,
}

impl Begun<'_> {
    fn end(mut self, hit: bool, value_len: Option<usize>) {
        (self.call.hit, self.call.value_len) = (hit, value_len);
        self.recorder.note(&self.call);
    }
}

impl<K, V> Recorded<K, V> {
    /// Records the calls on `store` by `recorder`.
    #[must_use]
    pub const fn new(store: Store<K, V>, recorder: Recorder) -> Self {
        Self { store, recorder }
    }

    /// The store itself: what is called on it is not recorded.
    #[must_use]
    pub const fn store(&self) -> &Store<K, V> {
        &self.store
    }

    /// Who records.
    #[must_use]
    pub const fn recorder(&self) -> &Recorder {
        &self.recorder
    }
}

impl<K: Hash + Eq + Length, V: Length> Recorded<K, V> {
    fn begin<Q: Hash + Length + ?Sized>(&self, verb: Verb, key: &Q, life: Life) -> Begun<'_> {
        let recorder = &self.recorder;
        let (key, key_len) = (recorder.hash(key), key.length());
        let at_ns = recorder.now_ns();
        let call = Call { at_ns, verb, hit: false, key, key_len, value_len: None, life };
        Begun { recorder, call }
    }

    fn life(&self, ttl: Ttl) -> Life {
        match ttl {
            Ttl::Default => self.recorder.default_life(),
            Ttl::Never => Life::Unlimited,
            Ttl::Keep => Life::Keep,
            Ttl::After(ttl) => life_of(ttl),
        }
    }

    /// [`Store::put`].
    pub fn put(&self, key: K, value: V) -> Option<V> {
        let (begun, len) = (self.begin(Verb::Put, &key, self.life(Ttl::Default)), value.length());
        let former = self.store.put(key, value);
        begun.end(former.is_some(), Some(len));
        former
    }

    /// [`Store::put_with_ttl`].
    ///
    /// # Errors
    /// As there.
    pub fn put_with_ttl(&self, key: K, value: V, ttl: Ttl) -> Result<Option<V>, TtlError> {
        let (begun, len) = (self.begin(Verb::Put, &key, self.life(ttl)), value.length());
        let former = self.store.put_with_ttl(key, value, ttl)?;
        begun.end(former.is_some(), Some(len));
        Ok(former)
    }

    /// [`Store::read`], recorded as a get.
    pub fn read<Q, R>(&self, key: &Q, f: impl FnOnce(&V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Get, key, Life::Unlimited);
        let answer = self.store.read(key, |value| (value.length(), f(value)));
        let (len, answer) = answer.map_or((None, None), |(len, read)| (Some(len), Some(read)));
        begun.end(len.is_some(), len);
        answer
    }

    /// [`Store::contains`].
    pub fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Contains, key, Life::Unlimited);
        let found = self.store.contains(key);
        begun.end(found, None);
        found
    }

    /// [`Store::delete`].
    pub fn delete<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Delete, key, Life::Unlimited);
        let former = self.store.delete(key);
        begun.end(former.is_some(), former.as_ref().map(Length::length));
        former
    }

    /// [`Store::expire`]; [`Ttl::Never`] is recorded as a persist.
    ///
    /// # Errors
    /// As there.
    pub fn expire<Q>(&self, key: &Q, ttl: Ttl) -> Result<bool, TtlError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let life = self.life(ttl);
        let verb = if life == Life::Unlimited { Verb::Persist } else { Verb::Expire };
        let begun = self.begin(verb, key, life);
        let found = self.store.expire(key, ttl)?;
        begun.end(found, None);
        Ok(found)
    }

    /// [`Store::persist`].
    pub fn persist<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Persist, key, Life::Unlimited);
        let found = self.store.persist(key);
        begun.end(found, None);
        found
    }

    /// [`Store::update`].
    pub fn update<Q, R>(&self, key: &Q, f: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Update, key, Life::Keep);
        let answer = self.store.update(key, |value| {
            let answer = f(value);
            (value.length(), answer)
        });
        let (len, answer) = answer.map_or((None, None), |(len, read)| (Some(len), Some(read)));
        begun.end(len.is_some(), len);
        answer
    }
}

impl<K: Hash + Eq + Length, V: Clone + Length> Recorded<K, V> {
    /// [`Store::get`].
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized,
    {
        let begun = self.begin(Verb::Get, key, Life::Unlimited);
        let answer = self.store.get(key);
        begun.end(answer.is_some(), answer.as_ref().map(Length::length));
        answer
    }

    /// [`Store::get_many`], recorded as a get of each key.
    pub fn get_many<'q, Q>(&self, keys: impl IntoIterator<Item = &'q Q>) -> Vec<Option<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + Length + ?Sized + 'q,
        V: 'static,
    {
        let mut begun = Vec::new();
        let noted = keys.into_iter().inspect(|key| {
            begun.push(self.begin(Verb::Get, *key, Life::Unlimited));
        });
        let answers = self.store.get_many(noted);
        for (begun, answer) in begun.into_iter().zip(&answers) {
            begun.end(answer.is_some(), answer.as_ref().map(Length::length));
        }
        answers
    }

    /// [`Store::get_or_put_with`].
    pub fn get_or_put_with(&self, key: K, f: impl FnOnce() -> V) -> V {
        let begun = self.begin(Verb::GetOrPut, &key, self.life(Ttl::Default));
        let mut is_made = false;
        let value = self.store.get_or_put_with(key, || {
            is_made = true;
            f()
        });
        begun.end(!is_made, Some(value.length()));
        value
    }

    /// [`Store::try_get_or_put_with`].
    ///
    /// # Errors
    /// As there.
    pub fn try_get_or_put_with<E>(&self, key: K, f: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let begun = self.begin(Verb::GetOrPut, &key, self.life(Ttl::Default));
        let mut is_made = false;
        let value = self.store.try_get_or_put_with(key, || {
            is_made = true;
            f()
        })?;
        begun.end(!is_made, Some(value.length()));
        Ok(value)
    }

    /// [`Store::try_get_or_put_with_ttl`]. Of one that finds a value, no TTL is known.
    ///
    /// # Errors
    /// As there.
    pub fn try_get_or_put_with_ttl<E: From<TtlError>>(
        &self,
        key: K,
        f: impl FnOnce() -> Result<(V, Ttl), E>,
    ) -> Result<V, E> {
        let mut begun = self.begin(Verb::GetOrPut, &key, self.life(Ttl::Default));
        let mut given = None;
        let value = self
            .store
            .try_get_or_put_with_ttl(key, || f().inspect(|(_, ttl)| given = Some(*ttl)))?;
        if let Some(ttl) = given {
            begun.call.life = self.life(ttl);
        }
        begun.end(given.is_none(), Some(value.length()));
        Ok(value)
    }
}
