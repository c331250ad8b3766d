//! Figures with their spreads, as cells.

use super::chart::Point;
use crate::report::{MergedPhase, Spread};
use crate::workload::slo::{Objective, Statistic};
use crate::workload::units;

/// The median, and below it the ends if the repeats differ.
pub(super) fn spread(spread: Option<&Spread>, show: fn(f64) -> String) -> String {
    let Some(spread) = spread else { return "-".to_owned() };
    let (median, min, max) = (show(spread.median), show(spread.min), show(spread.max));
    if min == max { median } else { format!("{median}\n{}..{max}", without_unit(&min, &max)) }
}

/// `915ns` before `940ns` is `915`: a unit that both ends share is written once.
fn without_unit<'a>(min: &'a str, max: &str) -> &'a str {
    let own = unit_of(min);
    if unit_of(max) == own { &min[..min.len() - own.len()] } else { min }
}

fn unit_of(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
}

/// A spread as a point of a line: its median, and how far it reaches. Points of different groups
/// are not joined.
pub(super) fn point(x: f64, spread: Spread, text: String, group: &str) -> Point {
    let range = (spread.min, spread.max);
    Point { x, y: spread.median, range, text, group: group.to_owned() }
}

/// The median alone.
pub(super) fn median(spread: Option<&Spread>, show: fn(f64) -> String) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| show(spread.median))
}

/// A latency, or `-` if it is not known.
pub(super) fn latency(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| units::show_ns(to_f64(ns)))
}

/// A number of bytes an entry, with a decimal.
pub(super) fn bytes_per_entry(bytes: f64) -> String {
    format!("{bytes:.1}")
}

/// A count, or `-` for none: what is not zero shall catch the eye.
pub(super) fn count(count: u64) -> String {
    if count == 0 { "-".to_owned() } else { units::show_count(count) }
}

/// The part of gets that found a value.
pub(super) fn hit_share(phase: &MergedPhase) -> String {
    let ratio = phase.counts.hit_ratio();
    ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.2}%", 100.0 * ratio))
}

/// What was measured for an objective, in its unit.
pub(super) fn measured(objective: &Objective, value: f64) -> String {
    match objective.statistic {
        Statistic::Percentile(_) | Statistic::Max => units::show_ns(value),
        Statistic::Count => format!("{value:.0}"),
        Statistic::Bytes => units::show_bytes(value),
        Statistic::Rate => units::show_rate(value),
        Statistic::Ratio => format!("{value:.3}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(super) fn to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_names_a_common_unit_once_and_is_left_out_where_there_is_none() {
        let of = |min: f64, median: f64, max: f64| {
            spread(Some(&Spread { median, min, max }), units::show_ns)
        };
        assert_eq!(of(915.0, 928.0, 940.0), "928ns\n915..940ns");
        assert_eq!(of(915.0, 928.0, 1_040.0), "928ns\n915ns..1.04us");
        assert_eq!(of(915.0, 915.0, 915.0), "915ns");
        assert_eq!(spread(None, units::show_ns), "-");
    }
}
