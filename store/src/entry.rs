//! How a pair lies in the map, and what the store knows of it: eight bytes beside the key.

use crate::clock::Deadline;
use crate::expiry::{Due, Lease};
use crate::machine::prefetch_bytes;
use crate::owned_bytes::fetch_owned;
use crate::planted::{Bug, planted};
use crate::slab::NodeId;
use crate::sync::{AtomicU64, LazyLock, Ordering};
use foldhash::quality as chosen;
use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, Hasher};
use std::mem::needs_drop;

/// How a pair lies in the map: what the map takes as its key, which finds the pair by the key of the
/// caller and has a [`Word`] with it. All that the store knows of pairs goes through this, so that
/// one code serves pairs whose key and value lie apart ([`Keyed`]) and those that share an
/// allocation ([`Record`](crate::record::Record)).
///
/// The word stands with the key and not with the map's value so that a look-up can tell pairs apart
/// by node number, which is how the sweeper finds *its* pair among any with one hash.
pub(crate) trait Slot: Hash + Eq {
    /// What callers look pairs up by.
    type Key: Hash + Eq + ?Sized;

    fn key(&self) -> &Self::Key;

    fn word(&self) -> &Word;

    /// Whether there is something of the pair, outside its slot, that [`fetch`](Slot::fetch) knows.
    const POINTS: bool;

    /// Starts fetching from memory what a look-up will read of the pair outside its slot.
    fn fetch<Q: ?Sized>(&self)
    where
        Self::Key: Borrow<Q>;

    /// The same of what hashing the key and dropping the slot will look at, as far as it is known.
    fn fetch_owned(&self)
    where
        Self: 'static;

    /// Whether this pair holds the index node `due`.
    ///
    /// A node number is unique within its shard and the shard follows from the hash, so number
    /// and hash together name one pair, also among keys whose hashes collide. The number is
    /// compared first: hashing the key may be a cache miss.
    #[inline]
    fn holds(&self, due: Due) -> bool {
        let its_node =
            self.word().lease().node == Some(due.node) || planted(Bug::PairFoundByHashAlone);
        its_node && hash_of(self.key()) == due.hash
    }
}

/// What the store knows of a pair, packed: 40 bits of deadline (0 for none), 22 of node number (0
/// for none), which are its lease; then two bits that count uses, for the eviction of bounded stores.
///
/// The lease is written only under the bucket's exclusive lock; uses are counted under the shared
/// one. Atomic also because the map lends its keys shared, never exclusively.
#[derive(Default)]
pub(crate) struct Word(AtomicU64);

/// A key and its word; the value lies where the map keeps its values.
pub(crate) struct Keyed<K> {
    pub(crate) key: K,
    word: Word,
}

const NODE_SHIFT: u32 = Deadline::BITS;
const NODE_MASK: u64 = (1 << NodeId::BITS) - 1;
const HITS_SHIFT: u32 = NODE_SHIFT + NodeId::BITS;
const ONE_HIT: u64 = 1 << HITS_SHIFT;
const LEASE_MASK: u64 = ONE_HIT - 1;
/// Uses beyond this are not counted.
const MOST_HITS: u64 = u64::MAX >> HITS_SHIFT;
const _: () = assert!(HITS_SHIFT == u64::BITS - 2);

impl Word {
    #[inline]
    pub(crate) fn lease(&self) -> Lease {
        // ORDERING: Relaxed; every writer held this bucket's lock exclusively, and the caller
        // holds it: the lock orders them.
        unpack(self.0.load(Ordering::Relaxed))
    }

    /// Whether there is nothing to know: neither a lease nor a use. So it is with the pairs of a store
    /// without a bound that have no TTL.
    #[inline]
    pub(crate) fn is_blank(&self) -> bool {
        // ORDERING: Relaxed, as in `lease`.
        self.0.load(Ordering::Relaxed) == 0
    }

    #[inline]
    pub(crate) fn set_lease(&self, lease: Lease) {
        // ORDERING: Relaxed, as in `lease`.
        let hits = self.0.load(Ordering::Relaxed) & !LEASE_MASK;
        // ORDERING: Relaxed, as in `lease`.
        self.0.store(pack(lease) | hits, Ordering::Relaxed);
    }

    /// Counts a use, under the bucket's shared lock. What has been used often enough is only read. Uses
    /// that meet may count as one, and one that was held up may undo others: a locked instruction would
    /// keep the next call waiting.
    #[inline]
    pub(crate) fn note_hit(&self) {
        // ORDERING: Relaxed; the count orders nothing, and the lease beside it cannot change while
        // the bucket is locked.
        let word = self.0.load(Ordering::Relaxed);
        if word >> HITS_SHIFT < MOST_HITS {
            // ORDERING: Relaxed, as above.
            self.0.store(word + ONE_HIT, Ordering::Relaxed);
        }
    }

    /// Uses counted.
    pub(crate) fn hits(&self) -> u8 {
        // ORDERING: Relaxed, as in `lease`. Two bits, so it fits.
        (self.0.load(Ordering::Relaxed) >> HITS_SHIFT) as u8
    }

    /// Under the bucket's exclusive lock.
    pub(crate) fn set_hits(&self, hits: u8) {
        // ORDERING: Relaxed, as in `lease`.
        let lease = self.0.load(Ordering::Relaxed) & LEASE_MASK;
        let hits = u64::from(hits).min(MOST_HITS) << HITS_SHIFT;
        // ORDERING: Relaxed, as in `lease`.
        self.0.store(lease | hits, Ordering::Relaxed);
    }

