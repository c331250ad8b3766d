//! What stands against measuring here, and what to do next.

use std::fmt;

use serde::Serialize;

use super::Diagnosis;
use crate::workload::units;

/// Load above this means that something else is running.
const LOAD_MAX: f64 = 0.5;
/// More stolen time than this moves medians.
const STEAL_MAX: f64 = 0.01;
/// Pauses above this are in every 99.9th percentile.
const PAUSE_MAX_NS: u64 = 1_000_000;
/// A clock that takes longer than this to read is not read from user space.
const FLOOR_MAX_NS: u64 = 200;
/// The change that `compare` looks for unless told.
const DELTA: f64 = 0.03;
/// The setting under which a processor does not slow itself down.
const FULL_SPEED: &str = "performance";

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Built without optimization.
    DebugBuild,
    /// Something else is running.
    Busy {
        /// The load average.
        load: f64,
    },
    /// The hypervisor gives this machine's time to others.
    Steal {
        /// The share of time.
        share: f64,
    },
    /// A thread that never waits was kept from running.
    Pauses {
        /// For how long at most.
        worst_ns: u64,
        /// How often for more than a millisecond.
        long: u64,
        /// In how many seconds.
        seconds: f64,
    },
    /// Reading the clock takes long.
    SlowClock {
        /// How long.
        floor_ns: u64,
        /// What the kernel reads.
        source: Option<String>,
    },
    /// The processor changes its frequency with the load.
    Governor {
        /// By which rule.
        name: String,
    },
    /// The machine became faster or slower meanwhile.
    Drift {
        /// By which share.
        share: f64,
    },
    /// No number of repeats that was tried can tell the change that `compare` looks for.
    Coarse {
        /// The most repeats that were tried.
        repeats: usize,
        /// The smallest change that they tell, as a share.
        change: f64,
    },
    /// So many repeats can.
    Enough {
        /// How many.
        repeats: usize,
    },
}

