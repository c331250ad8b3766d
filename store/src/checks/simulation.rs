//! Simulation in virtual time: one seed decides everything that happens to a store.
//!
//! The seed makes a configuration and a list of steps (`plan`): calls, jumps of the clock from
//! nanoseconds to decades, the sweeper's coming or staying away, panics in user code. They are run
//! on a store and on the [`reference`](super::reference) (`run`); after each step the result, every
//! pair held, the counts and the store's structure must agree. A failure is shrunk (`shrink`) to
//! few steps and printed with the command that runs it again.
//!
//! Half of the stores have a bound, most of them a listener. Who must go for the bound's sake is
//! predicted or, where that is left open, followed and judged (`room`); what the listener was told is
//! compared after each step.
//!
//! One thread calls the store, and its sweeper is called as any other operation: what only a race
//! between threads can show is not seen here.

mod act;
mod events;
mod expect;
mod plan;
mod room;
mod run;
mod shrink;
mod tally;
mod user_code;
mod watch;

use plan::{Plan, plan};
use run::{Depth, Failure, run};
use std::cell::Cell;
use std::panic;
use std::sync::Once;
use std::time::{Duration, Instant};
use tally::Tally;

/// Where the search for the shortest failure stops.
const SHRINKING: Duration = Duration::from_secs(20);
/// How often a long simulation says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

thread_local! {
    /// Whether panics of this thread are printed: those of a run are reported with their seed.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn replay(seed: u64) -> String {
    format!(
        "just simulate {seed}, or: SIMULATE_SEED={seed} \
         cargo test -p store --release --lib simulate -- --ignored --nocapture"
    )
}

/// Runs `f` without printing the panics of this thread.
fn quietly<R>(f: impl FnOnce() -> R) -> R {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
    QUIET.set(true);
    let result = f();
    QUIET.set(false);
    result
}

/// Runs what `seed` plans.
///
/// # Panics
/// If the store is not as it must be, with all that is needed to see why.
fn simulate_seed(seed: u64, tally: &mut Tally) {
    watch::at_seed(seed);
    let plan = plan(seed);
    tally.seeds += 1;
    let result = quietly(|| run(&plan.config, &plan.steps, Depth::Quick, tally));
    watch::at_seed(0);
    if let Err(failure) = result {
        panic!("after {} operations: {}", tally.operations, report(seed, &plan, &failure));
    }
}

fn report(seed: u64, plan: &Plan, failure: &Failure) -> String {
    let again =
        |steps: &[_]| run(&plan.config, steps, Depth::Everything, &mut Tally::default()).err();
    let needed = &plan.steps[..plan.steps.len().min(failure.step + 1)];
    let shrunk = quietly(|| shrink::shrink(needed, SHRINKING, |steps| again(steps).is_some()));
    let last = quietly(|| again(&shrunk));
    let difference = last.map_or_else(String::new, |failure| failure.difference);
    let steps: Vec<String> = shrunk.iter().map(|step| format!("  {step:?}")).collect();
    format!(
        "seed {seed}, step {}: {}\n{:?}\n{} steps are enough:\n{}\nwhere the last ends with: \
         {difference}\nreplay: {}\n",
        failure.step,
        failure.difference,
        plan.config,
        steps.len(),
        steps.join("\n"),
        replay(seed),
    )
}

#[test]
fn simulate_briefly() {
    let mut tally = Tally::default();
    let seeds = if cfg!(debug_assertions) { 1..=60 } else { 1..=300 };
    seeds.for_each(|seed| simulate_seed(seed, &mut tally));
    assert_eq!(tally.unseen(), [""; 0], "the seeds do not meet everything:\n{tally}");
}

#[test]
fn a_seed_decides_everything() {
    let runs: Vec<String> = (0..2)
        .map(|_| {
            let mut tally = Tally::default();
            simulate_seed(24_301, &mut tally);
            tally.to_string()
        })
        .collect();
    assert_eq!(runs[0], runs[1]);
    assert_ne!(plan(1).steps, plan(2).steps);
}

/// Runs the seed that `SIMULATE_SEED` names, or seeds from a random one on for
/// `SIMULATE_SECONDS` seconds.
#[test]
#[ignore = "runs for as long as SIMULATE_SECONDS says"]
fn simulate() {
    let number = |name| -> Option<u64> {
        let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
        Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
    };
    let mut tally = Tally::default();
    if let Some(seed) = number("SIMULATE_SEED") {
        simulate_seed(seed, &mut tally);
        println!("seed {seed} passes\n{tally}");
        return;
    }
    let time = Duration::from_secs(number("SIMULATE_SECONDS").unwrap_or(60));
    let first = u64::from(rand::random::<u32>()) << 16 | 1;
    println!("seeds from {first} on, for {time:?}");
    let began = Instant::now();
    let mut printed = began;
    let mut seed = first;
    while began.elapsed() < time {
        simulate_seed(seed, &mut tally);
        seed += 1;
        if printed.elapsed() >= PROGRESS {
            printed = Instant::now();
            println!("{:>4.0?}: {} operations, seed {seed}", began.elapsed(), tally.operations);
        }
    }
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    println!("{} operations a minute\n{tally}", tally.operations * 60_000 / elapsed_ms);
}

/// The one mistake of a key's that the store must survive although its pair is then lost to it.
#[test]
fn a_key_whose_hash_changes_does_not_stop_the_sweeper() {
    use crate::{ManualClock, Store, Sweeper, Ttl};
    use std::hash::{Hash, Hasher};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Key(Arc<AtomicU8>, u8);
    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            self.1 == other.1
        }
    }
    impl Eq for Key {}
    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u8(self.0.load(Ordering::SeqCst));
        }
    }
    let clock = ManualClock::new();
    let store = Store::builder().clock(clock.clone()).sweeper(Sweeper::Manual).build().unwrap();
    let hash = Arc::new(AtomicU8::new(0));
    store.put_with_ttl(Key(Arc::clone(&hash), 1), (), Ttl::After(PROGRESS)).unwrap();
    hash.store(1, Ordering::SeqCst);
    store.put_with_ttl(Key(hash, 2), (), Ttl::After(PROGRESS)).unwrap();
    clock.advance(2 * PROGRESS);
    let swept = store.sweep(1_000);
    assert_eq!((swept.removed, swept.more), (1, false), "the sweeper did not come past the pair");
}
