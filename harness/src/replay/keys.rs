//! The keys of a workload, made before the clock starts.

use std::borrow::Borrow;
use std::fmt::Write as _;

use crate::target::Key;
use crate::workload::mixer::scramble;
use crate::workload::model::{KeyKind, Keyspace, Workload};

/// All keys by their numbers.
pub(crate) trait Keys: Send + Sync {
    /// The key as a target owns it.
    type Key: Key;
    /// The key as look-ups lend it.
    type Ref<'a>: Borrow<<Self::Key as Key>::Lent>
    where
        Self: 'a;

    /// Lends the key for a look-up.
    fn lend(&self, number: u32) -> Self::Ref<'_>;

    /// Makes a key for the target to own.
    fn own(&self, number: u32) -> Self::Key;
}

/// Keys that are numbers: computed, not stored.
#[derive(Debug)]
pub(crate) struct Numbers {
    seed: u64,
}

impl Numbers {
    pub(crate) fn new(workload: &Workload) -> Self {
        Self { seed: scramble(workload.seed) }
    }
}

impl Keys for Numbers {
    type Key = u64;
    type Ref<'a> = u64;

    #[inline]
    fn lend(&self, number: u32) -> u64 {
        // Bijective: no two numbers give the same key.
        scramble(u64::from(number) ^ self.seed)
    }

    #[inline]
    fn own(&self, number: u32) -> u64 {
        self.lend(number)
    }
}

/// Keys that are texts: all in one string, at equal distances within a key space.
#[derive(Debug)]
pub(crate) struct Texts {
    text: String,
    spaces: Vec<Space>,
}

#[derive(Debug)]
struct Space {
    /// The first number after this space's.
    end: u32,
    first: u32,
    start: usize,
    len: usize,
}

impl Texts {
    pub(crate) fn new(workload: &Workload) -> Self {
        let bytes = workload.keyspaces.iter().map(|space| numbers(space).len() * key_len(space));
        let mut text = String::with_capacity(bytes.sum());
        let mut spaces = Vec::new();
        for space in &workload.keyspaces {
            let (start, range) = (text.len(), numbers(space));
            spaces.push(Space { end: range.end, first: range.start, start, len: key_len(space) });
            for number in range {
                write_key(&mut text, &space.key, number, workload.seed);
            }
        }
        Self { text, spaces }
    }
}

impl Keys for Texts {
    type Key = Box<str>;
    type Ref<'a> = &'a str;

    #[inline]
    fn lend(&self, number: u32) -> &str {
        // Workloads have one or a few key spaces: a scan beats anything cleverer.
        let space = self.spaces.iter().find(|space| number < space.end);
        let Some(space) = space else { return "" };
        let start = space.start + (number - space.first) as usize * space.len;
        &self.text[start..start + space.len]
    }

    #[inline]
    fn own(&self, number: u32) -> Box<str> {
        self.lend(number).into()
    }
}

fn numbers(space: &Keyspace) -> std::ops::Range<u32> {
    space.first..space.first + space.keys + space.absent
}

/// Bytes of each key of a space.
pub(crate) fn key_len(space: &Keyspace) -> usize {
    match &space.key {
        KeyKind::Uuid => 36,
        KeyKind::U64 => 8,
        KeyKind::Text { len, .. } => *len as usize,
    }
}

fn write_key(text: &mut String, kind: &KeyKind, number: u32, seed: u64) {
    let outcome = match kind {
        KeyKind::U64 => Ok(()),
        KeyKind::Uuid => {
            // 122 random bits: ten million keys collide with a probability of 1e-23.
            let high = scramble(u64::from(number) ^ scramble(seed));
            let low = scramble(high ^ seed);
            write!(
                text,
                "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 48 & 0x3fff | 0x8000,
                low & 0xffff_ffff_ffff
            )
        }
        KeyKind::Text { len, prefix } => {
            let digits = *len as usize - prefix.len();
            write!(text, "{prefix}{number:0digits$}")
        }
    };
    debug_assert!(outcome.is_ok(), "a String takes all");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::workload::{Overrides, Source, load};

    fn workload(key: &str) -> Workload {
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 5\n[keyspace.a]\nkeys = 3_000\nkey = {key}\n\
             value = {{ sizes = [[32, 1]] }}\nprefill = {{ report = true }}\n\
             [keyspace.b]\nkeys = 500\nkey = {key}\nvalue = {{ sizes = [[32, 1]] }}\n"
        );
        let source = Source { label: "t.toml".into(), text };
        load(&source, &Overrides::default()).expect("valid").remove(0).workload
    }

    #[test]
    fn texts_have_their_length_and_differ() {
        for (key, len) in [(r#"{ kind = "uuid" }"#, 36), (r#"{ len = 16, prefix = "user:" }"#, 16)]
        {
            let workload = workload(key);
            let keys = Texts::new(&workload);
            let all = u32::try_from(workload.key_count()).expect("small");
            let distinct: HashSet<_> = (0..all).map(|number| keys.own(number)).collect();
            assert_eq!(distinct.len(), all as usize);
            assert!(distinct.iter().all(|key| key.len() == len), "{key}");
        }
    }

    #[test]
    fn a_uuid_is_of_version_4() {
        let keys = Texts::new(&workload(r#"{ kind = "uuid" }"#));
        let parts: Vec<_> = keys.lend(9).split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && "89ab".contains(&parts[3][..1]));
    }
}
