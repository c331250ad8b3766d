//! Ghosts: fingerprints of what was evicted not long ago, four bytes each.

use crate::machine::prefetch;
use crate::sync::{AtomicUsize, MODELLED, Ordering};

/// Remembers about as many evicted keys as it is told to.
///
/// Sets of 16 fingerprints, each a first-in first-out queue in one cache line: the newest pushes
/// the oldest of its set out. A fingerprint taken for another's costs a newcomer a better place
/// than it earned, once in thousands.
pub(super) struct Ghosts {
    sets: Box<[Set]>,
}

/// One cache line, and not parts of two.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Set([u32; WAYS]);

const WAYS: usize = 16;
const _: () = assert!(size_of::<Set>() == 64);

impl Set {
    const EMPTY: Self = Self([0; WAYS]);

    #[inline]
    fn push(&mut self, fingerprint: u32) {
        self.0.copy_within(..WAYS - 1, 1);
        self.0[0] = fingerprint;
    }

    /// Which place holds `fingerprint`, from the newest; all are compared at once, as most often
    /// none does.
    #[inline]
    fn position(&self, fingerprint: u32) -> Option<usize> {
        let mut found = 0_u32;
        for (at, &ghost) in self.0.iter().enumerate() {
            found |= u32::from(ghost == fingerprint) << at;
        }
        (found != 0).then(|| found.trailing_zeros() as usize)
    }
}

impl Ghosts {
    /// How many ages are told apart.
    pub(super) const AGES: usize = WAYS;

    pub(super) fn new() -> Self {
        Self { sets: Box::default() }
    }

    /// Remembers `hash`, among so `many`.
    pub(super) fn insert(&mut self, hash: u64, many: usize) {
        if self.sets.len() * WAYS < many || self.sets.is_empty() {
            self.grow(many);
        }
        let fingerprint = fingerprint(hash);
        let set = self.set_of(fingerprint);
        self.sets[set].push(fingerprint);
    }

    /// Forgets `hash`; returns how old the memory was, below [`Self::AGES`] for all that is
    /// remembered, or `None` if there was none.
    pub(super) fn remove(&mut self, hash: u64) -> Option<usize> {
        let fingerprint = fingerprint(hash);
        let set = self.set_of(fingerprint);
        let set = self.sets.get_mut(set)?;
        let age = set.position(fingerprint)?;
        set.0[age..].rotate_left(1);
        set.0[WAYS - 1] = 0;
        Some(age)
    }

    /// Starts fetching what it takes to remember `hash` or to forget it.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        if let Some(set) = self.sets.get(self.set_of(fingerprint(hash))) {
            prefetch(set);
        }
    }

    /// Memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.sets)
    }

    /// Makes room for so `many` and an eighth more, so that it is seldom to be made: at a bound on the number of
    /// pairs they hardly become more. What lay in one set, or in two
    /// neighbours, comes to lie in one, in the same order.
    #[cold]
    fn grow(&mut self, many: usize) {
        let sets = many.div_ceil(WAYS).max(1);
        let mut grown = Self { sets: vec![Set::EMPTY; sets + sets / 8].into() };
        for ghost in self.sets.iter().flat_map(|set| set.0.iter().rev().copied()).filter(|&g| g > 0)
        {
            let set = grown.set_of(ghost);
            grown.sets[set].push(ghost);
        }
        *self = grown;
    }

    #[inline]
    fn set_of(&self, fingerprint: u32) -> usize {
        set_of(fingerprint, self.sets.len())
    }
}

/// Where ghosts lie, for those who have not their lock: a guess that nothing but time depends on.
pub(super) struct GhostsPlace {
    first: AtomicUsize,
    sets: AtomicUsize,
}

impl GhostsPlace {
    pub(super) fn unknown() -> Self {
        Self { first: AtomicUsize::new(0), sets: AtomicUsize::new(0) }
    }

