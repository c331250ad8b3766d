//! All pairs of a keyspace that others go on using, in pieces of bounded size.
//!
//! A first walk over the table copies keys and nothing else; then each key's value and deadline are
//! copied together, under the lock of its own bucket, for as long as one value takes. Nothing is
//! packed or written while anything is locked. Where all keys would take too much memory, a walk
//! takes a part of them, told apart by a hash, and there are as many walks as parts.
//!
//! What is seen: a pair that is there from the beginning to the end, with one of the values that it
//! had meanwhile and that value's own deadline; of what comes or goes, anything or nothing. It is no
//! picture of one moment, no more than what SCAN and GET would tell.

use std::hash::{BuildHasher as _, RandomState};
use std::io;

use super::text;
use crate::keyspace::Keyspace;

/// How the memory for a walk is bounded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Memory for keys, in bytes.
    pub(super) keys: usize,
    /// Text is handed on once there is so much of it, in bytes.
    pub(super) text: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { keys: 64 << 20, text: 256 * 1024 }
    }
}

/// What a key is expected to take, its length included; a first guess at how many parts there are.
const KEY: usize = 40;
/// The most parts: one that is still too large is taken as it is.
const MOST_PARTS: u64 = 1 << 16;

/// What was walked over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// Pairs that were seen.
    pub(super) pairs: u64,
    /// How much text they made, in bytes.
    pub(super) text_bytes: u64,
}

/// The keys whose hash leaves `rest` when divided by `parts`.
#[derive(Debug, Clone, Copy)]
struct Part {
    parts: u64,
    rest: u64,
}

/// Keys one behind the other, each after its length.
struct Keys {
    bytes: Vec<u8>,
    /// Whether there was no room for all.
    overflowed: bool,
}

/// Hands the text of all pairs to `f`, piece after piece; no lock is held while it runs.
///
/// # Errors
/// Those of `f`, which end the walk, as does a value that cannot be read.
pub(super) fn walk<E: From<io::Error>>(
    keyspace: &Keyspace,
    bounds: Bounds,
    mut f: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Walked, E> {
    let hasher = RandomState::new();
    let guess = (keyspace.len().saturating_mul(KEY) / bounds.keys.max(1)).next_power_of_two();
    let parts = u64::try_from(guess).unwrap_or(MOST_PARTS).min(MOST_PARTS);
    let mut left: Vec<Part> = (0..parts).map(|rest| Part { parts, rest }).collect();
    let mut keys = Keys { bytes: Vec::with_capacity(bounds.keys), overflowed: false };
    let mut text = Vec::with_capacity(bounds.text);
    let mut walked = Walked::default();
    text.extend_from_slice(text::BEGINNING);
    while let Some(part) = left.pop() {
        keys.collect(keyspace, part, &hasher);
        if keys.overflowed {
            let parts = part.parts * 2;
            left.extend([part.rest, part.rest + part.parts].map(|rest| Part { parts, rest }));
            continue;
        }
        for key in keys.iter() {
            let seen = keyspace.peek(key, |value, deadline_ms| {
                text::put(&mut text, key, value, deadline_ms);
            });
            let seen = seen.map_err(|_| io::Error::other("a value cannot be read from disk"))?;
            walked.pairs += u64::from(seen.is_some());
            if text.len() >= bounds.text {
                walked.text_bytes += text.len() as u64;
                f(&text)?;
                text.clear();
                // One large value is no reason to hold so much for the rest.
                text.shrink_to(2 * bounds.text);
            }
        }
    }
    walked.text_bytes += text.len() as u64;
    f(&text)?;
    Ok(walked)
}

impl Keys {
    /// Collects the keys of a part, if there is room for them.
    fn collect(&mut self, keyspace: &Keyspace, part: Part, hasher: &RandomState) {
        self.bytes.clear();
        self.overflowed = false;
        let may_grow = part.parts >= MOST_PARTS;
        keyspace.for_each_key(|key| {
            let is_of_part = || part.parts == 1 || hasher.hash_one(key) % part.parts == part.rest;
            if self.overflowed || !is_of_part() {
                return;
            }
            let length = u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes();
            // Within its capacity, so that nobody waits at a lock for memory to be moved.
            let room = self.bytes.capacity() - self.bytes.len();
            if room < length.len() + key.len() && !may_grow {
                self.overflowed = true;
                return;
            }
            self.bytes.extend_from_slice(&length);
            self.bytes.extend_from_slice(key);
        });
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let (key, after) = after.split_at_checked(length)?;
            rest = after;
            Some(key)
        })
    }
}
