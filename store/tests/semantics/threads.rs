//! Semantics 5 and 6 with real threads: what each key went through adds up, whoever runs beside.

use crate::support::{after, ignore, ms, must_return, random_numbers, together};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use store::{Clock, Compute, ManualClock, Store, Sweeper, Ttl};

type Numbers = Store<u64, u64>;

/// A store with a busy sweeper, and its clock.
fn swept() -> (ManualClock, Numbers) {
    let clock = ManualClock::new();
    let builder = Store::builder().clock(clock.clone()).sweeper(Sweeper::Thread).tick(ms(1));
    (clock, builder.build().expect("a plain store can be built"))
}

#[test]
fn s5_no_increment_is_lost() {
    let (_clock, store) = swept();
    store.put(0, 0);
    let counted = store.clone();
    together(4, move |thread| {
        for turn in 0..2_000_u64 {
            if (turn + thread) % 2 == 0 {
                counted.update(&0, |n| *n += 1).expect("nobody deletes it");
            } else {
                let add = |found: Option<&u64>| {
                    Compute::PutWithTtl(found.map_or(1, |n| n + 1), Ttl::Keep)
                };
                counted.compute(0, add).expect("it keeps its TTL");
            }
        }
    });
    assert_eq!((store.get(&0), store.len()), (Some(8_000), 1));
}

#[test]
fn s5_every_value_is_handed_to_exactly_one_caller() {
    // Unique values are put, and each must come back once: replaced, deleted, or left at the end.
    let (_clock, store) = swept();
    let (seen, sum) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let (shared, seen_too, sum_too) = (store.clone(), Arc::clone(&seen), Arc::clone(&sum));
    together(4, move |thread| {
        for turn in 0..2_000 {
            let value = thread * 2_000 + turn;
            let ttl = if turn % 3 == 0 { after(3_600_000) } else { Ttl::Never };
            let found = match turn % 4 {
                0 => [shared.put(0, value), shared.delete(&0)],
                1 => [shared.put_with_ttl(0, value, ttl).expect("the TTL is fine"), None],
                2 => [shared.compute(0, |_| Compute::Put(value)).expect("no TTL"), None],
                _ => [
                    shared.put_with_ttl(0, value, ttl).expect("the TTL is fine"),
                    shared.compute(0, |_| Compute::Delete).expect("no TTL"),
                ],
            };
            for value in found.into_iter().flatten() {
                seen_too.fetch_add(1, Ordering::SeqCst);
                sum_too.fetch_add(value, Ordering::SeqCst);
            }
        }
    });
    let last = store.delete(&0);
    let returned = seen.load(Ordering::SeqCst) + usize::from(last.is_some());
    assert_eq!(returned, 8_000);
    assert_eq!(sum.load(Ordering::SeqCst) + last.unwrap_or(0), (0..8_000).sum());
    assert_eq!((store.len(), store.stats().expiry_nodes), (0, 0));
}

#[test]
fn s5_readers_never_see_a_key_go_back() {
    let (_clock, store) = swept();
    let done = Arc::new(AtomicBool::new(false));
    let shared = store.clone();
    store.put(0, 0);
    together(3, move |thread| {
        if thread == 0 {
            let _done = Raised(&done);
            for value in 1..=5_000 {
                // In every way that stores a value; the key is never absent meanwhile.
                match value % 3 {
                    0 => ignore(shared.put(0, value)),
                    1 => ignore(shared.put_with_ttl(0, value, after(3_600_000))),
                    _ => ignore(shared.update(&0, |held| *held = value)),
                }
            }
            return;
        }
        let mut last = 0;
        while !done.load(Ordering::SeqCst) {
            let value = shared.get(&0).expect("it is never absent");
            assert!(value >= last, "{value} after {last}");
            last = value;
        }
    });
}

