//! Pairs of bytes whose key and value share one allocation with what the store knows of them.

use crate::entry::{Slot, Word, hash_of};
use crate::machine::prefetch_bytes;
use crate::planted::{Bug, planted};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use triomphe::ThinArc;

/// A key and its value in one allocation, as a [`ByteStore`](crate::ByteStore) holds them: a
/// counted reference of eight bytes, cheap to clone, and the bytes of the value to whoever
/// dereferences it. It keeps its bytes also when the store has let go of them.
///
/// # Examples
/// ```
/// let store = store::ByteStore::new();
/// store.put("greeting", "hello");
/// let Some(record) = store.get("greeting") else { return };
/// store.delete("greeting");
/// assert_eq!((record.key(), record.value()), (&b"greeting"[..], &b"hello"[..]));
/// assert_eq!(record.len(), 5);
/// ```
#[derive(Clone)]
pub struct Record {
    /// Behind the count: the word, then the length of all that follows; then, in bytes, the length
    /// of the key, the key, the value. The word is the store's, and means nothing once the record
    /// has left it.
    packed: ThinArc<Word, u8>,
}

/// A key's length takes one byte, or, from here on, nine.
const LONG_KEY: u8 = u8::MAX;
/// Bytes of a record that are asked for before it is read: a header, a UUID and some 100 more.
const EXPECTED: usize = 160;
/// Records up to this size are put together on the stack, in bytes.
const ON_STACK: usize = 512;

impl Record {
    fn new(key: &[u8], value: &[u8]) -> Self {
        let long = (key.len() as u64).to_le_bytes();
        let (short, long) = match u8::try_from(key.len()) {
            Ok(short) if short != LONG_KEY => (short, &[][..]),
            _ => (LONG_KEY, &long[..]),
        };
        let parts = [&[short][..], long, key, value];
        let size = parts.iter().map(|part| part.len()).sum();
        let (mut on_stack, mut on_heap) = ([0; ON_STACK], Vec::new());
        let room = on_stack.get_mut(..size).unwrap_or_else(|| {
            on_heap.resize(size, 0);
            &mut on_heap
        });
        let mut rest = &mut *room;
        for part in parts {
            let (place, behind) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = behind;
        }
        Self { packed: ThinArc::from_header_and_slice(Word::default(), room) }
    }

    /// The key's bytes and the value's.
    #[inline]
    fn parts(&self) -> (&[u8], &[u8]) {
        let packed = &self.packed.slice;
        let parts = match packed.split_first() {
            Some((&LONG_KEY, rest)) => rest.split_first_chunk().and_then(|(length, rest)| {
                rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
            }),
            Some((&length, rest)) => rest.split_at_checked(usize::from(length)),
            None => None,
        };
        parts.unwrap_or_default()
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.parts().0
    }

    /// The value.
    #[inline]
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.parts().1
    }

    /// Whether both are one: the same value, stored by the same call.
    #[inline]
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.packed.as_ptr() == other.packed.as_ptr()
    }
}

impl Deref for Record {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.value()
    }
}

impl AsRef<[u8]> for Record {
    fn as_ref(&self) -> &[u8] {
        self.value()
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, value) = self.parts();
        write!(f, "Record(\"{}\" -> \"{}\")", key.escape_ascii(), value.escape_ascii())
    }
}

/// A record as the map's key: a slot of eight bytes, with nothing beside it.
///
/// Equality is the map's alone, which asks it of the slot that is to be put, never of one that is
/// in the map.
pub(crate) struct Packed(Record);

impl Packed {
    #[inline]
    pub(crate) fn new(key: &[u8], value: &[u8]) -> Self {
        Self(Record::new(key, value))
    }

    /// A slot for a record that is in no map and never was, and that the caller keeps, too.
    pub(crate) fn of(record: &Record) -> Self {
        Self(record.clone())
    }

    /// A slot that equals none but the one of `expected`, so that it replaces that or nothing.
    ///
    /// Until a slot is in the map its word is of no use to others: it says whom to replace. That
    /// this is told by address is safe, as `expected` cannot be freed before the caller lets go.
    pub(crate) fn instead_of(expected: &Record, key: &[u8], value: &[u8]) -> Self {
        let packed = Self::new(key, value);
        if !planted(Bug::ReplacesWhoever) {
            packed.word().set_mark(expected.packed.as_ptr().addr() as u64);
        }
        packed
    }

    #[inline]
    pub(crate) fn record(&self) -> &Record {
        &self.0
    }

    #[inline]
    pub(crate) fn into_record(self) -> Record {
        self.0
    }
}

impl Slot for Packed {
    type Key = [u8];

    const POINTS: bool = true;

    #[inline]
    fn fetch<Q: ?Sized>(&self)
    where
        [u8]: Borrow<Q>,
    {
        // How long it is, is written in its first line: the others are asked for without knowing.
        self.fetch_owned();
    }

    #[inline]
    fn fetch_owned(&self) {
        prefetch_bytes(self.0.packed.as_ptr().cast(), EXPECTED);
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.0.key()
    }

    #[inline]
    fn word(&self) -> &Word {
        &self.0.packed.header.header
    }
}

impl Hash for Packed {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash_of(self.key()));
    }
}

impl PartialEq for Packed {
    #[inline]
    fn eq(&self, held: &Self) -> bool {
        let expected = self.word().mark();
        let wanted = expected == 0 || expected == held.0.packed.as_ptr().addr() as u64;
        wanted && self.key() == held.key()
    }
}

impl Eq for Packed {}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_keys_and_values_of_any_length() {
        for key in [0, 1, 254, 255, 256, 511, 70_000].map(|length| vec![7; length]) {
            for value in [0, 1, 100, 512, 100_000].map(|length| vec![9; length]) {
                let record = Record::new(&key, &value);
                assert_eq!((record.key(), record.value()), (&key[..], &value[..]));
            }
        }
    }

    #[test]
    fn a_slot_is_eight_bytes_and_a_header_twenty_four() {
        assert_eq!(size_of::<Packed>(), 8);
        let record = Record::new(b"", b"");
        let header = record.packed.slice.as_ptr().addr() - record.packed.as_ptr().addr();
        assert_eq!(header, 24);
    }

    #[test]
    fn a_slot_that_is_to_replace_one_equals_no_other() {
        let (held, other) = (Packed::new(b"k", b"1"), Packed::new(b"k", b"1"));
        assert!(Packed::new(b"k", b"2") == held);
        let newcomer = Packed::instead_of(held.record(), b"k", b"2");
        assert!(newcomer == held && newcomer != other);
    }
}
