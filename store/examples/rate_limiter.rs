//! At most so many requests a client and window: one atomic step decides, and time forgets.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;
use store::{Compute, ManualClock, Store, Ttl, TtlError};

const LIMIT: u32 = 5;
const WINDOW: Duration = Duration::from_secs(10);

/// Whether one more request of `client` is within its limit.
fn allow(counts: &Store<&'static str, u32>, client: &'static str) -> Result<bool, TtlError> {
    let mut allowed = true;
    counts.compute(client, |found| match found {
        // The first request opens the window; the others do not make it longer.
        None => Compute::PutWithTtl(1, Ttl::After(WINDOW)),
        Some(&count) if count < LIMIT => Compute::PutWithTtl(count + 1, Ttl::Keep),
        Some(_) => {
            allowed = false;
            Compute::Keep
        }
    })?;
    Ok(allowed)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new();
    let counts = Store::builder().clock(clock.clone()).build()?;
    for turn in 1..=7 {
        let allowed = allow(&counts, "alice")?;
        println!("alice, request {turn}: {}", if allowed { "welcome" } else { "too many" });
        assert_eq!(allowed, turn <= LIMIT);
    }
    assert!(allow(&counts, "bob")?, "each client has a limit of its own");

    clock.advance(WINDOW);
    assert!(allow(&counts, "alice")?, "a new window");

    // From however many threads: never one too many, never one too few.
    let welcome = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let allowed = allow(&counts, "carol").expect("the TTL is fine");
                    welcome.fetch_add(u32::from(allowed), Ordering::SeqCst);
                }
            });
        }
    });
    let welcome = welcome.into_inner();
    println!("carol, 40 requests on 4 threads: {welcome} welcome");
    assert_eq!(welcome, LIMIT);
    Ok(())
}
