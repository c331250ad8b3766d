//! Threads in each other's way: more of them may not do less.

use std::hint::black_box;

use harness::compare::goal::Goal;
use harness::target::scc::SccTarget;
use harness::target::store::StoreTarget;
use harness::target::{Options, Target};
use harness::workload::model::{Bound, Eviction};
use harness::workload::units;

use crate::Session;
use crate::pairs::{self, HOUR, Law, len};
use crate::rounds::ns_each;
use crate::row::{Row, Unit, median};

/// Numbers of threads: as many as there are cores, and more.
const THREADS: [usize; 4] = [1, 2, 4, 8];
/// The part of its throughput that a step up may leave.
const AT_LEAST: f64 = 0.9;
/// Marks a put among operations that are keys.
const PUT: u64 = 1 << 63;
/// The key that all threads want.
const HOT: u64 = 7;

/// What threads do to a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    HotGet,
    HotPut,
    Mix,
    SameTick,
    Refresh,
    BoundedMix,
    Evicting,
    Recency,
}

/// A map, and the paths that are tried on it.
struct Stage {
    options: fn(u64) -> Options,
    gives_ttl: bool,
    paths: &'static [Path],
}

const STAGES: [Stage; 4] = [
    Stage {
        options: pairs::roomy,
        gives_ttl: false,
        paths: &[Path::HotGet, Path::HotPut, Path::Mix],
    },
    Stage { options: pairs::roomy, gives_ttl: true, paths: &[Path::SameTick, Path::Refresh] },
    Stage { options: pairs::bounded, gives_ttl: false, paths: &[Path::BoundedMix, Path::Evicting] },
    Stage { options: by_recency, gives_ttl: false, paths: &[Path::Recency] },
];

fn by_recency(keys: u64) -> Options {
    let bound = Bound { max_entries: keys, eviction: Some(Eviction::Lru) };
    Options { bound: Some(bound), ..pairs::roomy(keys) }
}

