//! Pairs that have left the table and wait to be dropped where no lock is held.

use std::any::Any;
use std::mem::{forget, needs_drop};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Pairs taken out of the table, in blocks, so that a large removal copies nothing as it grows.
pub(crate) struct Removed<K, V> {
    blocks: Vec<Vec<(K, V)>>,
}

impl<K, V> Removed<K, V> {
    pub(crate) fn push(&mut self, pair: (K, V)) {
        match self.blocks.last_mut() {
            Some(block) if block.len() < block.capacity() => block.push(pair),
            last => {
                // The first holds a sweeper's batch; the others, of a scan, a page of them or more.
                let room = if last.is_none() { 32 } else { (1 << 18) / size_of::<(K, V)>().max(1) };
                let mut block = Vec::with_capacity(room.clamp(1, 4_096));
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

    /// Drops every pair and lets the first panic go on; returns how many there were.
    pub(crate) fn finish(self) -> usize {
        let (count, mut panics) = (self.len(), FirstPanic::default());
        self.release(&mut panics);
        panics.resume();
        count
    }

    fn drop_pairs(&mut self, panics: &mut FirstPanic) {
        if !needs_drop::<(K, V)>() {
            return;
        }
        for pair in std::mem::take(&mut self.blocks).into_iter().flatten() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(pair))) {
                panics.remember(panic);
            }
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
