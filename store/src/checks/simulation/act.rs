//! What a step does to the store.

use super::super::operation::{Decision, KeyId, Meanwhile, Operation, Site, Step, kept};
use super::super::reference::loads::LoadFailure;
use super::run::Simulation;
use super::user_code::{self, Key, Value};
use crate::{Compute, Refusal, Refused, Ttl, TtlError};
use std::time::Duration;

/// What a call returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Value(Option<u32>),
    Values(Vec<Option<u32>>),
    Flag(bool),
    Ttl(Option<Ttl>),
    Replaced(Result<Option<u32>, TtlError>),
    Expired(Result<bool, TtlError>),
    Tried(Result<Option<u32>, Refusal>),
    Loaded(Result<u32, LoadFailure>),
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
            Operation::TryPut { key, value, ttl } => {
                Outcome::Tried(match store.try_put(new(key), Value::new(*value), *ttl) {
                    Ok(replaced) => Ok(number(replaced)),
                    Err(refused) => {
                        let Refused { key: handed, value: back, reason } = *refused;
                        assert_eq!((handed.id, back.into_number()), (*key, *value));
                        Err(reason)
                    }
                })
            }
            Operation::Load { .. } | Operation::LoadWithTtl { .. } => self.load(step),
            _ => self.act_on_all(&step.operation),
        }
    }

    fn load(&self, step: &Step) -> Outcome {
        let (id, number, fails, meanwhile, ttl) = match step.operation {
            Operation::Load { key, value, fails, meanwhile } => {
                (key, value, fails, meanwhile, None)
            }
            Operation::LoadWithTtl { key, value, ttl, fails, meanwhile } => {
                (key, value, fails, meanwhile, Some(ttl))
            }
            _ => unreachable!("it is a load"),
        };
        let load = || {
            let (before, after) = self.loading_time(step.elapses);
            self.clock.advance(before);
            user_code::undisturbed(|| self.write_meanwhile(id, meanwhile));
            self.clock.advance(after);
            user_code::reach(Site::Closure);
            if fails { Err(LoadFailure::Loader) } else { Ok(Value::new(number)) }
        };
        let key = Key::new(id, self.config.keys_a_hash);
        let loaded = match ttl {
            Some(ttl) => self.store.try_get_or_put_with_ttl(key, || Ok((load()?, ttl))),
            None if fails => self.store.try_get_or_put_with(key, load),
            None => Ok(self.store.get_or_put_with(key, || match load() {
                Ok(value) => value,
                Err(error) => unreachable!("{error:?}"),
            })),
        };
        Outcome::Loaded(loaded.map(Value::into_number))
    }

    /// How much of `elapses` a loader takes before it writes and after: where pairs are evicted,
    /// none after, so that what was expired then is so when the store is looked at.
    pub(super) fn loading_time(&self, elapses: Duration) -> (Duration, Duration) {
        if self.config.bound.is_some() {
            (elapses, Duration::ZERO)
        } else {
            (Duration::ZERO, elapses)
        }
    }

    fn write_meanwhile(&self, id: KeyId, meanwhile: Option<Meanwhile>) {
        match meanwhile {
            None => {}
            Some(Meanwhile::Put(value)) => {
                let key = Key::new(id, self.config.keys_a_hash);
                let _ = self.store.put(key, Value::new(value)).map(Value::into_number);
            }
            Some(Meanwhile::Delete) => {
                let _ = self.store.delete(&self.keys[usize::from(id)]).map(Value::into_number);
            }
            Some(Meanwhile::Purge) => {
                self.store.purge();
            }
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