impl Path {
    const fn name(self) -> &'static str {
        match self {
            Self::HotGet => "all get one key",
            Self::HotPut => "all put one key",
            Self::Mix => "95% get, 5% put, uniform",
            Self::SameTick => "all put new keys into one tick, and delete",
            Self::Refresh => "all refresh, uniform",
            Self::BoundedMix => "bounded: 95% get, 5% put, Zipf 0.99",
            Self::Evicting => "bounded: each put evicts",
            Self::Recency => "bounded, exact LRU: gets, Zipf 0.99",
        }
    }

    /// What one thread of `threads` is to do, as keys.
    fn share(self, session: &Session, round: usize, thread: usize, threads: usize) -> Vec<u64> {
        // What takes a few nanoseconds is done more often: a slice of a core's time is milliseconds.
        let times = if self == Self::HotGet { 4 } else { 1 };
        let (keys, count) = (session.keys, times * session.ops / threads);
        let mut random = pairs::random("contention", round * 8 + thread);
        let mix = |law: Law, random: &mut _| {
            let mut ops = law.draw(keys, count, random);
            ops.iter_mut().step_by(20).for_each(|op| *op |= PUT);
            ops
        };
        // Keys that nobody else has, and that are not there.
        let own = |first: u64| {
            let first = first + ((thread as u64 + 1) << 40);
            (first..).take(count).collect()
        };
        match self {
            Self::HotGet => vec![HOT; count],
            Self::HotPut => vec![HOT | PUT; count],
            Self::Mix => mix(Law::Uniform, &mut random),
            Self::Refresh => Law::Uniform.draw(keys, count, &mut random),
            Self::BoundedMix => mix(Law::Zipf, &mut random),
            Self::Recency => Law::Zipf.draw(keys, count, &mut random),
            Self::SameTick => own(0),
            // The round's and this number of threads' own: no put finds its key.
            Self::Evicting => own((round * 16 + threads) as u64 * session.ops as u64),
        }
    }

    #[inline]
    fn act<T: Target<u64, u64>>(self, target: &mut T, op: u64) {
        let key = op & !PUT;
        match self {
            Self::HotGet | Self::HotPut | Self::Mix | Self::BoundedMix | Self::Recency => {
                if op & PUT == 0 {
                    black_box(target.get(&key, |value| *value));
                } else {
                    target.put(key, key);
                }
            }
            // The clock hardly moves meanwhile: one TTL for all is one tick for all.
            Self::SameTick => {
                target.put_with_ttl(key, key, HOUR);
                target.delete(&key);
            }
            Self::Refresh => target.put_with_ttl(key, key, HOUR),
            Self::Evicting => target.put(key, key),
        }
    }

    /// Nanoseconds an operation takes, all threads together.
    fn ns<T: Target<u64, u64>>(
        self,
        target: &T,
        session: &Session,
        round: usize,
        threads: usize,
    ) -> f64 {
        let share = |thread| self.share(session, round, thread, threads);
        let shares: Vec<Vec<u64>> = (0..threads).map(share).collect();
        ns_each(target, &shares, |target, op| self.act(target, *op))
    }
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for stage in &STAGES {
        session.tell("contention: loading");
        let (keys, options) = (session.keys, (stage.options)(session.keys));
        let ours: StoreTarget<u64, u64> =
            pairs::filled(&options, keys, stage.gives_ttl.then_some(HOUR))?;
        // The bare map can do what needs neither TTL nor bound.
        let is_plain = !stage.gives_ttl && options.bound.is_none();
        let bare: Option<SccTarget<u64, u64>> =
            if is_plain { Some(pairs::filled(&options, keys, None)?) } else { None };
        for path in stage.paths {
            session.tell(&format!("contention: {}", path.name()));
            let steps = climb(session, *path, &ours);
            let beside = bare.as_ref().map(|bare| climb(session, *path, bare));
            rows.extend(path_rows(*path, &steps, beside.as_ref())?);
        }
    }
    Ok(rows)
}

/// What an operation took by number of threads, a figure each round; at last the first number
/// once more.
type Climb = [Vec<f64>; THREADS.len() + 1];

/// Goes up the numbers of threads in one round and down in the next.
fn climb<T: Target<u64, u64>>(session: &Session, path: Path, target: &T) -> Climb {
    let mut climb = Climb::default();
    for round in 0..session.rounds {
        let mut steps: Vec<usize> = (0..climb.len()).collect();
        if round % 2 == 1 {
            steps.reverse();
        }
        for step in steps {
            let threads = THREADS.get(step).copied().unwrap_or(THREADS[0]);
            // The first number's second run is on keys of its own, too.
            let place = len(2 * round as u64 + u64::from(step == THREADS.len()));
            climb[step].push(path.ns(target, session, place, threads));
        }
    }
    climb
}

fn gains(climb: &Climb, from: usize, to: usize) -> Vec<f64> {
    climb[from].iter().zip(&climb[to]).map(|(before, after)| before / after).collect()
}

fn path_rows(path: Path, climb: &Climb, bare: Option<&Climb>) -> Result<Vec<Row>, String> {
    (1..THREADS.len())
        .map(|step| {
            let (before, after) = (THREADS[step - 1], THREADS[step]);
            let what = format!("{}: throughput, {after} threads over {before}", path.name());
            let gained = gains(climb, step - 1, step);
            let row = Row::judged(what, Unit::Ratio, Goal::AtLeast(AT_LEAST), &gained)?;
            let [own, own_before] = [step, step - 1].map(|at| units::show_ns(median(&climb[at])));
            let bare = bare.map_or_else(String::new, |bare| {
                format!(", scc {:.3}", median(&gains(bare, step - 1, step)))
            });
            let row = row.aside(format!("{own_before} before, {own} after{bare}"));
            Ok(row.beside(&gains(climb, 0, THREADS.len())))
        })
        .collect()
}
