//! What one thread of an open loop keeps of its arrivals: how late they were issued, through whose
//! fault, and what each step of a ramp gave.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::session::sum;
use crate::report::histogram::{HIGHEST_NS, coarse, latencies};
use crate::report::{Encoded, StepRecord, VerbRecord};
use crate::workload::model::{Arrival, Phase, Verb};

/// One thread's arrivals in one phase.
#[derive(Debug)]
pub(crate) struct Paced {
    /// From when operations were due to when they were issued.
    pub(crate) lateness: Histogram<u64>,
    /// The part of it that is not the target's: it remains if each operation took the target as
    /// long as it did, and the thread spent no time on anything else.
    pub(crate) own_lateness: Histogram<u64>,
    /// When the target would have answered all so far, had the thread not spent any time of its
    /// own.
    free_ns: u64,
    /// The steps of a ramp; none at a constant rate.
    steps: Vec<Step>,
    /// How long each of them lasts.
    each_ns: u64,
    /// The step that the clock was in when an operation was last answered.
    now: usize,
}

/// One thread's share of one step.
#[derive(Debug)]
struct Step {
    /// Operations that were due in it and were issued, by verb.
    issued: [u64; Verb::ALL.len()],
    /// Operations that were due in it and were not issued any more.
    unissued: u64,
    /// Operations that were answered in it, whenever they were due.
    answered: u64,
    /// Response times of those that were due in it; only of verbs that the phase has.
    latencies: [Option<Histogram<u64>>; Verb::ALL.len()],
    lateness: Histogram<u64>,
    own_lateness: Histogram<u64>,
}

/// When one operation was due, issued and answered, from the phase's start.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_field_names, reason = "units stand last in names")]
pub(crate) struct Course {
    pub(crate) due_ns: u64,
    pub(crate) issued_ns: u64,
    pub(crate) answered_ns: u64,
}

impl Paced {
    /// Room for what `phase` brings; none in a closed loop.
    pub(crate) fn new(phase: &Phase) -> Option<Self> {
        let (steps, each_ns) = match phase.arrival {
            Arrival::Closed => return None,
            Arrival::Poisson { .. } | Arrival::Recorded { .. } => (0, u64::MAX),
            Arrival::Ramp(ramp) => (ramp.steps, ramp.each_ns),
        };
        Some(Self {
            lateness: coarse(),
            own_lateness: coarse(),
            free_ns: 0,
            steps: (0..steps).map(|_| Step::new(phase)).collect(),
            each_ns,
            now: 0,
        })
    }

    /// Adds an operation that was due in `step`.
    #[inline]
    pub(crate) fn add(&mut self, verb: Verb, step: usize, course: Course) {
        let Course { due_ns, issued_ns, answered_ns } = course;
        let possible_ns = due_ns.max(self.free_ns);
        self.free_ns = possible_ns + (answered_ns - issued_ns);
        let late_ns = (issued_ns - due_ns).clamp(1, HIGHEST_NS);
        let own_ns = issued_ns.saturating_sub(possible_ns).clamp(1, HIGHEST_NS);
        // In range by the clamps, so nothing can fail.
        let _ = self.lateness.record(late_ns);
        let _ = self.own_lateness.record(own_ns);
        if let Some(own) = self.steps.get_mut(step) {
            own.issued[verb as usize] += 1;
            let _ = own.lateness.record(late_ns);
            let _ = own.own_lateness.record(own_ns);
            if let Some(latencies) = &mut own.latencies[verb as usize] {
                let _ = latencies.record((answered_ns - due_ns).clamp(1, HIGHEST_NS));
            }
            while self.now < self.steps.len() && answered_ns >= self.end_ns(self.now) {
                self.now += 1;
            }
            // What is answered after the last step belongs to none.
            if let Some(now) = self.steps.get_mut(self.now) {
                now.answered += 1;
            }
        }
    }

    /// Adds an operation whose time came in `step` and that is not issued any more.
    pub(crate) fn unissued(&mut self, step: usize) {
        if let Some(step) = self.steps.get_mut(step) {
            step.unissued += 1;
        }
    }

    fn end_ns(&self, step: usize) -> u64 {
        self.each_ns.saturating_mul(step as u64 + 1)
    }
}

