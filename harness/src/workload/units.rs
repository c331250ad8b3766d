//! Durations, rates and sizes as people write them: `50ms`, `500k/s`, `64MiB`.

use std::fmt::Write as _;

const DURATIONS: [(&str, f64); 5] =
    [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9)];
const RATES: [(&str, f64); 3] = [("/s", 1.0), ("k/s", 1e3), ("M/s", 1e6)];
const SIZES: [(&str, f64); 4] =
    [("B", 1.0), ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0)];

/// Reads a duration such as `250us`, `50ms`, `1.5s` or `2min`, in nanoseconds.
///
/// # Errors
/// A sentence that says what is wrong and how a duration is written.
pub fn parse_duration_ns(text: &str) -> Result<u64, String> {
    let ns = scaled(text, &DURATIONS)
        .ok_or_else(|| format!("`{text}` is not a duration; write e.g. \"50ms\", \"1.5s\""))?;
    Ok(whole(ns))
}

/// Reads a rate such as `900/s`, `500k/s` or `1.2M/s`, in operations a second.
///
/// # Errors
/// A sentence that says what is wrong and how a rate is written.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    scaled(text, &RATES)
        .filter(|rate| *rate > 0.0)
        .ok_or_else(|| format!("`{text}` is not a rate; write e.g. \"900/s\", \"500k/s\""))
}

/// Reads a size such as `64B`, `64MiB` or `1.5GiB`, in bytes.
///
/// # Errors
/// A sentence that says what is wrong and how a size is written.
pub fn parse_bytes(text: &str) -> Result<f64, String> {
    scaled(text, &SIZES)
        .ok_or_else(|| format!("`{text}` is not a size; write e.g. \"96B\", \"64MiB\""))
}

/// The number before the unit, times the unit; `None` unless both are there and make sense.
fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    Some(number * factor)
}

/// Rounds to the next whole number; the inputs here are never negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, by design")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A duration in the unit a reader would pick: `840ns`, `12.3us`, `4.56ms`, `7.89s`.
#[must_use]
pub fn show_ns(ns: f64) -> String {
    match ns {
        v if v < 1e3 => format!("{v:.0}ns"),
        v if v < 1e6 => format!("{}us", three_digits(v / 1e3)),
        v if v < 1e9 => format!("{}ms", three_digits(v / 1e6)),
        v => format!("{}s", three_digits(v / 1e9)),
    }
}

/// A rate with three digits: `950/s`, `512k/s`, `1.23M/s`.
#[must_use]
pub fn show_rate(per_second: f64) -> String {
    match per_second {
        v if v < 1e3 => format!("{v:.0}/s"),
        v if v < 1e6 => format!("{}k/s", three_digits(v / 1e3)),
        v => format!("{}M/s", three_digits(v / 1e6)),
    }
}

/// A size with three digits: `96.0B`, `1.46GiB`.
#[must_use]
pub fn show_bytes(bytes: f64) -> String {
    let (unit, factor) =
        SIZES.iter().rev().find(|(_, factor)| bytes.abs() >= *factor).unwrap_or(&SIZES[0]);
    format!("{}{unit}", three_digits(bytes / factor))
}

/// A count with its digits in groups of three: `10_000_000`, as workload files write it.
#[must_use]
pub fn show_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('_');
        }
        let _ = write!(text, "{digit}");
    }
    text
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        v if v < 9.995 => format!("{value:.2}"),
        v if v < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_rates_and_sizes_are_read_in_their_units() {
        assert_eq!(parse_duration_ns("50ms"), Ok(50_000_000));
        assert_eq!(parse_duration_ns("1.5s"), Ok(1_500_000_000));
        assert_eq!(parse_duration_ns("2 min"), Ok(120_000_000_000));
        assert_eq!(parse_rate("500k/s"), Ok(500_000.0));
        assert_eq!(parse_rate("1_200/s"), Ok(1_200.0));
        assert_eq!(parse_bytes("64MiB"), Ok(67_108_864.0));
    }

    #[test]
    fn what_is_not_a_unit_is_refused_with_the_right_form() {
        for text in ["", "50", "ms", "50 parsecs", "-1s", "1..5s", "5 s s"] {
            let error = parse_duration_ns(text).expect_err(text);
            assert!(error.contains("write e.g. \"50ms\""), "{error}");
        }
        for text in ["500k", "0/s", "fast", "1s"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
        assert!(parse_bytes("64MB").is_err());
    }

    #[test]
    fn figures_are_shown_with_three_digits() {
        assert_eq!(show_ns(840.4), "840ns");
        assert_eq!(show_ns(12_345.0), "12.3us");
        assert_eq!(show_ns(4_560_000.0), "4.56ms");
        assert_eq!(show_rate(1_234_567.0), "1.23M/s");
        assert_eq!(show_bytes(1_610_612_736.0), "1.50GiB");
        assert_eq!(show_count(10_000_000), "10_000_000");
    }
}
