//! Pairs of bytes in one allocation, beside keys and values in boxes in the bare map.

use std::hint::black_box;

use harness::target::Target;
use harness::target::scc::SccTarget;
use store::{ByteStore, Ttl};

use crate::Session;
use crate::pairs::{self, HOUR, Law, Numbered as _};
use crate::rounds::{BUILDS, Series, ns_each, of_build};
use crate::row::Row;

type Bare = SccTarget<Box<str>, Box<[u8]>>;

/// How fast gets have to be beside those of the bare map.
const AT_LEAST: f64 = 1.25;

/// A store that holds the pairs of all numbers below `keys`, with a TTL or none.
pub(crate) fn filled(keys: u64, gives_ttl: bool) -> Result<ByteStore, String> {
    let store = ByteStore::builder().capacity(pairs::len(keys)).build();
    let store = store.map_err(|error| error.to_string())?;
    let ttl = if gives_ttl { Ttl::After(HOUR) } else { Ttl::Never };
    for number in 0..keys {
        let (key, value) = (Box::<str>::numbered(number), Box::<[u8]>::numbered(number));
        store.put_with_ttl(&*key, value, ttl).map_err(|error| error.to_string())?;
    }
    Ok(store)
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let cases = [(Law::Uniform, 1), (Law::Uniform, 2), (Law::Zipf, 1), (Law::Zipf, 2)];
    let mut series = [(); 4].map(|()| Series::default());
    for build in 0..BUILDS {
        session.tell(&format!("bytes: loading ({})", build + 1));
        let ours = filled(session.keys, false)?;
        let theirs: Bare = pairs::filled(&pairs::roomy(session.keys), session.keys, None)?;
        for ((law, threads), series) in cases.into_iter().zip(&mut series) {
            session.tell(&format!("bytes: gets, {}, {threads} at once", law.name()));
            for round in of_build(build, session.rounds) {
                let shares: Vec<Vec<Box<str>>> = (0..threads)
                    .map(|thread| {
                        let mut random = pairs::random("bytes", round * threads + thread);
                        let numbers = law.draw(session.keys, session.ops / 4, &mut random);
                        numbers.into_iter().map(Box::<str>::numbered).collect()
                    })
                    .collect();
                // Each looks into the value, where the other miss lies.
                let own = || {
                    Ok(ns_each(&ours, &shares, |store, key| {
                        black_box(store.read(&**key, |value| value.last().copied()));
                    }))
                };
                let bare = || {
                    Ok(ns_each(&theirs, &shares, |map, key| {
                        black_box(map.get(key, |value| value.last().copied()));
                    }))
                };
                series.round(round, own, bare)?;
            }
        }
    }
    let rows = cases.iter().zip(&series).map(|((law, threads), series)| {
        let plural = if *threads == 1 { "" } else { "s" };
        let what = format!(
            "ByteStore: get, {}, {threads} thread{plural}: speed over scc with boxes",
            law.name()
        );
        series.speed_row(what, AT_LEAST, "scc")
    });
    rows.collect()
}
