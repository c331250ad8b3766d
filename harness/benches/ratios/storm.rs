//! What callers feel of expiry: a fifth of all keys dead at one instant, and a steady trickle.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::compare::goal::{Goal, judge_worst};
use harness::doctor::pause::Pauses;
use harness::target::Target;
use harness::target::store::StoreTarget;
use harness::workload::random::Random;
use harness::workload::units;
use hdrhistogram::Histogram;

use crate::Session;
use crate::growth::{histogram, ns, quantile};
use crate::pairs::{self, HOUR, Law, len};
use crate::row::{Row, Unit, median};

type Ours = StoreTarget<u64, u64>;

/// How long gets are watched before the storm, and an idle loop before that.
const CALM: Duration = Duration::from_secs(2);
/// A load that is to be over in time gets so many times what was foreseen; more when tried again.
const MARGINS: [u32; 3] = [2, 6, 18];
const TOO_BUSY: &str =
    "three times the load took longer than was foreseen: the machine is too busy";
/// After so long a storm counts as one that does not end.
const PATIENCE: Duration = Duration::from_secs(30);
const WORST_NS: f64 = 20e6;
const RECLAIMED_NS: f64 = 3e9;
/// The grain of the index of a store that was not told otherwise.
const TICK: Duration = Duration::from_millis(50);
/// Deadlines of the trickle are spread over so long: a hundredth expires each second.
const SPREAD: Duration = Duration::from_secs(100);
/// How long the trickle is watched.
const TRICKLE: Duration = Duration::from_secs(10);

/// What came of one storm.
struct Storm {
    /// Gets in both halves of the calm before it.
    calm: [Histogram<u64>; 2],
    /// Gets from the deadline until all was reclaimed.
    during: Histogram<u64>,
    reclaimed: Duration,
    idle_worst_ns: u64,
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let mut storms = Vec::new();
    for round in 0..session.costly_rounds {
        session.tell(&format!("tails: mass expiry, round {}", round + 1));
        storms.push(in_time(|margin| storm(session.keys, round, margin))?);
    }
    let mut rows = storm_rows(session.keys, &storms)?;
    session.tell("tails: expiry lag");
    rows.push(in_time(|margin| lag(session.keys, margin))?);
    Ok(rows)
}

/// What comes of the first attempt whose load was over in time.
fn in_time<T>(mut attempt: impl FnMut(u32) -> Result<Option<T>, String>) -> Result<T, String> {
    for margin in MARGINS {
        if let Some(outcome) = attempt(margin)? {
            return Ok(outcome);
        }
    }
    Err(TOO_BUSY.to_owned())
}

fn storm_rows(keys: u64, storms: &[Storm]) -> Result<Vec<Row>, String> {
    let p999 = |of: &Histogram<u64>| quantile(of, 0.999);
    let per_round = |figure: &dyn Fn(&Storm) -> f64| storms.iter().map(figure).collect::<Vec<_>>();
    let before = |storm: &Storm| {
        let mut calm = storm.calm[0].clone();
        calm.add(&storm.calm[1]).map_or(f64::NAN, |()| p999(&calm))
    };
    let many = units::show_count(keys / 5);
    let (calm, during) = (per_round(&before), per_round(&|storm| p999(&storm.during)));
    let what = format!("p99.9 of a get while {many} pairs expire at once, over before");
    let ratios: Vec<f64> = during.iter().zip(&calm).map(|(during, calm)| during / calm).collect();
    let (shown_calm, shown) = (units::show_ns(median(&calm)), units::show_ns(median(&during)));
    let tail = Row::judged(what, Unit::Ratio, Goal::AtMost(3.0), &ratios)?
        .beside(&per_round(&|storm| p999(&storm.calm[1]) / p999(&storm.calm[0])))
        .aside(format!("{shown_calm} before, {shown} then; noise: the calm's halves"));
    let worst = per_round(&|storm| quantile(&storm.during, 1.0));
    #[expect(clippy::cast_precision_loss, reason = "seconds")]
    let idle = per_round(&|storm| storm.idle_worst_ns as f64);
    let what = format!("worst get while {many} pairs expire at once");
    let worst = worst_row(what, &worst, &idle, WORST_NS)?;
    let what = format!("{many} pairs that expired at once are all reclaimed after");
    let reclaimed = per_round(&|storm| ns(storm.reclaimed));
    let reclaimed = Row::judged(what, Unit::Time, Goal::AtMost(RECLAIMED_NS), &reclaimed)?;
    Ok(vec![tail, worst, reclaimed.aside("one thread reads meanwhile".to_owned())])
}

/// A row on a worst time, beside that of an idle loop.
pub(crate) fn worst_row(
    what: String,
    worst: &[f64],
    idle: &[f64],
    limit: f64,
) -> Result<Row, String> {
    let mut row = Row::judged(what, Unit::Time, Goal::AtMost(limit), worst)?;
    row.verdict = judge_worst(worst, idle, limit);
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), units::show_ns);
    let (least, most) =
        (idle.iter().copied().reduce(f64::min), idle.iter().copied().reduce(f64::max));
    row.noise = Some(format!("idle loop {}..{}", show(least), show(most)));
    Ok(row)
}

