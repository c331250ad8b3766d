//! Runs steps on a store and on the reference, and compares the two after each.

use super::super::operation::{self, Fault, KeyId, Operation, Site, Step, kept};
use super::super::reference::bound::{Limit, Weigh};
use super::super::reference::{Cause, Counts, IndexRoom, Listening, Pair, Reference};
use super::act::Outcome;
use super::events::Seen;
use super::plan::{Config, Measure};
use super::tally::Tally;
use super::user_code::{self, Key, Planned, Value};
use super::watch;
use crate::builder::IndexSize;
use crate::{Builder, Eviction, ManualClock, Store, Sweeper};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// Where store and reference came apart.
#[derive(Debug)]
pub(super) struct Failure {
    /// The step, from 0; as many as there are if it was found when the store was dropped.
    pub(super) step: usize,
    pub(super) difference: String,
}

/// How much is compared after each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything where there are few keys; else everything every few steps.
    Quick,
    Everything,
}

/// Runs `steps` on a fresh store.
pub(super) fn run(
    config: &Config,
    steps: &[Step],
    depth: Depth,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut simulation = Simulation::new(config, depth);
    let result = steps.iter().enumerate().try_for_each(|(number, step)| {
        watch::at_step(number);
        simulation.step = number;
        let result = catch_unwind(AssertUnwindSafe(|| simulation.take_step(step, tally)));
        let result = result.unwrap_or_else(|panic| Err(message(&*panic)));
        result.map_err(|difference| Failure { step: number, difference })
    });
    user_code::disarm();
    user_code::call_in_drop(None);
    user_code::call_back(None);
    user_code::told();
    let alive_before = simulation.alive_before;
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(simulation)));
    result?;
    let left = user_code::alive() - alive_before;
    let difference = match dropped {
        Err(panic) => message(&*panic),
        Ok(()) if left != 0 => format!("{left} keys and values outlive the store"),
        Ok(()) => return Ok(()),
    };
    Err(Failure { step: steps.len(), difference })
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.map_or_else(|| "an unexpected panic".to_owned(), |text| format!("panicked: {text}"))
}

pub(super) struct Simulation<'c> {
    pub(super) config: &'c Config,
    depth: Depth,
    pub(super) clock: ManualClock,
    pub(super) store: Store<Key, Value>,
    pub(super) reference: Reference,
    /// Keys to look up with.
    pub(super) keys: Vec<Key>,
    alive_before: i64,
    step: usize,
    /// Which keys the store holds; kept for its memory.
    pub(super) held: Vec<bool>,
    /// The end of the last tick that had passed when the index was last gone through and a `Hash` panicked: what
    /// was looked at in vain is looked at again in the next tick.
    in_vain_ms: Option<u64>,
}

fn with_bound_and_listener(
    mut builder: Builder<Key, Value>,
    config: &Config,
) -> Builder<Key, Value> {
    if let Some(bound) = &config.bound {
        let max = bound.max;
        builder = builder.eviction(bound.eviction);
        builder = match bound.measure {
            Measure::Entries => builder.max_entries(usize::try_from(max).unwrap_or(usize::MAX)),
            Measure::Alike => builder.max_weight(max),
            Measure::Weighed => {
                builder.max_weight(max).weigher(move |_, value| user_code::weigh(value, max))
            }
        };
    }
    if config.listening.is_some() { builder.on_removal(user_code::removed) } else { builder }
}

fn reference(config: &Config, room: IndexRoom) -> Reference {
    let Some(bound) = &config.bound else { return Reference::new(config.default_ttl, room) };
    let weigh: Option<Weigh> = (bound.measure == Measure::Weighed).then_some(operation::weight);
    // The eviction queues number the pairs, and the index takes their numbers.
    let limit = Limit::new(bound.max, weigh, bound.eviction == Eviction::Lru, room);
    Reference::new(config.default_ttl, IndexRoom::unlimited()).bounded(limit)
}

impl<'c> Simulation<'c> {
    fn new(config: &'c Config, depth: Depth) -> Self {
        let clock = ManualClock::new();
        let builder = Store::builder()
            .clock(clock.clone())
            .sweeper(Sweeper::Manual)
            .tick(config.tick)
            .capacity(config.capacity)
            .index(IndexSize { shards: config.shards, nodes_a_shard: config.nodes_a_shard });
        let builder = match config.default_ttl {
            Some(ttl) => builder.default_ttl(ttl),
            None => builder,
        };
        let store = with_bound_and_listener(builder, config)
            .build()
            .expect("every configuration of a plan can be built");
        let alive_before = user_code::alive();
        let keys: Vec<Key> = (0..config.keys).map(|id| Key::new(id, config.keys_a_hash)).collect();
        let shards = keys.iter().map(|key| store.index_shard(key)).collect();
        let room = IndexRoom::new(shards, config.nodes_a_shard);
        user_code::call_in_drop(config.drops_call.then(|| store.clone()));
        let calls_back = config.listening == Some(Listening::CallsBack);
        user_code::call_back(calls_back.then(|| store.clone()));
        let held = vec![false; usize::from(config.keys)];
        let reference = reference(config, room).heard_by(config.listening);
        let (step, in_vain_ms) = (0, None);
        Self { config, depth, clock, store, reference, keys, alive_before, step, held, in_vain_ms }
    }

