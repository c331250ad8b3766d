//! The store as its documentation describes it: one thread, a plain map, one clock.
//!
//! It shares no code with the store. What the documentation leaves open (which expired pairs a
//! step of the sweeper comes to) is not decided here: whoever compares tells it with `take`.

#[path = "reference/bound.rs"]
pub(crate) mod bound;
#[path = "reference/counts.rs"]
mod counts;
#[path = "reference/loads.rs"]
pub(crate) mod loads;

use crate::{RemovalCause, Ttl, TtlError};
pub(crate) use counts::Counts;

use bound::Limit;
use std::collections::BTreeMap;
use std::time::Duration;

/// Beyond this a deadline cannot be represented: 2^40 ms, 34.8 years.
pub(crate) const LAST_DEADLINE_MS: u64 = (1 << 40) - 1;

/// A pair that the store holds, live or expired and not yet reclaimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) value: u32,
    pub(crate) deadline_ms: Option<u64>,
    /// Whether it has a node in the expiry index.
    pub(crate) indexed: bool,
}

/// Why a pair is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Deleted,
    Purged,
    ExpiredLazily,
    ExpiredBySweeper,
    Evicted,
}

impl Cause {
    /// What the listener is told.
    fn told(self) -> RemovalCause {
        match self {
            Self::Deleted => RemovalCause::Deleted,
            Self::Purged => RemovalCause::Purged,
            Self::ExpiredLazily | Self::ExpiredBySweeper => RemovalCause::Expired,
            Self::Evicted => RemovalCause::Evicted,
        }
    }
}

/// What a removal listener does besides being told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    Listens,
    /// It asks for `len`, and gets the key that it was told of.
    CallsBack,
}

/// What the listener is told: a key, its value, and why they left.
pub(crate) type Told = (u16, u32, RemovalCause);

/// What a `compute` is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change {
    Keep,
    Put(u32, Ttl),
    Delete,
}

/// How many nodes the shards of the expiry index have, and which shard each key belongs to.
#[derive(Debug, Clone)]
pub(crate) struct IndexRoom {
    shard_of_key: Vec<usize>,
    used: Vec<u32>,
    nodes_a_shard: u32,
}

impl IndexRoom {
    /// For an index that never fills.
    pub(crate) fn unlimited() -> Self {
        Self { shard_of_key: Vec::new(), used: vec![0], nodes_a_shard: u32::MAX }
    }

    pub(crate) fn new(shard_of_key: Vec<usize>, nodes_a_shard: u32) -> Self {
        let shards = shard_of_key.iter().max().map_or(1, |last| last + 1);
        Self { shard_of_key, used: vec![0; shards], nodes_a_shard }
    }

    fn used(&mut self, key: u16) -> &mut u32 {
        let shard = self.shard_of_key.get(usize::from(key)).copied().unwrap_or(0);
        &mut self.used[shard]
    }

    /// Whether the pair has a node after a change; only a pair with a deadline may have one.
    fn change(&mut self, key: u16, had_node: bool, has_deadline: bool) -> bool {
        let limit = self.nodes_a_shard;
        let used = self.used(key);
        match (had_node, has_deadline) {
            (true, false) => *used -= 1,
            (false, true) if *used < limit => *used += 1,
            (false, true) => return false,
            (true, true) | (false, false) => {}
        }
        has_deadline
    }
}

/// The model of a store.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pairs: BTreeMap<u16, Pair>,
    now_ns: u64,
    default_ttl: Option<Duration>,
    room: IndexRoom,
    counts: Counts,
    limit: Option<Limit>,
    listening: Option<Listening>,
    told: Vec<Told>,
}

impl Reference {
    pub(crate) fn new(default_ttl: Option<Duration>, room: IndexRoom) -> Self {
        Self {
            pairs: BTreeMap::new(),
            now_ns: 0,
            default_ttl,
            room,
            counts: Counts::default(),
            limit: None,
            listening: None,
            told: Vec::new(),
        }
    }

    pub(crate) fn heard_by(self, listening: Option<Listening>) -> Self {
        Self { listening, ..self }
    }

    /// What the listener must have been told since this was last asked.
    pub(crate) fn told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    pub(crate) fn listener_panicked(&mut self) {
        self.counts.listener_panics += 1;
    }

    /// Tells of a pair that has left, once the call has done what it does to its own key.
    fn tell(&mut self, key: u16, value: u32, cause: RemovalCause) {
        if self.listening.is_some() {
            self.told.push((key, value, cause));
        }
        if self.listening == Some(Listening::CallsBack) {
            self.get(key);
        }
    }