/// Loads, waits for the deadline, reads all the while. `None` if the load was not over in time.
fn storm(keys: u64, round: usize, margin: u32) -> Result<Option<Storm>, String> {
    let idle = Pauses::watch(1, CALM);
    let (steady, dying) = (keys / 50, keys / 5);
    let mut target = Ours::open(&pairs::roomy(steady + dying))?;
    let began = Instant::now();
    for key in 0..steady {
        target.put(key, key);
    }
    // The others take longer, for their TTLs; nobody knows by how much.
    let share = u32::try_from(dying / steady).unwrap_or(u32::MAX);
    let deadline = Instant::now() + began.elapsed() * share * margin * 2 + CALM + CALM;
    for key in steady..steady + dying {
        let left = deadline.saturating_duration_since(Instant::now());
        if left < CALM {
            return Ok(None);
        }
        target.put_with_ttl(key, key, left);
    }
    let held = target.entries();
    if held != Some(steady + dying) {
        return Err(format!("{held:?} pairs are held, not {}", steady + dying));
    }
    let numbers = asked(steady, dying, &mut pairs::random("storm", round));
    let (is_over, reader_target) = (AtomicBool::new(false), target.clone());
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(reader_target, &numbers, deadline, &is_over));
        thread::sleep(deadline.saturating_duration_since(Instant::now()));
        while target.entries() > Some(steady) && deadline.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        let reclaimed = deadline.elapsed();
        is_over.store(true, Ordering::SeqCst);
        let (calm, during) = reader.join().map_err(|_| "the reader panicked")??;
        Ok(Some(Storm { calm, during, reclaimed, idle_worst_ns: idle.worst_ns }))
    })
}

/// Mostly keys that live on; some that are about to die, or dead.
fn asked(steady: u64, dying: u64, random: &mut Random) -> Vec<u64> {
    let mut numbers = Law::Zipf.draw(steady, 1 << 20, random);
    for number in numbers.iter_mut().step_by(5) {
        *number = steady + random.below(dying);
    }
    numbers
}

type Read = ([Histogram<u64>; 2], Histogram<u64>);

/// Reads on and on; each get is timed, and counted where it began.
fn read(
    mut target: Ours,
    numbers: &[u64],
    deadline: Instant,
    is_over: &AtomicBool,
) -> Result<Read, String> {
    let (calm_from, half) = (deadline.checked_sub(CALM), deadline.checked_sub(CALM / 2));
    let (Some(calm_from), Some(half)) = (calm_from, half) else {
        return Err("the clock began only now".to_owned());
    };
    let [mut first, mut second, mut during] = [histogram()?, histogram()?, histogram()?];
    for number in numbers.iter().cycle() {
        let began = Instant::now();
        black_box(target.get(number, |value| *value));
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if began >= deadline {
            during.saturating_record(took);
            if is_over.load(Ordering::SeqCst) {
                break;
            }
        } else if began >= half {
            second.saturating_record(took);
        } else if began >= calm_from {
            first.saturating_record(took);
        }
    }
    Ok(([first, second], during))
}

/// How late pairs are reclaimed of which a hundredth expires each second, while one thread reads.
/// `None` if the load was not over in time.
#[expect(clippy::cast_precision_loss, reason = "seconds, and millions of pairs")]
fn lag(keys: u64, margin: u32) -> Result<Option<Row>, String> {
    let idle = Pauses::watch(1, CALM);
    // What a load takes is guessed from that of a part.
    let (part, began) = (keys / 20, Instant::now());
    drop(pairs::filled::<u64, u64, Ours>(&pairs::roomy(part), part, Some(HOUR))?);
    let begin = Instant::now() + began.elapsed() * 20 * margin + CALM;
    let mut target = Ours::open(&pairs::roomy(keys))?;
    let mut random = pairs::random("trickle", 0);
    for key in 0..keys {
        let deadline = begin + SPREAD.mul_f64(random.fraction());
        let left = deadline.saturating_duration_since(Instant::now());
        if begin < Instant::now() || left.is_zero() {
            return Ok(None);
        }
        target.put_with_ttl(key, key, left);
    }
    let numbers = Law::Uniform.draw(keys, 1 << 20, &mut random);
    thread::sleep(begin.saturating_duration_since(Instant::now()));
    let mut reader = target.clone();
    for batch in numbers.chunks(1 << 10).cycle() {
        for number in batch {
            black_box(reader.get(number, |value| *value));
        }
        if begin.elapsed() > TRICKLE {
            break;
        }
    }
    let facts = target.facts();
    let expected = len(keys) as f64 * TRICKLE.as_secs_f64() / SPREAD.as_secs_f64();
    let expired = facts.expired.unwrap_or(0);
    let Some(lag) = facts.expiry_lag.filter(|_| expired as f64 > 0.9 * expected) else {
        return Err(format!("of {expected:.0} pairs that are dead {expired} were reclaimed"));
    };
    let what = "expiry lag, p99, 1% of pairs expiring a second, in ticks of 50 ms".to_owned();
    let ticks = lag.p99_ns as f64 / ns(TICK);
    let mut row = Row::judged(what, Unit::Ticks, Goal::AtMost(2.0), &[ticks])?;
    row.noise = Some(format!("idle loop {}", units::show_ns(idle.worst_ns as f64)));
    let [p50, p99, max] =
        [lag.p50_ns, lag.p99_ns, lag.max_ns].map(|lag| units::show_ns(lag as f64));
    let many = units::show_count(expired);
    Ok(Some(row.aside(format!("p50 {p50}, p99 {p99}, max {max}, rounded up, of {many}"))))
}
