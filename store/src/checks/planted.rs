//! Makes each planted mistake in turn and writes down which checks catch it.
//!
//! Run by `just test-planted`. It fails if a mistake survives, or if a checker does not catch one
//! that is its own to catch; the table goes to `results/planted.md`.

mod catalogue;
mod runs;

use crate::sync::{AtomicUsize, Ordering};
use catalogue::{CATALOGUE, Entry};
use runs::{Binaries, Check, Outcome};
use std::collections::BTreeMap;
use std::thread;

/// The checks, in the order of the table's columns.
const CHECKS: [Check; 7] = [
    Check::Unit,
    Check::LoomScc,
    Check::LoomStandIn,
    Check::Shuttle,
    Check::Histories,
    Check::Simulation,
    Check::Proptest,
];

#[test]
#[ignore = "builds the store four times and runs for many minutes: `just test-planted`"]
fn every_planted_bug_is_caught() {
    let (wanted, binaries) = (wanted(), runs::build());
    if wanted.len() == CATALOGUE.len() {
        for check in CHECKS {
            let outcome = binaries.run(check, None);
            assert_eq!(outcome, Outcome::Passed, "{check:?} fails without any planted bug");
        }
    }
    let outcomes = run_all(&binaries, &wanted, |_, _| true, row);
    let mut rows = rows_of(&runs::read_results("planted.md"));
    let fresh = wanted.iter().zip(&outcomes);
    rows.extend(fresh.map(|(entry, outcomes)| (entry.name(), row(entry, outcomes))));
    runs::write_results("planted.md", &page(&rows));
    assert_caught(&wanted, &outcomes);
}

/// The same by those checks alone that must catch a bug, which end where they do: nobody waits for
/// the others to find nothing, and no page is written.
#[test]
#[ignore = "builds the store four times: `just check-planted`"]
fn planted_bugs_are_caught_by_their_owners() {
    let (wanted, binaries) = (wanted(), runs::build());
    let owns = |entry: &Entry, check: &Check| entry.owners.contains(check);
    let outcomes = run_all(&binaries, &wanted, owns, |entry, outcomes| {
        let owners = CHECKS.iter().zip(outcomes).filter(|(check, _)| owns(entry, check));
        let owners: Vec<_> =
            owners.map(|(check, outcome)| format!("{check:?}: {outcome}")).collect();
        format!("{}: {}", entry.name(), owners.join(", "))
    });
    assert_caught(&wanted, &outcomes);
}

/// Runs the checks that a bug `needs`, as many bugs at a time as there are processors, and prints a
/// line about each as it is done; what is not run has passed.
fn run_all(
    binaries: &Binaries,
    wanted: &[&Entry],
    needs: impl Fn(&Entry, &Check) -> bool + Sync,
    line: impl Fn(&Entry, &[Outcome; 7]) -> String + Sync,
) -> Vec<[Outcome; 7]> {
    let next = AtomicUsize::new(0);
    let take_turns = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(&entry) = wanted.get(at) else { return done };
            let outcomes = CHECKS.map(|check| match needs(entry, &check) {
                true => binaries.run(check, Some(entry.bug)),
                false => Outcome::Passed,
            });
            println!("{}", line(entry, &outcomes));
            done.push((at, outcomes));
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(take_turns)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no check panics")).collect()
    });
    done.sort_by_key(|&(at, _)| at);
    done.into_iter().map(|(_, outcomes)| outcomes).collect()
}

fn assert_caught(wanted: &[&Entry], outcomes: &[[Outcome; 7]]) {
    let complaints: Vec<_> = wanted
        .iter()
        .zip(outcomes)
        .flat_map(|(entry, outcomes)| complaints(entry, outcomes))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// The bugs that were asked for by name; all, if none was.
fn wanted() -> Vec<&'static Entry> {
    let only = std::env::var("PLANTED_ONLY").unwrap_or_default();
    let only: Vec<&str> = only.split_whitespace().collect();
    let is_wanted = |entry: &&Entry| only.is_empty() || only.contains(&entry.name().as_str());
    let wanted: Vec<_> = CATALOGUE.iter().filter(is_wanted).collect();
    assert!(!wanted.is_empty(), "no bug is called {only:?}");
    wanted
}

/// What is wrong with these outcomes, if anything.
fn complaints(entry: &Entry, outcomes: &[Outcome; 7]) -> Vec<String> {
    let caught = |wanted: Check| {
        CHECKS.iter().zip(outcomes).any(|(&check, outcome)| check == wanted && outcome.caught())
    };
    let mut complaints = Vec::new();
    if !outcomes.iter().any(Outcome::caught) {
        complaints.push(format!("{:?} survived every check", entry.bug));
    }
    for &check in entry.owners {
        if !caught(check) {
            complaints.push(format!("{:?} was not caught by {check:?}", entry.bug));
        }
    }
    complaints
}

fn row(entry: &Entry, outcomes: &[Outcome; 7]) -> String {
    let cells: Vec<String> = outcomes.iter().map(Outcome::to_string).collect();
    format!("| {} | {} | {} | `{}` |", entry.what, entry.rule, cells.join(" | "), entry.name())
}

/// The rows of an earlier page, by the name in their last column.
fn rows_of(page: &str) -> BTreeMap<String, String> {
    let name = |row: &str| Some(row.strip_suffix("` |")?.rsplit_once('`')?.1.to_owned());
    page.lines().filter_map(|row| Some((name(row)?, row.to_owned()))).collect()
}

/// The page, with the rows that there are, in the order of the catalogue.
fn page(rows: &BTreeMap<String, String>) -> String {
    let rows = CATALOGUE.iter().filter_map(|entry| rows.get(&entry.name()));
    let rows: String = rows.flat_map(|row| [row.as_str(), "\n"]).collect();
    format!(
        "# Planted bugs, and what caught them\n\n\
         Made by `just test-planted`, which fails if one of these survives; with names, it \
         replaces their rows only. Each bug is made in the real code (`store/src/planted.rs`) by a build with `--cfg planted`. A number is the \
         execution (loom, shuttle), history or operation at which the check failed first; \
         \"caught\" that the check does not count; \"hung\" that it was stopped after its time; \
         \"-\" that it passed. Loom runs here with at most two preemptions.\n\n\
         | bug | rule it breaks | unit | loom, scc | loom, stand-in | shuttle | histories \
         | simulation | proptest | name |\n\
         |---|---|---|---|---|---|---|---|---|---|\n{rows}"
    )
}

#[test]
fn a_page_is_read_back_row_by_row() {
    let row = row(&CATALOGUE[0], &[Outcome::CaughtAt(3); 7]);
    let rows = BTreeMap::from([(CATALOGUE[0].name(), row)]);
    assert_eq!(rows_of(&page(&rows)), rows);
}

#[test]
fn a_survivor_and_a_checker_that_sleeps_are_complained_of() {
    let entry = Entry { owners: &[Check::LoomScc], ..CATALOGUE[0] };
    let mut outcomes = [const { Outcome::Passed }; 7];
    assert_eq!(complaints(&entry, &outcomes).len(), 2, "survived, and not caught by its owner");
    outcomes[5] = Outcome::CaughtAt(3);
    assert_eq!(complaints(&entry, &outcomes).len(), 1, "not caught by its owner");
    outcomes[1] = Outcome::CaughtAt(3);
    assert_eq!(complaints(&entry, &outcomes).len(), 0);
}
