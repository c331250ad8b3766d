//! What figures depend on beside the workload and the target: the same of a report and of a trial.

use serde::{Deserialize, Serialize};

use super::{Build, Conditions, Machine, Report, Revision};

/// What was measured, how it was built, and where and when it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The sources of the harness and the store.
    pub revision: Revision,
    /// How they were built.
    pub build: Build,
    /// Where it was run.
    pub machine: Machine,
    /// What else the machine was doing.
    pub conditions: Conditions,
    /// When it began, in UTC.
    pub started: String,
    /// One in so many operations was timed.
    pub time_every: u32,
    /// What the operations were made from.
    pub seed: u64,
    /// The hash over all operations.
    pub ops_digest: String,
    /// The hash of the workload file's text.
    pub sha256: String,
    /// What `--set` changed.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub set: Vec<String>,
}

impl Surroundings {
    /// Those of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let workload = &report.workload;
        Self {
            revision: report.revision.clone(),
            build: report.build.clone(),
            machine: report.machine.clone(),
            conditions: report.conditions.clone(),
            started: report.started.clone(),
            time_every: workload.effective.run.time_every,
            seed: workload.effective.seed,
            ops_digest: report.ops_digest.clone(),
            sha256: workload.sha256.clone(),
            set: workload.set.clone(),
        }
    }
}
