//! Gets, puts, refreshes and loads, beside the bare map and the caches.

use std::hint::black_box;
use std::time::{Duration, Instant};

use harness::target::moka::MokaTarget;
use harness::target::quick_cache::QuickCacheTarget;
use harness::target::scc::SccTarget;
use harness::target::store::StoreTarget;
use harness::target::{Options, Target};

use crate::Session;
use crate::pairs::{self, HOUR, Law};
use crate::rounds::{BUILDS, Series, ns_each, of_build, turns};
use crate::row::{self, Row};

type Ours = StoreTarget<u64, u64>;
type Bare = SccTarget<u64, u64>;

/// One in so many operations of a mix is a put.
const OPS_A_PUT: u64 = 20;
/// An operation is a key; this bit says that it is to be put.
const PUT: u64 = 1 << 63;
/// This one, that it is to be put if it is not found.
const PUT_ON_MISS: u64 = 1 << 62;
/// One in so many keys fits into a cache that is read through.
const KEYS_A_PLACE: u64 = 10;
/// So many times as many operations as a run has let such a cache hold what it will hold.
const WARM_UPS: usize = 12;

/// How a side is made, and whether its puts give a TTL.
#[derive(Clone)]
struct Side {
    options: Options,
    ttl: Option<Duration>,
}

impl Side {
    fn new(options: Options, ttl: Option<Duration>) -> Self {
        Self { options, ttl }
    }
}

/// What is played on both sides.
#[derive(Clone, Copy)]
enum Play {
    /// 95% gets and 5% puts.
    Mix(Law),
    /// Puts over what is there.
    Refresh,
    /// Gets of Zipf's law, and a put of each key that is not found, for which another has to go.
    ReadThrough,
}

/// A pair of maps, and what is asked of them.
struct Versus {
    /// What the store is like.
    store: &'static str,
    /// The other's name.
    other: &'static str,
    ours: Side,
    theirs: Side,
    /// What is played, by how many threads, and how fast the store has to be beside the other.
    cases: Vec<(Play, usize, f64)>,
}

fn mixes(at_least: f64) -> Vec<(Play, usize, f64)> {
    let of = |law, threads| (Play::Mix(law), threads, at_least);
    vec![of(Law::Uniform, 1), of(Law::Uniform, 2), of(Law::Zipf, 1), of(Law::Zipf, 2)]
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    // First: once a cache of small allocations is gone, the allocator makes maps of what it left, which
    // needs no memory from the system, and has no huge pages.
    let loads = load(session)?;
    let (keys, ttl) = (session.keys, Some(HOUR));
    let (roomy, bounded) = (pairs::roomy(keys), pairs::bounded(keys));
    let mut with_ttl = mixes(0.85);
    with_ttl.extend([(Play::Refresh, 1, 0.75), (Play::Refresh, 2, 0.75)]);
    let mut rows = versus::<Bare>(
        session,
        &Versus {
            store: "no TTL",
            other: "scc",
            ours: Side::new(roomy.clone(), None),
            theirs: Side::new(roomy.clone(), None),
            cases: mixes(0.92),
        },
    )?;
    rows.extend(versus::<Bare>(
        session,
        &Versus {
            store: "TTL on each",
            other: "scc",
            ours: Side::new(roomy.clone(), ttl),
            theirs: Side::new(roomy, None),
            cases: with_ttl,
        },
    )?);
    rows.extend(versus::<QuickCacheTarget<u64, u64>>(
        session,
        &Versus {
            store: "bounded",
            other: "quick_cache",
            ours: Side::new(bounded.clone(), None),
            theirs: Side::new(bounded.clone(), None),
            cases: mixes(1.4),
        },
    )?);
    let cache = Side::new(pairs::bounded(keys / KEYS_A_PLACE), None);
    rows.extend(versus::<QuickCacheTarget<u64, u64>>(
        session,
        &Versus {
            store: "bounded",
            other: "quick_cache",
            ours: cache.clone(),
            theirs: cache,
            cases: vec![(Play::ReadThrough, 1, 1.0), (Play::ReadThrough, 2, 1.0)],
        },
    )?);
    rows.extend(versus::<MokaTarget<u64, u64>>(
        session,
        &Versus {
            store: "bounded, TTL on each",
            other: "moka with Expiry",
            ours: Side::new(bounded.clone(), ttl),
            theirs: Side::new(bounded, ttl),
            cases: mixes(7.0),
        },
    )?);
    rows.extend(loads);
    Ok(rows)
}

fn versus<T: Target<u64, u64>>(session: &Session, versus: &Versus) -> Result<Vec<Row>, String> {
    let Versus { store, other, .. } = versus;
    let mut series = vec![Series::default(); versus.cases.len()];
    let mut hits = String::new();
    for build in 0..BUILDS {
        session.tell(&format!("throughput: {store} beside {other}, loading ({})", build + 1));
        let ours = filled::<Ours>(&versus.ours, session.keys)?;
        let theirs = filled::<T>(&versus.theirs, session.keys)?;
        let is_cache = versus.cases.iter().any(|case| matches!(case.0, Play::ReadThrough));
        if is_cache {
            warm_up(session, &ours);
            warm_up(session, &theirs);
        }
        if versus.ours.options.bound.is_some() {
            let law = if is_cache { Law::Zipf } else { Law::Uniform };
            let [own, their] = [hit_share(&ours, law, session), hit_share(&theirs, law, session)];
            hits = format!(", hits {:.2}%, {:.2}%", 100.0 * own, 100.0 * their);
        }
        for ((play, threads, _), series) in versus.cases.iter().zip(&mut series) {
            let (own_ttl, their_ttl) = (versus.ours.ttl, versus.theirs.ttl);
            session.tell(&format!("throughput: {}", name(versus, *play, *threads)));
            for round in of_build(build, session.rounds) {
                let shares = |draw| shares(session, *play, *threads, draw);
                series.round(
                    round,
                    |draw| {
                        Ok(ns_each(&ours, &shares(draw), |target, op| act(target, *op, own_ttl)))
                    },
                    |draw| {
                        Ok(ns_each(&theirs, &shares(draw), |target, op| {
                            act(target, *op, their_ttl);
                        }))
                    },
                )?;
            }
        }
    }
    let rows = versus.cases.iter().zip(&series).map(|((play, threads, at_least), series)| {
        let row = series.speed_row(name(versus, *play, *threads), *at_least, other)?;
        let aside = format!("{}{hits}", row.aside);
        Ok(row.aside(aside))
    });
    rows.collect()
}

