//! Stores that are broken on purpose: their histories must be rejected, or the judge is blind.

use super::specification::{Answer, Call};
use super::{STEP_MS, Subject, fresh_store, record};
use crate::{Store, Ttl};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Loses the second write in four.
#[derive(Clone)]
struct LosesWrites(Store<u8, u32>, Arc<AtomicU64>);

impl Subject for LosesWrites {
    fn call(&self, key: u8, call: Call, loading: &mut dyn FnMut()) -> Answer {
        if let Call::Put(..) = call
            && self.1.fetch_add(1, Ordering::SeqCst) % 4 == 1
        {
            return Answer::Value(self.0.get(&key));
        }
        self.0.call(key, call, loading)
    }

    fn sweep(&self) {
        Subject::sweep(&self.0);
    }
}

/// Takes a step too long to notice that a TTL has ended.
#[derive(Clone)]
struct ServesStale(Store<u8, u32>);

impl Subject for ServesStale {
    fn call(&self, key: u8, call: Call, loading: &mut dyn FnMut()) -> Answer {
        let call = match call {
            Call::Put(value, Ttl::After(ttl)) => {
                Call::Put(value, Ttl::After(ttl + Duration::from_millis(STEP_MS)))
            }
            call => call,
        };
        self.0.call(key, call, loading)
    }

    fn sweep(&self) {
        Subject::sweep(&self.0);
    }
}

/// Reads and writes in two steps, so that what comes between is undone.
#[derive(Clone)]
struct UpdatesInTwoSteps(Store<u8, u32>);

impl Subject for UpdatesInTwoSteps {
    fn call(&self, key: u8, call: Call, loading: &mut dyn FnMut()) -> Answer {
        if let Call::Update(value) = call {
            let found = self.0.get(&key);
            thread::yield_now();
            if found.is_some() {
                self.0.put_with_ttl(key, value, Ttl::Keep).expect("the TTL is good");
            }
            return Answer::Value(found);
        }
        self.0.call(key, call, loading)
    }

    fn sweep(&self) {
        Subject::sweep(&self.0);
    }
}

/// Records histories of a broken store until one cannot be explained.
fn rejected_after<S: Subject>(broken: impl Fn(Store<u8, u32>) -> S) -> Option<u64> {
    (0..5_000).find(|&seed| {
        let (store, clock) = fresh_store();
        !record(&broken(store), &clock, seed, 3, 12).is_linearizable()
    })
}

#[test]
fn histories_of_broken_stores_are_rejected() {
    let loses = rejected_after(|store| LosesWrites(store, Arc::default()));
    let stale = rejected_after(ServesStale);
    let torn = rejected_after(UpdatesInTwoSteps);
    println!("rejected: lost writes at {loses:?}, stale at {stale:?}, two steps at {torn:?}");
    assert!(loses.is_some() && stale.is_some() && torn.is_some());
}
