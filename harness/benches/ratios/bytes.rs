//! Pairs of bytes in one allocation, beside keys and values in boxes in the bare map.

use std::hint::black_box;

use harness::target::scc::SccTarget;
use harness::target::{Options, Target};
use store::{ByteStore, Ttl};

use crate::Session;
use crate::pairs::{self, HOUR, Law, Numbered as _};
use crate::rounds::{BUILDS, Series, ns_each, of_build};
use crate::row::{self, Row};

type Bare = SccTarget<Box<str>, Box<[u8]>>;

/// How fast gets have to be beside those of the bare map.
const AT_LEAST: f64 = 1.25;

/// A store that holds the pairs of all numbers below `keys`.
pub(crate) fn filled(options: &Options, keys: u64) -> Result<ByteStore, String> {
    let capacity = options.capacity.unwrap_or(0);
    let builder = ByteStore::builder().capacity(capacity).huge_pages(!options.small_pages);
    let store = builder.build().map_err(|error| error.to_string())?;
    let ttl = if options.gives_ttl { Ttl::After(HOUR) } else { Ttl::Never };
    for number in 0..keys {
        let (key, value) = (Box::<str>::numbered(number), Box::<[u8]>::numbered(number));
        store.put_with_ttl(&*key, value, ttl).map_err(|error| error.to_string())?;
    }
    Ok(store)
}

/// What a caller does with a value.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// Looks into it where it lies.
    Look,
    /// Takes it along: a counted reference, or a copy.
    Keep,
}

const CASES: [(Use, Law, usize); 6] = [
    (Use::Look, Law::Uniform, 1),
    (Use::Look, Law::Uniform, 2),
    (Use::Look, Law::Zipf, 1),
    (Use::Look, Law::Zipf, 2),
    (Use::Keep, Law::Uniform, 1),
    (Use::Keep, Law::Zipf, 1),
];

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let mut series = CASES.map(|_| Series::default());
    for build in 0..BUILDS {
        session.tell(&format!("bytes: loading ({})", build + 1));
        let roomy = pairs::roomy(session.keys);
        let ours = filled(&roomy, session.keys)?;
        let theirs: Bare = pairs::filled(&roomy, session.keys, None)?;
        for ((kept, law, threads), series) in CASES.into_iter().zip(&mut series) {
            session.tell(&format!("bytes: {}", name(kept, law, threads)));
            for round in of_build(build, session.rounds) {
                let shares = |draw| shares(session, law, threads, draw);
                let own = |draw| Ok(ns_each(&ours, &shares(draw), |s, key| own_get(s, key, kept)));
                let bare =
                    |draw| Ok(ns_each(&theirs, &shares(draw), |m, key| bare_get(m, key, kept)));
                series.round(round, own, bare)?;
            }
        }
    }
    let rows = CASES.iter().zip(&series).map(|((kept, law, threads), series)| {
        let what = format!("ByteStore: {}: speed over scc with boxes", name(*kept, *law, *threads));
        series.speed_row(what, AT_LEAST, "scc")
    });
    rows.collect()
}

fn name(kept: Use, law: Law, threads: usize) -> String {
    let what = match kept {
        Use::Look => "get, value read in place",
        Use::Keep => "get, value kept",
    };
    format!("{what}, {}, {}", law.name(), row::threads(threads))
}

/// The keys that each thread looks up in a run.
fn shares(session: &Session, law: Law, threads: usize, draw: usize) -> Vec<Vec<Box<str>>> {
    let share = |thread| {
        let mut random = pairs::random("bytes", draw * threads + thread);
        let numbers = law.draw(session.keys, session.ops / 4, &mut random);
        Box::in_order_of_memory(numbers.into_iter().map(Box::<str>::numbered).collect())
    };
    (0..threads).map(share).collect()
}

/// Each looks at the end of the value, where another miss lies.
#[inline]
fn own_get(store: &ByteStore, key: &str, kept: Use) {
    black_box(match kept {
        Use::Look => store.read(key, |value| value.last().copied()),
        Use::Keep => store.get(key).map(|value| value.last().copied()),
    });
}

#[inline]
fn bare_get(map: &mut Bare, key: &str, kept: Use) {
    black_box(match kept {
        Use::Look => map.get(key, |value| value.last().copied()),
        Use::Keep => map.get(key, Box::clone).map(|value| value.last().copied()),
    });
}
