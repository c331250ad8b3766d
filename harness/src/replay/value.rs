//! Values that can be checked: each carries its key, version, deadline and a checksum.
//!
//! A target that returns another key's value, mixes two versions or damages a byte is seen by
//! the value alone, without a second map of what should be there.

use std::sync::Arc;

use crate::target::Payload;
use crate::target::byte_store::Kept;
use crate::workload::mixer::scramble;

/// What a value says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The key's number.
    pub(crate) key: u32,
    /// Differs from put to put of a key, so that two versions cannot be mixed unseen.
    pub(crate) version: u32,
    /// The earliest moment at which the entry may end, in whole milliseconds of the run's clock;
    /// 0 for an entry that has no TTL.
    pub(crate) deadline_ms: u32,
}

/// What an intact value told about the put that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Carried {
    /// The version, of which a kind with little room may have kept the low bits only.
    pub(crate) version: u32,
    /// The deadline.
    pub(crate) deadline_ms: u32,
}

/// The check of a value failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wrong;

/// A value that can be made for a key and checked against it.
pub(crate) trait Value: Payload {
    /// What holds the same for who is only given clones of it, and would not have it copied each time.
    type Shared: Value;

    /// The bits of a version that a value carries.
    const VERSION_MASK: u32;

    /// Makes a value of `len` bytes; a kind with a fixed length ignores `len`.
    fn make(stamp: Stamp, len: usize) -> Self;

    /// What the value carries, if it is intact and belongs to `key`.
    #[inline]
    fn check(&self, key: u32) -> Result<Carried, Wrong> {
        Self::check_bytes(&self.bytes(), key)
    }

    /// The same of its bytes.
    fn check_bytes(bytes: &[u8], key: u32) -> Result<Carried, Wrong>;
}

/// ```text
/// 63            40 39       32 31                0
/// |  check of all |  version  |   deadline, ms   |
/// ```
impl Value for u64 {
    type Shared = Self;

    const VERSION_MASK: u32 = 0xff;

    fn make(stamp: Stamp, _len: usize) -> Self {
        let low = u64::from(stamp.version & 0xff) << 32 | u64::from(stamp.deadline_ms);
        word_check(stamp.key, low) << 40 | low
    }

    #[inline]
    fn check(&self, key: u32) -> Result<Carried, Wrong> {
        let low = self & 0xff_ffff_ffff;
        if word_check(key, low) == self >> 40 {
            Ok(Carried { version: low_half(low >> 32), deadline_ms: low_half(low) })
        } else {
            Err(Wrong)
        }
    }

    #[inline]
    fn check_bytes(bytes: &[u8], key: u32) -> Result<Carried, Wrong> {
        bytes.try_into().map_or(Err(Wrong), |bytes| Self::from_be_bytes(bytes).check(key))
    }
}

/// 24 bits: a foreign or damaged word passes once in 17 million.
fn word_check(key: u32, low: u64) -> u64 {
    scramble(low ^ scramble(u64::from(key))) >> 40
}

/// Key, version, deadline and checksum, four bytes each.
const HEADER_LEN: usize = 16;
/// Longer values are checked in their first and last so many bytes, so that the harness does not
/// come to measure its own checksum.
const CHECKED_LEN: usize = 512;

/// What a value is made of before it is filled. Of zeros, a box would come from `calloc`, and that of glibc
/// before 2.41 passes over what the thread has just freed: threads then wait for each other in the allocator,
/// which they do not where bytes are copied into a box, as users do.
const UNFILLED: u8 = 0xff;

impl Value for Box<[u8]> {
    type Shared = Arc<[u8]>;

    const VERSION_MASK: u32 = u32::MAX;

    fn make(stamp: Stamp, len: usize) -> Self {
        let mut bytes = vec![UNFILLED; len.max(HEADER_LEN)].into_boxed_slice();
        fill(&mut bytes, stamp);
        bytes
    }

    #[inline]
    fn check_bytes(bytes: &[u8], key: u32) -> Result<Carried, Wrong> {
        check(bytes, key)
    }
}

impl Value for Arc<[u8]> {
    type Shared = Self;

    const VERSION_MASK: u32 = u32::MAX;

    fn make(stamp: Stamp, len: usize) -> Self {
        let mut bytes: Self = std::iter::repeat_n(UNFILLED, len.max(HEADER_LEN)).collect();
        fill(Self::make_mut(&mut bytes), stamp);
        bytes
    }

    #[inline]
    fn check_bytes(bytes: &[u8], key: u32) -> Result<Carried, Wrong> {
        check(bytes, key)
    }
}

impl<V: Value> Value for Kept<V> {
    type Shared = Self;

    const VERSION_MASK: u32 = V::VERSION_MASK;

    fn make(stamp: Stamp, len: usize) -> Self {
        Self::Made(V::make(stamp, len))
    }

    #[inline]
    fn check_bytes(bytes: &[u8], key: u32) -> Result<Carried, Wrong> {
        V::check_bytes(bytes, key)
    }
}

