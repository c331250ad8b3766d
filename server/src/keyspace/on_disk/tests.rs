//! What must hold of values on disk whatever is done beside.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::super::Settings;
use super::*;

/// A keyspace with its values in a folder of its own, and memory for hot ones of `cache` bytes.
fn on_disk(cache: u64, bound: Option<usize>) -> (Keyspace, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let values = ValuesOnDisk { folder: folder.path().join("values"), cache, spare: 0 };
    let settings = Settings { values: Some(values), max_entries: bound, ..Settings::default() };
    (Keyspace::new(settings).expect("it opens"), folder)
}

fn values(keyspace: &Keyspace) -> &Values {
    keyspace.values.as_ref().expect("values are on disk")
}

fn put(keyspace: &Keyspace, key: &[u8], value: &[u8]) -> bool {
    keyspace.put(key, value, Lifetime::Default).expect("the disk takes it")
}

fn get(keyspace: &Keyspace, key: &[u8]) -> Option<Vec<u8>> {
    keyspace.read(key, <[u8]>::to_vec).expect("the disk gives it")
}

/// Files hold the values of the keys that there are, and no other.
fn assert_no_more_than_live(keyspace: &Keyspace, live: usize) {
    assert_eq!(keyspace.len(), live);
    assert_eq!(values(keyspace).disk.count(), live, "values on disk");
    let hot = values(keyspace).stats();
    assert!(hot.hot_values <= live as u64, "{hot:?}");
    assert_eq!((hot.failures, hot.refusals), (0, 0));
}

#[test]
fn whatever_leaves_the_store_leaves_the_disk() {
    let (keyspace, _folder) = on_disk(1 << 20, None);
    let key = |number: u32| number.to_be_bytes();
    for round in 0..3_u8 {
        for number in 0..100 {
            assert_eq!(put(&keyspace, &key(number), &[round; 50]), round > 0);
        }
    }
    assert_no_more_than_live(&keyspace, 100);
    for number in 0..10 {
        assert!(keyspace.remove(&key(number)));
        let gone = keyspace.delete(&key(number + 10)).expect("the disk gives it");
        assert_eq!(gone.as_deref(), Some(&[2; 50][..]));
    }
    assert_no_more_than_live(&keyspace, 80);
    // Changed in place, longer and shorter, and only in its deadline.
    for number in 20..30 {
        let longer =
            |found: Option<&[u8]>| (Change::Put(vec![3; 70], Lifetime::Keep), found.is_some());
        assert!(keyspace.change(&key(number), longer).expect("the disk takes it"), "it is there");
        let deadline = Lifetime::Until(keyspace.now_ms() + 100_000);
        let later = keyspace.change_lifetime(&key(number), |_| (deadline, ()));
        later.expect("the disk gives it").expect("it is there");
        keyspace.change(&key(number), |_| (Change::Put(vec![4], Lifetime::Keep), ())).expect("so");
        assert_eq!(get(&keyspace, &key(number)), Some(vec![4]));
        assert!(matches!(keyspace.remaining_ms(&key(number)), super::super::End::Ms(1..=100_000)));
    }
    assert_no_more_than_live(&keyspace, 80);
    // Not stored at all.
    let far = keyspace.put(b"far", b"x", Lifetime::Until(i64::MAX));
    assert_eq!(far, Err(Refused::TooFar));
    assert_eq!(keyspace.put(b"past", b"x", Lifetime::Until(1)), Ok(false));
    let past = |_: Option<&[u8]>| (Change::Put(vec![5], Lifetime::Until(1)), ());
    keyspace.change(&key(20), past).expect("it is removed");
    assert_no_more_than_live(&keyspace, 79);
    // By time, though nobody asks for it.
    for number in 21..50 {
        keyspace.expire(&key(number), keyspace.now_ms() + 30).expect("it is near");
    }
    while keyspace.len() > 50 {
        thread::sleep(Duration::from_millis(5));
    }
    assert_no_more_than_live(&keyspace, 50);
    // All, be they few or many.
    for many in [50, 5_000] {
        for number in 0..many {
            put(&keyspace, &key(number), &[6; 10]);
        }
        keyspace.purge();
        assert_no_more_than_live(&keyspace, 0);
        put(&keyspace, b"k", b"after");
        assert_eq!(get(&keyspace, b"k"), Some(b"after".to_vec()));
        assert_no_more_than_live(&keyspace, 1);
    }
}

