//! Reading reports back, for ever: whatever was written by this schema or an earlier one.
//!
//! A report that is read is whole: every histogram in it can be decoded and has the range that
//! this harness writes. What does not hold is refused here, by the name of the file, and not
//! found out later.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::capacity::{self, Capacity};
use super::{Encoded, Report, SCHEMA};

/// Reads a report.
///
/// # Errors
/// If it cannot be read, is not a report, is one of a newer schema, or is damaged; names the file.
pub fn read(path: &Path) -> Result<Report, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    parse(&name.to_string(), &text)
}

/// Reads a report from its text; `name` is what to call it in messages.
///
/// # Errors
/// As [`read`].
pub fn parse(name: &str, text: &str) -> Result<Report, String> {
    match parse_any(name, text)? {
        Loaded::Run(report) => Ok(*report),
        Loaded::Capacity(_) => Err(format!(
            "{name}: this is the report of a capacity, not of a run; `harness show` prints it"
        )),
    }
}

/// A report of any kind.
#[derive(Clone, Debug)]
pub enum Loaded {
    /// Of a whole workload.
    Run(Box<Report>),
    /// Of a search for the capacity under one phase.
    Capacity(Box<Capacity>),
}

/// Reads a report of any kind.
///
/// # Errors
/// As [`read`].
pub fn read_any(path: &Path) -> Result<Loaded, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    parse_any(&name.to_string(), &text)
}

/// Reads a report of any kind from its text; `name` is what to call it in messages.
///
/// # Errors
/// As [`read`].
pub fn parse_any(name: &str, text: &str) -> Result<Loaded, String> {
    let Schema { schema, kind } = serde_json::from_str(text)
        .map_err(|error| format!("{name}: this is not a report: {error}"))?;
    let known = match kind.as_deref() {
        None => SCHEMA,
        Some(capacity::KIND) => capacity::SCHEMA,
        Some(other) => {
            return Err(format!(
                "{name}: a report of the kind `{other}`, which this harness does not know; use \
                 the harness that wrote it, or a newer one"
            ));
        }
    };
    if schema > known {
        return Err(format!(
            "{name}: schema {schema}; this harness reads schema {known}; use the harness that \
             wrote it, or a newer one"
        ));
    }
    let damaged = |error: String| {
        format!("{name}: a damaged report: {error}; restore it from git, or run it again")
    };
    let broken = |error: serde_json::Error| damaged(error.to_string());
    if kind.is_some() {
        let found: Capacity = serde_json::from_str(text).map_err(broken)?;
        if found.repeats.is_empty() {
            return Err(damaged("it has no repeats".to_owned()));
        }
        return Ok(Loaded::Capacity(Box::new(found)));
    }
    let report: Report = serde_json::from_str(text).map_err(broken)?;
    check(&report).map_err(damaged)?;
    Ok(Loaded::Run(Box::new(report)))
}

/// What is looked at before all else. The report of a run says no kind.
#[derive(Deserialize)]
struct Schema {
    schema: u32,
    kind: Option<String>,
}

fn check(report: &Report) -> Result<(), String> {
    if report.repeats.is_empty() {
        return Err("it has no repeats".to_owned());
    }
    let of_phase = |histogram: &Encoded, phase: &str, what: &str| {
        let decoded = histogram.decode();
        decoded.map_err(|error| format!("phase `{phase}`, histogram of {what}: {error}"))
    };
    for phase in &report.merged {
        let of_steps = phase.steps.iter().flat_map(|step| &step.verbs);
        for (verb, merged) in phase.verbs.iter().chain(of_steps) {
            let (held, said) =
                (of_phase(&merged.latency, &phase.name, verb)?.len(), merged.quantiles.samples);
            if held != said {
                let phase = &phase.name;
                return Err(format!(
                    "phase `{phase}`, histogram of {verb}: {held} of {said} samples"
                ));
            }
        }
    }
    for (number, repeat) in (1..).zip(&report.repeats) {
        for phase in &repeat.phases {
            let verbs = phase.verbs.iter().chain(phase.steps.iter().flat_map(|step| &step.verbs));
            let histograms = verbs.map(|(verb, record)| (&**verb, &record.latency));
            let of_steps = phase.steps.iter().flat_map(|step| [&step.lateness, &step.own_lateness]);
            let lateness = phase.lateness.iter().chain(&phase.own_lateness).chain(of_steps);
            let lateness = lateness.map(|lateness| ("lateness", lateness));
            for (what, histogram) in histograms.chain(lateness) {
                of_phase(histogram, &phase.name, what)
                    .map_err(|error| format!("repeat {number}, {error}"))?;
            }
        }
    }
    Ok(())
}
