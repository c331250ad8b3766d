//! Notices that a step never ends: user code that was called under a lock waits for itself.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The seed being run; zero while none is.
static SEED: AtomicU64 = AtomicU64::new(0);
static STEP: AtomicU64 = AtomicU64::new(0);
/// Steps begun since the process started.
static BEGUN: AtomicU64 = AtomicU64::new(0);

/// Far longer than any step takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn at_seed(seed: u64) {
    static WATCH: Once = Once::new();
    SEED.store(seed, Ordering::SeqCst);
    WATCH.call_once(|| drop(std::thread::spawn(watch)));
}

pub(super) fn at_step(step: usize) {
    // ORDERING: Relaxed; the watch looks once a minute.
    STEP.store(step as u64, Ordering::Relaxed);
    // ORDERING: Relaxed, as above.
    BEGUN.fetch_add(1, Ordering::Relaxed);
}

/// Ends the process, as nothing else can, when one step has taken all of a period.
fn watch() {
    let now = || (SEED.load(Ordering::SeqCst), BEGUN.load(Ordering::SeqCst));
    loop {
        let before = now();
        std::thread::sleep(PATIENCE);
        if before.0 != 0 && now() == before {
            let step = STEP.load(Ordering::SeqCst);
            println!("seed {}: step {step} does not end: {}", before.0, super::replay(before.0));
            std::process::abort();
        }
    }
}
