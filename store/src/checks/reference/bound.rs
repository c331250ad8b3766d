//! The bound of a store in the reference: what pairs weigh, who was used before whom, who goes.

use super::{Cause, IndexRoom, Pair, Reference};
use std::collections::BTreeMap;

/// What a value weighs, given the bound.
pub(crate) type Weigh = fn(u32, u64) -> u64;

/// A bound, and what is known of the pairs that share it.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    max: u64,
    /// Every pair weighs 1 without it.
    weigh: Option<Weigh>,
    /// Whether who goes is known: exactly the least recently used.
    exact: bool,
    /// The numbers of the eviction queues.
    numbers: IndexRoom,
    weights: BTreeMap<u16, u64>,
    /// From the least to the most recently used.
    order: Vec<u16>,
}

impl Limit {
    pub(crate) fn new(max: u64, weigh: Option<Weigh>, exact: bool, numbers: IndexRoom) -> Self {
        Self { max, weigh, exact, numbers, weights: BTreeMap::new(), order: Vec::new() }
    }

    fn weight_of(&self, value: u32) -> u64 {
        self.weigh.map_or(1, |weigh| weigh(value, self.max))
    }

    fn total(&self) -> u64 {
        self.weights.values().sum()
    }
}

/// What went for the sake of a bound.
#[derive(Debug, Default)]
pub(crate) struct RoomMade {
    pub(crate) reclaimed: u64,
    pub(crate) evicted: u64,
}

/// So many nodes are looked at for what has expired before live pairs may go in spite of it.
const LOOKS: usize = 256;

impl Reference {
    pub(crate) fn bounded(self, limit: Limit) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// What all pairs weigh, where there is a bound.
    pub(crate) fn weight(&self) -> u64 {
        self.limit.as_ref().map_or(0, Limit::total)
    }

    /// What the pair of `key` weighs.
    pub(crate) fn weight_of(&self, key: u16) -> Option<u64> {
        self.limit.as_ref()?.weights.get(&key).copied()
    }

    /// Whether the value could not stay even if it were alone.
    pub(crate) fn is_too_heavy(&self, value: u32) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.weight_of(value) > limit.max)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.limit.as_ref().is_some_and(|limit| limit.total() > limit.max)
    }

    /// Makes the pair of `key` the most recently used.
    pub(crate) fn touch(&mut self, key: u16) {
        if let Some(limit) = &mut self.limit {
            limit.order.retain(|&other| other != key);
            limit.order.push(key);
        }
    }

    /// Gives a newcomer a number; whether there was one left.
    pub(super) fn admit(&mut self, key: u16) -> bool {
        self.limit.as_mut().is_none_or(|limit| limit.numbers.change(key, false, true))
    }

    pub(super) fn reweigh(&mut self, key: u16, value: u32) {
        if let Some(limit) = &mut self.limit {
            let weight = limit.weight_of(value);
            limit.weights.insert(key, weight);
        }
    }

    /// Forgets a pair that was held.
    pub(super) fn leave(&mut self, key: u16) {
        if let Some(limit) = &mut self.limit {
            limit.numbers.change(key, true, false);
            limit.weights.remove(&key);
            limit.order.retain(|&other| other != key);
        }
    }

    /// Lets go, until the bound is kept, who must go, and those who may if the store let them:
    /// `held` says whom it holds. `passed_ms` is the end of the last tick that has wholly passed.
    ///
    /// What has expired by then goes first, and others that have expired may be met on the way.
    pub(crate) fn make_room(&mut self, passed_ms: u64, held: &[bool]) -> Result<RoomMade, String> {
        let mut made = RoomMade::default();
        let due = |pair: &Pair| pair.indexed && pair.deadline_ms.is_some_and(|ms| ms <= passed_ms);
        let indexed = self.pairs.values().filter(|pair| pair.indexed).count();
        let is_held = |key: u16| held[usize::from(key)];
        let due: Vec<u16> = self.pairs.iter().filter(|(_, p)| due(p)).map(|(&k, _)| k).collect();
        let (overlooked, gone): (Vec<u16>, Vec<u16>) = due.iter().partition(|&&key| is_held(key));
        for &key in &gone {
            self.let_go(key, &mut made);
        }
        let gone: Vec<u16> = self.pairs.keys().copied().filter(|&key| !is_held(key)).collect();
        let live = gone.iter().filter(|key| self.live_pair(**key).is_some()).count();
        if live > 0 && indexed < LOOKS && !overlooked.is_empty() {
            return Err(format!("{overlooked:?} have expired, but {gone:?} were evicted"));
        }
        if self.limit.as_ref().is_some_and(|limit| limit.exact) {
            self.evict_exactly(is_held, &mut made)?;
        }
        let gone: Vec<u16> = self.pairs.keys().copied().filter(|&key| !is_held(key)).collect();
        self.follow(&gone, &mut made)?;
        Ok(made)
    }

    /// Lets go the least recently used of those that weigh anything: only what had expired may have
    /// gone out of its turn.
    fn evict_exactly(
        &mut self,
        is_held: impl Fn(u16) -> bool,
        made: &mut RoomMade,
    ) -> Result<(), String> {
        let weighs = |key: &u16| self.weight_of(*key) > Some(0);
        let order = self.limit.as_ref().map(|limit| limit.order.clone()).unwrap_or_default();
        let order: Vec<u16> = order.into_iter().filter(weighs).collect();
        let in_turn = order.iter().take_while(|&&key| !is_held(key)).count();
        for &key in order[in_turn..].iter().filter(|&&key| !is_held(key)) {
            if self.live_pair(key).is_some() {
                return Err(format!("key {key} was evicted out of its turn: {order:?}"));
            }
            self.let_go(key, made);
        }
        for &key in &order[..in_turn] {
            if !self.is_over() && self.live_pair(key).is_some() {
                return Err(format!("key {key} was evicted without need: {order:?}"));
            }
            self.let_go(key, made);
        }
        Ok(())
    }

    /// Whoever went may go, if all of them were needed: the last left when there was too much.
    fn follow(&mut self, gone: &[u16], made: &mut RoomMade) -> Result<(), String> {
        let mut live = gone.iter().filter(|key| self.live_pair(**key).is_some());
        if let Some(key) = live.find(|key| self.weight_of(**key) == Some(0)) {
            return Err(format!("key {key} weighs nothing and was evicted"));
        }
        let heaviest = gone.iter().filter_map(|&key| self.weight_of(key)).max().unwrap_or(0);
        let evicted = gone.iter().filter(|&&key| self.let_go(key, made)).count();
        let (left, max) = (self.weight(), self.limit.as_ref().map_or(0, |limit| limit.max));
        if left > max {
            return Err(format!("{left} is held, more than the bound {max}"));
        }
        if evicted > 0 && left + heaviest <= max {
            return Err(format!("more was evicted than needed: {gone:?} of a bound of {max}"));
        }
        Ok(())
    }

    /// Removes a pair to make room; whether it was live.
    fn let_go(&mut self, key: u16, made: &mut RoomMade) -> bool {
        let live = self.live_pair(key).is_some();
        let (cause, count) = if live {
            (Cause::Evicted, &mut made.evicted)
        } else {
            (Cause::ExpiredBySweeper, &mut made.reclaimed)
        };
        *count += 1;
        self.take(key, cause);
        live
    }
}