    /// Learns where `ghosts` lie, which move as they grow.
    #[inline]
    pub(super) fn learn(&self, ghosts: &Ghosts) {
        // ORDERING: Relaxed, here and below; whatever mixture of old and new is read is a guess.
        if !MODELLED && self.sets.load(Ordering::Relaxed) != ghosts.sets.len() {
            self.first.store(ghosts.sets.as_ptr().addr(), Ordering::Relaxed);
            // ORDERING: Relaxed, as above.
            self.sets.store(ghosts.sets.len(), Ordering::Relaxed);
        }
    }

    /// Starts fetching what it takes to forget `hash`.
    #[inline]
    pub(super) fn fetch(&self, hash: u64) {
        if !MODELLED && let Some(set) = self.set_of(hash) {
            prefetch(set);
        }
    }

    #[inline]
    fn set_of(&self, hash: u64) -> Option<*const Set> {
        // ORDERING: Relaxed, as above.
        let (first, sets) = (self.first.load(Ordering::Relaxed), self.sets.load(Ordering::Relaxed));
        let behind = set_of(fingerprint(hash), sets) * size_of::<Set>();
        (sets > 0).then(|| std::ptr::without_provenance(first.wrapping_add(behind)))
    }
}

/// In which of so many sets a fingerprint lies: a fixed-point product, below their number.
#[inline]
fn set_of(fingerprint: u32, sets: usize) -> usize {
    ((u64::from(fingerprint) * sets as u64) >> 32) as usize
}

/// Never zero, which stands for no ghost.
fn fingerprint(hash: u64) -> u32 {
    // Mixed, as neighbouring bits of the hash choose shards and buckets; then the upper half.
    let mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    u32::try_from(mixed).unwrap_or(0).max(1)
}

#[cfg(test)]
impl Ghosts {
    /// Checks that no more are remembered than the most pairs there were allow.
    pub(super) fn verify(&self, most_pairs: usize) {
        let room = self.sets.len() * WAYS;
        assert!(room <= (2 * most_pairs).max(WAYS), "{room} ghosts for {most_pairs} pairs");
    }
}

#[cfg(all(test, not(any(checker = "loom", checker = "shuttle"))))]
mod tests {
    use super::*;
    use crate::entry::hash_of;

    #[test]
    fn what_was_evicted_last_is_remembered_and_the_rest_forgotten() {
        let mut ghosts = Ghosts::new();
        (0..100_000_u32).for_each(|key| ghosts.insert(hash_of(&key), 1_000));
        ghosts.verify(1_000);
        let remembered = |range: std::ops::Range<u32>, ghosts: &mut Ghosts| {
            range.filter(|key| ghosts.remove(hash_of(key)).is_some()).count()
        };
        assert!(remembered(99_500..100_000, &mut ghosts) > 450);
        assert!(remembered(90_000..98_000, &mut ghosts) < 80);
        assert_eq!(remembered(99_500..100_000, &mut ghosts), 0, "each is found once");
    }

    #[test]
    fn where_a_ghost_lies_is_known_without_the_ghosts_once_they_have_grown() {
        let (mut ghosts, place) = (Ghosts::new(), GhostsPlace::unknown());
        assert_eq!(place.set_of(0), None);
        for pairs in 0..4_096 {
            let hash = hash_of(&pairs);
            ghosts.insert(hash, pairs);
            place.learn(&ghosts);
            let set = &raw const ghosts.sets[ghosts.set_of(fingerprint(hash))];
            assert_eq!(place.set_of(hash), Some(set));
        }
    }

    #[test]
    fn growing_forgets_nothing() {
        let mut ghosts = Ghosts::new();
        let mut found = 0;
        for key in 0..4_096_u32 {
            ghosts.insert(hash_of(&key), key as usize * 2);
        }
        for key in 0..4_096_u32 {
            found += u32::from(ghosts.remove(hash_of(&key)).is_some());
        }
        assert!(found > 4_000, "{found}");
        assert!(ghosts.bytes() <= 4 * 4 * 4_096, "{}", ghosts.bytes());
    }
}
