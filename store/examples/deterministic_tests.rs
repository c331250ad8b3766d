//! How to test code that expires: with a clock moved by hand there is nothing to sleep for, and
//! nothing that passes on one machine and fails on another.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;
use store::{Builder, ManualClock, Store, Sweeper};

/// The code under test: a pass that can be used until it is five minutes old.
struct Passes(Store<u32, &'static str>);

impl Passes {
    /// Takes a builder, so that a test can bring its own clock and sweep when it likes.
    fn new(builder: Builder<u32, &'static str>) -> Result<Self, Box<dyn Error>> {
        Ok(Self(builder.default_ttl(Duration::from_secs(300)).build()?))
    }

    fn issue(&self, number: u32, holder: &'static str) {
        self.0.put(number, holder);
    }

    fn holder(&self, number: u32) -> Option<&'static str> {
        self.0.get(&number)
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new();
    let builder = Store::builder().clock(clock.clone()).sweeper(Sweeper::Manual);
    let passes = Passes::new(builder)?;
    passes.issue(1, "ada");

    // To the millisecond: there until the last one, gone at the first after.
    clock.advance(Duration::from_millis(299_999));
    assert_eq!(passes.holder(1), Some("ada"));
    println!("4:59.999  the pass is good");
    clock.advance(Duration::from_millis(1));
    assert_eq!(passes.holder(1), None);
    println!("5:00.000  it is not");

    // Nobody sweeps behind the test's back, so counts can be asserted, too.
    (0..100).for_each(|number| passes.issue(number, "bob"));
    clock.advance(Duration::from_secs(365 * 24 * 3600));
    assert_eq!((passes.0.len(), passes.0.live_len()), (100, 0));
    assert_eq!(passes.0.clean(), 100);
    assert_eq!(passes.0.stats().expired_by_sweeper, 100);
    println!("a year on 100 passes were reclaimed, in no time");
    Ok(())
}
