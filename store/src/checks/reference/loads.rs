//! Loads of missing keys in the reference.

use super::{Cause, Reference};
use crate::{Ttl, TtlError};
use std::time::Duration;

/// A loader.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) value: u32,
    pub(crate) ttl: Ttl,
    pub(crate) fails: bool,
    /// What it does to the key itself.
    pub(crate) meanwhile: Option<Meanwhile>,
    /// How long it takes before that, and after it.
    pub(crate) takes: (Duration, Duration),
}

/// A write that makes a load of its key out of date.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meanwhile {
    Put(u32),
    Delete,
    Purge,
}

/// Why a load gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadFailure {
    Loader,
    Ttl(TtlError),
}

impl From<TtlError> for LoadFailure {
    fn from(error: TtlError) -> Self {
        Self::Ttl(error)
    }
}

impl Reference {
    /// The live value of `key`; if there is none, the loader runs to its end, but nothing that it
    /// returns is stored yet.
    pub(crate) fn get_or_run(&mut self, key: u16, load: &Load) -> Option<u32> {
        if let Some(found) = self.get(key) {
            return Some(found);
        }
        self.counts.loads += 1;
        self.advance(load.takes.0);
        match load.meanwhile {
            None => {}
            Some(Meanwhile::Put(value)) => drop(self.put(key, value, Ttl::Default)),
            Some(Meanwhile::Delete) => drop(self.delete(key)),
            Some(Meanwhile::Purge) => {
                let all: Vec<u16> = self.pairs.keys().copied().collect();
                for key in all {
                    self.take(key, Cause::Purged);
                }
            }
        }
        self.advance(load.takes.1);
        None
    }

    /// What the load comes to, once its loader has run: the newer value if there is one, or the
    /// loaded one, which is stored unless the key was written meanwhile.
    pub(crate) fn end_load(&mut self, key: u16, load: &Load) -> Result<u32, LoadFailure> {
        if load.fails {
            return Err(LoadFailure::Loader);
        }
        let deadline_ms = self.resolve(load.ttl, None)?;
        if let Some(live) = self.live_pair(key) {
            return Ok(live.value);
        }
        if load.meanwhile.is_none() {
            self.store(key, load.value, deadline_ms, false);
        }
        Ok(load.value)
    }
}
