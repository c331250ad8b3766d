//! Which keys of a key space are written by when, where operations insert new ones.
//!
//! Inserts take the keys after the loaded ones, in order: those of a phase's first thread, then
//! those of its second, then those of the next phase. So the operations are the same on every
//! machine, whichever thread is faster; and a thread counts as written what was there before the
//! phase and what it has inserted itself, not what another may or may not have come to.

use crate::workload::Workload;

/// What one thread of one phase knows to be written of a key space.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// How many keys exist.
    keys: u32,
    /// Whether anything is ever inserted. If not, keys that are not loaded are not asked about.
    inserts: bool,
    /// The keys up to here were written before the phase.
    before: u32,
    /// The keys from here..
    from: u32,
    /// ..up to here were inserted by this thread in this phase.
    next: u32,
}

impl Written {
    pub(super) fn new(workload: &Workload, space: usize) -> Self {
        let inserts = workload.inserts_into(space);
        let space = &workload.keyspaces[space];
        Self {
            keys: space.keys,
            inserts,
            before: space.loaded,
            from: space.loaded,
            next: space.loaded,
        }
    }

    pub(super) fn begin_phase(&mut self) {
        self.before = self.next;
    }

    pub(super) fn begin_thread(&mut self) {
        self.from = self.next;
    }

    /// The next key that nothing has written. A file whose inserts run out of keys is refused, so
    /// that the thread's own are never written again; any other workload is still in bounds.
    pub(super) fn insert(&mut self) -> u32 {
        if self.next >= self.keys {
            self.next = self.from;
        }
        let key = self.next.min(self.keys.saturating_sub(1));
        self.next = (self.next + 1).min(self.keys);
        key
    }

    /// Whether the key may be asked for.
    pub(super) fn has(&self, key: u32) -> bool {
        !self.inserts || key < self.before || (self.from..self.next).contains(&key)
    }

    /// How many keys are written.
    pub(super) const fn count(&self) -> u32 {
        self.before + (self.next - self.from)
    }

    /// The key that so many newer ones come after; the loaded ones are in the order of their
    /// numbers.
    pub(super) fn recent(&self, rank: u32) -> u32 {
        let own = self.next - self.from;
        if rank < own { self.next - 1 - rank } else { self.before.saturating_sub(1 + rank - own) }
    }

    /// The key after this one, from the first again after the last.
    pub(super) fn after(&self, key: u32) -> u32 {
        if key + 1 < self.keys && self.has(key + 1) { key + 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_what_was_there_and_what_it_has_inserted() {
        let mut written = Written { keys: 14, inserts: true, before: 10, from: 10, next: 10 };
        assert_eq!([written.insert(), written.insert()], [10, 11]);
        written.begin_thread();
        assert_eq!(written.insert(), 12);
        assert_eq!(
            [0, 9, 10, 11, 12, 13].map(|key| written.has(key)),
            [true, true, false, false, true, false]
        );
        assert_eq!(written.count(), 11);
        assert_eq!([0, 1, 2, 10].map(|rank| written.recent(rank)), [12, 9, 8, 0]);
        assert_eq!([8, 9, 12].map(|key| written.after(key)), [9, 0, 0]);
        written.begin_phase();
        written.begin_thread();
        assert_eq!([0, 1, 12].map(|rank| written.recent(rank)), [12, 11, 0]);
        // Out of keys: its own again, never those of another.
        assert_eq!([written.insert(), written.insert()], [13, 13]);
    }
}