    pub(crate) fn default_ttl(&self) -> Option<Duration> {
        self.default_ttl
    }

    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.now_ns / 1_000_000
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        let by_ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.now_ns = self.now_ns.saturating_add(by_ns);
    }

    /// Every pair held.
    pub(crate) fn held(&self) -> impl Iterator<Item = (u16, &Pair)> {
        self.pairs.iter().map(|(&key, pair)| (key, pair))
    }

    pub(crate) fn pair(&self, key: u16) -> Option<&Pair> {
        self.pairs.get(&key)
    }

    pub(crate) fn is_expired(&self, pair: &Pair) -> bool {
        pair.deadline_ms.is_some_and(|deadline_ms| self.now_ms() >= deadline_ms)
    }

    /// Every live pair, by key.
    pub(crate) fn live(&self) -> impl Iterator<Item = (u16, u32)> {
        let live = self.pairs.iter().filter(|(_, pair)| !self.is_expired(pair));
        live.map(|(&key, pair)| (key, pair.value))
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn counts(&self) -> Counts {
        let expiry_nodes = self.pairs.values().filter(|pair| pair.indexed).count();
        let weight = self.weight();
        Counts { entries: self.pairs.len(), expiry_nodes, weight, ..self.counts.clone() }
    }

    /// The live pair of `key`; an expired one is reclaimed by whoever comes to it.
    pub(crate) fn come_to(&mut self, key: u16) -> Option<Pair> {
        let pair = *self.pairs.get(&key)?;
        if self.is_expired(&pair) {
            self.take(key, Cause::ExpiredLazily);
            return None;
        }
        Some(pair)
    }

    /// Removes the pair of `key`.
    pub(crate) fn take(&mut self, key: u16, cause: Cause) -> Option<Pair> {
        let pair = self.remove(key)?;
        match cause {
            Cause::Deleted => self.counts.deletes += 1,
            Cause::Purged => self.counts.purged += 1,
            Cause::ExpiredLazily => self.count_expired(&pair, Cause::ExpiredLazily),
            Cause::ExpiredBySweeper => self.count_expired(&pair, Cause::ExpiredBySweeper),
            Cause::Evicted => self.counts.evicted += 1,
        }
        self.tell(key, pair.value, cause.told());
        Some(pair)
    }

    fn remove(&mut self, key: u16) -> Option<Pair> {
        let pair = self.pairs.remove(&key)?;
        self.room.change(key, pair.indexed, false);
        self.leave(key);
        Some(pair)
    }

    fn count_expired(&mut self, pair: &Pair, cause: Cause) {
        let lag_ms = self.now_ms().saturating_sub(pair.deadline_ms.unwrap_or(0));
        self.counts.lag_ms_max = self.counts.lag_ms_max.max(lag_ms);
        if cause == Cause::ExpiredLazily {
            self.counts.expired_lazily += 1;
        } else {
            self.counts.expired_by_sweeper += 1;
        }
    }

    /// The deadline `ttl` from now: rounded up, so that no value dies early.
    fn deadline_after(&self, ttl: Duration) -> Result<u64, TtlError> {
        if ttl == Duration::ZERO {
            return Err(TtlError::Zero);
        }
        let deadline_ms = (u128::from(self.now_ns) + ttl.as_nanos()).div_ceil(1_000_000);
        let deadline_ms = u64::try_from(deadline_ms).map_err(|_| TtlError::TooLong)?;
        if deadline_ms > LAST_DEADLINE_MS { Err(TtlError::TooLong) } else { Ok(deadline_ms) }
    }

    /// The deadline that `ttl` means for a key whose live pair is `live`.
    fn resolve(&self, ttl: Ttl, live: Option<Pair>) -> Result<Option<u64>, TtlError> {
        match (ttl, live) {
            (Ttl::Never, _) => Ok(None),
            (Ttl::After(ttl), _) => self.deadline_after(ttl).map(Some),
            (Ttl::Keep, Some(pair)) => Ok(pair.deadline_ms),
            (Ttl::Keep, None) | (Ttl::Default, _) => {
                Ok(self.default_ttl.and_then(|ttl| self.deadline_after(ttl).ok()))
            }
        }
    }

    /// Stores a pair over whatever the key has; `live` says whether that was found live. What
    /// cannot stay takes the former pair with it.
    fn store(&mut self, key: u16, value: u32, deadline_ms: Option<u64>, live: bool) {
        let former = self.pairs.get(&key).copied();
        if let Some(former) = former.filter(|_| !live) {
            self.count_expired(&former, Cause::ExpiredLazily);
        }
        self.counts.puts += 1;
        let stays = !self.is_too_heavy(value) && (former.is_some() || self.admit(key));
        if stays {
            let had_node = former.is_some_and(|former| former.indexed);
            let indexed = self.room.change(key, had_node, deadline_ms.is_some());
            self.pairs.insert(key, Pair { value, deadline_ms, indexed });
            self.reweigh(key, value);
            self.touch(key);
        } else {
            self.remove(key);
        }
        if let Some(former) = former {
            let cause = if live { RemovalCause::Replaced } else { RemovalCause::Expired };
            self.tell(key, former.value, cause);
        }
        if !stays {
            self.counts.evicted += 1;
            self.tell(key, value, RemovalCause::Evicted);
        }
    }

    /// Whether a value could be stored with this TTL.
    pub(crate) fn accepts(&self, ttl: Ttl) -> Result<(), TtlError> {
        self.resolve(ttl, None).map(drop)
    }

    fn live_pair(&self, key: u16) -> Option<Pair> {
        self.pairs.get(&key).filter(|pair| !self.is_expired(pair)).copied()
    }

    pub(crate) fn put(&mut self, key: u16, value: u32, ttl: Ttl) -> Result<Option<u32>, TtlError> {
        let live = self.live_pair(key);
        let deadline_ms = self.resolve(ttl, live)?;
        self.store(key, value, deadline_ms, live.is_some());
        Ok(live.map(|pair| pair.value))
    }

    /// A look-up that counts.
    pub(crate) fn get(&mut self, key: u16) -> Option<u32> {
        let found = self.come_to(key);
        if found.is_some() {
            self.touch(key);
            self.counts.hits += 1;
        } else {
            self.counts.misses += 1;
        }
        found.map(|pair| pair.value)
    }

    pub(crate) fn ttl(&mut self, key: u16) -> Option<Ttl> {
        let Some(deadline_ms) = self.come_to(key)?.deadline_ms else { return Some(Ttl::Never) };
        let left = Duration::from_nanos(deadline_ms * 1_000_000 - self.now_ns);
        let whole = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        Some(Ttl::After(if whole.is_zero() { left } else { whole }))
    }

    /// Whether `key` is live, once it has its new TTL.
    pub(crate) fn expire(&mut self, key: u16, ttl: Ttl) -> Result<bool, TtlError> {
        let deadline_ms = self.resolve(ttl, self.live_pair(key))?;
        let Some(pair) = self.come_to(key) else { return Ok(false) };
        if ttl != Ttl::Keep {
            self.change_deadline(key, pair, deadline_ms);
        }
        Ok(true)
    }

    pub(crate) fn persist(&mut self, key: u16) -> bool {
        let Some(pair) = self.come_to(key) else { return false };
        self.change_deadline(key, pair, None);
        pair.deadline_ms.is_some()
    }

    fn change_deadline(&mut self, key: u16, pair: Pair, deadline_ms: Option<u64>) {
        let indexed = self.room.change(key, pair.indexed, deadline_ms.is_some());
        self.pairs.insert(key, Pair { deadline_ms, indexed, ..pair });
    }

    pub(crate) fn delete(&mut self, key: u16) -> Option<u32> {
        self.come_to(key)?;
        self.take(key, Cause::Deleted).map(|pair| pair.value)
    }

    /// Changes a live value while time passes; returns the former one.
    pub(crate) fn update(&mut self, key: u16, value: u32, elapses: Duration) -> Option<u32> {
        let former = self.update_unweighed(key, value, elapses)?;
        if self.is_too_heavy(value) {
            self.take(key, Cause::Evicted);
        } else {
            self.reweigh(key, value);
        }
        Some(former)
    }

    /// The same, where nobody could weigh the new value.
    pub(crate) fn update_unweighed(
        &mut self,
        key: u16,
        value: u32,
        elapses: Duration,
    ) -> Option<u32> {
        let pair = self.come_to(key)?;
        self.touch(key);
        self.advance(elapses);
        self.pairs.insert(key, Pair { value, ..pair });
        Some(pair.value)
    }

    /// Shows the live value, lets time pass while the closure makes up its mind, and does what it
    /// says: to the pair that was shown, also if its deadline has come meanwhile.
    pub(crate) fn compute(
        &mut self,
        key: u16,
        change: Change,
        elapses: Duration,
    ) -> Result<Option<u32>, TtlError> {
        let live = self.live_pair(key);
        self.advance(elapses);
        match change {
            Change::Keep if live.is_some() => Ok(None),
            Change::Keep | Change::Delete if live.is_none() => {
                self.come_to(key);
                Ok(None)
            }
            Change::Keep | Change::Delete => {
                self.take(key, Cause::Deleted);
                Ok(live.map(|pair| pair.value))
            }
            Change::Put(value, ttl) => {
                let deadline_ms = self.resolve(ttl, live)?;
                self.store(key, value, deadline_ms, live.is_some());
                Ok(live.map(|pair| pair.value))
            }
        }
    }
}
