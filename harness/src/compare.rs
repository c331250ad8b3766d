//! Whether two sets of reports differ, and by how much: from reports to rows of plain data.
//!
//! The repeat is the sample: what varies within a process says nothing about what the next
//! process would have measured. Nothing here runs, reads or prints anything.

mod comparability;
pub mod figure;
pub mod goal;
pub mod holm;
mod judge;
mod pairing;
pub mod rank;
pub mod shift;
pub mod trial;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::{Report, Revision, Spread};
pub use figure::{Figure, Quantity, Unit};
pub use pairing::compare;

/// A report, and the name to call it by in messages.
#[derive(Clone, Debug)]
pub struct Named {
    /// Where it was read from.
    pub label: String,
    /// What was read.
    pub report: Report,
}

/// What is to be found out.
#[derive(Clone, Debug)]
pub struct Question {
    /// Changes below this share are of no interest.
    pub delta: f64,
    /// The figure that decides, by its name; else the throughput of the first closed phase.
    pub metric: Option<String>,
}

/// Everything that two sides have in common, compared; and what only one of them has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparisons {
    /// Changes below this share count as none.
    pub delta: f64,
    /// One for each workload, case and target that both sides have.
    pub comparisons: Vec<Comparison>,
    /// What only one side has.
    pub alone: Vec<Alone>,
}

/// A workload, case and target that only one side has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alone {
    /// The side that has it.
    pub side: Side,
    /// Its workload.
    pub workload: String,
    /// Its case of a sweep.
    pub case: Option<String>,
    /// Its target.
    pub target: String,
}

/// The first or the second of what is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is compared against.
    A,
    /// What is compared.
    B,
}

/// Two reports of the same workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The workload's name.
    pub workload: String,
    /// The case of a sweep.
    pub case: Option<String>,
    /// The first report.
    pub a: Origin,
    /// The second.
    pub b: Origin,
    /// What can be said about the two.
    pub standing: Standing,
    /// What should make a reader careful.
    pub cautions: Vec<Caution>,
    /// Figure by figure; empty if the two cannot be compared.
    pub rows: Vec<Row>,
    /// A regression of any figure is one of the whole; else what the primary figure says.
    pub verdict: Option<Verdict>,
}

/// Where the figures of one side come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file.
    pub label: String,
    /// What was measured.
    pub target: String,
    /// The sources that were measured.
    #[serde(flatten)]
    pub revision: Revision,
    /// When.
    pub started: String,
    /// The machine's short hash.
    pub machine: String,
    /// How many processes ran it.
    pub repeats: usize,
}

/// What can be said about two reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Standing {
    /// The same work on the same machine: each row has a verdict.
    Judged,
    /// The same work on different machines: ratios, and no verdict.
    Indicative,
    /// Different work: nothing.
    NotComparable {
        /// Why not.
        reasons: Vec<String>,
    },
}

/// One figure on both sides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which one.
    pub figure: Figure,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether more of it is better.
    pub higher_is_better: bool,
    /// Whether it is the one that decides.
    pub primary: bool,
    /// The first side, over its repeats.
    pub a: Spread,
    /// The second.
    pub b: Spread,
    /// The second over the first; `None` if one of them is not above zero.
    pub ratio: Option<f64>,
    /// Where that ratio lies with 95% confidence.
    pub interval: Option<Interval>,
    /// The chance that so large a difference comes of itself.
    pub p: Option<f64>,
    /// The same after Holm's correction for all figures but the primary.
    pub p_corrected: Option<f64>,
    /// What follows; `None` where nothing may be concluded.
    pub verdict: Option<Verdict>,
    /// Why the verdict is no clearer.
    pub doubt: Option<Doubt>,
}

/// A range of ratios.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Half its width, as a share of its middle.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.high / self.low).sqrt() - 1.0
    }
}

/// What a comparison of one figure concludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse, and by more than is of no interest.
    Regressed,
    /// Better by as much.
    Improved,
    /// Any change is smaller than is of interest.
    Same,
    /// These repeats cannot tell.
    Inconclusive,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Same => "same",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Why a figure is inconclusive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// So few repeats have no interval at all.
    FewRepeats {
        /// Repeats of the first side that have the figure.
        a: usize,
        /// And of the second.
        b: usize,
    },
    /// So few rounds of a trial have no interval at all.
    FewPairs {
        /// Rounds that have the figure.
        pairs: usize,
    },
    /// In a trial, A differs from itself.
    ControlDiffers,
    /// In a trial, A varies too much against itself.
    ControlWide {
        /// Half the width of that interval, as a share.
        half_width: f64,
    },
    /// The interval is too wide to tell.
    Wide {
        /// Half its width, as a share.
        half_width: f64,
    },
    /// There is a change, and it may or may not be large enough to matter.
    Borderline,
    /// Among so many figures, one as far off as this is to be expected.
    OneOfMany {
        /// How many.
        figures: usize,
    },
    /// A value is zero or below and has no ratio.
    NoRatio,
}

