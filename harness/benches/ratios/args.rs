//! What can be asked for.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

const TIMES: &str = "\
How long it takes, about, on two quiet cores with 10_000_000 keys and 12 rounds:
  memory      1 min    bytes an entry, a process for each kind of map
  throughput  8 min    gets and puts, refreshes, loads; moka alone takes half of it
  tails       4 min    mass expiry, expiry lag, growing from empty, preallocated
  batches     2 min    get_many
  bytes       2 min    gets of a ByteStore
  contention  2 min    one hot key, one tick, more threads than cores
  churn       1 min    memory in time; 10 min with --full
  pages       3 min    huge pages, a process for each run (glibc, Linux)
--quick takes a few minutes in all. Memory: up to 5 GiB with 10_000_000 keys (moka).

Each figure is a ratio of runs that take turns in one process; the output says how it is judged.";

/// Measures every target of the store beside what it is compared with, and says whether it is met.
#[derive(Debug, Parser)]
#[command(name = "bench-ratios", bin_name = "just bench-ratios", after_help = TIMES)]
pub(crate) struct Args {
    /// Pairs in each map [default: ten million, with --quick one]
    #[arg(long, value_name = "N", value_parser = keys)]
    keys: Option<u64>,

    /// Rounds of each comparison, at least 3; costly ones get a third [default: 12, with --quick 6]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=1_000))]
    rounds: Option<u16>,

    /// Measure these groups only
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<Group>,

    /// A million keys, fewer and shorter rounds: to see that it works, not to claim anything
    #[arg(long)]
    pub(crate) quick: bool,

    /// Watch memory under churn for ten minutes instead of one (with --quick: ten seconds)
    #[arg(long)]
    full: bool,

    /// Write a Markdown page, too; a relative path begins at the top of the repository
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// What a process of its own is to measure.
    #[arg(long, hide = true)]
    pub(crate) child: Option<String>,

    /// Cargo passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Group {
    /// Bytes an entry.
    Memory,
    /// Operations a second.
    Throughput,
    /// The slowest operations.
    Tails,
    /// Looking up many keys by one call.
    Batches,
    /// Byte strings in one allocation.
    Bytes,
    /// Threads in each other's way.
    Contention,
    /// Memory in time.
    Churn,
    /// Huge pages.
    Pages,
}

impl Args {
    pub(crate) fn keys(&self) -> u64 {
        self.keys.unwrap_or(if self.quick { 1_000_000 } else { 10_000_000 })
    }

    pub(crate) fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 6 } else { 12 }, usize::from)
    }

    pub(crate) fn churn(&self) -> Duration {
        Duration::from_secs(match (self.full, self.quick) {
            (true, _) => 600,
            (false, true) => 10,
            (false, false) => 60,
        })
    }

    /// Each group that is to be measured, once.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let mut groups = self.only.clone();
        if groups.is_empty() {
            groups = Group::value_variants().to_vec();
        }
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    /// The recipe that was called, as far as it changes what is measured.
    pub(crate) fn command(&self) -> String {
        let mut words = vec!["just bench-ratios".to_owned()];
        words.extend(self.keys.map(|keys| format!("--keys {keys}")));
        words.extend(self.rounds.map(|rounds| format!("--rounds {rounds}")));
        if !self.only.is_empty() {
            let name = |group: &Group| format!("{group:?}").to_lowercase();
            let names: Vec<String> = self.groups().iter().map(name).collect();
            words.push(format!("--only {}", names.join(" ")));
        }
        words.extend(self.quick.then(|| "--quick".to_owned()));
        words.extend(self.full.then(|| "--full".to_owned()));
        words.join(" ")
    }
}

/// Fewer keys fit a cache; more do not fit the numbers that mark a put.
fn keys(text: &str) -> Result<u64, String> {
    let keys = text.replace('_', "").parse().ok();
    keys.filter(|keys| (100_000..=1_000_000_000).contains(keys))
        .ok_or_else(|| "give a number from 100_000 to 1_000_000_000".to_owned())
}
