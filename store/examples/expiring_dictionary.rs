//! A dictionary whose entries go by themselves: each with a TTL of its own, or the default one.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;
use store::{ManualClock, Store, Ttl};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // Time by hand, so that this takes no time; leave `clock` out for the system's.
    let clock = ManualClock::new();
    let dictionary = Store::<String, &str>::builder()
        .default_ttl(Duration::from_secs(60))
        .clock(clock.clone())
        .build()?;

    dictionary.put("host".to_owned(), "10.0.0.7");
    dictionary.put_with_ttl("code".to_owned(), "4711", Ttl::After(Duration::from_secs(30)))?;
    dictionary.put_with_ttl("name".to_owned(), "Ada", Ttl::Never)?;
    let show = |when: &str| {
        let found = dictionary.get_many(["host", "code", "name"]);
        println!("{when:>10}: host, code, name = {found:?}");
        found
    };
    assert_eq!(show("at once"), [Some("10.0.0.7"), Some("4711"), Some("Ada")]);

    clock.advance(Duration::from_secs(30));
    assert_eq!(show("after 30 s"), [Some("10.0.0.7"), None, Some("Ada")]);
    assert_eq!(dictionary.ttl("host"), Some(Ttl::After(Duration::from_secs(30))));

    // A new value with the old deadline, and an old value with a new one.
    dictionary.put_with_ttl("host".to_owned(), "10.0.0.8", Ttl::Keep)?;
    assert!(dictionary.expire("name", Ttl::After(Duration::from_secs(45)))?);
    clock.advance(Duration::from_secs(30));
    assert_eq!(show("after 60 s"), [None, None, Some("Ada")]);

    // Whether looked for or not, the dead take no room for long; `clean` does it now.
    clock.advance(Duration::from_secs(15));
    dictionary.clean();
    assert!(dictionary.is_empty());
    println!("after 75 s: empty");
    Ok(())
}
