//! `hit_ratio`: what caches of the same size answer of the same traces, side by side.

use std::fs;
use std::path::Path;
use std::time::Duration;

use indicatif::ProgressBar;

use super::failure::Failure;
use super::{HitRatioArgs, TraceFormat, folder, interrupt};
use crate::environment::revision;
use crate::hit_ratio::file::{self, Format};
use crate::hit_ratio::synthetic::{self, Synthetic};
use crate::hit_ratio::{self, Policy, Row, Trace};
use crate::output;
use crate::output::grid::Grid;
use crate::workload::units;

const INTRODUCTION: &str = "# Hit ratios\n\n\
    The part of gets that a cache of so many entries answers, in percent. Made by \
    `just hit-ratio`; do not edit.\n\n\
    Read-through on one thread: a get, and if it finds nothing, a put of that key. Every column \
    plays the same keys. After each access a cache does what it has put off \
    (moka: `run_pending_tasks`). quick_cache divides its room by the number of cores; the store \
    hashes by a seed of its own, so the last digit of its columns may move.\n";

/// The sizes to try on a recorded trace unless told otherwise: parts of its keys, in percent.
const PERCENT_OF_KEYS: [usize; 3] = [1, 5, 20];

const REDRAW_EVERY: Duration = Duration::from_millis(200);

pub(super) fn run(args: &HitRatioArgs) -> Result<(), Failure> {
    // Everything that can be wrong is found before anything is played.
    let recorded =
        args.trace.iter().map(|path| read(path, args.format)).collect::<Result<Vec<_>, _>>()?;
    interrupt::listen()?;
    let mut players = Players::new();
    for trace in &recorded {
        let part = |percent: usize| (trace.distinct() * percent / 100).max(1) as u64;
        for entries in sizes(args, || PERCENT_OF_KEYS.map(part).to_vec()) {
            players.play(trace, entries)?;
        }
    }
    if recorded.is_empty() {
        for synthetic in Synthetic::ALL {
            for entries in sizes(args, || synthetic::ENTRIES.to_vec()) {
                let keys = synthetic.keys(args.accesses, entries);
                players.play(&Trace { name: synthetic.to_string(), keys }, entries)?;
            }
        }
    }
    let table = players.table();
    output::print(&table.terminal());
    for policy in Policy::ALL.iter().filter(|policy| !players.policies.contains(policy)) {
        output::note(&format!("{policy} is left out: not in this build; `just hit-ratio` has it"));
    }
    match &args.out {
        Some(out) => write_page(out, &table),
        None => Ok(()),
    }
}

fn write_page(out: &Path, table: &Grid) -> Result<(), Failure> {
    let revision = revision::read(Path::new("."));
    let table = table.markdown();
    let page = format!("{INTRODUCTION}\n{table}\nRevision {revision}.\n");
    folder::write_whole(out, &page)?;
    output::note(&format!("wrote {}", out.display()));
    Ok(())
}

/// All policies, and what they have come to.
struct Players {
    policies: Vec<Policy>,
    rows: Vec<Row>,
    bar: ProgressBar,
}

impl Players {
    fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(REDRAW_EVERY);
        Self { policies: Policy::built_in(), rows: Vec::new(), bar }
    }

    fn play(&mut self, trace: &Trace, entries: u64) -> Result<(), Failure> {
        interrupt::check()?;
        self.bar.set_message(format!("{}, {} entries", trace.name, units::show_count(entries)));
        let row = hit_ratio::play(trace, entries, &self.policies).map_err(Failure::Failed)?;
        self.rows.push(row);
        Ok(())
    }

    fn table(&self) -> Grid {
        self.bar.finish_and_clear();
        let names: Vec<String> = self.policies.iter().map(Policy::to_string).collect();
        let mut headers = vec!["trace", "gets", "entries"];
        headers.extend(names.iter().map(String::as_str));
        let mut grid = Grid::new(1, &headers);
        for row in &self.rows {
            let (gets, entries) = (row.accesses as u64, row.entries);
            let mut cells =
                vec![row.trace.clone(), units::show_count(gets), units::show_count(entries)];
            cells.extend(row.ratios.iter().map(|ratio| format!("{:.1}", 100.0 * ratio)));
            grid.push(cells);
        }
        grid
    }
}

fn sizes(args: &HitRatioArgs, otherwise: impl FnOnce() -> Vec<u64>) -> Vec<u64> {
    let mut sizes = if args.entries.is_empty() { otherwise() } else { args.entries.clone() };
    sizes.dedup();
    sizes
}

fn read(path: &Path, format: TraceFormat) -> Result<Trace, Failure> {
    let named = |error: String| Failure::Failed(format!("{}: {error}", path.display()));
    let bytes = fs::read(path).map_err(|error| named(format!("cannot be read: {error}")))?;
    let format = match format {
        TraceFormat::Lines => Format::Lines,
        TraceFormat::OracleGeneral => Format::OracleGeneral,
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Trace { name, keys: file::read(&bytes, format).map_err(named)? })
}
