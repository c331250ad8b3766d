//! What a step does to the store.

use super::super::operation::{Decision, KeyId, Operation, Site, Step, kept};
use super::run::Simulation;
use super::user_code::{self, Key, Value};
use crate::{Compute, Ttl, TtlError};

/// What a call returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Value(Option<u32>),
    Values(Vec<Option<u32>>),
    Flag(bool),
    Ttl(Option<Ttl>),
    Replaced(Result<Option<u32>, TtlError>),
    Expired(Result<bool, TtlError>),
    Count(usize),
    Swept {
        removed: usize,
        more: bool,
    },
    /// The live pairs that a closure was shown.
    Shown(Vec<(KeyId, u32)>),
    Panicked,
}

impl Simulation<'_> {
    /// Does to the store what the step says.
    pub(super) fn act(&self, step: &Step) -> Outcome {
        let store = &self.store;
        let key = |id: &KeyId| &self.keys[usize::from(*id)];
        let number = |value: Option<Value>| value.map(Value::into_number);
        let new = |id: &KeyId| Key::new(*id, self.config.keys_a_hash);
        match &step.operation {
            Operation::Put { key, value } => {
                Outcome::Replaced(Ok(number(store.put(new(key), Value::new(*value)))))
            }
            Operation::PutWithTtl { key, value, ttl } => Outcome::Replaced(
                store.put_with_ttl(new(key), Value::new(*value), *ttl).map(number),
            ),
            Operation::Get { key: id } => Outcome::Value(number(store.get(key(id)))),
            Operation::Read { key: id } => Outcome::Value(store.read(key(id), |value| {
                self.clock.advance(step.elapses);
                user_code::reach(Site::Closure);
                value.0
            })),
            Operation::Contains { key: id } => Outcome::Flag(store.contains(key(id))),
            Operation::GetMany { keys } => Outcome::Values(
                store.get_many(keys.iter().map(key)).into_iter().map(number).collect(),
            ),
            Operation::Ttl { key: id } => Outcome::Ttl(store.ttl(key(id))),
            Operation::Expire { key: id, ttl } => Outcome::Expired(store.expire(key(id), *ttl)),
            Operation::Persist { key: id } => Outcome::Flag(store.persist(key(id))),
            Operation::Delete { key: id } => Outcome::Value(number(store.delete(key(id)))),
            Operation::Update { key: id, value: new } => {
                Outcome::Value(store.update(key(id), |value| {
                    self.clock.advance(step.elapses);
                    let former = std::mem::replace(&mut value.0, *new);
                    user_code::reach(Site::Closure);
                    former
                }))
            }
            Operation::Compute { key, decision } => {
                let decide = |_: Option<&Value>| {
                    self.clock.advance(step.elapses);
                    user_code::reach(Site::Closure);
                    match *decision {
                        Decision::Keep => Compute::Keep,
                        Decision::Put(value) => Compute::Put(Value::new(value)),
                        Decision::PutWithTtl(value, ttl) => {
                            Compute::PutWithTtl(Value::new(value), ttl)
                        }
                        Decision::Delete => Compute::Delete,
                    }
                };
                Outcome::Replaced(store.compute(new(key), decide).map(number))
            }
            _ => self.act_on_all(&step.operation),
        }
    }

    /// Does what concerns all keys.
    fn act_on_all(&self, operation: &Operation) -> Outcome {
        let store = &self.store;
        let mut shown = Vec::new();
        let mut show = |key: &Key, value: &Value| {
            user_code::reach(Site::Closure);
            shown.push((key.id, value.0));
        };
        match *operation {
            Operation::Clean => return Outcome::Count(store.clean()),
            Operation::Sweep { budget } => {
                let swept = store.sweep(budget);
                return Outcome::Swept { removed: swept.removed, more: swept.more };
            }
            Operation::SweepUntilDone { budget } => return self.sweep_until_done(budget),
            Operation::Purge => return Outcome::Count(store.purge()),
            Operation::LiveLen => return Outcome::Count(store.live_len()),
            Operation::Retain { divisor } => store.retain(|key, value| {
                show(key, value);
                kept(value.0, divisor)
            }),
            _ => store.for_each(&mut show),
        }
        shown.sort_unstable();
        // A pair that is kept may be shown twice while the table is resized.
        shown.dedup();
        Outcome::Shown(shown)
    }

    /// Sweeps until nothing is due, which must be soon: a look removes a node or moves it on.
    fn sweep_until_done(&self, budget: usize) -> Outcome {
        let looks = 8 * (self.reference.len() + 1) * 8;
        let mut removed = 0;
        for _ in 0..looks + self.config.shards {
            let swept = self.store.sweep(budget);
            removed += swept.removed;
            if !swept.more {
                return Outcome::Swept { removed, more: false };
            }
        }
        Outcome::Swept { removed, more: true }
    }
}
