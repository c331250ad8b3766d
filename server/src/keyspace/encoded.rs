//! How keys lie in the store: a UUID at a key's end in 16 bytes instead of its 36 characters.
//!
//! ```text
//! any other key                    the key
//! PREFIX and a UUID's text         C1, the UUID's 16 bytes, PREFIX
//! a key that begins with C0 or C1  C0, the key
//! ```
//!
//! Each key has one form, and no other key has it. Text begins with neither C0 nor C1: they stand
//! nowhere in UTF-8.

use uuid::{Uuid, fmt::Hyphenated};

const UUID: u8 = 0xC1;
const VERBATIM: u8 = 0xC0;

/// The length of a UUID's text: 8-4-4-4-12 hexadecimal digits.
const TEXT: usize = Hyphenated::LENGTH;
const BYTES: usize = size_of::<uuid::Bytes>();
/// Longer prefixes stay as they are, with the UUID behind them: there is little to be saved then.
const LONGEST_PREFIX: usize = 63;

/// A key in the form that it has in the store.
pub(super) enum EncodedKey<'k> {
    AsIs(&'k [u8]),
    Short { bytes: [u8; 1 + BYTES + LONGEST_PREFIX], len: usize },
    Marked(Vec<u8>),
}

impl<'k> EncodedKey<'k> {
    #[inline]
    pub(super) fn of(key: &'k [u8]) -> Self {
        if let Some((prefix, text)) = key.split_last_chunk::<TEXT>()
            && prefix.len() <= LONGEST_PREFIX
            && [text[8], text[13], text[18], text[23]] == *b"----"
            && let Some(uuid) = canonical(text)
        {
            return Self::short(prefix, uuid);
        }
        match key {
            [VERBATIM | UUID, ..] => Self::Marked([&[VERBATIM], key].concat()),
            _ => Self::AsIs(key),
        }
    }

    fn short(prefix: &[u8], uuid: Uuid) -> Self {
        let mut bytes = [0; 1 + BYTES + LONGEST_PREFIX];
        let len = 1 + BYTES + prefix.len();
        bytes[0] = UUID;
        bytes[1..=BYTES].copy_from_slice(uuid.as_bytes());
        bytes[1 + BYTES..len].copy_from_slice(prefix);
        Self::Short { bytes, len }
    }
}

/// The UUID whose text this is, digit by digit: one with capitals would come back without.
#[inline]
fn canonical(text: &[u8; TEXT]) -> Option<Uuid> {
    let is_lower = !text.iter().any(u8::is_ascii_uppercase);
    is_lower.then(|| Uuid::try_parse_ascii(text).ok()).flatten()
}

/// Not `Deref`: no call that takes a key as clients know it is to be handed one in this form.
impl AsRef<[u8]> for EncodedKey<'_> {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::AsIs(key) => key,
            Self::Short { bytes, len } => &bytes[..*len],
            Self::Marked(bytes) => bytes,
        }
    }
}

