//! Expire times as commands say them, made into wall-clock milliseconds.

use super::{Error, NO_INTEGER, bad_deadline};
use crate::keyspace::Keyspace;
use crate::wire::parse_integer;

/// How an expire time is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    /// In seconds rather than milliseconds.
    pub(super) seconds: bool,
    /// From now on rather than since 1970.
    pub(super) relative: bool,
}

impl Unit {
    pub(super) const EX: Self = Self { seconds: true, relative: true };
    pub(super) const PX: Self = Self { seconds: false, relative: true };
    pub(super) const EXAT: Self = Self { seconds: true, relative: false };
    pub(super) const PXAT: Self = Self { seconds: false, relative: false };

    /// The option that goes by `name`.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        let units =
            [("ex", Self::EX), ("px", Self::PX), ("exat", Self::EXAT), ("pxat", Self::PXAT)];
        let named = |(known, _): &&(&str, Self)| name.eq_ignore_ascii_case(known.as_bytes());
        units.iter().find(named).map(|(_, unit)| *unit)
    }

    /// The deadline that `text` says for the command `name`, whatever its sign.
    pub(super) fn any(self, text: &[u8], keyspace: &Keyspace, name: &str) -> Result<i64, Error> {
        let time = parse_integer(text).ok_or(NO_INTEGER)?;
        self.deadline(time, keyspace).ok_or_else(|| bad_deadline(name))
    }

    /// The same, which must be more than zero as it was said.
    pub(super) fn positive(
        self,
        text: &[u8],
        keyspace: &Keyspace,
        name: &str,
    ) -> Result<i64, Error> {
        let time = parse_integer(text).ok_or(NO_INTEGER)?;
        let deadline = if time > 0 { self.deadline(time, keyspace) } else { None };
        deadline.ok_or_else(|| bad_deadline(name))
    }

    fn deadline(self, time: i64, keyspace: &Keyspace) -> Option<i64> {
        let time_ms = if self.seconds { time.checked_mul(1_000)? } else { time };
        let origin_ms = if self.relative { keyspace.now_ms() } else { 0 };
        time_ms.checked_add(origin_ms)
    }
}
