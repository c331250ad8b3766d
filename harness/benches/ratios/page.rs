//! All rows as text: for the terminal, and as a page in Markdown.

use std::fs;
use std::path::Path;

use harness::compare::goal::Attained;
use harness::environment::disturbance::Settings;
use harness::environment::{machine, process, revision, timer};
use harness::output::grid::Grid;
use harness::report::{Build, Machine, Revision};
use harness::target::TargetName;
use harness::workload::units;

use crate::args::Args;
use crate::row::Row;

const RULE: &str = "\
Each ratio is the median of the rounds: in each, the two sides ran the same operations one after the
other in one process (those of `pages` in two), in an order that changes; maps of `throughput` and
`batches` are made twice, so that no one layout in memory decides. Below it is its interval, which
holds it with 95% confidence (the exact one of the signed-rank test; of fewer than six rounds, and
of figures that are no ratios, from the least to the largest). met: all of the interval is as the
target asks. MISSED: none of it is. inconclusive: it contains the target. A worst time is met if no
round is over the limit, and MISSED if most are although an idle loop mostly was not, or longer than
the idle loop ever was kept waiting. Noise: the range of the store's second run over its first in
the same round, or what the row says; a ratio within it is not told from 1. Absolute times, below
the names, are there to read the ratios by: they belong to the machine and its neighbours.";

const INTRODUCTION: &str = "# Targets, measured\n\nMade by `just bench-ratios`; do not edit.\n";

/// What was measured, and where.
pub(crate) struct Surroundings {
    command: String,
    keys: u64,
    rounds: usize,
    started: String,
    load_before: f64,
    revision: Revision,
    build: Build,
    machine: Machine,
    settings: Settings,
    timer_floor_ns: u64,
}

impl Surroundings {
    pub(crate) fn read(args: &Args) -> Self {
        let now = jiff::Timestamp::now();
        Self {
            command: args.command(),
            keys: args.keys(),
            rounds: args.rounds(),
            started: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            load_before: process::load_average(),
            revision: revision::read(Path::new(".")),
            build: machine::build(),
            machine: machine::read(),
            settings: Settings::read(),
            timer_floor_ns: timer::floor_ns(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let build = &self.build;
        let features = TargetName::ALL.iter().filter(|target| target.is_built_in());
        let features: Vec<&str> = features.filter_map(|target| target.feature()).collect();
        let mut features = features;
        features.dedup();
        let [huge_pages, clock] = [&self.settings.huge_pages, &self.settings.clock]
            .map(|setting| setting.as_deref().unwrap_or("unknown"));
        vec![
            format!(
                "`{}`: {} keys, {} rounds",
                self.command,
                units::show_count(self.keys),
                self.rounds
            ),
            format!(
                "revision {}, {}, {} build, allocator {}, features {}",
                self.revision,
                build.rustc,
                build.profile,
                build.allocator,
                features.join(", ")
            ),
            format!("{}, huge pages {huge_pages}", self.machine),
            format!(
                "{}, clock {clock}, timer floor {} ns, load average {:.2} before and {:.2} after",
                self.started,
                self.timer_floor_ns,
                self.load_before,
                process::load_average()
            ),
        ]
    }
}

fn grid(rows: &[Row]) -> Grid {
    let mut grid = Grid::new(2, &["measured", "verdict", "figure", "target", "noise"]);
    let below = |first: String, second: &str| match second {
        "" | "-" => first,
        second => format!("{first}\n{second}"),
    };
    for row in rows {
        grid.push(vec![
            below(row.what.clone(), &row.aside),
            row.verdict.to_string(),
            below(row.unit.show(row.measured.value), &row.shown_interval()),
            row.shown_goal(),
            row.noise.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    grid
}

fn summary(rows: &[Row]) -> String {
    let of = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    format!(
        "{} targets: {} met, {} missed, {} inconclusive.",
        rows.len(),
        of(Attained::Met),
        of(Attained::Missed),
        of(Attained::Inconclusive)
    )
}

/// For a terminal.
pub(crate) fn terminal(surroundings: &Surroundings, rows: &[Row]) -> String {
    let lines = surroundings.lines().join("\n");
    format!("{}\n\n{}\n\n{lines}\n\n{RULE}", grid(rows).terminal(), summary(rows))
}

/// Whether the page could be written, before minutes are spent on it.
pub(crate) fn check(out: &Path) -> Result<(), String> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if out.is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
        return Err(format!("{}: give a file in a folder that exists", out.display()));
    }
    Ok(())
}

/// Writes the page.
pub(crate) fn write(out: &Path, surroundings: &Surroundings, rows: &[Row]) -> Result<(), String> {
    let lines = surroundings.lines().join("\n- ");
    let (table, summary) = (grid(rows).markdown(), summary(rows));
    let page = format!("{INTRODUCTION}\n{summary}\n\n{table}\n- {lines}\n\n{RULE}\n");
    fs::write(out, page).map_err(|error| format!("{}: {error}", out.display()))
}