/// Reads a cache through until it holds what its policy keeps, and not what was loaded last.
fn warm_up<T: Target<u64, u64>>(session: &Session, target: &T) {
    let mut target = target.clone();
    let mut random = pairs::random("warm-up", 0);
    for _ in 0..WARM_UPS {
        let keys = Law::Zipf.draw(session.keys, session.ops, &mut random);
        for key in keys {
            act(&mut target, key | PUT_ON_MISS, None);
        }
    }
}

fn name(versus: &Versus, play: Play, threads: usize) -> String {
    let Versus { store, other, .. } = versus;
    let what = match play {
        Play::Mix(law) => format!("95% get, 5% put, {}", law.name()),
        Play::Refresh => "refresh (scc: upsert)".to_owned(),
        Play::ReadThrough => format!("1 key in {KEYS_A_PLACE} fits, put on a miss, Zipf 0.99"),
    };
    format!("{store}: {what}, {}: speed over {other}", row::threads(threads))
}

fn filled<T: Target<u64, u64>>(side: &Side, keys: u64) -> Result<T, String> {
    pairs::filled(&side.options, keys, side.ttl)
}

/// What each thread is to do in a run.
fn shares(session: &Session, play: Play, threads: usize, draw: usize) -> Vec<Vec<u64>> {
    let share = |thread: usize| {
        let mut random = pairs::random("operations", draw * threads + thread);
        match play {
            Play::Mix(law) => {
                let mut ops = law.draw(session.keys, session.ops, &mut random);
                for op in &mut ops {
                    *op |= if random.below(OPS_A_PUT) == 0 { PUT } else { 0 };
                }
                ops
            }
            Play::Refresh => {
                let keys = Law::Uniform.draw(session.keys, session.ops, &mut random);
                keys.into_iter().map(|key| key | PUT).collect()
            }
            Play::ReadThrough => {
                let keys = Law::Zipf.draw(session.keys, session.ops, &mut random);
                keys.into_iter().map(|key| key | PUT_ON_MISS).collect()
            }
        }
    };
    (0..threads).map(share).collect()
}

#[inline]
fn act<T: Target<u64, u64>>(target: &mut T, op: u64, ttl: Option<Duration>) {
    let key = op & !(PUT | PUT_ON_MISS);
    if op & PUT == 0 {
        let found = black_box(target.get(&key, |value| *value));
        if found.is_some() || op & PUT_ON_MISS == 0 {
            return;
        }
    }
    match ttl {
        Some(ttl) => target.put_with_ttl(key, key, ttl),
        None => target.put(key, key),
    }
}

/// The part of gets that find something: a cache that misses has less to do.
fn hit_share<T: Target<u64, u64>>(target: &T, law: Law, session: &Session) -> f64 {
    let mut target = target.clone();
    let asked = law.draw(session.keys, 100_000, &mut pairs::random("hits", 0));
    let found = asked.iter().filter(|key| target.get(key, |_| ()).is_some()).count();
    #[expect(clippy::cast_precision_loss, reason = "a hundred thousand")]
    let share = found as f64 / asked.len() as f64;
    share
}

/// What a load takes of a map that was made with the room, and of the making as well: who takes
/// memory while a map is made spares its loads that.
fn load(session: &Session) -> Result<[Row; 2], String> {
    let keys = session.keys;
    let (mut loads, mut wholes) = (Series::default(), Series::default());
    for round in 0..session.costly_rounds {
        session.tell(&format!("throughput: load, round {}", round + 1));
        let turns = turns(round, |_| loaded::<Ours>(keys), |_| loaded::<Bare>(keys))?;
        loads.push(turns.map(|loaded| loaded.load_ns));
        wholes.push(turns.map(|loaded| loaded.making_ns + loaded.load_ns));
    }
    let row = |series: &Series, what: &str| {
        series.cost_row(format!("{what}, 1 thread: time over scc"), 1.15, "scc")
    };
    Ok([
        row(&loads, "load a map that was made with the room")?,
        row(&wholes, "make a map with the room and load it")?,
    ])
}

/// What it took for each pair.
#[derive(Clone, Copy, Default)]
struct Loaded {
    making_ns: f64,
    load_ns: f64,
}

#[expect(clippy::cast_precision_loss, reason = "seconds, and millions of puts")]
fn loaded<T: Target<u64, u64>>(keys: u64) -> Result<Loaded, String> {
    let began = Instant::now();
    let mut target = T::open(&pairs::roomy(keys))?;
    let made = Instant::now();
    for key in 0..keys {
        target.put(key, key);
    }
    let ns_each = |span: Duration| span.as_nanos() as f64 / keys as f64;
    Ok(Loaded { making_ns: ns_each(made - began), load_ns: ns_each(made.elapsed()) })
}
