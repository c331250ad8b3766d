//! Sessions that live for half an hour after they were last used.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::Duration;
use store::{ManualClock, RemovalCause, Store, Ttl, TtlError};

const IDLE: Duration = Duration::from_secs(30 * 60);
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq)]
struct Session {
    user: &'static str,
    requests: u32,
}

struct Sessions(Store<String, Session>);

impl Sessions {
    fn log_in(&self, token: &str, user: &'static str) {
        self.0.put(token.to_owned(), Session { user, requests: 0 });
    }

    /// Counts a request and starts the half hour anew; `None` if nobody is logged in.
    fn request(&self, token: &str) -> Result<Option<Session>, TtlError> {
        let session = self.0.update(token, |session| {
            session.requests += 1;
            session.clone()
        });
        // Between the two it may have expired or been logged out: then it stays so.
        let is_live = self.0.expire(token, Ttl::Default)?;
        Ok(session.filter(|_| is_live))
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::new();
    let sessions = Sessions(
        Store::builder()
            .default_ttl(IDLE)
            .clock(clock.clone())
            .on_removal(|token, session: &Session, cause| match cause {
                RemovalCause::Expired => println!("{}: {token} timed out", session.user),
                _ => println!("{}: {token} is gone: {cause:?}", session.user),
            })
            .build()?,
    );
    sessions.log_in("t1", "ada");
    sessions.log_in("t2", "bob");
    for requests in 1..=3 {
        clock.advance(MINUTE * 29);
        assert_eq!(sessions.request("t1")?, Some(Session { user: "ada", requests }));
    }
    // Bob has been idle for 87 minutes, Ada not at all.
    assert_eq!(sessions.request("t2")?, None);
    clock.advance(MINUTE * 30);
    assert_eq!(sessions.request("t1")?, None);
    sessions.log_in("t3", "ada");
    assert!(sessions.0.delete("t3").is_some(), "she logs out");
    Ok(())
}
