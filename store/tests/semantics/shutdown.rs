//! What happens when the last handle goes, wherever that is.

use crate::support::{OnDrop, WATCHDOG, after, ignore, ms, must_return};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use store::{ManualClock, Store, Sweeper};

fn counted(drops: &Arc<AtomicUsize>) -> OnDrop {
    let drops = Arc::clone(drops);
    OnDrop::run(move || ignore(drops.fetch_add(1, Ordering::SeqCst)))
}

#[test]
fn the_last_handle_takes_the_pairs_with_it_also_on_another_thread() {
    for sweeper in [Sweeper::Manual, Sweeper::Thread] {
        let drops = Arc::new(AtomicUsize::new(0));
        let store = Store::<u32, OnDrop>::builder().sweeper(sweeper).build().unwrap();
        let other = store.clone();
        for key in 0..100 {
            store.put(key, counted(&drops));
        }
        drop(store);
        assert_eq!(drops.load(Ordering::SeqCst), 0, "another handle is left");
        let drops = must_return("the last drop", move || {
            drop(other);
            drops
        });
        assert_eq!(drops.load(Ordering::SeqCst), 100, "{sweeper:?}");
    }
}

#[test]
fn the_last_drop_does_not_wait_for_the_sweepers_next_tick() {
    must_return("the last drop", || {
        // The thread waits for an hour; stopping it must not.
        let hour = Duration::from_secs(3600);
        for _ in 0..20 {
            let store = Store::<u32, u32>::builder().tick(hour).build().unwrap();
            store.put(1, 1);
        }
    });
}

#[test]
fn handles_may_be_dropped_by_many_threads_at_once() {
    must_return("the last drop", || {
        for _ in 0..50 {
            let drops = Arc::new(AtomicUsize::new(0));
            let store = Store::<u32, OnDrop>::builder().tick(ms(1)).build().unwrap();
            store.put_with_ttl(1, counted(&drops), after(60_000)).unwrap();
            let threads: Vec<_> = (0..3)
                .map(|_| {
                    let handle = store.clone();
                    thread::spawn(move || drop(handle))
                })
                .collect();
            drop(store);
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(drops.load(Ordering::SeqCst), 1);
        }
    });
}

#[test]
fn the_sweeper_may_drop_the_last_handle_itself() {
    must_return("the sweeper", || {
        for _ in 0..20 {
            let clock = ManualClock::new();
            let store = Store::<u32, OnDrop>::builder()
                .clock(clock.clone())
                .sweeper(Sweeper::Thread)
                .tick(ms(1))
                .build()
                .unwrap();
            let (gone, goes) = mpsc::channel();
            let (inner, outlives) = (store.clone(), gone.clone());
            // Key 1 holds the last handle and dies; key 2 goes when the store itself does.
            store.put(2, OnDrop::run(move || ignore(outlives.send("the store"))));
            let holder = OnDrop::run(move || {
                drop(inner);
                // Not reached if that drop failed to stop the thread that it runs on.
                let _ = gone.send("the holder");
            });
            store.put_with_ttl(1, holder, after(10)).unwrap();
            drop(store);
            assert!(goes.try_recv().is_err(), "the value in the store keeps it alive");
            clock.advance(ms(1_000));
            assert_eq!(goes.recv_timeout(WATCHDOG), Ok("the holder"));
            assert_eq!(goes.recv_timeout(WATCHDOG), Ok("the store"), "it was leaked");
        }
    });
}

#[test]
fn a_store_may_live_in_another_stores_values() {
    must_return("nested stores", || {
        let clock = ManualClock::new();
        let outer = Store::<u32, Store<u32, OnDrop>>::builder()
            .clock(clock.clone())
            .sweeper(Sweeper::Thread)
            .tick(ms(1))
            .build()
            .unwrap();
        let (gone, goes) = mpsc::channel();
        let inner = Store::new();
        inner.put(1, OnDrop::run(move || ignore(gone.send(()))));
        outer.put_with_ttl(1, inner, after(10)).unwrap();
        clock.advance(ms(1_000));
        assert_eq!(goes.recv_timeout(WATCHDOG), Ok(()), "the outer sweeper joins the inner one");
    });
}
