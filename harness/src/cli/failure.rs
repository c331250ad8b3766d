//! Why a command did not succeed, and the exit code for it.

/// Why a command did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Something could not be read, written or run.
    Failed(String),
    /// The command line or a workload file is wrong.
    Usage(String),
    /// An objective was missed; the report says which.
    SloMissed,
    /// Something became worse; the comparison says what.
    Regressed,
    /// Nothing could be concluded, and the user insists on a conclusion.
    Inconclusive,
    /// The target gave answers that cannot be right.
    FalseAnswers(String),
    /// What was to be compared is not of the same work.
    NotComparable(String),
    /// The user wants no more.
    Interrupted,
}

impl Failure {
    /// The exit code of the process.
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::SloMissed => 3,
            Self::Regressed => 4,
            Self::Inconclusive => 5,
            Self::FalseAnswers(_) => 6,
            Self::NotComparable(_) => 7,
            Self::Interrupted => 130,
        }
    }

    /// What to tell the user.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Failed(message)
            | Self::Usage(message)
            | Self::FalseAnswers(message)
            | Self::NotComparable(message) => message,
            Self::Regressed => "B regressed",
            Self::Inconclusive => "inconclusive, and --strict asks for a conclusion",
            Self::SloMissed => "an objective was missed",
            Self::Interrupted => "interrupted; no report was written",
        }
    }

    /// The one of two failures that matters more: wrong answers outweigh slow ones.
    pub(super) fn worse(self, other: Self) -> Self {
        if other.code() > self.code() { other } else { self }
    }
}