#[test]
fn s5_no_reader_is_given_a_value_at_or_after_its_deadline() {
    let (clock, store) = swept();
    let shared = store.clone();
    together(3, move |thread| {
        for turn in 0..5_000_u64 {
            if thread == 0 {
                let ttl = 1 + turn % 5;
                // The latest that its deadline can be is counted from after the put: so the
                // writer alone moves time, and the value tells its deadline.
                let deadline = u64::try_from(clock.now().as_millis()).expect("fits") + ttl;
                shared.put_with_ttl(turn % 8, deadline, after(ttl)).expect("the TTL is fine");
                clock.advance(ms(turn % 3));
            } else {
                let before = u64::try_from(clock.now().as_millis()).expect("fits");
                if let Some(deadline) = shared.get(&(turn % 8)) {
                    assert!(deadline > before, "due at {deadline}, given at {before}");
                }
            }
        }
    });
    assert!(store.len() <= 8);
}

#[test]
fn s5_a_look_that_found_a_key_dead_does_not_take_the_value_put_since() {
    let clock = ManualClock::new();
    let builder = Numbers::builder().clock(clock.clone()).sweeper(Sweeper::Manual);
    let store = builder.build().unwrap();
    let done = AtomicBool::new(false);
    together(3, move |thread| {
        if thread > 0 {
            while !done.load(Ordering::SeqCst) {
                store.contains(&0);
            }
            return;
        }
        // However this thread ends, the others are to end too.
        let _done = Raised(&done);
        for round in 0..20_000 {
            store.put_with_ttl(0, round, after(1)).expect("the TTL is fine");
            clock.advance(ms(1));
            store.put(0, round);
            for _ in 0..3 {
                assert_eq!(store.get(&0), Some(round), "a fresh value was lost");
            }
        }
    });
}

/// Raises a flag when it is dropped.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn s6_what_was_put_before_a_purge_is_gone_and_what_comes_after_it_stays() {
    let (_clock, store) = swept();
    let stop = Arc::new(AtomicBool::new(false));
    let noise = {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            let mut turn = 0;
            while !stop.load(Ordering::SeqCst) {
                // Beside the purges: keys of its own, which make the table grow and shrink.
                store.put(1_000_000 + turn % 5_000, turn);
                turn += 1;
            }
        })
    };
    let purging = store.clone();
    must_return("purges", move || {
        for round in 0..100 {
            for key in 0..50 {
                purging.put_with_ttl(key, round, after(3_600_000)).unwrap();
            }
            assert!(purging.purge() >= 50);
            assert!((0..50).all(|key| !purging.contains(&key)), "left over in round {round}");
            purging.put(50, round);
            assert_eq!(purging.get(&50), Some(round), "a later put was purged");
        }
    });
    stop.store(true, Ordering::SeqCst);
    noise.join().unwrap();
    assert_eq!(store.len(), store.live_len());
    store.purge();
    assert_eq!((store.len(), store.stats().expiry_nodes), (0, 0));
}

/// What the owner of a key knows of it: its value, and the first and last moment that its
/// deadline may be, as time moves while it is put.
#[derive(Clone, Copy)]
struct Known {
    value: u64,
    deadline_ms: Option<(u64, u64)>,
}

/// Counts a thread out also when it fails, so that nobody waits for it.
struct Done<'a>(&'a AtomicU64);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The keys of one thread, beside a plain model of them.
struct Owner {
    store: Numbers,
    clock: ManualClock,
    model: HashMap<u64, Known>,
}

