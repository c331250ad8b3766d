//! What is compared: the figures of one repeat, each with the direction that is better.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::histogram::percentile;
use crate::report::{PhaseRecord, Repeat};

/// A quantity that a repeat gives one number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Operations a second.
    Throughput,
    /// The median latency.
    P50,
    /// The 95th percentile.
    P95,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// The share of gets that found a value.
    HitRatio,
    /// Resident memory above the baseline, for each entry held.
    BytesPerEntry,
    /// How long after their deadlines entries were reclaimed: the 99th percentile.
    ExpiryLagP99,
    /// The longest such delay.
    ExpiryLagMax,
    /// The most memory that was resident in any phase.
    PeakRss,
}

/// The unit that a quantity is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Operations a second.
    PerSecond,
    /// Nanoseconds.
    Nanoseconds,
    /// Bytes.
    Bytes,
    /// A share from 0 to 1.
    Share,
}

impl Quantity {
    const QUANTILES: [(Self, f64); 4] =
        [(Self::P50, 50.0), (Self::P95, 95.0), (Self::P99, 99.0), (Self::P999, 99.9)];

    /// The word for it in tables and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::HitRatio => "hit_ratio",
            Self::BytesPerEntry => "bytes_per_entry",
            Self::ExpiryLagP99 => "expiry_lag_p99",
            Self::ExpiryLagMax => "expiry_lag_max",
            Self::PeakRss => "peak_rss",
        }
    }

    /// Whether more of it is better.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        matches!(self, Self::Throughput | Self::HitRatio)
    }

    /// What it is measured in.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Throughput => Unit::PerSecond,
            Self::HitRatio => Unit::Share,
            Self::BytesPerEntry | Self::PeakRss => Unit::Bytes,
            _ => Unit::Nanoseconds,
        }
    }
}

/// Which number of a run: `mixed.get.p99`, `mixed.throughput`, `peak_rss`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Figure {
    /// The phase; `None` for a figure of the whole run.
    pub phase: Option<String>,
    /// The verb, where each verb has its own.
    pub verb: Option<String>,
    /// What it is.
    pub quantity: Quantity,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in [&self.phase, &self.verb].into_iter().flatten() {
            write!(f, "{part}.")?;
        }
        f.write_str(self.quantity.name())
    }
}

/// One figure over the repeats that have it, and whether its phase is a closed loop.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which one.
    pub figure: Figure,
    /// Whether the operations of its phase follow each other as fast as they go.
    pub closed_loop: bool,
    /// Its values, one a repeat.
    pub values: Vec<f64>,
}

/// All figures of all reported phases of some repeats, in the order of the phases.
///
/// # Errors
/// If a histogram cannot be read.
pub fn samples(repeats: &[Repeat]) -> Result<Vec<Sample>, String> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut places: HashMap<Figure, usize> = HashMap::new();
    for repeat in repeats {
        let mut add = |figure: Figure, closed_loop, value: Option<f64>| {
            let Some(value) = value else { return };
            let place = *places.entry(figure.clone()).or_insert_with(|| {
                samples.push(Sample { figure, closed_loop, values: Vec::new() });
                samples.len() - 1
            });
            samples[place].values.push(value);
        };
        for phase in repeat.phases.iter().filter(|phase| phase.report) {
            of_phase(phase, &mut |verb, quantity, value| {
                let (phase_name, verb) = (Some(phase.name.clone()), verb.map(str::to_owned));
                add(Figure { phase: phase_name, verb, quantity }, !phase.open_loop, value);
            })?;
        }
        let whole = Figure { phase: None, verb: None, quantity: Quantity::PeakRss };
        add(whole, false, peak_rss(repeat));
    }
    Ok(samples)
}

type Add<'a> = dyn FnMut(Option<&str>, Quantity, Option<f64>) + 'a;

fn of_phase(phase: &PhaseRecord, add: &mut Add<'_>) -> Result<(), String> {
    add(None, Quantity::Throughput, Some(number(phase.ops) / phase.seconds));
    for (verb, record) in &phase.verbs {
        let latencies = record.latency.decode()?;
        for (quantity, percentage) in Quantity::QUANTILES {
            add(Some(verb), quantity, percentile(&latencies, percentage).map(number));
        }
    }
    let (hit, miss) = (number(phase.counts.hit), number(phase.counts.miss));
    add(None, Quantity::HitRatio, (hit + miss > 0.0).then(|| hit / (hit + miss)));
    add(None, Quantity::BytesPerEntry, phase.memory.bytes_per_entry());
    let lag = phase.facts.expiry_lag;
    add(None, Quantity::ExpiryLagP99, lag.map(|lag| number(lag.p99_ns)));
    add(None, Quantity::ExpiryLagMax, lag.map(|lag| number(lag.max_ns)));
    Ok(())
}

fn peak_rss(repeat: &Repeat) -> Option<f64> {
    let of_phase = |phase: &PhaseRecord| {
        let ends = [phase.memory.rss_before_bytes, phase.memory.rss_after_bytes];
        phase.series.rss_bytes.iter().copied().chain(ends).flatten().max()
    };
    repeat.phases.iter().filter_map(of_phase).max().map(number)
}

#[expect(clippy::cast_precision_loss, reason = "counts, times and sizes are far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}
