//! Mistakes that are made on purpose, so that every check can be seen to catch one.
//!
//! Compiled with `--cfg planted`, the environment variable `PLANTED` names the one to make; in any
//! other build [`planted`] is `false` before the optimizer runs. `just test-planted` makes each.

/// The mistakes; `checks::planted` says of each which rule it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The sweeper removes a due node's pair without checking its deadline again.
    SweepWithoutRecheck,
    /// A reader that met an expired pair removes whatever is there when it comes back.
    LazyExpiryWithoutRecheck,
    /// A removal frees the node before the pair is out and counted out.
    NodeFreedBeforePair,
    /// A removal leaves the node in the index.
    NodeKeptOnRemoval,
    /// A scan (`purge`, `retain`) leaves the nodes in the index.
    NodesKeptByScan,
    /// A pair that loses its TTL frees its node but still holds the number.
    NumberKeptOnPersist,
    /// Replacing a value with a TTL registers a second node.
    SecondNode,
    /// A deadline that is brought forward leaves the node where it was.
    ShorteningKeepsSlot,
    /// A node that fired early is freed instead of linked anew.
    EarlyNodeFreed,
    /// A node may be linked at a tick that the cursor has passed.
    LinkedBehindTheCursor,
    /// The sweeper takes the first pair with a node's hash for the node's own.
    PairFoundByHashAlone,
    /// A pair dies one millisecond after its deadline.
    DeadAfterItsDeadline,
    /// The counter tells the time from one reading of the clock for ever.
    AnchorHeldForEver,
    /// A deadline is rounded down to the millisecond.
    DeadlineRoundedDown,
    /// `Ttl::Keep` over an expired pair keeps its deadline.
    KeepKeepsTheDead,
    /// `expire` works on an expired pair.
    ExpireRevives,
    /// A put over an expired pair returns its value.
    PutReturnsTheDead,
    /// The count of pairs is read and then written, instead of added to.
    CountReadThenWritten,
    /// The count of pairs is changed and read with `Relaxed`: it orders nothing.
    CountOrdersNothing,
    /// The sweeper's thread waits for its own end.
    SweeperJoinsItself,
    /// A panic in a value's `Drop` ends the sweeper's thread.
    SweeperDiesOfPanic,
    /// An expired value that a put replaces is dropped under the bucket's lock.
    DroppedUnderTheLock,
    /// A bounded store holds one pair more than its bound.
    BoundOverrun,
    /// Who looks for room evicts although somebody else has made it.
    EvictedTwice,
    /// A newcomer that owes room is not counted when others have made it.
    DebtForgotten,
    /// A candidate goes although it was used since it was chosen.
    EvictedInSpiteOfUse,
    /// An `update` that changes a pair's weight is not weighed.
    WeightKeptOnUpdate,
    /// A pair that leaves frees its number before its node in the expiry index.
    NumberFreedBeforeNode,
    /// The memory of evicted keys grows with each of them.
    GhostsForGood,
    /// A value that is replaced is told to the listener twice.
    ListenerToldTwice,
    /// A removal is told as soon as its thread comes to it, whoever else is telling.
    ListenerOutOfOrder,
    /// A loaded value is stored although its key was written meanwhile.
    StaleLoadStored,
    /// Every thread that misses a key loads it.
    EveryMissLoads,
    /// A `compute` on bytes replaces whatever is there when it comes back.
    ReplacesWhoever,
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
