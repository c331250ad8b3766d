//! Pairs that have left the table and wait to be dropped where no lock is held.

use std::any::Any;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Pairs taken out of the table, in blocks, so that a large removal copies nothing as it grows.
pub(crate) struct Removed<K, V> {
    blocks: Vec<Vec<(K, V)>>,
}

impl<K, V> Removed<K, V> {
    const BLOCK: usize = 4_096;

    pub(crate) fn push(&mut self, pair: (K, V)) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < Self::BLOCK => block.push(pair),
            _ => {
                let mut block = Vec::with_capacity(Self::BLOCK);
                block.push(pair);
                self.blocks.push(block);
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }

    /// Drops every pair, also when some of them panic; `panics` remembers the first.
    pub(crate) fn release(mut self, panics: &mut FirstPanic) {
        self.drop_pairs(panics);
    }

    fn drop_pairs(&mut self, panics: &mut FirstPanic) {
        if !needs_drop::<(K, V)>() {
            return;
        }
        for pair in std::mem::take(&mut self.blocks).into_iter().flatten() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(pair))) {
                panics.0.get_or_insert(panic);
            }
        }
    }
}

/// The first of the panics that work went on in spite of.
#[derive(Default)]
pub(crate) struct FirstPanic(Option<Box<dyn Any + Send>>);

impl FirstPanic {
    /// Lets it go on, if there was one.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.0 {
            resume_unwind(panic);
        }
    }
}

impl<K, V> Drop for Removed<K, V> {
    /// Reached with pairs only when a predicate panicked: a second panic must not end the process.
    fn drop(&mut self) {
        self.drop_pairs(&mut FirstPanic::default());
    }
}

impl<K, V> Default for Removed<K, V> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}
