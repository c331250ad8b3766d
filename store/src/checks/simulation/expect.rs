//! What a step does to the reference, and what must so come of it.

use super::super::operation::{Decision, Fault, KeyId, Meanwhile, Operation, Site, Step, weight};
use super::super::reference::Change;
use super::super::reference::loads::{self, Load};
use super::act::Outcome;
use super::run::Simulation;
use super::tally::Tally;
use crate::{Refusal, Ttl};
use std::time::Duration;

impl Simulation<'_> {
    /// Does to the reference what the step says, and says what must have come of it.
    pub(super) fn expect(
        &mut self,
        step: &Step,
        fired: Option<Fault>,
        tally: &mut Tally,
    ) -> Result<Outcome, String> {
        let expected = match (fired, &step.operation) {
            (Some(fault), Operation::Load { .. } | Operation::LoadWithTtl { .. }) => {
                self.expect_panic_in_load(step, fault, tally)?;
                Outcome::Panicked
            }
            (Some(fault), _) => {
                self.expect_panic(step, fault);
                Outcome::Panicked
            }
            (None, Operation::Load { .. } | Operation::LoadWithTtl { .. }) => {
                self.expect_load(step, tally)?
            }
            (None, _) => self.expect_call(step),
        };
        self.follow_room(tally)?;
        Ok(expected)
    }

    fn expect_call(&mut self, step: &Step) -> Outcome {
        let model = &mut self.reference;
        match &step.operation {
            Operation::Put { key, value } => {
                Outcome::Replaced(model.put(*key, *value, Ttl::Default))
            }
            Operation::PutWithTtl { key, value, ttl } => {
                Outcome::Replaced(model.put(*key, *value, *ttl))
            }
            Operation::Get { key } => Outcome::Value(model.get(*key)),
            Operation::Read { key } => {
                let found = model.get(*key);
                model.advance(found.map_or(Duration::ZERO, |_| step.elapses));
                Outcome::Value(found)
            }
            Operation::Contains { key } => Outcome::Flag(model.come_to(*key).is_some()),
            Operation::GetMany { keys } => {
                Outcome::Values(keys.iter().map(|key| model.get(*key)).collect())
            }
            Operation::Ttl { key } => Outcome::Ttl(model.ttl(*key)),
            Operation::Expire { key, ttl } => Outcome::Expired(model.expire(*key, *ttl)),
            Operation::Persist { key } => Outcome::Flag(model.persist(*key)),
            Operation::Delete { key } => Outcome::Value(model.delete(*key)),
            Operation::Update { key, value } => {
                Outcome::Value(model.update(*key, *value, step.elapses))
            }
            Operation::Compute { key, decision } => {
                let change = match *decision {
                    Decision::Keep => Change::Keep,
                    Decision::Put(value) => Change::Put(value, Ttl::Default),
                    Decision::PutWithTtl(value, ttl) => Change::Put(value, ttl),
                    Decision::Delete => Change::Delete,
                };
                Outcome::Replaced(model.compute(*key, change, step.elapses))
            }
            Operation::TryPut { key, value, ttl } => {
                Outcome::Tried(self.expect_try(*key, *value, *ttl))
            }
            Operation::LiveLen => Outcome::Count(model.live().count()),
            _ => Outcome::Shown(model.live().collect()),
        }
    }

    fn expect_try(&mut self, key: KeyId, value: u32, ttl: Ttl) -> Result<Option<u32>, Refusal> {
        let model = &mut self.reference;
        let max_weight = self.config.bound.as_ref().map_or(u64::MAX, |bound| bound.max);
        if model.is_too_heavy(value) && model.accepts(ttl).is_ok() {
            return Err(Refusal::TooHeavy { weight: weight(value, max_weight), max_weight });
        }
        model.put(key, value, ttl).map_err(Refusal::Ttl)
    }

    fn expect_load(&mut self, step: &Step, tally: &mut Tally) -> Result<Outcome, String> {
        let (key, load) = self.load_of(step);
        if let Some(found) = self.reference.get_or_run(key, &load) {
            return Ok(Outcome::Loaded(Ok(found)));
        }
        // What the loader has put may be evicted before the load comes to its end.
        self.follow_room(tally)?;
        Ok(Outcome::Loaded(self.reference.end_load(key, &load)))
    }

    fn load_of(&self, step: &Step) -> (KeyId, Load) {
        let (key, value, fails, meanwhile, ttl) = match step.operation {
            Operation::Load { key, value, fails, meanwhile } => {
                (key, value, fails, meanwhile, Ttl::Default)
            }
            Operation::LoadWithTtl { key, value, ttl, fails, meanwhile } => {
                (key, value, fails, meanwhile, ttl)
            }
            _ => unreachable!("it is a load"),
        };
        let meanwhile = meanwhile.map(|meanwhile| match meanwhile {
            Meanwhile::Put(value) => loads::Meanwhile::Put(value),
            Meanwhile::Delete => loads::Meanwhile::Delete,
            Meanwhile::Purge => loads::Meanwhile::Purge,
        });
        (key, Load { value, ttl, fails, meanwhile, takes: self.loading_time(step.elapses) })
    }

    /// What is left of a call whose user code panicked: all of it if the panic was in a `Drop`,
    /// which comes last; else nothing but what the closure itself did. A look-up that panicked
    /// is neither a hit nor a miss, but it is a use.
    fn expect_panic(&mut self, step: &Step, fault: Fault) {
        let elapses = step.elapses;
        match (fault.site, &step.operation) {
            (Site::Drop, Operation::Get { key } | Operation::Read { key }) => {
                self.reference.come_to(*key);
            }
            (Site::Drop, _) => {
                self.expect_call(step);
            }
            (Site::Closure, Operation::Update { key, value }) => {
                self.reference.update(*key, *value, elapses);
            }
            (Site::Weigher, Operation::Update { key, value }) => {
                self.reference.update_unweighed(*key, *value, elapses);
            }
            (Site::Closure, Operation::Read { key }) => {
                self.reference.touch(*key);
                self.reference.advance(elapses);
            }
            (Site::Clone, Operation::Get { key }) => self.reference.touch(*key),
            (Site::Closure | Site::Weigher, Operation::Compute { .. }) => {
                self.reference.advance(elapses);
            }
            _ => {}
        }
    }

    /// The same for a load: how far it came depends on which of its look-ups, hashes and drops the
    /// panic was in.
    fn expect_panic_in_load(
        &mut self,
        step: &Step,
        fault: Fault,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let (key, load) = self.load_of(step);
        let model = &mut self.reference;
        let found = model.pair(key).map(|pair| !model.is_expired(pair));
        match (fault.site, fault.nth) {
            (Site::Hash, 1) => {}
            (Site::Hash, 2 | 3) => {
                model.get(key);
            }
            // A dead pair's key and value, before anything is counted.
            (Site::Drop, 1 | 2) if found == Some(false) => {
                model.come_to(key);
            }
            (Site::Drop, _) => {
                self.expect_load(step, tally)?;
            }
            (Site::Clone, _) if found == Some(true) => model.touch(key),
            _ => {
                model.get_or_run(key, &load);
            }
        }
        Ok(())
    }
}
