//! What figures depend on beside the workload, as terms and as a table of two sides.

use crate::output::figures::to_f64;
use crate::output::grid::Grid;
use crate::output::summary::plural;
use crate::report::Surroundings;
use crate::workload::units;

/// Each term and what it is.
pub(super) fn terms(of: &Surroundings) -> Vec<(&'static str, String)> {
    let (machine, build, conditions) = (&of.machine, &of.build, &of.conditions);
    let memory = units::show_bytes(to_f64(machine.memory_bytes));
    let features =
        if build.features.is_empty() { "none".to_owned() } else { build.features.join(", ") };
    let mut terms = vec![
        (
            "machine",
            format!(
                "{}: {}, {} core{}, {memory}",
                machine.id,
                machine.cpu,
                machine.cores,
                plural(machine.cores)
            ),
        ),
        ("kernel", machine.kernel.clone()),
        ("virtualization", machine.virtualization.clone()),
        ("compiler", format!("{}, {} build", build.rustc, build.profile)),
        ("allocator", build.allocator.clone()),
        ("features", features),
        ("revision", of.revision.to_string()),
        ("begun", of.started.clone()),
        (
            "load average",
            format!("{:.2} before, {:.2} after", conditions.load_before, conditions.load_after),
        ),
        (
            "timing",
            format!(
                "1 in {} operations, timer floor {} ns",
                of.time_every, conditions.timer_floor_ns
            ),
        ),
        ("seed", of.seed.to_string()),
        ("operations digest", of.ops_digest.clone()),
        ("workload file", format!("SHA-256 {}", of.sha256)),
    ];
    if !of.set.is_empty() {
        terms.push(("changed by --set", of.set.join(", ")));
    }
    terms
}

/// Both sides, with a mark where they differ.
pub(super) fn of_both([a, b]: [&Surroundings; 2]) -> Grid {
    let mut grid = Grid::new(4, &["", "differs", "A", "B"]);
    let (ours, theirs) = (terms(a), terms(b));
    for (term, first) in ours {
        let second = theirs.iter().find(|(other, _)| *other == term);
        let second = second.map_or_else(|| "-".to_owned(), |(_, value)| value.clone());
        let mark = if first == second { "" } else { "differs" };
        let same = if first == second { "the same".to_owned() } else { second };
        grid.push(vec![term.to_owned(), mark.to_owned(), first, same]);
    }
    grid
}
