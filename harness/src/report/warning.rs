//! What should make a reader of a report careful, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason to be careful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// Something else was running.
    Busy {
        /// Load average before the run.
        load: f64,
    },
    /// Built without optimization.
    DebugBuild,
    /// The sources differ from any commit.
    Dirty,
    /// A latency lies so near the timer's floor that most of it is the timer.
    NearTimerFloor {
        /// Of which phase.
        phase: String,
        /// Of which verb.
        verb: String,
    },
    /// The load generator could not keep up with the rate asked for.
    GeneratorLate {
        /// In which phase.
        phase: String,
        /// 99th percentile of its lateness.
        p99_ns: u64,
    },
    /// There were more misses than could be remembered and judged.
    Unjudged {
        /// In which phase.
        phase: String,
        /// How many were not judged.
        answers: u64,
    },
    /// The target does not tell what it holds, such as servers behind a proxy.
    Untold,
    /// More threads than cores.
    Oversubscribed {
        /// Threads that issued operations.
        threads: usize,
        /// Cores of the machine.
        cores: usize,
    },
    /// The trace that was replayed lacks calls that were made.
    TraceIncomplete {
        /// Calls lost while recording.
        lost: u64,
        /// Calls in the trace.
        calls: u64,
        /// Whether it was damaged, and all after that is missing.
        is_torn: bool,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |ns: u64| std::time::Duration::from_nanos(ns);
        match self {
            Self::Busy { load } => write!(
                f,
                "the machine was busy before the run (load {load:.2}): stop what else is running, \
                 then run again"
            ),
            Self::DebugBuild => {
                f.write_str("a debug build: its times mean nothing; build with --release")
            }
            Self::Dirty => f.write_str(
                "tracked files differ from the commit: commit them before a result is to be kept",
            ),
            Self::NearTimerFloor { phase, verb } => write!(
                f,
                "{phase}: half of {verb} lies within twice the timer's floor: trust the \
                 throughput, not this median"
            ),
            Self::GeneratorLate { phase, p99_ns } => write!(
                f,
                "{phase}: the generator was late (p99 {:.1?}): lower the rate, or read the \
                 latencies as those of an overloaded system",
                time(*p99_ns)
            ),
            Self::Unjudged { phase, answers } => write!(
                f,
                "{phase}: {answers} misses were too many to judge: shorten the phase to have all \
                 of them checked"
            ),
            Self::Untold => f.write_str(
                "the target does not tell what it holds (a proxy does not): memory and entries \
                 are missing, a miss for want of room counts as early, and the run's keys are \
                 still there: flush the servers behind it yourself (FLUSHALL on each)",
            ),
            Self::TraceIncomplete { lost, calls, is_torn } => {
                let torn = if *is_torn { ", and it is damaged behind them" } else { "" };
                write!(
                    f,
                    "the trace has {calls} calls, {lost} more were lost while recording{torn}: \
                     record it again where all of them matter"
                )
            }
            Self::Oversubscribed { threads, cores } => write!(
                f,
                "{threads} threads on {cores} cores: tails show the scheduler; lower run.threads"
            ),
        }
    }
}
