//! The course of a run: throughput, latency and memory over time, phase by phase.

use crate::output::chart::{Axis, Band, Chart, Dot, Line, Mark};
use crate::output::figures::to_f64;
use crate::report::{PhaseRecord, Repeat, Report, Series};
use crate::workload::units;

/// Rates further apart than this are shown by their logarithm.
const RATES_APART: f64 = 8.0;

/// Where the phases lie beside each other: each as long as its longest repeat.
struct Layout {
    bands: Vec<Band>,
    seconds: f64,
}

/// The charts over time, each with its title. A chart for which nothing was recorded is left out.
pub(super) fn charts(report: &Report) -> Vec<(&'static str, Chart)> {
    let layout = layout(&report.repeats);
    let charts = [
        ("Throughput over time", throughput(report, &layout)),
        ("Latency over time", latency(report, &layout)),
        ("Resident memory over time", memory(report, &layout)),
    ];
    charts.into_iter().filter_map(|(title, chart)| Some((title, chart?))).collect()
}

fn layout(repeats: &[Repeat]) -> Layout {
    let mut bands: Vec<Band> = Vec::new();
    for (position, phase) in
        repeats.first().iter().flat_map(|first| first.phases.iter().enumerate())
    {
        let from = bands.last().map_or(0.0, |band| band.to);
        let longest = repeats
            .iter()
            .filter_map(|repeat| repeat.phases.get(position))
            .map(|phase| phase.seconds)
            .fold(0.0, f64::max);
        bands.push(Band { from, to: from + longest, label: phase.name.clone() });
    }
    let seconds = bands.last().map_or(0.0, |band| band.to);
    Layout { bands, seconds }
}

/// The repeat of middle length: the one that is drawn in full.
fn middle(repeats: &[Repeat]) -> Option<usize> {
    let length = |repeat: &Repeat| repeat.phases.iter().map(|phase| phase.seconds).sum::<f64>();
    let mut order: Vec<usize> = (0..repeats.len()).collect();
    order.sort_by(|a, b| length(&repeats[*a]).total_cmp(&length(&repeats[*b])));
    order.get(order.len().saturating_sub(1) / 2).copied()
}

fn chart(summary: String, layout: &Layout, y: Option<Axis>, lines: Vec<Line>) -> Option<Chart> {
    let x = Axis::span("time", layout.seconds, |seconds| format!("{seconds:.2}s"))?;
    Some(Chart { summary, x, y: y?, bands: layout.bands.clone(), marks: Vec::new(), lines })
}

fn values(lines: &[Line]) -> impl Iterator<Item = f64> {
    lines.iter().flat_map(|line| line.stretches.iter().flatten()).map(|point| point.1)
}

/// One line through all phases of a repeat.
fn course(
    repeat: &Repeat,
    layout: &Layout,
    label: &str,
    show: fn(f64) -> String,
    pick: impl Fn(&PhaseRecord) -> Vec<Vec<(f64, f64)>>,
) -> Line {
    let mut line = Line::default();
    for (phase, band) in repeat.phases.iter().zip(&layout.bands) {
        for points in pick(phase) {
            let points: Vec<(f64, f64)> =
                points.into_iter().map(|(x, y)| (band.from + x, y)).collect();
            line.dots.extend(points.iter().map(|(x, y)| {
                let text = format!("{} {label} {}", phase.name, show(*y));
                // A point without neighbours is no line, and would be overlooked.
                Dot { x: *x, y: *y, text, seen: points.len() == 1 }
            }));
            line.stretches.push(points);
        }
    }
    line
}

