//! Objectives: `p(99) < 1ms`, `count == 0`, `bytes < 200B`.

use serde::{Deserialize, Serialize};

use super::units;

/// A threshold that decides the exit code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// What it is about: a verb, or a figure such as `wrong` or `bytes_per_entry`.
    pub subject: String,
    /// Which number of it.
    pub statistic: Statistic,
    /// How the number must relate to the bound.
    pub comparison: Comparison,
    /// The bound: nanoseconds, operations a second, bytes, a count or a ratio, as the statistic
    /// says.
    pub bound: f64,
    /// The objective as it was written.
    pub text: String,
}

/// Which number of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The value below which this percentage of samples lies.
    Percentile(f64),
    /// The largest sample.
    Max,
    /// How many.
    Count,
    /// How large.
    Bytes,
    /// How many a second.
    Rate,
    /// A part of a whole, or a whole in terms of another.
    Ratio,
}

/// How a number must relate to the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Below),
    (">", Comparison::Above),
];

impl Comparison {
    /// Whether `value` relates to `bound` as it must.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "counts are whole numbers, exact in a double")]
    pub fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => value == bound,
        }
    }
}

/// What kind of number a subject has, and so which statistics make sense for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    Time,
    Count,
    Bytes,
    Rate,
    Ratio,
}

const SUBJECTS: [(&str, Nature); 21] = [
    ("get", Nature::Time),
    ("put", Nature::Time),
    ("delete", Nature::Time),
    ("expire", Nature::Time),
    ("get_or_put", Nature::Time),
    ("get_many", Nature::Time),
    ("read_modify_write", Nature::Time),
    ("insert", Nature::Time),
    ("lateness", Nature::Time),
    ("expiry_lag", Nature::Time),
    ("wrong", Nature::Count),
    ("stale", Nature::Count),
    ("early", Nature::Count),
    ("late", Nature::Count),
    ("unjudged", Nature::Count),
    ("entries", Nature::Count),
    ("bytes_per_entry", Nature::Bytes),
    ("rss_growth", Nature::Bytes),
    ("throughput", Nature::Rate),
    ("hits", Nature::Ratio),
    ("memory_growth", Nature::Ratio),
];

impl Objective {
    /// Whether it is about times that grow with the rate: those of a verb, or the generator's
    /// lateness.
    #[must_use]
    pub fn is_of_rate(&self) -> bool {
        let times = matches!(self.statistic, Statistic::Percentile(_) | Statistic::Max);
        times && self.subject != "expiry_lag"
    }
}

/// Reads one objective about `subject`.
///
/// # Errors
/// What is wrong, and what would be right.
pub fn parse(subject: &str, text: &str) -> Result<Objective, (String, String)> {
    let nature = nature_of(subject)?;
    let wrong = || {
        let form = match nature {
            Nature::Time => "\"p(99) < 5ms\" or \"max < 20ms\"",
            Nature::Count => "\"count == 0\"",
            Nature::Bytes => "\"bytes < 200B\"",
            Nature::Rate => "\"rate > 500k/s\"",
            Nature::Ratio => "\"ratio < 1.03\"",
        };
        (format!("`{text}` is not an objective for {subject}"), format!("write e.g. {form}"))
    };
    let (sign, comparison) =
        COMPARISONS.into_iter().find(|(sign, _)| text.contains(sign)).ok_or_else(wrong)?;
    let (left, right) = text.split_once(sign).ok_or_else(wrong)?;
    let statistic = statistic_of(left.trim(), nature).ok_or_else(wrong)?;
    let bound = bound_of(right.trim(), nature).ok_or_else(wrong)?;
    Ok(Objective { subject: subject.to_owned(), statistic, comparison, bound, text: text.into() })
}

/// Whether anything by this name is measured.
pub(super) fn is_subject(name: &str) -> bool {
    SUBJECTS.iter().any(|(subject, _)| *subject == name)
}

