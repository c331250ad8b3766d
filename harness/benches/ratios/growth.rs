//! The slowest puts: into a map that grows from nothing, and into one that has the room.

use std::time::{Duration, Instant};

use harness::compare::goal::Goal;
use harness::doctor::pause::Pauses;
use harness::target::scc::SccTarget;
use harness::target::store::StoreTarget;
use harness::target::{Options, Target};
use harness::workload::units;
use hdrhistogram::Histogram;

use crate::Session;
use crate::pairs;
use crate::rounds::Series;
use crate::row::{Row, Unit, median};
use crate::storm::worst_row;

type Ours = StoreTarget<u64, u64>;
type Bare = SccTarget<u64, u64>;

const WORST_NS: f64 = 1e6;
/// No longer time is told apart from this one.
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    Ok(vec![growing(session)?, preallocated(session)?])
}

/// An empty histogram of nanoseconds, of three digits.
pub(crate) fn histogram() -> Result<Histogram<u64>, String> {
    let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
    Histogram::new_with_bounds(1, longest, 3).map_err(|error| error.to_string())
}

/// A quantile in nanoseconds; of nothing, no number.
#[expect(clippy::cast_precision_loss, reason = "seconds")]
pub(crate) fn quantile(of: &Histogram<u64>, quantile: f64) -> f64 {
    if of.is_empty() { f64::NAN } else { of.value_at_quantile(quantile) as f64 }
}

/// A time as a figure.
#[expect(clippy::cast_precision_loss, reason = "seconds")]
pub(crate) fn ns(time: Duration) -> f64 {
    time.as_nanos() as f64
}

fn growing(session: &Session) -> Result<Row, String> {
    let (keys, options) = (session.keys, Options::default());
    let (mut series, mut worst) = (Series::default(), [Vec::new(), Vec::new()]);
    let [own_worst, their_worst] = &mut worst;
    for round in 0..session.costly_rounds {
        session.tell(&format!("tails: growing from empty, round {}", round + 1));
        series.round(
            round,
            |_| Ok(tail(&timed::<Ours>(&options, keys)?, own_worst)),
            |_| Ok(tail(&timed::<Bare>(&options, keys)?, their_worst)),
        )?;
    }
    let what = "growing from empty: p99.99 of a put over scc".to_owned();
    let row = series.cost_row(what, 1.0, "scc")?;
    let [own, their] = [&worst[0], &worst[1]].map(|worst| units::show_ns(median(worst)));
    let aside = format!("{}; worst {own}, scc {their}", row.aside);
    Ok(row.aside(aside))
}

/// The figure of a load; its worst put is put aside.
fn tail(puts: &Histogram<u64>, worst: &mut Vec<f64>) -> f64 {
    worst.push(quantile(puts, 1.0));
    quantile(puts, 0.9999)
}

fn preallocated(session: &Session) -> Result<Row, String> {
    let (keys, options) = (session.keys, pairs::roomy(session.keys));
    let (mut own, mut their, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..session.costly_rounds {
        session.tell(&format!("tails: preallocated, round {}", round + 1));
        let began = Instant::now();
        own.push(quantile(&timed::<Ours>(&options, keys)?, 1.0));
        let pauses = Pauses::watch(1, began.elapsed());
        #[expect(clippy::cast_precision_loss, reason = "seconds")]
        idle.push(pauses.worst_ns as f64);
        their.push(quantile(&timed::<Bare>(&options, keys)?, 1.0));
    }
    let row = worst_row("preallocated: worst put".to_owned(), &own, &idle, WORST_NS)?;
    let bare = Row::judged(String::new(), Unit::Time, Goal::AtMost(WORST_NS), &their)?;
    Ok(row.aside(format!(
        "scc {}, {}",
        Unit::Time.show(bare.measured.value),
        bare.shown_interval()
    )))
}

/// Puts pairs into a new map and times each put.
fn timed<T: Target<u64, u64>>(options: &Options, keys: u64) -> Result<Histogram<u64>, String> {
    let mut puts = histogram()?;
    let mut target = T::open(options)?;
    for key in 0..keys {
        let began = Instant::now();
        target.put(key, key);
        puts.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(puts)
}
