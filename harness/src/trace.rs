//! Traces: what callers asked of a store, recorded beside it, told about, and asked again.
//!
//! [`Recorded`] is put around a store in use; it tells a [`Recorder`] of each call, which writes a
//! file in the [`format`](mod@format) of our own. [`reader`] reads it back, [`summary`] says what
//! is in it, [`play`] makes operations of it for the replay. No key and no value gets into a trace:
//! keys are 64-bit hashes by a seed, values are lengths.

pub mod format;
mod length;
pub mod play;
pub mod reader;
mod recorded;
mod recorder;
mod sizes;
pub mod summary;
mod survey;
mod writer;

pub use length::Length;
pub use reader::{Damage, Reader, Torn};
pub use recorded::Recorded;
pub use recorder::{Call, Options, Overflow, Recorder, Written};

/// What was asked. Its position in [`Verb::ALL`] is its number in files, so new ones go last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// A look at the value.
    Get,
    /// Whether there is one.
    Contains,
    /// A value was written.
    Put,
    /// The key was removed.
    Delete,
    /// The key was given another TTL.
    Expire,
    /// The key's TTL was taken away.
    Persist,
    /// A look at the value, which was made and written if there was none.
    GetOrPut,
    /// The value was changed in place.
    Update,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Contains,
        Self::Put,
        Self::Delete,
        Self::Expire,
        Self::Persist,
        Self::GetOrPut,
        Self::Update,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Contains => "contains",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Expire => "expire",
            Self::Persist => "persist",
            Self::GetOrPut => "get_or_put",
            Self::Update => "update",
        }
    }

    /// Whether it answers with a value or with none: the calls that a hit ratio is of.
    #[must_use]
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::GetOrPut)
    }

    /// Whether it writes a value, always or sometimes.
    #[must_use]
    pub const fn writes(self) -> bool {
        matches!(self, Self::Put | Self::GetOrPut)
    }
}

/// The TTL that a call gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Life {
    /// None: the value lives until it is removed.
    #[default]
    Unlimited,
    /// As long as the value before it.
    Keep,
    /// For so many microseconds.
    After(u64),
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it began, in nanoseconds from the recorder's start.
    pub at_ns: u64,
    /// The number of the thread; one that ended leaves its number to another.
    pub thread: u32,
    /// What was asked.
    pub verb: Verb,
    /// Whether the key had a live value when it was asked.
    pub hit: bool,
    /// The key's hash.
    pub key: u64,
    /// Bytes of the key.
    pub key_len: u32,
    /// Bytes of the value that was written or returned, where there was one.
    pub value_len: Option<u32>,
    /// The TTL that was given.
    pub life: Life,
}