fn throughput(report: &Report, layout: &Layout) -> Option<Chart> {
    let middle = middle(&report.repeats)?;
    let mut lines: Vec<Line> = report
        .repeats
        .iter()
        .enumerate()
        .map(|(number, repeat)| {
            let line = course(repeat, layout, "rate", units::show_rate, |phase| vec![rates(phase)]);
            if number == middle { line } else { Line { faint: true, dots: Vec::new(), ..line } }
        })
        .collect();
    let high = values(&lines).fold(0.0, f64::max);
    let low = values(&lines).filter(|rate| *rate > 0.0).fold(high, f64::min);
    let y = if high > RATES_APART * low {
        // Nothing done has no place by the logarithm.
        let above_zero = |points: Vec<(f64, f64)>| {
            let stretches = points.split(|(_, rate)| *rate <= 0.0).map(<[_]>::to_vec);
            stretches.filter(|points| !points.is_empty()).collect::<Vec<_>>()
        };
        for line in &mut lines {
            let stretches = std::mem::take(&mut line.stretches);
            line.stretches = stretches.into_iter().flat_map(above_zero).collect();
        }
        Axis::log("operations a second (log scale)", values(&lines), units::show_rate)
    } else {
        Axis::linear("operations a second", values(&lines), 1.0, units::show_rate)
    };
    let (low, high) = (units::show_rate(low), units::show_rate(high));
    chart(format!("Throughput over time, between {low} and {high}"), layout, y, lines)
}

