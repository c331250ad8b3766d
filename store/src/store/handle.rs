//! A store's handle: what is cloned into threads, and whose last drop ends the sweeper.

use super::Shared;
use crate::sweep::SweeperThread;
use crate::sync::Arc;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// Keeps a store and its sweeper's thread.
pub(crate) struct Handle<S, V> {
    /// Stops the sweeper with the last handle; the sweeper itself holds only `shared`, and so must
    /// be stopped first, for the pairs to be dropped by the thread that drops the handle.
    sweeper: Arc<Option<SweeperThread>>,
    shared: Arc<Shared<S, V>>,
}

impl<S, V> Handle<S, V> {
    pub(crate) fn new(shared: Arc<Shared<S, V>>, sweeper: Option<SweeperThread>) -> Self {
        Self { shared, sweeper: Arc::new(sweeper) }
    }

    /// Shows what is cheap to know, under the `name` of the store's type.
    pub(super) fn show(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("len", &self.counters.entries())
            .field("default_ttl", &self.default_ttl.map(Duration::from))
            .field("has_sweeper", &self.sweeper.is_some())
            .finish_non_exhaustive()
    }
}

impl<S, V> Deref for Handle<S, V> {
    type Target = Shared<S, V>;

    #[inline]
    fn deref(&self) -> &Shared<S, V> {
        &self.shared
    }
}

impl<S, V> Clone for Handle<S, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), sweeper: Arc::clone(&self.sweeper) }
    }
}
