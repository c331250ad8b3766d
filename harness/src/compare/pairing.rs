//! Which report is compared with which.

use std::collections::BTreeMap;

use super::{
    Alone, Caution, Comparison, Comparisons, Named, Origin, Question, Side, Standing,
    comparability, figure, judge, overall,
};

/// The workload, the case and the target of a report. The length of the case comes before it, so
/// that `keys=500000` is shown before `keys=1000000`.
type Subject<'a> = (&'a str, Option<(usize, &'a str)>, &'a str);

/// Compares what both sides have. A single report on each side is compared whatever its target:
/// whoever names two files means these two. Of several reports of one workload, case and target,
/// the latest full one counts, on a machine that both sides have used if there is one.
///
/// # Errors
/// If a histogram cannot be read (names the report), or no comparison has the metric.
pub fn compare(a: &[Named], b: &[Named], question: &Question) -> Result<Comparisons, String> {
    let mut comparisons = Vec::new();
    let mut alone = Vec::new();
    if let ([first], [second]) = (a, b) {
        comparisons.push(compare_two(first, second, question)?);
    } else {
        let (ours, theirs) = (by_subject(a), by_subject(b));
        for (subject, first) in &ours {
            match theirs.get(subject) {
                Some(second) => {
                    let (first, second) = chosen(first, second);
                    comparisons.push(compare_two(first, second, question)?);
                }
                None => alone.push(only(Side::A, *subject)),
            }
        }
        let new = theirs.keys().filter(|subject| !ours.contains_key(*subject));
        alone.extend(new.map(|subject| only(Side::B, *subject)));
    }
    let figures = || comparisons.iter().flat_map(|one| one.rows.iter().map(|row| &row.figure));
    if figures().next().is_some() {
        judge::check_metric(figures(), question)?;
    }
    Ok(Comparisons { delta: question.delta, comparisons, alone })
}

fn by_subject(side: &[Named]) -> BTreeMap<Subject<'_>, Vec<&Named>> {
    let mut subjects: BTreeMap<Subject<'_>, Vec<&Named>> = BTreeMap::new();
    for named in side {
        let workload = &named.report.workload;
        let case = workload.case.as_deref().map(|case| (case.len(), case));
        let subject = (&*workload.name, case, &*named.report.target);
        subjects.entry(subject).or_default().push(named);
    }
    for named in subjects.values_mut() {
        named.sort_by(|one, other| rank(other).cmp(&rank(one)));
    }
    subjects
}

/// Full reports before quick ones, late ones before early ones.
fn rank(named: &Named) -> (bool, &str) {
    (!named.report.workload.quick, &named.report.started)
}

fn chosen<'a>(a: &[&'a Named], b: &[&'a Named]) -> (&'a Named, &'a Named) {
    let machine = |named: &Named| named.report.machine.id.clone();
    let common = b.iter().find_map(|second| {
        let first = a.iter().find(|first| machine(first) == machine(second))?;
        Some((*first, *second))
    });
    common.unwrap_or((a[0], b[0]))
}

fn only(side: Side, (workload, case, target): Subject<'_>) -> Alone {
    let (workload, case) = (workload.to_owned(), case.map(|(_, case)| case.to_owned()));
    Alone { side, workload, case, target: target.to_owned() }
}

fn compare_two(a: &Named, b: &Named, question: &Question) -> Result<Comparison, String> {
    let samples = |named: &Named| {
        figure::samples(&named.report.repeats)
            .map_err(|error| format!("{}: a damaged report: {error}", named.label))
    };
    let (first, second) = (samples(a)?, samples(b)?);
    let standing = comparability::standing(&a.report, &b.report);
    let rows = match standing {
        Standing::NotComparable { .. } => Vec::new(),
        Standing::Indicative => judge::indicated(&first, &second, question),
        Standing::Judged => judge::judged(&first, &second, question),
    };
    let cautions: Vec<Caution> = comparability::cautions(a, b);
    let workload = &a.report.workload;
    Ok(Comparison {
        workload: workload.name.clone(),
        case: workload.case.clone(),
        a: origin(a),
        b: origin(b),
        standing,
        cautions,
        verdict: overall(rows.iter().map(|row| (row.verdict, row.primary))),
        rows,
    })
}

fn origin(named: &Named) -> Origin {
    let report = &named.report;
    Origin {
        label: named.label.clone(),
        target: report.target.clone(),
        revision: report.revision.clone(),
        started: report.started.clone(),
        machine: report.machine.id.clone(),
        repeats: report.repeats.len(),
    }
}
