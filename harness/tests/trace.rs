//! Traces from the recorder to the reader: whole, torn, foreign, of many threads.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use harness::trace::format::{BLOCK_HEADER_LEN, HEADER_LEN, MAGIC};
use harness::trace::reader::End;
use harness::trace::{
    Damage, Life, Options, Overflow, Reader, Record, Recorded, Recorder, Torn, Verb,
};
use store::{Store, Ttl};

fn read(bytes: &[u8], torn: Torn) -> (Vec<Record>, Result<End, Damage>) {
    let mut records = Vec::new();
    let end =
        Reader::new(bytes, torn).and_then(|reader| reader.for_each(|record| records.push(*record)));
    (records, end)
}

/// The file that `calls` leave behind.
fn recorded(options: Options, calls: impl FnOnce(&Recorded<String, Vec<u8>>)) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.trace");
    let recorder = Recorder::create(&path, options).unwrap();
    calls(&Recorded::new(Store::new(), recorder.clone()));
    recorder.finish().unwrap();
    std::fs::read(path).unwrap()
}

/// Threads that are there at the same time, each with a block of its own.
fn several_blocks() -> Vec<u8> {
    recorded(Options::default(), |store| {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for thread in 0..3 {
                let (store, barrier) = (store.clone(), &barrier);
                scope.spawn(move || {
                    store.put(format!("{thread}"), vec![0; 40]);
                    barrier.wait();
                    for key in 0..20 {
                        store.get(&format!("{thread}-{key}"));
                    }
                });
            }
        });
    })
}

#[test]
fn each_call_is_recorded_with_what_is_known_of_it() {
    let default_ttl = Some(Duration::from_secs(9));
    let options = Options { default_ttl, ..Options::default() };
    let bytes = recorded(options, |store| {
        let after = Ttl::After(Duration::from_millis(1_500));
        store.put("a".to_owned(), vec![0; 3]);
        store.put_with_ttl("a".to_owned(), vec![0; 300], after).unwrap();
        store.put_with_ttl("bc".to_owned(), vec![], Ttl::Never).unwrap();
        store.put_with_ttl("bc".to_owned(), vec![0; 5], Ttl::Keep).unwrap();
        assert!(store.put_with_ttl("bc".to_owned(), vec![], Duration::ZERO.into()).is_err());
        assert_eq!(store.get_many(["a", "x"]).len(), 2);
        assert_eq!(store.read("bc", Vec::len), Some(5));
        assert!(store.contains("bc"));
        assert!(store.expire("a", after).unwrap());
        assert!(store.expire("a", Ttl::Never).unwrap());
        assert!(!store.persist("x"));
        assert_eq!(store.update("a", |value| value.truncate(7)), Some(()));
        assert_eq!(store.get_or_put_with("new".to_owned(), || vec![0; 6]).len(), 6);
        assert_eq!(store.get_or_put_with("new".to_owned(), || vec![0; 9]).len(), 6);
        assert_eq!(store.delete("bc").unwrap().len(), 5);
        assert!(store.delete("bc").is_none());
    });
    let (records, end) = read(&bytes, Torn::Refuse);
    let (nine, after) = (Life::After(9_000_000), Life::After(1_500_000));
    let none = Life::Unlimited;
    let expected = [
        (Verb::Put, false, 1, Some(3), nine),
        (Verb::Put, true, 1, Some(300), after),
        (Verb::Put, false, 2, Some(0), none),
        (Verb::Put, true, 2, Some(5), Life::Keep),
        (Verb::Get, true, 1, Some(300), none),
        (Verb::Get, false, 1, None, none),
        (Verb::Get, true, 2, Some(5), none),
        (Verb::Contains, true, 2, None, none),
        (Verb::Expire, true, 1, None, after),
        (Verb::Persist, true, 1, None, none),
        (Verb::Persist, false, 1, None, none),
        (Verb::Update, true, 1, Some(7), Life::Keep),
        (Verb::GetOrPut, false, 3, Some(6), nine),
        (Verb::GetOrPut, true, 3, Some(6), nine),
        (Verb::Delete, true, 2, Some(5), none),
        (Verb::Delete, false, 2, None, none),
    ];
    let found: Vec<_> = records
        .iter()
        .map(|record| (record.verb, record.hit, record.key_len, record.value_len, record.life))
        .collect();
    assert_eq!(found, expected);
    assert!(records.is_sorted_by_key(|record| record.at_ns));
    assert_eq!(records[0].key, records[1].key);
    assert_ne!(records[0].key, records[2].key);
    assert_eq!(end.map(|end| (end.records, end.lost)), Ok((16, 0)));
    // Neither keys nor values.
    assert!(!bytes.windows(3).any(|window| window == b"new"));
}

#[test]
fn hashes_come_again_by_a_seed_and_only_then() {
    let key = |hash_seed: Option<u64>| {
        let bytes = recorded(Options { hash_seed, ..Options::default() }, |store| {
            store.get("a");
        });
        read(&bytes, Torn::Refuse).0[0].key
    };
    assert_eq!(key(Some(5)), key(Some(5)));
    assert_ne!(key(Some(5)), key(Some(6)));
    assert_ne!(key(None), key(None));
}

#[test]
fn a_trace_cut_at_any_byte_is_refused_or_read_up_to_there() {
    let bytes = several_blocks();
    let (all, end) = read(&bytes, Torn::Refuse);
    assert_eq!((all.len(), end.is_ok()), (63, true));
    let mut lengths = Vec::new();
    for len in 0..bytes.len() {
        let (_, refused) = read(&bytes[..len], Torn::Refuse);
        let damage = refused.expect_err("it is cut short");
        assert!(damage.at <= len as u64, "{damage}");
        let (kept, end) = read(&bytes[..len], Torn::Keep);
        if len < HEADER_LEN {
            assert!(kept.is_empty() && end.is_err());
            continue;
        }
        assert_eq!(kept, all[..kept.len()]);
        let end = end.unwrap();
        assert_eq!(end.damage.map(|damage| damage.at), Some(damage.at), "the same damage");
        assert_eq!(end.records, kept.len() as u64);
        lengths.push(kept.len());
    }
    assert!(lengths.is_sorted());
    lengths.dedup();
    assert_eq!(lengths, [0, 21, 42, 63], "whole blocks");
}

