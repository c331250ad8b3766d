//! Pairs that have left the table and wait to be dropped where no lock is held.

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

    /// Drops every pair, also when some of them panic; the first panic then goes on.
    pub(crate) fn release(self) {
        if !needs_drop::<(K, V)>() {
            return;
        }
        let mut first_panic = None;
        for pair in self.blocks.into_iter().flatten() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(pair))) {
                first_panic.get_or_insert(panic);
            }
        }
        if let Some(panic) = first_panic {
            resume_unwind(panic);
        }
    }
}

impl<K, V> Default for Removed<K, V> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}
