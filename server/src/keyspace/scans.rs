//! Walks over all keys in small steps, for SCAN.
//!
//! The map has no order to go on in, so keys are given one: that of a secret hash. A step of a walk
//! returns the next keys in this order and, as the cursor, where the one after them stands. To find
//! them the whole map is looked at, and the next several thousand keys (a 64th of all) are kept for
//! the walk's next steps: a walk over `n` keys looks at about `64 n`, in some 64 goes. It takes more
//! goes where a 64th of all keys is more than may be held, however many keys a step is asked for.
//!
//! What is promised: a key that is there from a walk's beginning to its end is returned, exactly
//! once; one that is not there at all meanwhile is not; one that comes or goes may be either. It
//! holds for any number of walks beside each other, and for one that rests for long: what was kept
//! is then looked for anew, from the cursor on. It does not hold across a restart.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// What keys are ordered by; never zero.
type Point = u64;

/// A point fits in this many bits of a cursor; above it stands the walk's number.
const POINT_BITS: u32 = 48;
/// Walks have numbers up to this: a cursor fits in a signed integer of 64 bits.
const WALKS: u64 = (1 << 15) - 1;
/// Walks whose next keys are kept.
const KEPT: usize = 16;
/// Keys that are kept for a walk, at least; it is more of a large map.
const BATCH: usize = 4_096;
const BATCH_SHARE: usize = 64;
/// What these keys may take, with what keeps them, unless it is a single one.
const BATCH_BYTES: usize = 64 << 20;

/// The walks in progress.
#[derive(Debug, Default)]
pub(super) struct Scans {
    /// Secret, so that nobody can make keys that stand in one place.
    hasher: RandomState,
    walks: Mutex<Walks>,
}

#[derive(Debug, Default)]
struct Walks {
    last: u64,
    /// Those used last stand last.
    batches: VecDeque<Batch>,
}

/// The next keys of a walk, in order.
#[derive(Debug)]
struct Batch {
    walk: u64,
    keys: VecDeque<Next>,
    /// Where keys stand that had no room here; zero if there are none.
    beyond: Point,
}