    fn take_step(&mut self, step: &Step, tally: &mut Tally) -> Result<(), String> {
        tally.operation(step.operation.name());
        if let Some(by) = self.way_ahead(&step.operation) {
            self.advance(by, tally);
            return self.check(false);
        }
        let pair_before = step.operation.key().and_then(|key| self.reference.pair(key).copied());
        let live_before = pair_before.is_some_and(|pair| !self.reference.is_expired(&pair));
        let weight_before = step.operation.key().and_then(|key| self.reference.weight_of(key));
        let counts_before = self.reference.counts();
        let capacity_before = self.store.capacity();
        // What of a list of keys comes before a panic is left open; `get` says all there is.
        let listed = matches!(step.operation, Operation::GetMany { .. });
        let fault = step.fault.filter(|_| !listed);
        user_code::arm(fault);
        let outcome = catch_unwind(AssertUnwindSafe(|| self.act(step)));
        let fired = fault.filter(|_| !user_code::disarm());
        if fired.is_some_and(|fault| fault.site == Site::Listener) {
            self.reference.listener_panicked();
            tally.event("panic in the listener", 1);
        }
        // A panic of the listener concerns nobody else.
        let fired = fired.filter(|fault| fault.site != Site::Listener);
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(panic) if panic.is::<Planned>() && fired.is_some() => Outcome::Panicked,
            Err(panic) => resume_unwind(panic),
        };
        let expected = if step.operation.is_structural() {
            self.follow(&step.operation, fired, &outcome, tally)?
        } else {
            self.expect(step, fired, tally)?
        };
        self.compare_told(tally)?;
        if outcome != expected {
            return Err(format!("returned {outcome:?}, expected {expected:?}"));
        }
        let seen = Seen {
            pair_before,
            live_before,
            weight_before,
            counts_before,
            capacity_before,
            fired,
            outcome,
        };
        self.tally(step, &seen, tally);
        if fired.is_some_and(|fault| fault.site == Site::Drop) {
            // What a function was about to return is leaked, not dropped, when the `Drop` of one
            // of its locals panics (rust-lang/rust#47949): at most one pair.
            self.alive_before += self.surplus().clamp(0, 2);
        }
        self.check(step.operation.is_structural() || fired.is_some())
    }

    /// How far the clock is to go, if the operation is such a move.
    fn way_ahead(&self, operation: &Operation) -> Option<Duration> {
        let now_ns = self.reference.now_ns();
        let to_ns = match *operation {
            Operation::Advance(by) => return Some(by),
            Operation::AdvanceToSlot { level, offset_ns } => {
                let slot_ns = (self.tick_ms() * 1_000_000).saturating_mul(64_u64.pow(level));
                let boundary_ns = (now_ns / slot_ns + 1).saturating_mul(slot_ns);
                boundary_ns.saturating_add_signed(offset_ns)
            }
            Operation::AdvanceToDeadline { key, offset_ns } => {
                let deadline_ms = self.reference.pair(key).and_then(|pair| pair.deadline_ms);
                deadline_ms.map_or(now_ns, |ms| (ms * 1_000_000).saturating_add_signed(offset_ns))
            }
            Operation::AdvanceToHorizon { early } => {
                let horizon = Duration::from_millis(1 << 40).saturating_sub(early);
                u64::try_from(horizon.as_nanos()).unwrap_or(u64::MAX)
            }
            _ => return None,
        };
        let by = Duration::from_nanos(to_ns.saturating_sub(now_ns));
        let allowed = by <= self.config.reach() || self.config.beyond_horizon;
        Some(if allowed { by } else { Duration::ZERO })
    }

    pub(super) fn tick_ms(&self) -> u64 {
        // The store rounds a fraction of a millisecond up.
        u64::try_from(self.config.tick.as_micros().div_ceil(1_000)).unwrap_or(1)
    }

    fn advance(&mut self, by: Duration, tally: &mut Tally) {
        let tick_before = self.reference.now_ms() / self.tick_ms();
        self.clock.advance(by);
        self.reference.advance(by);
        let tick = self.reference.now_ms() / self.tick_ms();
        let names = [
            "crossing of wheel level 1",
            "crossing of wheel level 2",
            "crossing of wheel level 3",
            "crossing of wheel level 4",
            "crossing of wheel level 5",
        ];
        for (level, name) in (1..).zip(names) {
            tally.event(name, u64::from(tick >> (6 * level) != tick_before >> (6 * level)));
        }
        tally.event("time beyond the last deadline", u64::from(self.reference.now_ms() >> 40 > 0));
    }

    /// Judges what an operation on many keys removed, and removes it from the reference. Returns
    /// the outcome that agrees with it.
    fn follow(
        &mut self,
        operation: &Operation,
        fired: Option<Fault>,
        outcome: &Outcome,
        tally: &mut Tally,
    ) -> Result<Outcome, String> {
        self.look_what_is_held();
        let live: Vec<_> = self.reference.live().collect();
        let pairs: Vec<(KeyId, Pair)> = self.reference.held().map(|(k, p)| (k, *p)).collect();
        let more = matches!(outcome, Outcome::Swept { more: true, .. });
        let complete = fired.is_none() && !(more && matches!(operation, Operation::Sweep { .. }));
        if fired.is_some_and(|fault| fault.site == Site::Hash) {
            self.in_vain_ms = Some(self.passed_ms());
        }
        let mut removed = 0;
        for (key, pair) in pairs {
            let cause = self.cause(operation, &pair);
            if self.held[usize::from(key)] {
                if complete && self.must_remove(operation, &pair) {
                    return Err(format!("key {key} is held still: {pair:?}"));
                }
                continue;
            }
            let cause = cause.ok_or_else(|| format!("key {key} was removed: {pair:?}"))?;
            removed += 1;
            let lag_ms = self.reference.now_ms().saturating_sub(pair.deadline_ms.unwrap_or(0));
            let late = cause == Cause::ExpiredBySweeper && lag_ms > 10 * self.tick_ms();
            tally.event("expired pair reclaimed over ten ticks late", u64::from(late));
            self.reference.take(key, cause);
        }
        let cut_short = fired.is_some() && removed > 0;
        tally.event("panic amid the removal of many", u64::from(cut_short));
        Ok(match *operation {
            _ if fired.is_some() => Outcome::Panicked,
            Operation::Sweep { budget } if removed > budget => {
                return Err(format!("removed {removed} with a budget of {budget}"));
            }
            Operation::Sweep { .. } => Outcome::Swept { removed, more },
            Operation::SweepUntilDone { .. } => Outcome::Swept { removed, more: false },
            Operation::Retain { .. } => Outcome::Shown(live),
            _ => Outcome::Count(removed),
        })
    }

    /// As what the operation may remove the pair, if it may.
    fn cause(&self, operation: &Operation, pair: &Pair) -> Option<Cause> {
        let expired = self.reference.is_expired(pair);
        match *operation {
            Operation::Purge => Some(Cause::Purged),
            Operation::Retain { .. } if expired => Some(Cause::ExpiredLazily),
            Operation::Retain { divisor } => (!kept(pair.value, divisor)).then_some(Cause::Deleted),
            _ => expired.then_some(Cause::ExpiredBySweeper),
        }
    }

    /// Whether the operation, if it comes to its end, must have removed the pair.
    fn must_remove(&self, operation: &Operation, pair: &Pair) -> bool {
        let passed_ms = self.passed_ms();
        let in_vain = self.in_vain_ms == Some(passed_ms);
        match *operation {
            // A sweep comes to what has a node, once the deadline's whole tick has passed.
            Operation::Sweep { .. } | Operation::SweepUntilDone { .. } => {
                !in_vain && pair.indexed && pair.deadline_ms.is_some_and(|ms| ms <= passed_ms)
            }
            Operation::Clean => !in_vain && self.cause(operation, pair).is_some(),
            _ => self.cause(operation, pair).is_some(),
        }
    }

    /// The end of the last tick that has wholly passed.
    fn passed_ms(&self) -> u64 {
        let tick_ms = self.tick_ms();
        self.reference.now_ms() / tick_ms * tick_ms
    }

    pub(super) fn look_what_is_held(&mut self) {
        let held = &mut self.held;
        held.fill(false);
        self.store.for_each_held(|key, _, _, _| held[usize::from(key.id)] = true);
    }

    /// Keys and values that nobody owns.
    fn surplus(&self) -> i64 {
        let owned = 2 * self.store.len() + self.keys.len();
        user_code::alive() - self.alive_before - i64::try_from(owned).unwrap_or(0)
    }

    /// Compares everything that can be seen, and the structure: after each step while that is
    /// cheap, and whenever `wholly` asks for it.
    fn check(&mut self, wholly: bool) -> Result<(), String> {
        let surplus = self.surplus();
        if surplus != 0 {
            return Err(format!("{surplus} more keys and values are alive than are owned"));
        }
        let always = self.config.keys <= 32 || self.depth == Depth::Everything;
        if !(always || wholly || self.step.is_multiple_of(16)) {
            return Ok(());
        }
        self.store.verify();
        let reference = &self.reference;
        let mut difference = None;
        let mut pairs = 0;
        self.store.for_each_held(|key, deadline_ms, indexed, value| {
            pairs += 1;
            let found = Pair { value: value.0, deadline_ms, indexed };
            if reference.pair(key.id) != Some(&found) {
                let expected = reference.pair(key.id);
                difference = Some(format!("key {}: {found:?}, expected {expected:?}", key.id));
            }
        });
        if let Some(difference) = difference {
            return Err(difference);
        }
        if pairs != reference.len() {
            return Err(format!("{pairs} pairs are held, expected {}", reference.len()));
        }
        let (counts, expected) = (Counts::shown_by(&self.store.stats()), reference.counts());
        if counts != expected {
            return Err(format!("counts {counts:?},\n expected {expected:?}"));
        }
        Ok(())
    }
}
