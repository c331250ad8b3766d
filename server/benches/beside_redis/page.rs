//! The tables, for a terminal and as a page.

use harness::environment::{machine, process, revision};
use harness::output::grid::Grid;
use harness::report::{Machine, Revision};
use harness::workload::units;

use super::Arguments;
use super::figures::{Spread, spread};
use super::load::{CONNECTIONS, Rounds, Sample, VALUE};
use super::memory::{self, Measured};
use super::programs::Programs;

/// Ours is to take at most so much of the memory of redis-server's pairs.
const MEMORY_GOAL: f64 = 0.8;

/// Where and how it was measured.
#[derive(Debug)]
pub(crate) struct Conditions {
    command: String,
    keys: u64,
    quick: bool,
    pinned: bool,
    redis: String,
    wrk: String,
    machine: Machine,
    revision: Revision,
    load_before: f64,
}

impl Conditions {
    /// Reads them, before anything is run.
    pub(crate) fn read(arguments: &Arguments, programs: &Programs) -> Self {
        Self {
            command: arguments.command(),
            keys: arguments.keys,
            quick: arguments.quick,
            pinned: programs.pinned,
            redis: programs.redis.clone(),
            wrk: programs.wrk.clone(),
            machine: machine::read(),
            revision: revision::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))),
            load_before: process::load_average(),
        }
    }

    /// What was compared, where.
    fn text(&self) -> String {
        let cores = if self.pinned {
            "the servers on one core, the clients on another"
        } else {
            "nothing kept on a core of its own"
        };
        format!(
            "server {} at revision {}, {}, {}; {}; {cores}; load average {:.1} before. Made by `{}`.",
            env!("CARGO_PKG_VERSION"),
            self.revision,
            self.redis,
            self.wrk,
            self.machine,
            self.load_before,
            self.command,
        )
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) conditions: Conditions,
    pub(crate) rates: Vec<Rounds>,
    pub(crate) http: Vec<Sample>,
    pub(crate) memory: Vec<Measured>,
}

/// A table under its heading and a few words.
struct Part {
    heading: &'static str,
    words: String,
    table: Grid,
}

impl Results {
    /// For a terminal.
    pub(crate) fn terminal(&self) -> String {
        let part =
            |part: Part| format!("{}\n{}\n{}\n", part.heading, part.words, part.table.terminal());
        let parts: Vec<String> = self.parts().map(part).to_vec();
        format!("{}\n{}", parts.join("\n"), self.conditions.text())
    }

    /// As a page.
    pub(crate) fn markdown(&self) -> String {
        let part = |part: Part| {
            format!("## {}\n\n{}\n\n{}\n", part.heading, part.words, part.table.markdown())
        };
        let quick = if self.conditions.quick {
            "**Of a quick run: no figure to rely on.**\n\n"
        } else {
            ""
        };
        let parts: Vec<String> = self.parts().map(part).to_vec();
        format!(
            "# The server beside redis-server\n\nMade by `just bench-server`; do not edit.\n\n{quick}{}{}\n",
            parts.concat(),
            self.conditions.text()
        )
    }

    fn parts(&self) -> [Part; 4] {
        let keys = units::show_count(self.conditions.keys);
        [
            Part {
                heading: "Rates",
                words: format!(
                    "redis-benchmark over {CONNECTIONS} connections, {VALUE}-byte values under {keys} \
                     keys, each as likely as the next and each there; the servers take turns. Asked \
                     by turns: over as many connections by a client that reads a reply and asks \
                     again, and does nothing else, as redis-benchmark asks for less than a server \
                     could answer. \
                     Medians; of ratios, those of runs that followed each other, with their ends."
                ),
                table: self.rates(),
            },
            Part {
                heading: "Processor time and latency",
                words:
                    "The processor's time that the server's process took for an operation, which \
                        depends little on who else uses the machine; what clients waited for \
                        replies under full load; and the part of the time in which either was \
                        at work: a client that always was could ask no faster, whatever the \
                        server. Medians."
                        .to_owned(),
                table: self.costs(),
            },
            Part {
                heading: "HTTP",
                words: format!(
                    "GET of the same keys at random, by wrk with a script, over {CONNECTIONS} \
                     connections; our server alone. Medians of {} runs.",
                    self.http.len()
                ),
                table: self.http(),
            },
            Part {
                heading: "Memory",
                words:
                    "Resident memory with so many pairs of a UUID and a value, less that without \
                        pairs, for each pair; each server a fresh process. The whole process's \
                        beside it."
                        .to_owned(),
                table: self.memory(),
            },
        ]
    }

