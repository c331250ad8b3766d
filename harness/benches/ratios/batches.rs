//! Looking up several keys by one call, beside one after the other.

use std::borrow::Borrow;
use std::hint::black_box;

use harness::target::dashmap::DashmapTarget;
use harness::target::store::StoreTarget;
use harness::target::{Key, Payload, Target};
use store::ByteStore;

use crate::Session;
use crate::bytes;
use crate::pairs::{self, Law, Numbered};
use crate::rounds::{BUILDS, Series, ns_each, of_build};
use crate::row::Row;

/// Keys a call.
const SIZES: [usize; 2] = [16, 64];
/// What it takes to be worth a call of its own.
const AT_LEAST: f64 = 2.5;

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let mut rows = of_store::<u64, u64>(session, "u64 -> u64")?;
    rows.extend(of_store::<Box<str>, Box<[u8]>>(session, "36-byte key -> 35 to 100 bytes")?);
    rows.extend(of_byte_store(session, "ByteStore, 36-byte key -> 35 to 100 bytes")?);
    Ok(rows)
}

fn of_store<K, V>(session: &Session, kind: &str) -> Result<Vec<Row>, String>
where
    K: Key + Numbered,
    V: Payload + Numbered,
{
    let open = || pairs::filled(&pairs::roomy(session.keys), session.keys, None);
    let calls = Calls {
        // The store's own call, which gives clones of the values.
        together: |target: &mut StoreTarget<K, V>, batch: &[K]| {
            target.get_many(batch.iter().map(Borrow::borrow), |_, value| {
                black_box(value.is_some());
            });
        },
        one_by_one,
    };
    compared::<K, V, _>(session, kind, open, &calls)
}

/// Beside a dashmap with boxes, since that is what its user would take for bytes.
fn of_byte_store(session: &Session, kind: &str) -> Result<Vec<Row>, String> {
    let calls = Calls {
        together: |store: &mut ByteStore, batch: &[Box<str>]| {
            black_box(store.get_many(batch.iter().map(|key| key.as_bytes())));
        },
        one_by_one: |store: &mut ByteStore, batch: &[Box<str>]| {
            let values: Vec<_> = batch.iter().map(|key| store.get(key.as_bytes())).collect();
            black_box(values);
        },
    };
    let open = || bytes::filled(&pairs::roomy(session.keys), session.keys);
    compared::<Box<str>, Box<[u8]>, _>(session, kind, open, &calls)
}

/// How `O` looks several keys up.
struct Calls<K, O> {
    together: fn(&mut O, &[K]),
    one_by_one: fn(&mut O, &[K]),
}

/// Batches of what `open` gives beside single gets of it, and of dashmap's.
fn compared<K, V, O>(
    session: &Session,
    kind: &str,
    open: impl Fn() -> Result<O, String>,
    calls: &Calls<K, O>,
) -> Result<Vec<Row>, String>
where
    K: Key + Numbered,
    V: Payload + Numbered,
    O: Clone + Send,
{
    let mut series = [(); SIZES.len()].map(|()| (Series::default(), Series::default()));
    for build in 0..BUILDS {
        session.tell(&format!("batches: {kind}, loading ({})", build + 1));
        let ours = open()?;
        let theirs: DashmapTarget<K, V> =
            pairs::filled(&pairs::roomy(session.keys), session.keys, None)?;
        for (size, (beside_dashmap, beside_own)) in SIZES.into_iter().zip(&mut series) {
            session.tell(&format!("batches: {kind}, {size} at once"));
            for round in of_build(build, session.rounds) {
                // Both comparisons look up in `ours`, each what no other did.
                let batches = |draw| batches::<K>(session, size, draw);
                let many = |draw| {
                    Ok(ns_each(&ours, &batches(draw), |ours, batch| (calls.together)(ours, batch)))
                };
                let of_dashmap = |draw| {
                    Ok(ns_each(&theirs, &batches(draw), |target, batch| one_by_one(target, batch)))
                };
                beside_dashmap.round(round, many, of_dashmap)?;
                let of_own = |draw| {
                    Ok(ns_each(&ours, &batches(draw), |ours, batch| {
                        (calls.one_by_one)(ours, batch);
                    }))
                };
                let apart = |draw| 3 * session.rounds + draw;
                beside_own.round(round, |draw| many(apart(draw)), |draw| of_own(apart(draw)))?;
            }
        }
    }
    let mut rows = Vec::new();
    for (size, (beside_dashmap, beside_own)) in SIZES.into_iter().zip(&series) {
        let what = |other| format!("get_many of {size}, {kind}, 1 thread: speed over {other}");
        rows.push(beside_dashmap.speed_row(what("dashmap's gets"), AT_LEAST, "dashmap's gets")?);
        rows.push(beside_own.speed_row(what("its own gets"), AT_LEAST, "single gets")?);
    }
    Ok(rows)
}

/// One thread's batches of a run.
fn batches<K: Numbered>(session: &Session, size: usize, draw: usize) -> Vec<Vec<Vec<K>>> {
    // A look-up of a text takes several times that of a number, and a round is to take the same.
    let lookups = session.ops / 4;
    let mut random = pairs::random("batches", draw);
    let numbers = Law::Uniform.draw(session.keys, lookups / size * size, &mut random);
    let keys = K::in_order_of_memory(numbers.into_iter().map(K::numbered).collect());
    let mut keys = keys.into_iter();
    vec![(0..lookups / size).map(|_| keys.by_ref().take(size).collect()).collect()]
}

/// The same result from single gets.
fn one_by_one<K: Key, V: Payload, T: Target<K, V>>(target: &mut T, batch: &[K]) {
    let values: Vec<Option<V>> =
        batch.iter().map(|key| target.get(key.borrow(), V::clone)).collect();
    black_box(values);
}