fn nature_of(subject: &str) -> Result<Nature, (String, String)> {
    let found = SUBJECTS.iter().find(|(name, _)| *name == subject);
    found.map(|(_, nature)| *nature).ok_or_else(|| {
        let names = SUBJECTS.map(|(name, _)| format!("`{name}`")).join(", ");
        ("nothing by this name is measured".to_owned(), format!("known here: {names}"))
    })
}

fn statistic_of(text: &str, nature: Nature) -> Option<Statistic> {
    let statistic = match text {
        "max" => Statistic::Max,
        "count" => Statistic::Count,
        "bytes" => Statistic::Bytes,
        "rate" => Statistic::Rate,
        "ratio" => Statistic::Ratio,
        _ => {
            let percentage: f64 = text.strip_prefix("p(")?.strip_suffix(')')?.parse().ok()?;
            (0.0..100.0).contains(&percentage).then_some(Statistic::Percentile(percentage))?
        }
    };
    let natural = match statistic {
        Statistic::Percentile(_) | Statistic::Max => Nature::Time,
        Statistic::Count => Nature::Count,
        Statistic::Bytes => Nature::Bytes,
        Statistic::Rate => Nature::Rate,
        Statistic::Ratio => Nature::Ratio,
    };
    (natural == nature).then_some(statistic)
}

fn bound_of(text: &str, nature: Nature) -> Option<f64> {
    match nature {
        #[expect(clippy::cast_precision_loss, reason = "bounds are far below 2^53 ns, 104 days")]
        Nature::Time => units::parse_duration_ns(text).ok().map(|ns| ns as f64),
        Nature::Count => text.replace('_', "").parse::<u32>().ok().map(f64::from),
        Nature::Bytes => units::parse_bytes(text).ok(),
        Nature::Rate => units::parse_rate(text).ok(),
        Nature::Ratio => text.parse::<f64>().ok().filter(|ratio| ratio.is_finite()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objectives_are_read() {
        let objective = parse("get", "p(99.9) <= 5ms").expect("valid");
        assert_eq!(objective.statistic, Statistic::Percentile(99.9));
        assert_eq!(objective.comparison, Comparison::AtMost);
        assert!((objective.bound - 5e6).abs() < 1e-9);
        assert_eq!(parse("wrong", "count == 0").expect("valid").statistic, Statistic::Count);
        assert!(parse("rss_growth", "bytes < 64MiB").is_ok());
        assert!(parse("throughput", "rate > 500k/s").is_ok());
        assert!(parse("memory_growth", "ratio < 1.03").is_ok());
        assert!(parse("hits", "ratio > 0.6").is_ok());
    }

    #[test]
    fn an_objective_that_makes_no_sense_is_refused_with_the_right_form() {
        for (subject, text) in [
            ("get", "p(99) < 5"),
            ("get", "count == 0"),
            ("get", "p(100) < 1ms"),
            ("get", "p99 < 1ms"),
            ("wrong", "p(99) < 1ms"),
            ("wrong", "count = 0"),
            ("bytes_per_entry", "bytes < 64"),
            ("memory_growth", "bytes < 64MiB"),
            ("hits", "ratio > 60%"),
            ("hits", "ratio > inf"),
        ] {
            let (what, remedy) = parse(subject, text).expect_err(text);
            assert!(what.contains(text) && remedy.starts_with("write e.g. \""), "{what}; {remedy}");
        }
        let (_, remedy) = parse("gets", "p(99) < 5ms").expect_err("unknown");
        assert!(remedy.contains("`get`, `put`"), "{remedy}");
    }

    #[test]
    fn comparisons_hold_or_do_not() {
        assert!(Comparison::Below.holds(1.0, 2.0) && !Comparison::Below.holds(2.0, 2.0));
        assert!(Comparison::AtMost.holds(2.0, 2.0) && Comparison::Equal.holds(0.0, 0.0));
        assert!(Comparison::Above.holds(3.0, 2.0) && !Comparison::AtLeast.holds(1.0, 2.0));
    }
}