impl Owner {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().as_millis()).expect("fits")
    }

    /// Checks what a call found against the model; `from_ms` is when the call began.
    fn check(&mut self, key: u64, found: Option<u64>, from_ms: u64) {
        let until_ms = self.now_ms();
        let Some(known) = self.model.get(&key).copied() else {
            assert_eq!(found, None, "key {key} is absent");
            return;
        };
        match known.deadline_ms {
            None => assert_eq!(found, Some(known.value), "key {key} has no TTL"),
            Some((first, _)) if until_ms < first => {
                assert_eq!(found, Some(known.value), "key {key} went before its deadline");
            }
            Some((_, last)) if from_ms >= last => {
                assert_eq!(found, None, "key {key} was given after its deadline");
            }
            Some(_) => assert!(found.is_none() || found == Some(known.value)),
        }
        if found.is_none() {
            self.model.remove(&key);
        }
    }

    fn put(&mut self, key: u64, value: u64, ttl_ms: Option<u64>) {
        let from_ms = self.now_ms();
        let ttl = ttl_ms.map_or(Ttl::Never, after);
        let former = self.store.put_with_ttl(key, value, ttl).expect("the TTL is fine");
        self.check(key, former, from_ms);
        let deadline_ms = ttl_ms.map(|ttl_ms| (from_ms + ttl_ms, self.now_ms() + ttl_ms));
        self.model.insert(key, Known { value, deadline_ms });
    }

    fn expire(&mut self, key: u64, ttl_ms: u64) {
        let from_ms = self.now_ms();
        let was_live = self.store.expire(&key, after(ttl_ms)).expect("the TTL is fine");
        let until_ms = self.now_ms();
        let value = self.model.get(&key).map(|known| known.value);
        self.check(key, value.filter(|_| was_live), from_ms);
        if let Some(known) = self.model.get_mut(&key) {
            known.deadline_ms = Some((from_ms + ttl_ms, until_ms + ttl_ms));
        }
    }

    fn step(&mut self, key: u64, random: u64) {
        let from_ms = self.now_ms();
        let ttl_ms = 1 + random / 16 % 40;
        match random % 8 {
            0 => self.put(key, random, None),
            1 | 2 => self.put(key, random, Some(ttl_ms)),
            3 => {
                let deleted = self.store.delete(&key);
                self.check(key, deleted, from_ms);
                self.model.remove(&key);
            }
            4 => self.expire(key, ttl_ms),
            5 => {
                let updated = self.store.update(&key, |value| std::mem::replace(value, random));
                self.check(key, updated, from_ms);
                if let Some(known) = self.model.get_mut(&key) {
                    known.value = random;
                }
            }
            _ => {
                let found = self.store.get(&key);
                self.check(key, found, from_ms);
            }
        }
    }
}

#[test]
fn s5_each_owner_of_keys_finds_them_as_it_left_them_while_time_runs() {
    const THREADS: u64 = 3;
    let (clock, store) = swept();
    let shared = store.clone();
    let running = AtomicU64::new(THREADS);
    let left = Arc::new(std::sync::Mutex::new(HashMap::new()));
    let (time, models) = (clock.clone(), Arc::clone(&left));
    together(THREADS + 1, move |thread| {
        if thread == THREADS {
            while running.load(Ordering::SeqCst) > 0 {
                time.advance(ms(1));
                // A stranger's look may find a pair dead, and must then take it only if it still
                // is: its owner may have put it anew in between.
                for key in 0..32 * THREADS {
                    shared.contains(&key);
                }
            }
            return;
        }
        let mut owner = Owner { store: shared.clone(), clock: time.clone(), model: HashMap::new() };
        let _done = Done(&running);
        for random in random_numbers(thread).take(10_000) {
            owner.step((random >> 32) % 32 * THREADS + thread, random);
        }
        models.lock().expect("no owner has failed").extend(owner.model);
    });
    // Quiet now, but for the sweeper: what has no TTL is all that stays.
    clock.advance(ms(1_000));
    store.clean();
    let left = left.lock().unwrap();
    let stay: HashMap<_, _> = left
        .iter()
        .filter_map(|(&key, known)| known.deadline_ms.is_none().then_some((key, known.value)))
        .collect();
    let mut held = HashMap::new();
    store.for_each(|&key, &value| ignore(held.insert(key, value)));
    assert_eq!(held, stay);
}