/// What to do about what was found, the gravest first.
#[must_use]
pub fn on(diagnosis: &Diagnosis) -> Vec<Advice> {
    let mut advice = Vec::new();
    let mut add = |reason: bool, one: Advice| advice.extend(reason.then_some(one));
    add(!diagnosis.optimized, Advice::DebugBuild);
    add(diagnosis.load > LOAD_MAX, Advice::Busy { load: diagnosis.load });
    if let Some(share) = diagnosis.steal {
        add(share > STEAL_MAX, Advice::Steal { share });
    }
    let pauses = diagnosis.pauses;
    let (worst_ns, long, seconds) = (pauses.worst_ns, pauses.long, pauses.seconds);
    add(worst_ns > PAUSE_MAX_NS, Advice::Pauses { worst_ns, long, seconds });
    let (floor_ns, source) = (diagnosis.timer_floor_ns, diagnosis.settings.clock.clone());
    add(floor_ns > FLOOR_MAX_NS, Advice::SlowClock { floor_ns, source });
    if let Some(name) = diagnosis.settings.governor.clone() {
        add(name != FULL_SPEED, Advice::Governor { name });
    }
    if let Some(share) = diagnosis.runs.drift {
        add(share.abs() > DELTA, Advice::Drift { share });
    }
    let enough = diagnosis.claims.iter().find(|claim| claim.change <= DELTA);
    match (enough, diagnosis.claims.last()) {
        (Some(claim), _) => add(true, Advice::Enough { repeats: claim.repeats }),
        (None, Some(most)) => {
            add(true, Advice::Coarse { repeats: most.repeats, change: most.change });
        }
        (None, None) => {}
    }
    advice
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let time = |ns: u64| units::show_ns(ns as f64);
        match self {
            Self::DebugBuild => f.write_str("a debug build: build with --release, then ask again"),
            Self::Busy { load } => write!(
                f,
                "something else is running (load {load:.2}): stop it, or wait a minute if it was \
                 a build"
            ),
            Self::Steal { share } => write!(
                f,
                "the hypervisor gave {:.1}% of the time to others: compare with `harness ab`, \
                 which lets both sides take turns, or use a machine of your own",
                100.0 * share
            ),
            Self::Pauses { worst_ns, long, seconds } => write!(
                f,
                "an idle loop stood still for up to {}, {long} times for more than 1ms in \
                 {seconds:.0}s: claim nothing from a p99.9 or a maximum measured here",
                time(*worst_ns)
            ),
            Self::SlowClock { floor_ns, source } => {
                let source = source.as_deref().unwrap_or("unknown");
                write!(
                    f,
                    "reading the clock takes {} (clock source {source}): time fewer operations \
                     (timing.every), and trust throughput rather than medians",
                    time(*floor_ns)
                )
            }
            Self::Governor { name } => write!(
                f,
                "the frequency governor is {name}: set it to {FULL_SPEED} \
                 (`cpupower frequency-set -g {FULL_SPEED}`)"
            ),
            Self::Drift { share } => write!(
                f,
                "the second half of the runs differed by {:+.1}%: do not compare reports of \
                 different hours, use `harness ab`",
                100.0 * share
            ),
            Self::Coarse { repeats, change } => write!(
                f,
                "even {repeats} repeats tell no change below {:.1}%: compare with `harness ab`, \
                 run longer phases, or ask for a --delta above that",
                100.0 * change
            ),
            Self::Enough { repeats } => write!(
                f,
                "{repeats} repeats on each side tell a change of {:.0}%: write repeat = {repeats}, \
                 or pass --repeat {repeats}",
                100.0 * DELTA
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Claim, Pauses, Runs};
    use crate::environment::disturbance::Settings;
    use crate::report::Machine;

    fn quiet() -> Diagnosis {
        let machine = Machine {
            id: "0".into(),
            cpu: "cpu".into(),
            cores: 2,
            memory_bytes: 1,
            kernel: "linux".into(),
            virtualization: "none".into(),
        };
        let claim = |repeats, change| Claim { repeats, half_width: change, change };
        Diagnosis {
            machine,
            optimized: true,
            timer_floor_ns: 20,
            load: 0.1,
            steal: Some(0.0),
            settings: Settings { governor: Some("performance".into()), ..Settings::default() },
            pauses: Pauses { worst_ns: 90_000, ..Pauses::default() },
            runs: Runs::of(vec![1.0, 1.01, 0.99]).expect("three"),
            claims: vec![claim(5, 0.04), claim(10, 0.02), claim(20, 0.01)],
            advice: Vec::new(),
        }
    }

    #[test]
    fn a_quiet_machine_is_told_how_many_repeats_are_enough() {
        assert_eq!(on(&quiet()), [Advice::Enough { repeats: 10 }]);
    }

    #[test]
    fn everything_that_disturbs_is_named_with_what_to_do() {
        let noisy = Diagnosis {
            optimized: false,
            timer_floor_ns: 900,
            load: 2.0,
            steal: Some(0.07),
            settings: Settings { governor: Some("powersave".into()), ..Settings::default() },
            pauses: Pauses { worst_ns: 12_000_000, long: 3, seconds: 5.0, ..Pauses::default() },
            runs: Runs { drift: Some(-0.2), ..quiet().runs },
            claims: vec![Claim { repeats: 20, half_width: 0.1, change: 0.16 }],
            ..quiet()
        };
        let said: Vec<String> = on(&noisy).iter().map(ToString::to_string).collect();
        for (said, words) in said.iter().zip([
            ["a debug build", "--release"],
            ["load 2.00", "stop it"],
            ["7.0% of the time", "`harness ab`"],
            ["up to 12.0ms, 3 times", "claim nothing from a p99.9"],
            ["takes 900ns (clock source unknown)", "timing.every"],
            ["governor is powersave", "cpupower"],
            ["differed by -20.0%", "`harness ab`"],
            ["even 20 repeats tell no change below 16.0%", "--delta"],
        ]) {
            assert!(words.iter().all(|word| said.contains(word)), "{said}: {words:?}");
        }
        assert_eq!(said.len(), 8, "{said:?}");
    }
}