/// Writes what a value carries into `bytes`, which have room for the header.
fn fill(bytes: &mut [u8], stamp: Stamp) {
    let (header, body) = bytes.split_at_mut(HEADER_LEN);
    header[0..4].copy_from_slice(&stamp.key.to_le_bytes());
    header[4..8].copy_from_slice(&stamp.version.to_le_bytes());
    header[8..12].copy_from_slice(&stamp.deadline_ms.to_le_bytes());
    let mut filler = u64::from(stamp.key) << 32 | u64::from(stamp.version);
    for lane in body.chunks_mut(8) {
        filler = filler.wrapping_add(0x9e37_79b9_7f4a_7c15);
        lane.copy_from_slice(&filler.to_le_bytes()[..lane.len()]);
    }
    let sum = checksum(bytes);
    bytes[12..16].copy_from_slice(&sum.to_le_bytes());
}

#[inline]
fn check(bytes: &[u8], key: u32) -> Result<Carried, Wrong> {
    let word = |at: usize| {
        bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes)
    };
    match (word(0), word(4), word(8), word(12)) {
        (Some(own), Some(version), Some(deadline_ms), Some(sum))
            if own == key && sum == checksum(bytes) =>
        {
            Ok(Carried { version, deadline_ms })
        }
        _ => Err(Wrong),
    }
}

/// Over length, header (its own place aside) and body.
fn checksum(bytes: &[u8]) -> u32 {
    let body = &bytes[HEADER_LEN..];
    let start = (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let state = absorb(start, &bytes[..HEADER_LEN - 4]);
    let state = if body.len() <= 2 * CHECKED_LEN {
        absorb(state, body)
    } else {
        absorb(absorb(state, &body[..CHECKED_LEN]), &body[body.len() - CHECKED_LEN..])
    };
    low_half(state ^ (state >> 32))
}

const MULTIPLIER: u64 = 0xff51_afd7_ed55_8ccd;

fn absorb(mut state: u64, bytes: &[u8]) -> u64 {
    let (lanes, tail) = bytes.as_chunks::<8>();
    for lane in lanes {
        state = (state ^ u64::from_le_bytes(*lane)).wrapping_mul(MULTIPLIER);
        state ^= state >> 29;
    }
    for byte in tail {
        state = (state ^ u64::from(*byte)).wrapping_mul(MULTIPLIER);
        state ^= state >> 29;
    }
    state
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is meant")]
const fn low_half(word: u64) -> u32 {
    word as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { key: 77, version: 3, deadline_ms: 61_000 };
    const CARRIED: Carried = Carried { version: 3, deadline_ms: 61_000 };

    #[test]
    fn a_value_passes_for_its_own_key_and_no_other() {
        assert_eq!(u64::make(STAMP, 8).check(77), Ok(CARRIED));
        assert_eq!(u64::make(STAMP, 8).check(78), Err(Wrong));
        for len in [16, 17, 35, 100, 1_024, 5_000] {
            let value = Box::<[u8]>::make(STAMP, len);
            assert_eq!(
                (value.len(), value.check(77), value.check(78)),
                (len, Ok(CARRIED), Err(Wrong))
            );
            assert_eq!(Arc::<[u8]>::make(STAMP, len), value.into(), "shared, it is the same");
        }
    }

    #[test]
    fn every_damaged_bit_of_a_small_value_is_seen() {
        for bit in 0..64 {
            assert_eq!((u64::make(STAMP, 8) ^ 1 << bit).check(77), Err(Wrong), "bit {bit}");
        }
        for bit in 0..35 * 8 {
            let mut value = Box::<[u8]>::make(STAMP, 35);
            value[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(value.check(77), Err(Wrong), "bit {bit}");
        }
    }

    #[test]
    fn the_bytes_of_a_value_are_judged_as_it_is() {
        fn judge<V: Value>(len: usize) {
            let kept = Kept::<V>::make(STAMP, len);
            let mut bytes = kept.bytes().into_owned();
            assert_eq!(kept.check(77), Ok(CARRIED));
            let checks = |bytes: &[u8], key| {
                (V::check_bytes(bytes, key), Kept::<V>::check_bytes(bytes, key))
            };
            assert_eq!(checks(&bytes, 77), (Ok(CARRIED), Ok(CARRIED)));
            assert_eq!(checks(&bytes, 78), (Err(Wrong), Err(Wrong)));
            assert_eq!(checks(&bytes[1..], 77), (Err(Wrong), Err(Wrong)));
            bytes[5] ^= 1;
            assert_eq!(checks(&bytes, 77), (Err(Wrong), Err(Wrong)));
        }
        judge::<u64>(8);
        judge::<Box<[u8]>>(35);
        judge::<Arc<[u8]>>(35);
    }

    #[test]
    fn a_truncated_value_or_a_mix_of_two_versions_is_seen() {
        let old = Box::<[u8]>::make(STAMP, 100);
        let new = Box::<[u8]>::make(Stamp { version: 4, ..STAMP }, 100);
        let mut torn = new.clone();
        torn[60..].copy_from_slice(&old[60..]);
        assert_eq!(torn.check(77), Err(Wrong));
        assert_eq!(Box::<[u8]>::from(&old[..99]).check(77), Err(Wrong));
        assert_eq!(Box::<[u8]>::from(&old[..7]).check(77), Err(Wrong));
    }
}