/// What `f` makes of the key that lies in the store as `stored`.
#[inline]
pub(super) fn decoded<R>(stored: &[u8], f: impl FnOnce(&[u8]) -> R) -> R {
    match stored.split_first() {
        Some((&UUID, packed)) => match packed.split_first_chunk::<BYTES>() {
            Some((uuid, prefix)) if prefix.len() <= LONGEST_PREFIX => {
                let mut bytes = [0; LONGEST_PREFIX + TEXT];
                bytes[..prefix.len()].copy_from_slice(prefix);
                let text = &mut bytes[prefix.len()..];
                Uuid::from_bytes(*uuid).hyphenated().encode_lower(text);
                f(&bytes[..prefix.len() + TEXT])
            }
            _ => f(stored),
        },
        Some((&VERBATIM, key)) => f(key),
        _ => f(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bytes, Change, End, Keyspace, Lifetime, Refused, Settings};
    use super::*;
    use proptest::prelude::*;

    const NAME: &[u8] = b"67e55044-10b1-426f-9247-bb680e5fe0c8";

    fn there_and_back(key: &[u8]) -> usize {
        let encoded = EncodedKey::of(key);
        let encoded = encoded.as_ref();
        decoded(encoded, |back| assert_eq!(back, key, "{}", key.escape_ascii()));
        encoded.len()
    }

    #[test]
    fn a_uuid_takes_seventeen_bytes_and_its_prefix() {
        assert_eq!(there_and_back(NAME), 17);
        assert_eq!(there_and_back(&[b"session:", NAME].concat()), 25);
        assert_eq!(there_and_back(&[&[b'p'; LONGEST_PREFIX], NAME].concat()), 80);
    }

    #[test]
    fn what_would_not_come_back_as_it_was_stays_as_it_is() {
        let keys = [
            b"".to_vec(),
            b"user:17".to_vec(),
            NAME[1..].to_vec(),
            NAME.to_ascii_uppercase(),
            [NAME, b" "].concat(),
            NAME.iter().map(|&byte| if byte == b'-' { b'0' } else { byte }).collect(),
            NAME.iter().map(|&byte| if byte == b'6' { b'g' } else { byte }).collect(),
            [&[b'p'; LONGEST_PREFIX + 1], NAME].concat(),
        ];
        for key in keys {
            assert_eq!(there_and_back(&key), key.len(), "{}", key.escape_ascii());
        }
    }

    #[test]
    fn a_key_that_looks_like_a_form_is_marked() {
        for key in [&[UUID][..], &[VERBATIM], EncodedKey::of(NAME).as_ref()] {
            assert_eq!(there_and_back(key), key.len() + 1);
        }
    }

    #[test]
    fn a_key_and_its_form_are_two_keys_and_both_are_told_as_they_were_given() {
        let keyspace = Keyspace::new(Settings::default()).expect("it opens");
        let keys = [NAME, EncodedKey::of(NAME).as_ref(), &[VERBATIM], b"user:17"].map(Bytes::from);
        for key in &keys {
            assert_eq!(
                keyspace.put(key, key, Lifetime::Never),
                Ok(false),
                "{}",
                key.escape_ascii()
            );
        }
        let append = |found: Option<&[u8]>| {
            let value = [found.unwrap_or_default(), b"!"].concat();
            (Change::Put(value, Lifetime::Keep), ())
        };
        let mut told = Vec::new();
        keyspace.for_each_key(|key| told.push(Bytes::from(key)));
        let (_, mut scanned) = keyspace.scan(0, keys.len());
        for key in &keys {
            assert!(told.contains(key) && scanned.contains(key), "{}", key.escape_ascii());
            assert!(keyspace.contains(key));
            assert_eq!(keyspace.change(key, append), Ok(()));
            let expected = [key, &b"!"[..]].concat();
            assert_eq!(keyspace.peek(key, |value, _| value == expected), Ok(Some(true)));
            assert_eq!(keyspace.expire(key, i64::MAX), Err(Refused::TooFar));
            assert!(!keyspace.persist(key) && keyspace.deadline_ms(key) == End::Never);
            assert_eq!(keyspace.delete(key), Ok(Some(expected.into())));
        }
        scanned.retain(|key| keyspace.contains(key));
        assert_eq!((told.len(), scanned.len(), keyspace.len()), (keys.len(), 0, 0));
    }

    /// Bytes of which many keys are near a form.
    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        let start = prop_oneof![
            Just(vec![]),
            Just(vec![UUID]),
            Just(vec![VERBATIM]),
            prop::collection::vec(any::<u8>(), 0..70),
        ];
        let uuid = any::<u128>().prop_map(|bits| Uuid::from_u128(bits).to_string().into_bytes());
        let end = prop_oneof![
            uuid.clone(),
            uuid.prop_map(|text| text.to_ascii_uppercase()),
            "[0-9a-fA-F-]{36}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..20),
        ];
        (start, end).prop_map(|(start, end)| [start, end].concat())
    }

    proptest! {
        /// So no two keys have one form.
        #[test]
        fn each_key_comes_back(key in any_key()) {
            there_and_back(&key);
        }
    }
}
