//! Whether two reports are of the same work, done the same way.

use serde_json::Value;

use super::Caution;
use super::{Named, Side, Standing};
use crate::report::{Report, Warning};
use crate::workload::Workload;

/// More differing settings than this are not listed.
const LISTED_MAX: usize = 5;
/// What may differ without changing what is measured.
const IGNORED: [&str; 5] = ["name", "repeat", "targets", "requires", "slo"];
/// The same, at the top of a workload.
const IGNORED_AT_TOP: [&str; 2] = ["load_slo", "load_report"];

/// Whether the two may be compared, and what a reader should know about it.
pub(super) fn standing(a: &Report, b: &Report) -> Standing {
    let mut reasons = Vec::new();
    if a.ops_digest != b.ops_digest {
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        let (a, b) = (short(&a.ops_digest), short(&b.ops_digest));
        reasons.push(format!("the operations differ (digest {a} in A, {b} in B)"));
    }
    reasons.extend(settings(&a.workload.effective, &b.workload.effective));
    let (ours, theirs) = (&a.build.profile, &b.build.profile);
    if ours != theirs {
        reasons.push(format!("the builds differ ({ours} in A, {theirs} in B)"));
    }
    if !reasons.is_empty() {
        return Standing::NotComparable { reasons };
    }
    if a.machine.id == b.machine.id { Standing::Judged } else { Standing::Indicative }
}

/// What does not forbid a comparison, but can explain what it finds.
pub(super) fn cautions(a: &Named, b: &Named) -> Vec<Caution> {
    let (first, second) = (&a.report, &b.report);
    let mut cautions = Vec::new();
    if first == second {
        cautions.push(Caution::SameReport);
    }
    if first.machine.id != second.machine.id {
        let (a, b) = (first.machine.id.clone(), second.machine.id.clone());
        cautions.push(Caution::DifferentMachines { a, b });
    }
    for (what, a, b) in [
        ("target", &first.target, &second.target),
        ("compiler", &first.build.rustc, &second.build.rustc),
        ("allocator", &first.build.allocator, &second.build.allocator),
    ] {
        if a != b {
            let (a, b) = (a.clone(), b.clone());
            cautions.push(Caution::Different { what: what.to_owned(), a, b });
        }
    }
    if first.build.profile != "release" && second.build.profile != "release" {
        cautions.push(Caution::DebugBuild);
    }
    for (side, report) in [(Side::A, first), (Side::B, second)] {
        if report.revision.dirty {
            cautions.push(Caution::Dirty { side });
        }
        let answers = report.merged.iter().map(|phase| phase.counts.false_answers()).sum();
        if answers > 0 {
            cautions.push(Caution::FalseAnswers { side, answers });
        }
        let busy = report.warnings.iter().find_map(|warning| match warning {
            Warning::Busy { load } => Some(*load),
            _ => None,
        });
        cautions.extend(busy.map(|load| Caution::Busy { side, load }));
    }
    cautions
}

/// The settings that differ, by the names they have in the effective form.
fn settings(a: &Workload, b: &Workload) -> Vec<String> {
    // Both in the form of this version, so that a setting that one of them did not know yet has
    // its default on both sides.
    let (Ok(Value::Object(mut a)), Ok(Value::Object(mut b))) =
        (serde_json::to_value(a), serde_json::to_value(b))
    else {
        return Vec::new();
    };
    for key in IGNORED_AT_TOP {
        a.remove(key);
        b.remove(key);
    }
    let mut found = Vec::new();
    differences("", &Value::Object(a), &Value::Object(b), &mut found);
    let more = found.len().saturating_sub(LISTED_MAX);
    found.truncate(LISTED_MAX);
    if more > 0 {
        found.push(format!("and {more} more settings differ"));
    }
    found
}

fn differences(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (a, b) {
        (Value::Object(first), Value::Object(second)) => {
            let new = second.keys().filter(|key| !first.contains_key(*key));
            for key in first.keys().chain(new).filter(|key| !IGNORED.contains(&key.as_str())) {
                let side =
                    |side: &serde_json::Map<_, _>| side.get(key).cloned().unwrap_or_default();
                // Whether a phase is shown; the word has another meaning elsewhere.
                if key == "report" && path.starts_with("phases.") {
                    continue;
                }
                differences(&join(key), &side(first), &side(second), found);
            }
        }
        (Value::Array(first), Value::Array(second)) if first.len() == second.len() => {
            for (position, (a, b)) in first.iter().zip(second).enumerate() {
                let name = a.get("name").and_then(Value::as_str);
                let key = name.map_or_else(|| position.to_string(), str::to_owned);
                differences(&join(&key), a, b, found);
            }
        }
        (Value::Array(first), Value::Array(second)) => {
            found.push(format!("{path}: {} in A, {} in B", first.len(), second.len()));
        }
        _ if a != b => found.push(format!("{path}: {a} in A, {b} in B")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(a: &Value, b: &Value) -> Vec<String> {
        let mut found = Vec::new();
        differences("", a, b, &mut found);
        found
    }

    #[test]
    fn a_differing_setting_is_named_by_its_path() {
        let a = json!({"run": {"threads": 2, "repeat": 3}, "phases": [{"name": "m", "ops": 5}]});
        let b = json!({"run": {"threads": 4, "repeat": 9}, "phases": [{"name": "m", "ops": 6}]});
        assert_eq!(found(&a, &b), ["phases.m.ops: 5 in A, 6 in B", "run.threads: 2 in A, 4 in B"]);
        assert!(found(&a, &a).is_empty());
    }

    #[test]
    fn a_setting_that_only_one_side_has_differs_and_objectives_do_not() {
        let a = json!({"run": {"slo": 1}, "phases": [{"report": true}]});
        let b = json!({"run": {"bound": 7}, "phases": [{"report": false}]});
        assert_eq!(found(&a, &b), ["run.bound: null in A, 7 in B"]);
        assert_eq!(found(&json!({"p": [1]}), &json!({"p": [1, 2]})), ["p: 1 in A, 2 in B"]);
    }
}
