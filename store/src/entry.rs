//! What the store knows of a pair besides key and value, in eight bytes beside the key.

use crate::clock::Deadline;
use crate::expiry::{Due, Lease, NodeId};
use crate::planted::{Bug, planted};
use crate::sync::{AtomicU64, LazyLock, Ordering};
use std::hash::{BuildHasher, Hash, Hasher};

/// A key and its pair's word, as the map's key.
///
/// The word stands beside the key and not beside the value so that the map's look-up can tell
/// pairs apart by node number, which is how the sweeper finds *its* pair among any with one hash.
pub(crate) struct Slot<K> {
    pub(crate) key: K,
    /// The lease, packed: 40 bits of deadline (0 for none), 22 of node number (0 for none).
    ///
    /// Written only under the bucket's exclusive lock; atomic because the map lends its keys
    /// shared, never exclusively.
    word: AtomicU64,
}

const NODE_SHIFT: u32 = Deadline::BITS;
const NODE_MASK: u64 = (1 << NodeId::BITS) - 1;
const _: () = assert!(Deadline::BITS + NodeId::BITS <= u64::BITS);

impl<K> Slot<K> {
    pub(crate) fn new(key: K, lease: Lease) -> Self {
        Self { key, word: AtomicU64::new(pack(lease)) }
    }

    #[inline]
    pub(crate) fn lease(&self) -> Lease {
        // ORDERING: Relaxed; every writer held this bucket's lock exclusively, and the caller
        // holds it: the lock orders them.
        unpack(self.word.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn set_lease(&self, lease: Lease) {
        // ORDERING: Relaxed, as in `lease`.
        self.word.store(pack(lease), Ordering::Relaxed);
    }
}

impl<K: Hash> Slot<K> {
    /// Whether this pair holds the index node `due`.
    ///
    /// A node number is unique within its shard and the shard follows from the hash, so number
    /// and hash together name one pair, also among keys whose hashes collide. The number is
    /// compared first: it stands here, while hashing the key may be a cache miss.
    #[inline]
    pub(crate) fn holds(&self, due: Due) -> bool {
        let its_node = self.lease().node == Some(due.node) || planted(Bug::PairFoundByHashAlone);
        its_node && hash_of(&self.key) == due.hash
    }
}

impl<K: Hash> Hash for Slot<K> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(hash_of(&self.key));
    }
}

impl<K: Eq> PartialEq for Slot<K> {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq> Eq for Slot<K> {}

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
    HASHER.hash_one(key)
}

/// Seeded anew in each process, against keys chosen to collide.
#[cfg(not(any(test, checker = "loom", checker = "shuttle")))]
static HASHER: LazyLock<foldhash::fast::RandomState> = LazyLock::new(Default::default);

/// Fixed in our own tests: a checker and a simulation must find the same execution again.
#[cfg(any(test, checker = "loom", checker = "shuttle"))]
static HASHER: LazyLock<foldhash::fast::FixedState> =
    LazyLock::new(|| foldhash::fast::FixedState::with_seed(24_301));

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
                assert_eq!(Slot::new((), lease).lease(), lease);
            }
        }
    }

    #[test]
    fn a_word_adds_eight_bytes() {
        assert_eq!(size_of::<Slot<u64>>(), 16);
    }
}
