//! Mistakes that are made on purpose, so that every check can be seen to catch one.
//!
//! Compiled with `--cfg planted`, the environment variable `PLANTED` names the one to make; in any
//! other build [`planted`] is `false` before the optimizer runs. `just test-planted` makes each.

/// The mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The sweeper removes a due node's pair without checking its deadline again.
    SweepWithoutRecheck,
}

/// Whether `bug` is to be made in this run.
#[cfg(not(planted))]
#[inline]
pub(crate) const fn planted(_bug: Bug) -> bool {
    false
}

/// Whether `bug` is to be made in this run.
#[cfg(planted)]
pub(crate) fn planted(bug: Bug) -> bool {
    use crate::sync::LazyLock;
    static NAME: LazyLock<String> = LazyLock::new(|| std::env::var("PLANTED").unwrap_or_default());
    format!("{bug:?}") == *NAME
}