    /// Makes a mark instead, on the word of a pair that is not in the map.
    pub(crate) fn set_mark(&self, mark: u64) {
        // ORDERING: Relaxed; nobody else has it yet.
        self.0.store(mark, Ordering::Relaxed);
    }

    /// The mark on the word of a pair that is not in the map; 0 if there is none.
    #[inline]
    pub(crate) fn mark(&self) -> u64 {
        // ORDERING: Relaxed, as above.
        self.0.load(Ordering::Relaxed)
    }

    /// Takes over all that is known of the pair that this one replaces.
    #[inline]
    pub(crate) fn succeed(&self, former: &Self) {
        // ORDERING: Relaxed, as in `lease`.
        self.0.store(former.0.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl<K> Keyed<K> {
    #[inline]
    pub(crate) fn new(key: K) -> Self {
        Self { key, word: Word::default() }
    }
}

impl<K: Hash + Eq> Slot for Keyed<K> {
    type Key = K;

    /// What owns nothing lies in the slot, whole.
    const POINTS: bool = needs_drop::<K>();

    #[inline]
    fn fetch<Q: ?Sized>(&self)
    where
        K: Borrow<Q>,
    {
        let key: &Q = self.key.borrow();
        prefetch_bytes(std::ptr::from_ref(key).cast(), size_of_val(key));
    }

    fn fetch_owned(&self)
    where
        Self: 'static,
    {
        fetch_owned(&self.key);
    }

    #[inline]
    fn key(&self) -> &K {
        &self.key
    }

    #[inline]
    fn word(&self) -> &Word {
        &self.word
    }
}

impl<K: Hash> Hash for Keyed<K> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash_of(&self.key));
    }
}

impl<K: Eq> PartialEq for Keyed<K> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq> Eq for Keyed<K> {}

#[inline]
fn pack(lease: Lease) -> u64 {
    let node = lease.node.map_or(0, NodeId::raw);
    lease.deadline.map_or(0, Deadline::ms) | u64::from(node) << NODE_SHIFT
}

#[inline]
fn unpack(word: u64) -> Lease {
    Lease {
        deadline: Deadline::from_ms(word & Deadline::MAX.ms()),
        // Masked to 22 bits, so it fits.
        node: NodeId::from_raw((word >> NODE_SHIFT & NODE_MASK) as u32),
    }
}

/// The hash of a key, by one fast seeded hasher for the whole process.
#[inline]
pub(crate) fn hash_of<Q: Hash + ?Sized>(key: &Q) -> u64 {
    HASHER.hash_of(key)
}

/// The one hasher of the process, or a copy of it where it is at hand.
#[derive(Clone)]
pub(crate) struct KeyHasher(State);

/// Seeded anew in each process, against keys chosen to collide.
///
/// Of foldhash's two, the one that mixes once more: by the other, under some seeds, numbers in a row share
/// few buckets.
#[cfg(not(any(test, checker = "loom", checker = "shuttle")))]
type State = chosen::RandomState;

/// Fixed in our own tests: a checker and a simulation must find the same execution again.
#[cfg(any(test, checker = "loom", checker = "shuttle"))]
type State = chosen::FixedState;

static HASHER: LazyLock<KeyHasher> = LazyLock::new(|| {
    #[cfg(not(any(test, checker = "loom", checker = "shuttle")))]
    let state = State::default();
    #[cfg(any(test, checker = "loom", checker = "shuttle"))]
    let state = State::with_seed(24_301);
    KeyHasher(state)
});

impl KeyHasher {
    pub(crate) fn of_process() -> Self {
        HASHER.clone()
    }

    #[inline]
    pub(crate) fn hash_of<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.0.hash_one(key)
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;

    #[test]
    fn a_lease_survives_packing() {
        let deadlines = [None, Deadline::from_ms(1), Some(Deadline::MAX)];
        let nodes = [None, NodeId::from_raw(1), NodeId::from_raw((1 << NodeId::BITS) - 1)];
        for deadline in deadlines {
            for node in nodes {
                let lease = Lease { deadline, node };
                let word = Word::default();
                word.set_lease(lease);
                (0..5).for_each(|_| word.note_hit());
                assert_eq!((word.lease(), word.hits()), (lease, 3));
                word.set_hits(1);
                word.set_lease(lease);
                assert_eq!((word.lease(), word.hits()), (lease, 1));
            }
        }
    }

    /// As they are numbered, as pages or pointers are, and as halves of something longer.
    #[test]
    #[cfg_attr(miri, ignore = "a hundred million hashes")]
    fn numbers_in_a_row_spread_over_the_buckets_under_any_seed() {
        const BUCKETS_LOG: u32 = 12;
        const A_BUCKET: u64 = 16;
        for seed in 0..400 {
            let shared = Box::leak(Box::new(foldhash::SharedSeed::from_u64(seed)));
            let hasher = chosen::SeedableRandomState::with_seed(seed, shared);
            for step in [1, 8, 4_096, 1 << 40] {
                let mut buckets = vec![0; 1 << BUCKETS_LOG];
                for number in 0..A_BUCKET << BUCKETS_LOG {
                    let hash: u64 = hasher.hash_one(number.wrapping_mul(step));
                    buckets[usize::try_from(hash >> (u64::BITS - BUCKETS_LOG)).unwrap()] += 1;
                }
                // More than three times as many as in the mean: by chance once in two million seeds.
                let most = buckets.into_iter().max().unwrap();
                assert!(most <= 3 * A_BUCKET, "{most} in a bucket, seed {seed}, step {step}");
            }
        }
    }

    #[test]
    fn a_word_adds_eight_bytes() {
        assert_eq!(size_of::<Keyed<u64>>(), 16);
    }
}
