//! What leaves for the sake of a bound, and what the removal listener is told.

use super::run::Simulation;
use super::tally::Tally;
use super::user_code;
use crate::Eviction;

impl Simulation<'_> {
    /// Judges who went so that the bound is kept, and removes them from the reference.
    pub(super) fn follow_room(&mut self, tally: &mut Tally) -> Result<(), String> {
        let Some(bound) = &self.config.bound else { return Ok(()) };
        if !self.reference.is_over() {
            return Ok(());
        }
        self.look_what_is_held();
        let tick_ms = self.tick_ms();
        let passed_ms = self.reference.now_ms() / tick_ms * tick_ms;
        let made = self.reference.make_room(passed_ms, &self.held)?;
        tally.event("expired pair reclaimed for room", made.reclaimed);
        let name = match bound.eviction {
            Eviction::Lru => "pair evicted by LRU",
            Eviction::S3Fifo => "pair evicted by S3-FIFO",
        };
        tally.event(name, made.evicted);
        Ok(())
    }

    /// Compares what the listener was told: all removals of the step, each once, those of one key
    /// in their order.
    pub(super) fn compare_told(&mut self, tally: &mut Tally) -> Result<(), String> {
        let (mut told, mut expected) = (user_code::told(), self.reference.told());
        told.sort_by_key(|&(key, ..)| key);
        expected.sort_by_key(|&(key, ..)| key);
        if told != expected {
            return Err(format!("the listener was told {told:?}, expected {expected:?}"));
        }
        tally.event("removal told", told.len() as u64);
        Ok(())
    }
}
