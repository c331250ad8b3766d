//! Axes: how values become positions, and which of them are written beside the axis.

/// A direction of a chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    /// What is shown along it, with its unit or scale.
    pub(crate) name: String,
    /// Values that are written, with their text.
    pub(crate) ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    log: bool,
}

/// Percentiles that are worth a tick, as `one in so many lies above`.
const NINES: [(f64, &str); 7] = [
    (2.0, "50"),
    (10.0, "90"),
    (100.0, "99"),
    (1e3, "99.9"),
    (1e4, "99.99"),
    (1e5, "99.999"),
    (1e6, "99.9999"),
];

/// Ratios that are worth a tick.
const RATIOS: [f64; 13] = [0.5, 0.67, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0];

impl Axis {
    /// From zero to a round number at or above all values. Ticks are round in multiples of
    /// `unit`. `None` if there is no value.
    pub(crate) fn linear(
        name: &str,
        values: impl Iterator<Item = f64>,
        unit: f64,
        show: fn(f64) -> String,
    ) -> Option<Self> {
        let high = values.filter(|value| value.is_finite()).reduce(f64::max)?.max(unit * 1e-9);
        let quarter = high / unit / 4.0;
        // Units that are powers of two are round in powers of two.
        let step = if unit > 1.0 { quarter.log2().ceil().exp2() } else { round_up(quarter) } * unit;
        let high = (high / step).ceil() * step;
        let ticks = (0..=8)
            .map(|number| f64::from(number) * step)
            .take_while(|tick| *tick <= high + step / 2.0)
            .map(|tick| (tick, brief(&show(tick))))
            .collect();
        Some(Self { name: name.to_owned(), ticks, low: 0.0, high, log: false })
    }

    /// From zero to exactly `high`.
    pub(crate) fn span(name: &str, high: f64, show: fn(f64) -> String) -> Option<Self> {
        let mut axis = Self::linear(name, std::iter::once(high), 1.0, show)?;
        axis.high = high.max(1e-9);
        axis.ticks.retain(|(tick, _)| *tick <= high);
        Some(axis)
    }

    /// By the logarithm, between round numbers around all values above zero. `None` if there is
    /// none.
    pub(crate) fn log(
        name: &str,
        values: impl Iterator<Item = f64>,
        show: fn(f64) -> String,
    ) -> Option<Self> {
        let values = values.filter(|value| value.is_finite() && *value > 0.0);
        let (low, high) = ends(values)?;
        let (low, mut high) = (1.0 / round_up(1.0 / low), round_up(high));
        if high < low * 2.0 {
            high = low * 2.0;
        }
        let decades = (high / low).log10();
        let marks: &[f64] = if decades > 2.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let every = if decades > 7.0 { 2 } else { 1 };
        let mut ticks = Vec::new();
        for power in (-12..=15).step_by(every) {
            for mark in marks {
                let tick = mark * 10f64.powi(power);
                if tick >= low * 0.999 && tick <= high * 1.001 {
                    ticks.push((tick, brief(&show(tick))));
                }
            }
        }
        Some(Self { name: name.to_owned(), ticks, low, high, log: true })
    }

    /// Percentiles, spread so that each nine takes as much room as the one before. Values are
    /// `one in so many lies above`: 1 is the minimum, 100 the 99th percentile.
    pub(crate) fn percentiles(one_in_max: f64) -> Self {
        let high = one_in_max.max(2.0);
        let ticks = NINES.into_iter().filter(|(value, _)| *value <= high * 1.001);
        let ticks = ticks.map(|(value, text)| (value, text.to_owned())).collect();
        Self { name: "percentile".to_owned(), ticks, low: 1.0, high, log: true }
    }

    /// Ratios, evenly on both sides of 1, at least up to `far` times and at most up to twice.
    pub(crate) fn ratios(name: &str, far: f64) -> Self {
        let high = if far.is_finite() { far.clamp(1.01, 2.0) } else { 2.0 };
        let ticks = RATIOS.into_iter().filter(|ratio| *ratio <= high && *ratio >= 1.0 / high);
        let ticks = ticks.map(|ratio| (ratio, percent(ratio))).collect();
        Self { name: name.to_owned(), ticks, low: 1.0 / high, high, log: true }
    }

    /// Exactly these values, with some room at both ends; by the logarithm if they are far apart.
    pub(crate) fn at(name: &str, ticks: Vec<(f64, String)>) -> Option<Self> {
        let (low, high) = ends(ticks.iter().map(|(value, _)| *value))?;
        let log = low > 0.0 && high > 20.0 * low;
        let (low, high) = if log {
            (low / 1.3, high * 1.3)
        } else {
            let room = ((high - low) / 10.0).max(0.5);
            (low - room, high + room)
        };
        Some(Self { name: name.to_owned(), ticks, low, high, log })
    }

    /// Where a value lies between two positions; at the nearer end if it is off the axis.
    pub(crate) fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let part = if self.log {
            (value.max(self.low * 1e-3) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        from + part.clamp(0.0, 1.0) * (to - from)
    }
}

fn percent(ratio: f64) -> String {
    let percent = 100.0 * (ratio - 1.0);
    if percent.abs() < 1e-9 { "±0%".to_owned() } else { format!("{percent:+.0}%") }
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |ends, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `value`.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let mark = [1.0, 2.0, 5.0].into_iter().find(|mark| value <= mark * power * (1.0 + 1e-9));
    mark.unwrap_or(10.0) * power
}

/// `1.00us` as `1us`: ticks are round.
fn brief(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::units;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_stand_within_the_axis() {
        let axis = Axis::linear("rate", [0.0, 2.78e6].into_iter(), 1.0, units::show_rate);
        let axis = axis.expect("values");
        assert_eq!(texts(&axis), ["0/s", "1M/s", "2M/s", "3M/s"]);
        let memory = Axis::linear(
            "memory",
            [830.0 * 1_048_576.0].into_iter(),
            1_048_576.0,
            units::show_bytes,
        );
        assert_eq!(texts(&memory.expect("values")), ["0B", "256MiB", "512MiB", "768MiB", "1GiB"]);
        let log = Axis::log("latency", [45.0, 3.1e6].into_iter(), units::show_ns).expect("values");
        assert_eq!(texts(&log), ["100ns", "1us", "10us", "100us", "1ms"]);
        assert!((log.place(20.0, 0.0, 1.0)).abs() < 1e-9 && log.place(5e6, 0.0, 1.0) > 0.999);
        let near = Axis::log("latency", [840.0, 850.0].into_iter(), units::show_ns);
        assert_eq!(texts(&near.expect("values")), ["500ns", "1us"]);
        assert_eq!(Axis::log("none", [0.0, f64::NAN].into_iter(), units::show_ns), None);
    }

    #[test]
    fn each_nine_takes_the_same_room() {
        let axis = Axis::percentiles(1e4);
        assert_eq!(texts(&axis), ["50", "90", "99", "99.9", "99.99"]);
        let at = |one_in| axis.place(one_in, 0.0, 400.0);
        assert!((at(100.0) - 200.0).abs() < 1e-9 && (at(1e3) - 300.0).abs() < 1e-9);
    }

    #[test]
    fn round_numbers_are_not_below_what_they_round() {
        for (value, round) in [(0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (30.0, 50.0), (501.0, 1000.0)] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
        assert_eq!(brief("1.00us"), "1us");
        assert_eq!(brief("2.50M/s"), "2.5M/s");
        assert_eq!(brief("100ms"), "100ms");
    }
}