#[test]
fn a_bound_holds_for_the_disk_too() {
    let (keyspace, _folder) = on_disk(0, Some(100));
    for number in 0..1_000_u32 {
        put(&keyspace, &number.to_be_bytes(), &[7; 200]);
    }
    assert_no_more_than_live(&keyspace, 100);
}

#[test]
fn a_value_is_read_from_disk_once_it_is_no_longer_hot() {
    // Room for some forty values.
    let (keyspace, _folder) = on_disk(8 << 10, None);
    for number in 0..1_000_u32 {
        put(&keyspace, &number.to_be_bytes(), &number.to_le_bytes().repeat(25));
    }
    for number in 0..1_000_u32 {
        let found = get(&keyspace, &number.to_be_bytes());
        assert_eq!(found, Some(number.to_le_bytes().repeat(25)));
    }
    let stats = values(&keyspace).stats();
    assert!((30..=42).contains(&stats.hot_values), "{stats:?}");
    assert!(stats.hot_bytes <= 8 << 10 && stats.hot_misses >= 1_000, "{stats:?}");
    // What was read last is hot again.
    let missed = stats.hot_misses;
    for _ in 0..10 {
        get(&keyspace, &999_u32.to_be_bytes());
    }
    assert_eq!(values(&keyspace).stats().hot_misses, missed);
}

#[test]
fn overwriting_for_ever_does_not_fill_the_disk() {
    let (keyspace, _folder) = on_disk(0, None);
    // 20 live values of 32 KiB and 200 of 500 B, overwritten to 300 MB.
    let mut most = 0;
    for round in 0..9_000_u32 {
        put(&keyspace, &(round % 20).to_be_bytes(), &round.to_le_bytes().repeat(8 << 10));
        put(&keyspace, &(20 + round % 200).to_be_bytes(), &round.to_le_bytes().repeat(125));
        if round % 1_000 == 0 {
            most = most.max(values(&keyspace).disk.bytes());
        }
    }
    assert!(most < 400 << 20, "{most} bytes in files");
    assert_no_more_than_live(&keyspace, 220);
}

/// A value that says whose it is, and which; its length varies with it.
fn value_of(key: u32, version: u64) -> Vec<u8> {
    let mut value = [&key.to_be_bytes()[..], &version.to_be_bytes()[..]].concat();
    value.resize(12 + usize::try_from(version % 7).unwrap_or(0) * 700, key.to_be_bytes()[3]);
    value
}

/// The version of a value of `key`; panics if it is not one.
fn version_in(key: u32, value: &[u8]) -> u64 {
    let version = u64::from_be_bytes(value[4..12].try_into().expect("eight bytes"));
    assert!(value == value_of(key, version), "key {key} has another's value, or a damaged one");
    version
}

#[test]
fn readers_see_the_value_that_was_put_last_and_never_anothers() {
    const KEYS: usize = 8;
    for cache in [0, 20_000] {
        let (keyspace, _folder) = on_disk(cache, None);
        let versions: Vec<AtomicU64> = (0..KEYS).map(|_| AtomicU64::new(0)).collect();
        let keys = || (0_u32..).zip(&versions);
        for (key, _) in keys() {
            put(&keyspace, &key.to_be_bytes(), &value_of(key, 0));
        }
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !stop.load(Ordering::SeqCst) {
                        for (key, version) in keys() {
                            let at_least = version.load(Ordering::SeqCst);
                            let found = get(&keyspace, &key.to_be_bytes());
                            let found = found.expect("there always is one");
                            assert!(version_in(key, &found) >= at_least, "key {key} is stale");
                        }
                    }
                });
            }
            let writers: Vec<_> = [0, 1]
                .map(|half| {
                    let (keyspace, keys) = (&keyspace, &keys);
                    scope.spawn(move || {
                        for round in 1..1_500 {
                            for (key, version) in keys().skip(half).step_by(2) {
                                put(keyspace, &key.to_be_bytes(), &value_of(key, round));
                                version.store(round, Ordering::SeqCst);
                            }
                        }
                    })
                })
                .into();
            let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            stop.store(true, Ordering::SeqCst);
            assert!(ended.iter().all(Result::is_ok));
        });
        assert_no_more_than_live(&keyspace, KEYS);
    }
}