/// The rate of each interval, at its middle. The last one is cut short, and its operations are
/// counted into the one before as often as not: the two are one.
fn rates(phase: &PhaseRecord) -> Vec<(f64, f64)> {
    let interval = to_f64(phase.series.interval_ms) / 1e3;
    let series = &phase.series.ops;
    let whole = series.len().min(whole_intervals(phase.seconds, interval)).max(1);
    let mut points = Vec::new();
    let mut begin = 0.0;
    for (number, ops) in series.iter().take(whole).enumerate() {
        let is_last = number + 1 == whole;
        let rest = if is_last { &series[whole..] } else { &[] };
        let ops = ops + rest.iter().sum::<u64>();
        let length = if is_last { phase.seconds - begin } else { interval };
        if length > 0.0 {
            points.push((begin + length / 2.0, to_f64(ops) / length));
        }
        begin += interval;
    }
    points
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole_intervals(seconds: f64, interval: f64) -> usize {
    // A phase may end a hair before the interval does.
    (seconds / interval + 0.001) as usize
}

fn latency(report: &Report, layout: &Layout) -> Option<Chart> {
    let repeat = &report.repeats[middle(&report.repeats)?];
    let line = |label: &str, style: usize, pick: fn(&Series) -> &Vec<Option<u64>>| {
        let line = course(repeat, layout, label, units::show_ns, |phase| {
            known(phase, pick(&phase.series))
        });
        Line { label: label.to_owned(), style, ..line }
    };
    let lines = [
        line("p50", 0, |series| &series.p50_ns),
        line("p99", 1, |series| &series.p99_ns),
        line("p99.9", 2, |series| &series.p999_ns),
        line("max", 3, |series| &series.max_ns),
    ];
    // Reports of older harnesses do not have each, nor do slow phases.
    let lines: Vec<Line> = lines.into_iter().filter(|line| !line.dots.is_empty()).collect();
    let labels: Vec<&str> = lines.iter().map(|line| line.label.as_str()).collect();
    let summary = format!("Latency over time: {}", labels.join(", "));
    let y = Axis::log("latency (log scale)", values(&lines), units::show_ns);
    chart(summary, layout, y, lines)
}

/// What is known of each interval, at its middle; a new stretch after each gap.
fn known(phase: &PhaseRecord, values: &[Option<u64>]) -> Vec<Vec<(f64, f64)>> {
    let interval = to_f64(phase.series.interval_ms) / 1e3;
    let mut begin = 0.0;
    let mut stretches = vec![Vec::new()];
    for value in values {
        let length = (phase.seconds - begin).min(interval).max(0.0);
        match (value, stretches.last_mut()) {
            (Some(value), Some(points)) => points.push((begin + length / 2.0, to_f64(*value))),
            _ => stretches.push(Vec::new()),
        }
        begin += interval;
    }
    stretches.retain(|points| !points.is_empty());
    stretches
}

fn memory(report: &Report, layout: &Layout) -> Option<Chart> {
    let repeat = &report.repeats[middle(&report.repeats)?];
    let line = course(repeat, layout, "memory", units::show_bytes, |phase| vec![resident(phase)]);
    let lines = vec![line];
    let high = values(&lines).fold(0.0, f64::max);
    let mut unit = 1.0;
    while high / unit >= 1024.0 {
        unit *= 1024.0;
    }
    let y = Axis::linear("resident memory", values(&lines), unit, units::show_bytes);
    let summary = format!("Resident memory over time, at most {}", units::show_bytes(high));
    let mut chart = chart(summary, layout, y, lines)?;
    let baseline = repeat.phases.first().and_then(|phase| phase.memory.baseline_bytes);
    chart.marks.extend(baseline.map(|bytes| Mark::Level {
        y: to_f64(bytes),
        label: format!("before the load: {}", units::show_bytes(to_f64(bytes))),
    }));
    Some(chart)
}

/// Resident memory when the phase began, at each interval's end, and when it ended.
fn resident(phase: &PhaseRecord) -> Vec<(f64, f64)> {
    let interval = to_f64(phase.series.interval_ms) / 1e3;
    let mut points: Vec<(f64, f64)> =
        phase.memory.rss_before_bytes.map(|bytes| (0.0, to_f64(bytes))).into_iter().collect();
    let mut end = interval;
    for value in &phase.series.rss_bytes {
        points.extend(value.filter(|_| end < phase.seconds).map(|bytes| (end, to_f64(bytes))));
        end += interval;
    }
    points.extend(phase.memory.rss_after_bytes.map(|bytes| (phase.seconds, to_f64(bytes))));
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::load;

    fn phase(seconds: f64, ops: Vec<u64>) -> PhaseRecord {
        let text = include_str!("../../../tests/reports/v1-smoke.json");
        let mut report = load::parse("smoke", text).expect("a report");
        let phase = report.repeats.swap_remove(0).phases.swap_remove(0);
        PhaseRecord {
            seconds,
            series: Series { interval_ms: 200, ops, ..Series::default() },
            ..phase
        }
    }

    #[test]
    fn the_last_interval_is_cut_short_and_one_with_that_before() {
        let rates_of = |seconds, ops| -> Vec<f64> {
            rates(&phase(seconds, ops)).iter().map(|point| point.1.round()).collect()
        };
        assert_eq!(rates_of(0.5, vec![200, 200, 100]), [1000.0, 1000.0]);
        assert_eq!(rates_of(0.5, vec![200, 300, 0]), [1000.0, 1000.0], "counted before its end");
        assert_eq!(rates_of(0.399_999, vec![200, 200]), [1000.0, 1000.0]);
        assert_eq!(rates_of(0.25, vec![200, 50]), [1000.0]);
        assert_eq!(rates_of(0.01, vec![200]), [20_000.0]);
        assert!(rates_of(0.0, vec![200]).is_empty());
    }

    #[test]
    fn what_is_not_known_leaves_a_gap_and_what_never_is_has_no_line() {
        let phase = phase(1.0, vec![1; 5]);
        let values = [Some(5), None, None, Some(6), Some(7)];
        let [first, second] = &known(&phase, &values)[..] else { panic!("two stretches") };
        assert_eq!((first.len(), second.len()), (1, 2));
        assert!(known(&phase, &[None, None]).is_empty());

        let text = include_str!("../../../tests/reports/v1-smoke.json");
        let mut report = load::parse("smoke", text).expect("a report");
        let labels = |report: &Report| -> Vec<String> {
            let chart = latency(report, &layout(&report.repeats)).expect("latencies");
            chart.lines.iter().map(|line| line.label.clone()).collect()
        };
        assert_eq!(labels(&report), ["p50", "p99", "max"], "an old report");
        for phase in report.repeats.iter_mut().flat_map(|repeat| &mut repeat.phases) {
            phase.series.p999_ns = phase.series.max_ns.clone();
        }
        assert_eq!(labels(&report), ["p50", "p99", "p99.9", "max"]);
    }

    #[test]
    fn the_repeat_of_middle_length_is_drawn_in_full() {
        let repeat = |seconds| Repeat {
            ops_digest: String::new(),
            timer_floor_ns: 0,
            prepare_seconds: 0.0,
            phases: vec![phase(seconds, vec![1])],
        };
        assert_eq!(middle(&[repeat(3.0), repeat(1.0), repeat(2.0)]), Some(2));
        assert_eq!(middle(&[]), None);
    }
}
