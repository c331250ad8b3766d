//! What each planted bug is, which rule it breaks, and whose it is to catch.

use super::runs::Check;
use crate::planted::Bug;

/// One planted bug.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) bug: Bug,
    pub(super) what: &'static str,
    pub(super) rule: &'static str,
    /// The checks that must catch it, whatever else does.
    pub(super) owners: &'static [Check],
}

impl Entry {
    pub(super) fn name(&self) -> String {
        format!("{:?}", self.bug)
    }
}

const LOOM: &[Check] = &[Check::LoomScc, Check::LoomStandIn];
const RACES: &[Check] = &[Check::LoomScc, Check::LoomStandIn, Check::Shuttle];
const SEQUENTIAL: &[Check] = &[Check::Simulation];

const fn entry(
    bug: Bug,
    owners: &'static [Check],
    what: &'static str,
    rule: &'static str,
) -> Entry {
    Entry { bug, what, rule, owners }
}

pub(super) const CATALOGUE: &[Entry] = &[
    entry(
        Bug::SweepWithoutRecheck,
        RACES,
        "the sweeper removes a due node's pair without looking at its deadline again",
        "the deadline is checked again under the bucket's lock",
    ),
    entry(
        Bug::LazyExpiryWithoutRecheck,
        RACES,
        "a reader that met an expired pair removes whatever is there when it comes back",
        "lazy expiry checks twice",
    ),
    entry(
        Bug::NodeFreedBeforePair,
        LOOM,
        "a removal frees the node before the pair is out and counted out",
        "no node left means no pair left",
    ),
    entry(
        Bug::NodeKeptOnRemoval,
        RACES,
        "a removal leaves its node in the index",
        "one node for each pair with a TTL",
    ),
    entry(
        Bug::NodesKeptByScan,
        RACES,
        "purge and retain leave nodes in the index",
        "one node for each pair with a TTL",
    ),
    entry(
        Bug::NumberKeptOnPersist,
        RACES,
        "a pair that loses its TTL frees its node and keeps the number",
        "word and node change together",
    ),
    entry(
        Bug::SecondNode,
        RACES,
        "replacing a value with a TTL registers a second node",
        "one node for each pair with a TTL",
    ),
    entry(
        Bug::ShorteningKeepsSlot,
        RACES,
        "a deadline brought forward leaves the node where it was",
        "a node never lies later than its deadline asks",
    ),
    entry(
        Bug::EarlyNodeFreed,
        RACES,
        "a node that fired early is freed instead of linked anew",
        "a node that fired early is linked anew",
    ),
    entry(
        Bug::LinkedBehindTheCursor,
        RACES,
        "a node may be linked at a tick that the cursor has passed",
        "nothing is linked at the cursor or before it",
    ),
    entry(
        Bug::PairFoundByHashAlone,
        SEQUENTIAL,
        "the sweeper takes the first pair with a node's hash for the node's own",
        "colliding keys are told apart by node number",
    ),
    entry(
        Bug::DeadAfterItsDeadline,
        SEQUENTIAL,
        "a pair dies one millisecond after its deadline",
        "dead at `now >= deadline`",
    ),
    entry(
        Bug::AnchorHeldForEver,
        &[Check::Unit],
        "the counter tells the time from one reading of the clock for ever",
        "the counter is trusted for half a millisecond",
    ),
    entry(
        Bug::DeadlineRoundedDown,
        &[Check::Unit],
        "a deadline is rounded down to the millisecond",
        "never gone early",
    ),
    entry(
        Bug::KeepKeepsTheDead,
        SEQUENTIAL,
        "`Ttl::Keep` over an expired pair keeps its deadline",
        "a put over an expired key is an insertion",
    ),
    entry(
        Bug::ExpireRevives,
        SEQUENTIAL,
        "`expire` gives an expired pair a new deadline",
        "expire, persist and Keep never revive",
    ),
    entry(
        Bug::PutReturnsTheDead,
        RACES,
        "a put over an expired pair returns its value",
        "a put over an expired key is an insertion",
    ),
    entry(
        Bug::CountReadThenWritten,
        LOOM,
        "the count of pairs is read and then written, instead of added to",
        "counts are exact once quiet",
    ),
    entry(
        Bug::CountOrdersNothing,
        &[Check::LoomStandIn],
        "the count of pairs is changed and read with `Relaxed`",
        "who sees a put counted sees what came before it",
    ),
    entry(
        Bug::SweeperJoinsItself,
        RACES,
        "the sweeper's thread, dropping the last handle, waits for its own end",
        "the sweeper never joins itself",
    ),
    entry(
        Bug::SweeperDiesOfPanic,
        &[Check::Unit],
        "a panic in a value's `Drop` ends the sweeper's thread",
        "a panic in user code leaves the store usable",
    ),
    entry(
        Bug::DroppedUnderTheLock,
        &[Check::Unit],
        "an expired value that a put replaces is dropped under the bucket's lock",
        "user code runs outside every lock",
    ),
    entry(
        Bug::BoundOverrun,
        RACES,
        "a bounded store holds one pair more than its bound",
        "once quiet, the bound is kept exactly",
    ),
    entry(
        Bug::EvictedTwice,
        RACES,
        "who looks for room evicts although somebody else has made it",
        "nothing is evicted without need",
    ),
    entry(
        Bug::DebtForgotten,
        RACES,
        "a newcomer that owes room is not counted when others have made it",
        "the count and what is owed are what all pairs weigh",
    ),
    entry(
        Bug::EvictedInSpiteOfUse,
        RACES,
        "a candidate goes although it was used since it was chosen",
        "LRU is exact",
    ),
    entry(
        Bug::WeightKeptOnUpdate,
        SEQUENTIAL,
        "an `update` that changes a pair's weight is not weighed",
        "the sum of weights is that of the pairs held",
    ),
    entry(
        Bug::NumberFreedBeforeNode,
        LOOM,
        "a pair that leaves frees its number before the node that lies under it",
        "a number is given to no two pairs at a time",
    ),
    entry(
        Bug::GhostsForGood,
        SEQUENTIAL,
        "the memory of evicted keys grows beyond the pairs held",
        "four bytes a ghost, and no more ghosts than pairs",
    ),
    entry(
        Bug::ListenerToldTwice,
        RACES,
        "a value that is replaced is told to the listener twice",
        "each removal is told exactly once",
    ),
    entry(
        Bug::ListenerOutOfOrder,
        RACES,
        "a removal is told when its thread comes to it, whoever else is telling",
        "the removals of a key are told in order",
    ),
    entry(
        Bug::StaleLoadStored,
        RACES,
        "a loaded value is stored although its key was deleted meanwhile",
        "a write during a load is not undone by it",
    ),
    entry(
        Bug::EveryMissLoads,
        RACES,
        "every thread that misses a key loads it",
        "one loader runs for a key",
    ),
    entry(
        Bug::ReplacesWhoever,
        RACES,
        "a `compute` on bytes replaces whatever is there when it comes back",
        "what a `compute` saw is what it replaces",
    ),
];
