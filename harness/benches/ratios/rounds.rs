//! Two sides that take turns, and threads that begin together.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use harness::compare::goal::Goal;
use harness::compare::trial::{Arm, order};
use harness::workload::units;

use crate::row::{Row, Unit, median};

/// So many times the maps of a comparison are made anew, so that no single layout in memory
/// decides.
pub(crate) const BUILDS: usize = 2;

/// The rounds of a build: all are shared out evenly.
pub(crate) fn of_build(build: usize, rounds: usize) -> std::ops::Range<usize> {
    build * rounds / BUILDS..(build + 1) * rounds / BUILDS
}

/// What two sides took, round by round; the first side ran twice in each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    ours: Vec<f64>,
    again: Vec<f64>,
    theirs: Vec<f64>,
}

impl Series {
    /// Adds a round of [`turns`].
    pub(crate) fn round(
        &mut self,
        round: usize,
        ours: impl FnMut(usize) -> Result<f64, String>,
        theirs: impl FnMut(usize) -> Result<f64, String>,
    ) -> Result<(), String> {
        self.push(turns(round, ours, theirs)?);
        Ok(())
    }

    /// Adds what one figure was in each turn of a round.
    pub(crate) fn push(&mut self, turns: [f64; 3]) {
        self.ours.push(turns[Arm::A as usize]);
        self.theirs.push(turns[Arm::B as usize]);
        self.again.push(turns[Arm::Control as usize]);
    }

    /// What the store took, over its two runs: the other ran between them, so that what changed
    /// in the meantime falls on both.
    fn own(&self) -> Vec<f64> {
        self.ours.iter().zip(&self.again).map(|(first, again)| (first * again).sqrt()).collect()
    }

    /// The store's speed over the other's.
    fn speed(&self) -> Vec<f64> {
        self.theirs.iter().zip(self.own()).map(|(theirs, own)| theirs / own).collect()
    }

    /// What the store took over what the other took.
    fn cost(&self) -> Vec<f64> {
        self.own().iter().zip(&self.theirs).map(|(own, theirs)| own / theirs).collect()
    }

    fn noise(&self) -> Vec<f64> {
        self.again.iter().zip(&self.ours).map(|(again, first)| again / first).collect()
    }

    /// The medians of both sides.
    fn medians(&self, other: &str) -> String {
        let [own, theirs] = [median(&self.own()), median(&self.theirs)].map(units::show_ns);
        format!("{own}, {other} {theirs}")
    }

    /// A row on how fast the store is.
    pub(crate) fn speed_row(
        &self,
        what: String,
        at_least: f64,
        other: &str,
    ) -> Result<Row, String> {
        let row = Row::judged(what, Unit::Ratio, Goal::AtLeast(at_least), &self.speed())?;
        Ok(row.beside(&self.noise()).aside(self.medians(other)))
    }

    /// A row on how long the store takes.
    pub(crate) fn cost_row(&self, what: String, at_most: f64, other: &str) -> Result<Row, String> {
        let row = Row::judged(what, Unit::Ratio, Goal::AtMost(at_most), &self.cost())?;
        Ok(row.beside(&self.noise()).aside(self.medians(other)))
    }
}

/// Runs the store, the other and the store once more; the next round in the opposite order. What came
/// of each is given by [`Arm`].
///
/// Each run is given a number of its own, to draw its operations by: whoever looks up again what
/// was looked up a moment ago finds it in the processor's cache.
pub(crate) fn turns<T: Copy + Default>(
    round: usize,
    mut ours: impl FnMut(usize) -> Result<T, String>,
    mut theirs: impl FnMut(usize) -> Result<T, String>,
) -> Result<[T; 3], String> {
    let arms = order(round);
    let mut turns = [T::default(); 3];
    for arm in arms {
        let draw = round * arms.len() + arm as usize;
        turns[arm as usize] = if arm == Arm::B { theirs(draw)? } else { ours(draw)? };
    }
    Ok(turns)
}

/// Lets a thread for each of `shares` act on its share, all at once, and says how many nanoseconds
/// went by for each operation of all of them. The first tenth of a share is played before the
/// clock starts, so that each side begins with caches of its own.
pub(crate) fn ns_each<T, O>(target: &T, shares: &[Vec<O>], act: impl Fn(&mut T, &O) + Sync) -> f64
where
    T: Clone + Send,
    O: Sync,
{
    let barrier = &Barrier::new(shares.len());
    let act = &act;
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let workers: Vec<_> = shares
            .iter()
            .map(|share| {
                let mut target = target.clone();
                scope.spawn(move || {
                    let (warm_up, timed) = share.split_at(share.len() / 10);
                    for op in warm_up {
                        act(&mut target, op);
                    }
                    barrier.wait();
                    let began = Instant::now();
                    for op in timed {
                        act(&mut target, op);
                    }
                    (began, Instant::now())
                })
            })
            .collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let first = spans.iter().map(|(began, _)| *began).min();
    let last = spans.iter().map(|(_, ended)| *ended).max();
    let ops: usize = shares.iter().map(|share| share.len() - share.len() / 10).sum();
    #[expect(clippy::cast_precision_loss, reason = "seconds, and millions of operations")]
    first
        .zip(last)
        .filter(|_| spans.len() == shares.len())
        .map_or(f64::NAN, |(first, last)| (last - first).as_nanos() as f64 / ops as f64)
}
