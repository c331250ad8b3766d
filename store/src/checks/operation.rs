//! What is done to a store under check, as plain values: a list of them can be printed, and still
//! means something when some of them are taken out.

use crate::Ttl;
use std::time::Duration;

/// One of the keys of a check, by number.
pub(crate) type KeyId = u16;

/// A call on the store, or a move of its clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Put {
        key: KeyId,
        value: u32,
    },
    PutWithTtl {
        key: KeyId,
        value: u32,
        ttl: Ttl,
    },
    TryPut {
        key: KeyId,
        value: u32,
        ttl: Ttl,
    },
    /// `get_or_put_with`, or `try_get_or_put_with` where it fails.
    Load {
        key: KeyId,
        value: u32,
        fails: bool,
        meanwhile: Option<Meanwhile>,
    },
    LoadWithTtl {
        key: KeyId,
        value: u32,
        ttl: Ttl,
        fails: bool,
        meanwhile: Option<Meanwhile>,
    },
    Get {
        key: KeyId,
    },
    Read {
        key: KeyId,
    },
    Contains {
        key: KeyId,
    },
    GetMany {
        keys: Vec<KeyId>,
    },
    Ttl {
        key: KeyId,
    },
    Expire {
        key: KeyId,
        ttl: Ttl,
    },
    Persist {
        key: KeyId,
    },
    Delete {
        key: KeyId,
    },
    Update {
        key: KeyId,
        value: u32,
    },
    Compute {
        key: KeyId,
        decision: Decision,
    },
    Clean,
    Sweep {
        budget: usize,
    },
    SweepUntilDone {
        budget: usize,
    },
    Purge,
    /// Keeps the values that `kept` keeps.
    Retain {
        divisor: u32,
    },
    ForEach,
    LiveLen,
    Advance(Duration),
    /// To `offset_ns` from the next tick at which a slot of the wheel's `level` begins.
    AdvanceToSlot {
        level: u32,
        offset_ns: i64,
    },
    /// To `offset_ns` from the deadline of `key`, if it has one ahead.
    AdvanceToDeadline {
        key: KeyId,
        offset_ns: i64,
    },
    /// To this long before the last deadline that can be represented.
    AdvanceToHorizon {
        early: Duration,
    },
}

/// What the closure of a `compute` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Keep,
    Put(u32),
    PutWithTtl(u32, Ttl),
    Delete,
}

/// What a loader does to the key that it loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    Put(u32),
    Delete,
    Purge,
}

impl Operation {
    /// The call's name, for counts of what was done.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Put { .. } => "put",
            Self::PutWithTtl { .. } => "put_with_ttl",
            Self::TryPut { .. } => "try_put",
            Self::Load { fails: false, .. } => "get_or_put_with",
            Self::Load { fails: true, .. } => "try_get_or_put_with",
            Self::LoadWithTtl { .. } => "try_get_or_put_with_ttl",
            Self::Get { .. } => "get",
            Self::Read { .. } => "read",
            Self::Contains { .. } => "contains",
            Self::GetMany { .. } => "get_many",
            Self::Ttl { .. } => "ttl",
            Self::Expire { .. } => "expire",
            Self::Persist { .. } => "persist",
            Self::Delete { .. } => "delete",
            Self::Update { .. } => "update",
            Self::Compute { decision: Decision::Keep, .. } => "compute: keep",
            Self::Compute { decision: Decision::Put(_), .. } => "compute: put",
            Self::Compute { decision: Decision::PutWithTtl(..), .. } => "compute: put_with_ttl",
            Self::Compute { decision: Decision::Delete, .. } => "compute: delete",
            Self::Clean => "clean",
            Self::Sweep { .. } => "sweep",
            Self::SweepUntilDone { .. } => "sweep until done",
            Self::Purge => "purge",
            Self::Retain { .. } => "retain",
            Self::ForEach => "for_each",
            Self::LiveLen => "live_len",
            Self::Advance(_) => "advance",
            Self::AdvanceToSlot { .. } => "advance to a slot",
            Self::AdvanceToDeadline { .. } => "advance to a deadline",
            Self::AdvanceToHorizon { .. } => "advance to the horizon",
        }
    }

    /// The key it is about, if it is about one.
    pub(crate) fn key(&self) -> Option<KeyId> {
        match *self {
            Self::Put { key, .. }
            | Self::PutWithTtl { key, .. }
            | Self::TryPut { key, .. }
            | Self::Load { key, .. }
            | Self::LoadWithTtl { key, .. }
            | Self::Get { key }
            | Self::Read { key }
            | Self::Contains { key }
            | Self::Ttl { key }
            | Self::Expire { key, .. }
            | Self::Persist { key }
            | Self::Delete { key }
            | Self::Update { key, .. }
            | Self::Compute { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether it can remove pairs of many keys.
    pub(crate) fn is_structural(&self) -> bool {
        use Operation::{Clean, Purge, Retain, Sweep, SweepUntilDone};
        matches!(self, Clean | Sweep { .. } | SweepUntilDone { .. } | Purge | Retain { .. })
    }
}

/// The predicate of every [`Operation::Retain`].
pub(crate) fn kept(value: u32, divisor: u32) -> bool {
    !value.is_multiple_of(divisor)
}

/// The weigher of every store under check: nothing, little, all that there may be, or too much.
pub(crate) fn weight(value: u32, max: u64) -> u64 {
    match value % 16 {
        0 => 0,
        13 => max.div_ceil(2),
        14 => max,
        15 => max.saturating_add(1),
        some => u64::from(some % 4).min(max),
    }
}

/// A place where the store runs code of its user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// The closure given to the call, or its loader.
    Closure,
    /// The `Clone` of a value.
    Clone,
    /// The `Hash` of a key.
    Hash,
    /// The `Drop` of a key or a value.
    Drop,
    /// The weigher.
    Weigher,
    /// The removal listener, whose panic nobody else meets.
    Listener,
}

/// A panic in user code: the `nth` time (from 1) that the call comes to `site`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) site: Site,
    pub(crate) nth: u8,
}

/// An operation, and what its user code does meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) fault: Option<Fault>,
    /// How much time passes inside the closure of `read`, `update` and `compute`, or the loader.
    pub(crate) elapses: Duration,
}