impl Doubt {
    /// A word or two for a table; the whole sentence is what it displays as.
    #[must_use]
    pub fn brief(&self) -> String {
        match self {
            Self::FewRepeats { .. } => "too few repeats".to_owned(),
            Self::FewPairs { .. } => "too few pairs".to_owned(),
            Self::ControlDiffers => "A differs from A".to_owned(),
            Self::ControlWide { half_width } => format!("A/A ±{:.1}%", 100.0 * half_width),
            Self::Wide { half_width } => format!("±{:.1}%", 100.0 * half_width),
            Self::Borderline => "about delta".to_owned(),
            Self::OneOfMany { figures } => format!("one of {figures} figures"),
            Self::NoRatio => "zero has no ratio".to_owned(),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewRepeats { a, b } => {
                write!(f, "{a}+{b} repeats have no 95% interval: run 4 or more on each side")
            }
            Self::FewPairs { pairs } => {
                write!(f, "{pairs} pairs have no 95% interval: run 6 or more")
            }
            Self::ControlDiffers => f.write_str(
                "A differs from a second run of A: the machine is not steady; see `harness \
                 doctor`, then run it again",
            ),
            Self::ControlWide { half_width } => write!(
                f,
                "A varies by ±{:.1}% against itself: run more pairs, or ask for a larger delta",
                100.0 * half_width
            ),
            Self::Wide { half_width } => {
                write!(f, "±{:.1}% is too wide: run more repeats", 100.0 * half_width)
            }
            Self::Borderline => f.write_str("a change about as large as delta: run more repeats"),
            Self::OneOfMany { figures } => {
                write!(f, "one of {figures} figures: name it with --metric and run again")
            }
            Self::NoRatio => f.write_str("zero has no ratio"),
        }
    }
}

/// A reason to be careful with a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Caution {
    /// Both sides are the same report.
    SameReport,
    /// The machines differ.
    DifferentMachines {
        /// The first side's.
        a: String,
        /// The second's.
        b: String,
    },
    /// Something else than the revision differs.
    Different {
        /// What.
        what: String,
        /// On the first side.
        a: String,
        /// On the second.
        b: String,
    },
    /// A side was measured from sources that belong to no commit.
    Dirty {
        /// Which.
        side: Side,
    },
    /// A side was built without optimization.
    DebugBuild,
    /// A side gave answers that cannot be right.
    FalseAnswers {
        /// Which.
        side: Side,
        /// How many.
        answers: u64,
    },
    /// Something else was running beside a side.
    Busy {
        /// Which.
        side: Side,
        /// The load before it.
        load: f64,
    },
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameReport => f.write_str("both sides are the same report: measure one again"),
            Self::DifferentMachines { a, b } => write!(
                f,
                "measured on different machines ({a}, {b}): the ratios are indicative, and no \
                 verdict is given; measure both on one machine"
            ),
            Self::Different { what, a, b } => {
                write!(f, "the {what} differs too: {a} in A, {b} in B")
            }
            Self::Dirty { side } => {
                write!(f, "{side} was measured from uncommitted sources: commit, then run it again")
            }
            Self::DebugBuild => f.write_str("debug builds: their times mean nothing"),
            Self::FalseAnswers { side, answers } => write!(
                f,
                "{side} gave {answers} wrong, stale or early answers: mend that before its speed"
            ),
            Self::Busy { side, load } => write!(
                f,
                "the machine was busy before {side} (load {load:.2}): stop what else is running, \
                 then run it again"
            ),
        }
    }
}

impl Comparison {
    /// The row that decides.
    #[must_use]
    pub fn primary(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.primary)
    }

    /// What the whole comes to.
    #[must_use]
    pub const fn verdict(&self) -> Option<Verdict> {
        self.verdict
    }
}

/// A regression of any figure is one of the whole; else what the primary figure says. From
/// verdicts, and whether each is of the primary figure.
fn overall(verdicts: impl Iterator<Item = (Option<Verdict>, bool)>) -> Option<Verdict> {
    let mut of_primary = None;
    for (verdict, primary) in verdicts {
        if verdict == Some(Verdict::Regressed) {
            return verdict;
        }
        of_primary = if primary { verdict } else { of_primary };
    }
    of_primary
}