#[test]
fn changes_beside_reads_writes_expiry_and_purges_are_single_steps() {
    let (keyspace, _folder) = on_disk(2_000, None);
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let keyspace = &keyspace;
            scope.spawn(move || {
                for round in 0..2_000_u64 {
                    let key = u32::try_from(round % 5).expect("small");
                    let bytes = key.to_be_bytes();
                    let version = round * 4 + thread;
                    let lifetime = match round % 3 {
                        0 => Lifetime::Until(keyspace.now_ms() + 2),
                        1 => Lifetime::Keep,
                        _ => Lifetime::Never,
                    };
                    let next = |found: Option<&[u8]>| {
                        let before = found.map(|found| version_in(key, found));
                        (Change::Put(value_of(key, version), lifetime), before)
                    };
                    match (round / 5 + thread) % 6 {
                        0 => drop(put(keyspace, &bytes, &value_of(key, version))),
                        1 => drop(keyspace.change(&bytes, next).expect("the disk takes it")),
                        2 => {
                            let found = keyspace.delete(&bytes).expect("the disk gives it");
                            found.map(|found| version_in(key, &found));
                        }
                        3 => {
                            let change = |found: Option<&[u8]>| match found {
                                Some(found) => {
                                    version_in(key, found);
                                    (Change::Put(value_of(key, version), Lifetime::Keep), ())
                                }
                                None => (Change::Keep, ()),
                            };
                            keyspace.change(&bytes, change).expect("the disk takes it");
                        }
                        4 if round % 50 == 0 => keyspace.purge(),
                        _ => drop(get(keyspace, &bytes).map(|found| version_in(key, &found))),
                    }
                }
            });
        }
    });
    keyspace.purge();
    assert_no_more_than_live(&keyspace, 0);
}

#[test]
fn what_is_put_beside_a_purge_is_there_or_not_but_never_half() {
    let (keyspace, _folder) = on_disk(0, None);
    let stop = AtomicBool::new(false);
    let many = || {
        for number in 0..=FEW as u64 {
            put(&keyspace, &number.to_be_bytes(), b"one of many");
        }
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3_u32)
            .map(|thread| {
                let (keyspace, stop) = (&keyspace, &stop);
                scope.spawn(move || {
                    let mut version = 0;
                    while !stop.load(Ordering::SeqCst) {
                        version += 1;
                        put(keyspace, &thread.to_be_bytes(), &value_of(thread, version));
                        if let Some(found) = get(keyspace, &thread.to_be_bytes()) {
                            assert_eq!(version_in(thread, &found), version);
                        }
                    }
                })
            })
            .collect();
        for round in 0..60 {
            // Enough to be removed at once, or not.
            if round % 2 == 0 {
                many();
            }
            keyspace.purge();
        }
        stop.store(true, Ordering::SeqCst);
        let ended: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        assert!(ended.iter().all(Result::is_ok));
    });
    let left = keyspace.len();
    assert_no_more_than_live(&keyspace, left);
}

#[test]
fn a_value_that_was_removed_while_it_was_read_is_not_kept_in_memory() {
    let (keyspace, _folder) = on_disk(1 << 20, None);
    let values = values(&keyspace);
    let stored = values.write(b"value").expect("the disk takes it");
    let position = position(&stored).expect("it is one");
    values.cool(position);
    values.reheat(position, b"value");
    assert_eq!(values.stats().hot_values, 1);
    values.forget(&stored);
    values.reheat(position, b"value");
    assert_eq!(values.stats().hot_values, 0);
}