    fn rates(&self) -> Grid {
        let mut grid =
            Grid::new(2, &["command", "pipeline", "ours", "redis-server", "ratio", "goal"]);
        for rounds in &self.rates {
            let rate = |samples: &[Sample]| median(samples, |sample| sample.run.rate);
            let ratio = ratios(rounds, |sample| sample.run.rate);
            grid.push(vec![
                rounds.case.name(),
                rounds.case.pipeline.to_string(),
                rate(&rounds.ours).map_or_else(none, units::show_rate),
                rate(&rounds.redis).map_or_else(none, units::show_rate),
                show_ratio(ratio),
                rounds.case.goal.map_or_else(none, |goal| {
                    let is_met = ratio.is_some_and(|ratio| ratio.median >= goal);
                    format!("at least {goal:.1}: {}", verdict(is_met))
                }),
            ]);
        }
        grid
    }

    fn costs(&self) -> Grid {
        let names = ["ours", "redis-server", "ratio", "p50 ours", "redis", "p99 ours", "redis"];
        let busy = ["busy ours", "its client", "busy redis", "its client"];
        let names: Vec<&str> =
            ["command", "pipeline"].into_iter().chain(names).chain(busy).collect();
        let mut grid = Grid::new(2, &names);
        for rounds in &self.rates {
            let cpu = |samples: &[Sample]| {
                let cpu_us = median(samples, |sample| sample.cpu_us);
                cpu_us.map_or_else(none, |us| format!("{us:.2}us"))
            };
            let p50 = |samples: &[Sample]| latency(samples, |sample| sample.run.p50_ms);
            let p99 = |samples: &[Sample]| latency(samples, |sample| sample.run.p99_ms);
            let server = |samples: &[Sample]| share(samples, |sample| sample.spent.server_busy);
            let client = |samples: &[Sample]| share(samples, |sample| sample.spent.client_busy);
            let (ours, redis) = (&rounds.ours[..], &rounds.redis[..]);
            grid.push(vec![
                rounds.case.name(),
                rounds.case.pipeline.to_string(),
                cpu(ours),
                cpu(redis),
                show_ratio(ratios(rounds, |sample| sample.cpu_us)),
                p50(ours),
                p50(redis),
                p99(ours),
                p99(redis),
                server(ours),
                client(ours),
                server(redis),
                client(redis),
            ]);
        }
        grid
    }

    fn http(&self) -> Grid {
        let mut grid = Grid::new(1, &["request", "rate", "processor time", "p50", "p99"]);
        let samples = &self.http[..];
        grid.push(vec![
            "GET /key".to_owned(),
            median(samples, |sample| sample.run.rate).map_or_else(none, units::show_rate),
            median(samples, |sample| sample.cpu_us).map_or_else(none, |us| format!("{us:.2}us")),
            latency(samples, |sample| sample.run.p50_ms),
            latency(samples, |sample| sample.run.p99_ms),
        ]);
        grid
    }

    fn memory(&self) -> Grid {
        let names =
            ["pairs", "bytes a pair", "redis-server", "ratio", "goal", "process", "redis-server"];
        let names: Vec<&str> =
            ["values and TTLs"].into_iter().chain(names).chain(["goal"]).collect();
        let mut grid = Grid::new(1, &names);
        for measured in &self.memory {
            let Measured { case, kind, pairs, ours, redis } = *measured;
            let ratio = ours.per_pair(pairs) / redis.per_pair(pairs);
            let most = case.most_bytes.filter(|_| pairs == memory::PAIRS);
            let megabytes = |bytes: f64| format!("{:.1} MB", bytes / 1e6);
            grid.push(vec![
                memory::name(case, kind),
                units::show_count(u64::from(pairs)),
                format!("{:.1}", ours.per_pair(pairs)),
                format!("{:.1}", redis.per_pair(pairs)),
                format!("{ratio:.2}"),
                format!("at most {MEMORY_GOAL}: {}", verdict(ratio <= MEMORY_GOAL)),
                megabytes(ours.after),
                megabytes(redis.after),
                most.map_or_else(none, |most| {
                    format!("at most {}: {}", megabytes(most), verdict(ours.after <= most))
                }),
            ]);
        }
        grid
    }
}

/// What stands where there is nothing to tell.
fn none() -> String {
    "-".to_owned()
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> Option<f64> {
    spread(samples.iter().map(figure)).map(|spread| spread.median)
}

/// The middle share, in hundredths.
fn share(samples: &[Sample], share: impl Fn(&Sample) -> f64) -> String {
    median(samples, share).map_or_else(none, |share| format!("{:.0}%", 100.0 * share))
}

fn latency(samples: &[Sample], ms: impl Fn(&Sample) -> f64) -> String {
    median(samples, ms).map_or_else(none, |ms| format!("{ms:.3}ms"))
}

/// Ours to redis-server's, round by round.
fn ratios(rounds: &Rounds, figure: impl Fn(&Sample) -> f64) -> Option<Spread> {
    let pairs = rounds.ours.iter().zip(&rounds.redis);
    spread(pairs.map(|(ours, redis)| figure(ours) / figure(redis)))
}

fn show_ratio(ratio: Option<Spread>) -> String {
    ratio.map_or_else(none, |Spread { median, min, max }| {
        format!("{median:.2} ({min:.2} to {max:.2})")
    })
}
