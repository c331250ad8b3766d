//! Keys and values whose `Hash`, `Clone` and `Drop` panic when they are told to, collide on
//! purpose, and are counted, so that a value that leaks or is dropped under a lock is noticed.

use super::super::operation::{self, Fault, KeyId, Site};
use super::super::reference::Told;
use crate::{RemovalCause, Store};
use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::panic::resume_unwind;

thread_local! {
    /// The panic that is to come.
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    /// Keys and values in existence, the harness's own among them.
    static ALIVE: Cell<i64> = const { Cell::new(0) };
    /// The store that every `Drop` calls: under a lock of the store's it would wait for ever.
    static CALLED_IN_DROP: RefCell<Option<Store<Key, Value>>> = const { RefCell::new(None) };
    /// The store that the removal listener calls.
    static CALLED_BACK: RefCell<Option<Store<Key, Value>>> = const { RefCell::new(None) };
    /// What the removal listener was told.
    static TOLD: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
}

/// What a planned panic carries: anything else that is caught is a failure.
pub(super) struct Planned;

pub(super) fn arm(fault: Option<Fault>) {
    FAULT.set(fault);
}

/// Calls the panic off; returns whether there was one to call off.
pub(super) fn disarm() -> bool {
    FAULT.take().is_some()
}

/// User code is at `site`: panics if this is where and when it is to.
pub(super) fn reach(site: Site) {
    if let Some(fault) = FAULT.get()
        && fault.site == site
    {
        if fault.nth > 1 {
            FAULT.set(Some(Fault { nth: fault.nth - 1, ..fault }));
        } else {
            FAULT.set(None);
            // Unlike `panic!`, this prints nothing: it happens thousands of times a second.
            resume_unwind(Box::new(Planned));
        }
    }
}

/// Runs `f`, in which no panic is to come.
pub(super) fn undisturbed(f: impl FnOnce()) {
    let fault = FAULT.take();
    f();
    FAULT.set(fault);
}

/// Keys and values in existence on this thread.
pub(super) fn alive() -> i64 {
    ALIVE.get()
}

/// Lets every `Drop` on this thread call `store`, or none.
pub(super) fn call_in_drop(store: Option<Store<Key, Value>>) {
    let former = CALLED_IN_DROP.replace(store);
    // Outside the cell's borrow: it may be the last handle, whose pairs are then dropped.
    drop(former);
}

/// Lets the removal listener call `store`, or none.
pub(super) fn call_back(store: Option<Store<Key, Value>>) {
    let former = CALLED_BACK.replace(store);
    drop(former);
}

/// The removal listener.
pub(super) fn removed(key: &Key, value: &Value, cause: RemovalCause) {
    TOLD.with_borrow_mut(|told| told.push((key.id, value.0, cause)));
    let store = CALLED_BACK.with_borrow(Clone::clone);
    if let Some(store) = store {
        undisturbed(|| {
            let _ = store.len();
            let _ = store.get(key).map(Value::into_number);
        });
    }
    reach(Site::Listener);
}

/// What the listener was told since this was last asked.
pub(super) fn told() -> Vec<Told> {
    TOLD.take()
}

/// The weigher of stores that may weigh `max`.
pub(super) fn weigh(value: &Value, max: u64) -> u64 {
    reach(Site::Weigher);
    operation::weight(value.0, max)
}

fn dropped() {
    ALIVE.set(ALIVE.get() - 1);
    CALLED_IN_DROP.with_borrow(|store| {
        if let Some(store) = store {
            let _ = store.live_len();
        }
    });
    reach(Site::Drop);
}

/// A key that has the hash of its whole group.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: KeyId,
    group: KeyId,
}

impl Key {
    pub(super) fn new(id: KeyId, keys_a_hash: KeyId) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self { id, group: id / keys_a_hash }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        reach(Site::Hash);
        state.write_u16(self.group);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Key {}

impl Drop for Key {
    fn drop(&mut self) {
        dropped();
    }
}

#[derive(Debug)]
pub(super) struct Value(pub(super) u32);

impl Value {
    pub(super) fn new(number: u32) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self(number)
    }

    /// The number of a value that was given out, whose drop is none of the store's.
    pub(super) fn into_number(self) -> u32 {
        let number = self.0;
        ALIVE.set(ALIVE.get() - 1);
        std::mem::forget(self);
        number
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        reach(Site::Clone);
        Self::new(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        dropped();
    }
}
