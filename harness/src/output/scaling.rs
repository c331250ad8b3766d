//! What more threads bring: throughput against that of the fewest threads of a sweep.

use crate::report::{MergedPhase, Report};

/// One point of a sweep of threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scaling {
    /// Throughput over that of the fewest threads.
    pub(super) speed_up: f64,
    /// That over how many times as many threads there are; 1 is as good as it gets.
    pub(super) efficiency: f64,
}

/// How `phase` of `report` scales among `reports`. `None` where nothing differs in threads alone,
/// or where the rate is given and not found.
pub(super) fn of(reports: &[&Report], report: &Report, phase: &MergedPhase) -> Option<Scaling> {
    if phase.open_loop {
        return None;
    }
    let mut series = reports.iter().filter(|other| is_of_series(other, report));
    let fewest = series.clone().min_by(|a, b| threads(a).total_cmp(&threads(b)))?;
    if !series.any(|other| threads(other) > threads(fewest)) {
        return None;
    }
    let base = fewest.merged.iter().find(|other| other.name == phase.name)?;
    let speed_up = phase.throughput.median / base.throughput.median;
    let efficiency = speed_up * threads(fewest) / threads(report);
    (speed_up.is_finite() && efficiency.is_finite()).then_some(Scaling { speed_up, efficiency })
}

#[expect(clippy::cast_precision_loss, reason = "few threads")]
fn threads(report: &Report) -> f64 {
    report.workload.effective.run.threads as f64
}

/// Whether both are of the same target and machine, and of the same point of whatever else is
/// swept.
fn is_of_series(a: &Report, b: &Report) -> bool {
    let place = |report: &Report| {
        let case = report.workload.case.as_deref().unwrap_or_default();
        let others = case.split(',').filter(|part| !part.starts_with("threads="));
        others.map(str::to_owned).collect::<Vec<_>>()
    };
    a.target == b.target
        && a.machine.id == b.machine.id
        && a.workload.name == b.workload.name
        && place(a) == place(b)
}