#[test]
fn any_changed_byte_is_seen() {
    let bytes = several_blocks();
    let all = read(&bytes, Torn::Refuse).0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let (_, refused) = read(&damaged, Torn::Refuse);
        let damage = refused.expect_err("a byte is another");
        assert!(damage.at <= at as u64, "byte {at}: {damage}");
        let (kept, _) = read(&damaged, Torn::Keep);
        assert_eq!(kept, all[..kept.len()], "byte {at}");
    }
}

#[test]
fn what_is_not_a_trace_is_said_to_be_none() {
    let bytes = several_blocks();
    let complaint = |bytes: &[u8]| {
        // Nothing can be kept of what has no sound header.
        assert_eq!(read(bytes, Torn::Keep).1, read(bytes, Torn::Refuse).1);
        read(bytes, Torn::Refuse).1.unwrap_err().to_string()
    };
    assert!(complaint(b"").starts_with("byte 0: this is not a trace; name one that"));
    assert!(complaint(b"schema = 1\n").starts_with("byte 0: this is not a trace; "));
    assert!(complaint(&MAGIC[..5]).starts_with("byte 0: cut short in its header: 5 of 24 bytes"));
    let mut newer = bytes.clone();
    newer[8] = 2;
    let expected = "byte 8: version 2; this harness reads version 1; use the harness that wrote it";
    assert!(complaint(&newer).starts_with(expected), "{}", complaint(&newer));
    let mut later = bytes.clone();
    later[13] ^= 1;
    assert!(complaint(&later).starts_with("byte 0: a damaged header; "));
}

/// Where each block begins.
fn blocks(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut starts) = (HEADER_LEN, Vec::new());
    while at < bytes.len() {
        starts.push(at);
        let packed = u32::from_le_bytes(bytes[at + 20..at + 24].try_into().unwrap());
        at += BLOCK_HEADER_LEN + packed as usize;
    }
    starts
}

#[test]
fn a_block_that_is_missing_or_there_twice_is_seen() {
    let bytes = several_blocks();
    let starts = blocks(&bytes);
    assert_eq!(starts.len(), 4);
    let without = [&bytes[..starts[1]], &bytes[starts[2]..]].concat();
    let damage = read(&without, Torn::Refuse).1.unwrap_err();
    assert_eq!((damage.at, damage.block), (starts[1] as u64, Some(1)));
    assert_eq!(damage.what, "block 2 stands where 1 belongs");
    assert_eq!(damage.remedy, "--torn keep reads the 21 records before it");
    let twice = [&bytes[..starts[2]], &bytes[starts[1]..]].concat();
    assert!(read(&twice, Torn::Refuse).1.is_err());
    let more = [&bytes[..], b"\n"].concat();
    let damage = read(&more, Torn::Refuse).1.unwrap_err();
    assert!(damage.what.starts_with("bytes after the end mark"), "{damage}");
    assert_eq!(read(&more, Torn::Keep).0.len(), 63);
}

#[test]
fn many_threads_record_all_of_their_calls_in_their_order() {
    const THREADS: u64 = 8;
    const CALLS: u64 = 20_000;
    let options = Options { overflow: Overflow::Block, ..Options::default() };
    let bytes = recorded(options, |store| {
        let barrier = Barrier::new(8);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (store, barrier) = (store.clone(), &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    for call in 0..CALLS {
                        // The length says which call it is.
                        let len = usize::try_from(call % 200 + thread * 1_000).unwrap();
                        store.put("key".to_owned(), vec![0; len]);
                    }
                    barrier.wait();
                });
            }
        });
    });
    let (records, end) = read(&bytes, Torn::Refuse);
    assert_eq!(end.map(|end| (end.records, end.lost)), Ok((THREADS * CALLS, 0)));
    for thread in 0..u32::try_from(THREADS).unwrap() {
        let own: Vec<_> = records.iter().filter(|record| record.thread == thread).collect();
        assert!(own.is_sorted_by_key(|record| record.at_ns));
        let first = own[0].value_len.unwrap();
        let expected = (0..CALLS).map(|call| first + u32::try_from(call % 200).unwrap());
        assert!(own.iter().map(|record| record.value_len.unwrap()).eq(expected), "in order");
    }
}

#[test]
fn the_last_handle_finishes_and_what_comes_later_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.trace");
    let records = |path: &Path| read(&std::fs::read(path).unwrap(), Torn::Refuse);
    let store = Recorded::new(
        Store::<u64, u64>::new(),
        Recorder::create(&path, Options::default()).unwrap(),
    );
    store.put(1, 2);
    drop(store);
    assert_eq!(records(&path).0.len(), 1);
    let recorder = Recorder::create(&path, Options::default()).unwrap();
    let store = Recorded::new(Store::<u64, u64>::new(), recorder.clone());
    store.put(1, 2);
    assert_eq!(recorder.finish().unwrap().records, 1);
    assert_eq!(store.get(&1), Some(2), "the store goes on");
    assert_eq!(recorder.finish().unwrap_err().to_string(), "the trace is finished already");
    drop((store, recorder));
    let (records, end) = records(&path);
    assert_eq!((records.len(), end.map(|end| end.damage)), (1, Ok(None)));
}