#[derive(Debug, PartialEq, Eq)]
struct Next {
    point: Point,
    key: Box<[u8]>,
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.point.cmp(&other.point).then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Scans {
    /// The next `count` keys, or a few more, from `cursor` on, and the cursor after them: zero at
    /// the end. `for_each` shows every key; `len` is about how many there are.
    pub(super) fn step(
        &self,
        cursor: u64,
        count: usize,
        len: usize,
        for_each: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> (u64, Vec<Box<[u8]>>) {
        let (walk, from) = (cursor >> POINT_BITS, cursor & ((1 << POINT_BITS) - 1));
        let mut batch = self.kept(walk, from).unwrap_or_else(|| {
            let walk = if cursor == 0 || walk > WALKS { self.number() } else { walk };
            let size = count.max(BATCH).max(len / BATCH_SHARE);
            self.collect(walk, from, size, for_each)
        });
        let (walk, mut keys) = (batch.walk, Vec::new());
        let mut last = 0;
        // Keys that stand in one place stay together: a cursor cannot tell them apart.
        while let Some(next) = batch.keys.front()
            && (keys.len() < count || next.point == last)
        {
            last = next.point;
            keys.extend(batch.keys.pop_front().map(|next| next.key));
        }
        let next = batch.keys.front().map_or(batch.beyond, |next| next.point);
        if next == 0 {
            return (0, keys);
        }
        if !batch.keys.is_empty() {
            self.keep(batch);
        }
        (walk << POINT_BITS | next, keys)
    }

    /// Where `key` stands.
    fn point(&self, key: &[u8]) -> Point {
        (self.hasher.hash_one(key) >> (64 - POINT_BITS + 1)) + 1
    }

    /// A number for a new walk.
    fn number(&self) -> u64 {
        let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
        walks.last = walks.last % WALKS + 1;
        walks.last
    }

    /// Takes what is kept for `walk`, if it begins at `from`. Never what another walk left: that
    /// may be older than this one.
    fn kept(&self, walk: u64, from: Point) -> Option<Batch> {
        let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
        let position = walks.batches.iter().position(|batch| {
            batch.walk == walk && batch.keys.front().is_some_and(|next| next.point == from)
        })?;
        walks.batches.remove(position)
    }

    fn keep(&self, batch: Batch) {
        let mut walks = self.walks.lock().unwrap_or_else(PoisonError::into_inner);
        walks.batches.push_back(batch);
        if walks.batches.len() > KEPT {
            walks.batches.pop_front();
        }
    }

    /// Looks for the first `size` keys from `from` on.
    fn collect(
        &self,
        walk: u64,
        from: Point,
        size: usize,
        for_each: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> Batch {
        let mut first: BinaryHeap<Next> = BinaryHeap::new();
        let (mut beyond, mut least, mut bytes) = (0, Point::MAX, 0);
        let taken = |key: &[u8]| key.len() + size_of::<Next>();
        for_each(&mut |key| {
            let point = self.point(key);
            if point < from || (beyond != 0 && point >= beyond) {
                return;
            }
            first.push(Next { point, key: key.into() });
            least = least.min(point);
            bytes += taken(key);
            // Not those in the first place of all: the walk would not go on.
            while (first.len() > size || bytes > BATCH_BYTES)
                && let Some(last) = first.peek().map(|next| next.point).filter(|at| *at > least)
            {
                // All that stand in the last place go: the next batch begins there.
                beyond = last;
                while first.peek().is_some_and(|next| next.point == last) {
                    bytes -= first.pop().map_or(0, |next| taken(&next.key));
                }
            }
        });
        let mut keys = first.into_sorted_vec();
        // The map may show a key twice while it grows.
        keys.dedup();
        Batch { walk, keys: keys.into(), beyond }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn key(number: u32) -> Box<[u8]> {
        number.to_string().into_bytes().into()
    }

    /// Walks from `cursor` to the end; `between` may change the keys after each step.
    fn walk(
        scans: &Scans,
        keys: &mut BTreeSet<Box<[u8]>>,
        count: usize,
        mut between: impl FnMut(&mut BTreeSet<Box<[u8]>>),
    ) -> Vec<Box<[u8]>> {
        let (mut cursor, mut seen) = (0, Vec::new());
        loop {
            let shown = keys.clone();
            let (next, found) = scans.step(cursor, count, keys.len(), |f| {
                for key in &shown {
                    f(key);
                }
            });
            seen.extend(found);
            if next == 0 {
                return seen;
            }
            cursor = next;
            between(keys);
        }
    }

    #[test]
    fn a_walk_returns_each_key_that_stays_once_whatever_comes_and_goes() {
        for count in [1_000, 5_000] {
            let scans = Scans::default();
            let mut keys: BTreeSet<_> = (0..20_000).map(key).collect();
            let mut fresh = 1_000_000;
            let mut seen = walk(&scans, &mut keys, count, |keys| {
                // Another walk beside it, and keys that come and go.
                scans.step(0, 10, keys.len(), |f| keys.iter().for_each(|key| f(key)));
                keys.remove(&key(fresh));
                fresh += 1;
                keys.insert(key(fresh));
            });
            seen.retain(|key| key.len() < 7);
            seen.sort();
            let mut stayed: Vec<_> = (0..20_000).map(key).collect();
            stayed.sort();
            assert_eq!(seen, stayed);
        }
    }

    #[test]
    fn a_walk_that_begins_later_sees_what_an_older_one_could_not() {
        let scans = Scans::default();
        let mut keys: BTreeSet<_> = (0..100).map(key).collect();
        // The first walk keeps its keys; then more come.
        scans.step(0, 10, keys.len(), |f| keys.iter().for_each(|key| f(key)));
        keys.extend((100..200).map(key));
        let seen: BTreeSet<_> = walk(&scans, &mut keys, 10, |_| {}).into_iter().collect();
        assert_eq!(seen.len(), 200);
    }

    #[test]
    fn any_number_is_a_cursor() {
        let scans = Scans::default();
        for cursor in [1, 77, u64::MAX, 1 << 63, 1 << 48] {
            scans.step(cursor, 10, 3, |f| (0..3).for_each(|number| f(&key(number))));
        }
    }

    #[test]
    fn a_step_copies_no_more_than_may_be_held_however_many_keys_it_is_asked_for() {
        const LONG: usize = 10 << 20;
        let scans = Scans::default();
        let mut keys: BTreeSet<Box<[u8]>> = (0..10).map(|last| vec![last; LONG].into()).collect();
        // One key alone may be more.
        keys.insert(vec![b'x'; BATCH_BYTES + 1].into());
        let (mut cursor, mut seen) = (0, BTreeSet::new());
        loop {
            let (next, found) = scans.step(cursor, usize::MAX, keys.len(), |f| {
                for key in &keys {
                    f(key);
                }
            });
            let bytes: usize = found.iter().map(|key| key.len()).sum();
            assert!(found.len() == 1 || bytes <= BATCH_BYTES, "{bytes} bytes in one step");
            assert!(found.into_iter().all(|key| seen.insert(key)), "a key came twice");
            if next == 0 {
                break;
            }
            assert_ne!(next, cursor, "the walk does not go on");
            cursor = next;
        }
        assert!(seen == keys, "{} of {} keys came", seen.len(), keys.len());
    }
}