impl Step {
    fn new(phase: &Phase) -> Self {
        let has = |verb| phase.commands.iter().any(|command| command.verb == verb);
        Self {
            issued: [0; Verb::ALL.len()],
            unissued: 0,
            answered: 0,
            latencies: Verb::ALL.map(|verb| has(verb).then(latencies)),
            lateness: coarse(),
            own_lateness: coarse(),
        }
    }
}

/// The steps of a phase, from the records of all its threads; none unless its arrivals are a ramp.
pub(crate) fn steps(phase: &Phase, threads: &[&Paced]) -> Vec<StepRecord> {
    let Arrival::Ramp(ramp) = phase.arrival else { return Vec::new() };
    let seconds = std::time::Duration::from_nanos(ramp.each_ns).as_secs_f64();
    let records = ramp.rates().enumerate().map(|(number, asked_per_second)| {
        let shares: Vec<&Step> =
            threads.iter().filter_map(|thread| thread.steps.get(number)).collect();
        let mut verbs = BTreeMap::new();
        for verb in Verb::ALL {
            let ops: u64 = shares.iter().map(|step| step.issued[verb as usize]).sum();
            if ops > 0 {
                let of_threads = shares.iter().filter_map(|s| s.latencies[verb as usize].as_ref());
                let latency = Encoded::new(&sum(latencies(), of_threads));
                verbs.insert(verb.name().to_owned(), VerbRecord { ops, latency });
            }
        }
        let unissued: u64 = shares.iter().map(|step| step.unissued).sum();
        let lateness = sum(coarse(), shares.iter().map(|step| &step.lateness));
        let own_lateness = sum(coarse(), shares.iter().map(|step| &step.own_lateness));
        StepRecord {
            asked_per_second,
            seconds,
            due: unissued + verbs.values().map(|verb| verb.ops).sum::<u64>(),
            answered: shares.iter().map(|step| step.answered).sum(),
            unissued,
            verbs,
            lateness: Encoded::new(&lateness),
            own_lateness: Encoded::new(&own_lateness),
        }
    });
    records.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Length;
    use crate::workload::ramp::{Ramp, Spacing};

    fn paced(arrival: Arrival) -> Paced {
        let phase = Phase {
            name: "p".into(),
            length: Length::DurationNs(2_000),
            arrival,
            think: None,
            commands: Vec::new(),
            report: true,
            slo: Vec::new(),
        };
        Paced::new(&phase).expect("an open loop")
    }

    #[test]
    fn what_the_target_delays_is_told_from_what_the_thread_delays() {
        let at = |due_ns, issued_ns, answered_ns| Course { due_ns, issued_ns, answered_ns };
        let mut slow_target = paced(Arrival::Poisson { per_second: 1.0 });
        // Each is due 100 after the one before and takes 300.
        for n in 0..50 {
            slow_target.add(Verb::Get, 0, at(100 * n, 300 * n, 300 * (n + 1)));
        }
        assert!(slow_target.lateness.max() >= 49 * 200);
        assert_eq!(slow_target.own_lateness.max(), 1, "none of it is the thread's");

        let mut slow_thread = paced(Arrival::Poisson { per_second: 1.0 });
        // The target takes 10, the thread the rest of the 300.
        for n in 0..50 {
            slow_thread.add(Verb::Get, 0, at(100 * n, 300 * n, 300 * n + 10));
        }
        assert_eq!(slow_thread.own_lateness.max(), slow_thread.lateness.max());
    }

    #[test]
    fn an_operation_is_of_the_step_it_was_due_in_and_answered_in_another() {
        let ramp = Ramp {
            from_per_second: 1.0,
            to_per_second: 2.0,
            steps: 2,
            each_ns: 1_000,
            spacing: Spacing::Linear,
        };
        let mut paced = paced(Arrival::Ramp(ramp));
        for (step, due_ns, answered_ns) in [(0, 10, 20), (0, 900, 1_100), (1, 1_200, 2_300)] {
            let course = Course { due_ns, issued_ns: due_ns, answered_ns };
            paced.add(Verb::Get, step, course);
        }
        paced.unissued(1);
        let of = |step: &Step| (step.issued[Verb::Get as usize], step.answered, step.unissued);
        assert_eq!(of(&paced.steps[0]), (2, 1, 0));
        assert_eq!(of(&paced.steps[1]), (1, 1, 1), "the last was answered after the end");
    }
}
