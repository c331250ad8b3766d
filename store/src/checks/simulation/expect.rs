//! What a step does to the reference, and what must so come of it.

use super::super::operation::{Decision, Fault, Operation, Site, Step};
use super::super::reference::Change;
use super::act::Outcome;
use super::run::Simulation;
use crate::Ttl;
use std::time::Duration;

impl Simulation<'_> {
    /// Does to the reference what the step says, and says what must have come of it.
    pub(super) fn expect(&mut self, step: &Step, fired: Option<Fault>) -> Outcome {
        if let Some(fault) = fired {
            self.expect_panic(step, fault.site);
            return Outcome::Panicked;
        }
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
                let found = model.update(*key, *value);
                model.advance(found.map_or(Duration::ZERO, |_| step.elapses));
                Outcome::Value(found)
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
            Operation::LiveLen => Outcome::Count(model.live().count()),
            _ => Outcome::Shown(model.live().collect()),
        }
    }

    /// What is left of a call whose user code panicked: all of it if the panic was in a `Drop`,
    /// which comes last; else nothing but what the closure itself did. A look-up that panicked
    /// is neither a hit nor a miss.
    fn expect_panic(&mut self, step: &Step, site: Site) {
        match (site, &step.operation) {
            (Site::Drop, Operation::Get { key } | Operation::Read { key }) => {
                self.reference.come_to(*key);
            }
            (Site::Drop, _) => {
                self.expect(step, None);
            }
            (Site::Closure, Operation::Update { key, value }) => {
                self.reference.update(*key, *value);
                self.reference.advance(step.elapses);
            }
            (Site::Closure, Operation::Read { .. } | Operation::Compute { .. }) => {
                self.reference.advance(step.elapses);
            }
            (Site::Closure | Site::Clone | Site::Hash, _) => {}
        }
    }
}
