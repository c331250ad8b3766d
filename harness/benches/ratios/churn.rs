//! Memory in time: what a process has resident while two threads put, refresh, shorten and delete
//! keys that expire by themselves, as fast as they can.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::compare::goal::{Goal, Measured};
use harness::environment::process;
use harness::target::Target;
use harness::target::store::StoreTarget;
use harness::workload::units;

use crate::pairs::{self, HOUR};
use crate::row::{Row, Unit};
use crate::{Session, child};

/// What a process is asked for by.
pub(crate) const JOB: &str = "churn";

type Ours = StoreTarget<u64, u64>;

const THREADS: usize = 2;
/// How often memory is read.
const EVERY: Duration = Duration::from_millis(100);
/// Keys: so few that each is met about as often as it would expire.
const KEYS: u64 = 1_000_000;
/// TTLs lie between these.
const SHORTEST_MS: u64 = 50;
const LONGEST_MS: u64 = 1_000;
const AT_MOST: f64 = 1.03;

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let seconds = session.churn.as_secs();
    session.tell(&format!("churn: {seconds} s"));
    let lengths: &[&str] = match seconds {
        0..=10 => &["--quick"],
        11..=60 => &[],
        _ => &["--full"],
    };
    let figures = child::figures(JOB, session.keys, lengths, &[])?;
    let &[operations, expired, level, ref later @ ..] = figures.as_slice() else {
        return Err(format!("{figures:?} is not what was asked for"));
    };
    let measured = Measured::of_values(later).ok_or("memory was never read")?;
    let what = format!("churn with TTLs, {seconds} s: highest memory over that after a tenth");
    let mut row = Row::judged(what, Unit::Ratio, Goal::AtMost(AT_MOST), &[measured.high / level])?;
    row.noise = Some(format!("{:.3}..{:.3}", measured.low / level, measured.high / level));
    let last = later.last().map_or(f64::NAN, |last| last / level);
    let row = row.aside(format!(
        "{} after a tenth, at last {last:.3} of it; {operations:.0} M operations, {expired:.1} M \
         expired; noise: all readings",
        units::show_bytes(level)
    ));
    Ok(vec![row])
}

/// In a process of its own: millions of operations, millions of pairs that expired, the memory
/// after a tenth of the time (the median over the tenth that follows), and that at each reading
/// from then on.
#[expect(clippy::cast_precision_loss, reason = "bytes of a machine are below 2^53")]
pub(crate) fn measure(length: Duration) -> Result<Vec<f64>, String> {
    // As many pairs as there will ever be, each with a node: all room that is needed is taken now.
    let mut target: Ours = pairs::filled(&pairs::roomy(KEYS), KEYS, Some(HOUR))?;
    let is_over = AtomicBool::new(false);
    let (operations, readings) = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (target, is_over) = (target.clone(), &is_over);
                scope.spawn(move || churn(target, thread, is_over))
            })
            .collect();
        let (began, mut readings) = (Instant::now(), Vec::new());
        while began.elapsed() < length {
            thread::sleep(EVERY);
            readings.push((began.elapsed(), process::rss_bytes_exact()));
        }
        is_over.store(true, Ordering::SeqCst);
        let done = workers.into_iter().map(|worker| worker.join().map_err(|_| "a thread panicked"));
        (done.sum::<Result<u64, _>>(), readings)
    });
    let expired = target.facts().expired.unwrap_or(0);
    if expired == 0 {
        return Err("nothing expired".to_owned());
    }
    let between = |from: Duration, to: Duration| -> Vec<f64> {
        let within = readings.iter().filter(|(at, _)| (from..to).contains(at));
        within.filter_map(|(_, bytes)| bytes.map(|bytes| bytes as f64)).collect()
    };
    let tenth = length / 10;
    let level = Measured::of_values(&between(tenth, 2 * tenth));
    let level = level.ok_or("this system does not tell a process's memory (there is no /proc)")?;
    let mut figures = vec![operations? as f64 / 1e6, expired as f64 / 1e6, level.value];
    figures.extend(between(tenth, Duration::MAX));
    Ok(figures)
}

/// Of twenty operations eleven put with a TTL, four give a new one, three delete, two get.
fn churn(mut target: Ours, thread: usize, is_over: &AtomicBool) -> u64 {
    let mut random = pairs::random("churn", thread);
    let mut operations = 0;
    while !is_over.load(Ordering::SeqCst) {
        for _ in 0..1_000 {
            let key = random.below(KEYS);
            let ttl = Duration::from_millis(SHORTEST_MS + random.below(LONGEST_MS - SHORTEST_MS));
            match random.below(20) {
                0..=10 => target.put_with_ttl(key, key, ttl),
                11..=14 => drop(target.expire(&key, ttl)),
                15..=17 => drop(target.delete(&key)),
                _ => drop(target.get(&key, |value| *value)),
            }
        }
        operations += 1_000;
    }
    operations
}
