//! Races over pairs that lie together: what replaces only the pair that it has seen.

use super::{after, ms};
use crate::builder::IndexSize;
use crate::sync::model::{Model, Vast};
use crate::sync::thread::spawn;
use crate::{ByteStore, Compute, ManualClock, Sweeper, Ttl};

/// Two threads, one of which may have to look again, with too many executions over the real map to try each.
fn retrying(name: &'static str) -> Model {
    Model { name, threads: 2, vast: Vast::OverTheMap, exhaustive: false }
}

fn byte_store() -> (ByteStore, ManualClock) {
    let clock = ManualClock::new();
    let store = ByteStore::builder()
        .clock(clock.clone())
        .sweeper(Sweeper::Manual)
        .tick(ms(10))
        .index(IndexSize { shards: 1, nodes_a_shard: 64 })
        .build();
    (store.expect("nothing was asked for that could fail"), clock)
}

/// Adds a digit to what `key` holds.
fn append(store: &ByteStore, digit: u8) {
    let appended = store.compute("k", |found| {
        let mut text = found.map_or(Vec::new(), |text| text.to_vec());
        text.push(digit);
        Compute::PutWithTtl(text, Ttl::Keep)
    });
    assert!(appended.is_ok(), "no TTL was asked for");
}

fn holds(store: &ByteStore, wanted: &[&[u8]]) {
    store.verify();
    let held = store.get("k");
    let found = held.as_deref().unwrap_or_default();
    assert!(wanted.contains(&found), "it holds {:?}", found.escape_ascii().to_string());
}

/// Two add to one value: nothing that was added may be lost.
#[test]
fn two_computes_on_bytes() {
    retrying("two computes on bytes").explore(|| {
        let (store, _clock) = byte_store();
        store.put("k", "0");
        let adding = store.clone();
        let adder = spawn(move || append(&adding, b'1'));
        append(&store, b'2');
        adder.join().expect("the adder does not panic");
        holds(&store, &[b"012", b"021"]);
    });
}

/// The same where there is nothing yet.
#[test]
fn two_computes_on_absent_bytes() {
    retrying("two computes on absent bytes").explore(|| {
        let (store, _clock) = byte_store();
        let adding = store.clone();
        let adder = spawn(move || append(&adding, b'1'));
        append(&store, b'2');
        adder.join().expect("the adder does not panic");
        holds(&store, &[b"12", b"21"]);
    });
}

/// A put beside it is added to, or replaces all.
#[test]
fn a_compute_on_bytes_against_a_put() {
    retrying("compute on bytes against put").explore(|| {
        let (store, _clock) = byte_store();
        store.put("k", "0");
        let putting = store.clone();
        let putter = spawn(move || drop(putting.put("k", "9")));
        append(&store, b'2');
        putter.join().expect("the putter does not panic");
        holds(&store, &[b"92", b"9"]);
    });
}

/// A delete beside it comes first or last.
#[test]
fn a_compute_on_bytes_against_a_delete() {
    retrying("compute on bytes against delete").explore(|| {
        let (store, _clock) = byte_store();
        store.put("k", "0");
        let deleting = store.clone();
        let deleter = spawn(move || deleting.delete("k").is_some());
        append(&store, b'2');
        assert!(deleter.join().expect("the deleter does not panic"), "there was a value");
        holds(&store, &[b"2", b""]);
        assert!(store.get("k").is_none_or(|record| *record == *b"2"));
    });
}

/// The value expires between the look and the write, and is swept or not: it is not added to.
#[test]
fn a_compute_on_bytes_against_expiry() {
    retrying("compute on bytes against expiry").explore(|| {
        let (store, clock) = byte_store();
        store.put_with_ttl("k", "0", after(10)).expect("the TTL is good");
        let sweeping = store.clone();
        let sweeper = spawn(move || {
            clock.advance(ms(10));
            while sweeping.sweep(64).more {}
        });
        append(&store, b'2');
        sweeper.join().expect("the sweeper does not panic");
        // Added to in time, it is gone with its deadline; or it was gone already.
        holds(&store, &[b"2", b""]);
    });
}

/// One loads while another decides: what was decided stays.
#[test]
fn a_load_of_bytes_against_a_compute() {
    retrying("load of bytes against compute").explore(|| {
        let (store, _clock) = byte_store();
        let adding = store.clone();
        let adder = spawn(move || append(&adding, b'1'));
        let loaded = store.get_or_put_with("k", || "0");
        adder.join().expect("the adder does not panic");
        assert!([&b"0"[..], b"1"].contains(&loaded.value()), "{loaded:?}");
        holds(&store, &[b"01", b"1"]);
    });
}
