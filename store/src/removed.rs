//! Pairs that have left the table and wait to be told of and dropped where no lock is held.

use crate::listener::{Notifier, Parting};
use std::any::Any;
use std::mem::{forget, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Pairs taken out of the table, in blocks, so that a large removal copies nothing as it grows.
pub(crate) struct Removed<'n, S, V> {
    /// Often the only one: a put at the bound evicts one pair.
    first: Option<Parting<S, V>>,
    blocks: Vec<Vec<Parting<S, V>>>,
    notifier: Option<&'n Notifier<S, V>>,
}

impl<'n, S, V> Removed<'n, S, V> {
    pub(crate) fn new(notifier: Option<&'n Notifier<S, V>>) -> Self {
        Self { first: None, blocks: Vec::new(), notifier }
    }

    #[inline]
    pub(crate) fn push(&mut self, pair: Parting<S, V>) {
        if self.first.is_none() {
            self.first = Some(pair);
        } else {
            self.push_further(pair);
        }
    }

    fn push_further(&mut self, pair: Parting<S, V>) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < block.capacity() => block.push(pair),
            last => {
                // The first holds a sweeper's batch; the others, of a scan, a page of them or more.
                let page = (1 << 18) / size_of::<Parting<S, V>>().max(1);
                let room = if last.is_none() { 32 } else { page };
                let mut block = Vec::with_capacity(room.clamp(1, 4_096));
                block.push(pair);
                self.blocks.push(block);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.blocks.iter().map(Vec::len).sum::<usize>()
    }

    /// Tells of and drops every pair, also when some of them panic; `panics` remembers the first.
    pub(crate) fn release(mut self, panics: &mut FirstPanic) {
        self.drop_pairs(panics);
    }

    /// Does so and lets the first panic go on; returns how many pairs there were.
    pub(crate) fn finish(self) -> usize {
        let (count, mut panics) = (self.len(), FirstPanic::default());
        self.release(&mut panics);
        panics.resume();
        count
    }

    #[inline]
    fn drop_pairs(&mut self, panics: &mut FirstPanic) {
        // The pairs need it, and there are some.
        if (needs_drop::<(S, V)>() || self.notifier.is_some()) && self.first.is_some() {
            self.drop_each(panics);
        }
    }

    fn drop_each(&mut self, panics: &mut FirstPanic) {
        let further = std::mem::take(&mut self.blocks).into_iter().flatten();
        for pair in self.first.take().into_iter().chain(further) {
            let notifier = self.notifier;
            panics.catch(|| drop(pair.told(notifier)));
        }
    }
}

/// The first of the panics that work went on in spite of.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    pub(crate) fn remember(&mut self, panic: Box<dyn Any + Send>) {
        match &self.0 {
            None => self.0 = Some(panic),
            // What it carries may panic when it is dropped.
            Some(_) => forget(panic),
        }
    }

    /// Runs `f`, and remembers its panic.
    pub(crate) fn catch<R>(&mut self, f: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(f)).map_err(|panic| self.remember(panic)).ok()
    }

    /// Remembers what another did.
    pub(crate) fn join(&mut self, other: Self) {
        if let Some(panic) = other.0 {
            self.remember(panic);
        }
    }

    /// Whether there was one; it goes no further.
    pub(crate) fn swallow(self) -> bool {
        let was_one = self.0.is_some();
        forget(self.0);
        was_one
    }

    /// Lets it go on, if there was one.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0 {
            resume_unwind(panic);
        }
    }
}

impl<S, V> Drop for Removed<'_, S, V> {
    /// Reached with pairs only when a predicate panicked: a second panic must not end the process.
    fn drop(&mut self) {
        self.drop_pairs(&mut FirstPanic::default());
    }
}
