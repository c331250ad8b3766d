//! Requests without a socket: what arrives is carried out as on a connection. For tests and fuzzing.

use crate::commands::{self, Session};
use crate::keyspace::{Keyspace, OpenError, Settings};
use crate::state::{Limits, Shared};
use crate::wire::{Reply, RequestReader};

/// The most bytes of replies: what is made up should not fill the memory.
const OUTPUT: usize = 1 << 20;

/// What came of what was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interpreted {
    /// Requests that were whole.
    pub requests: usize,
    /// Bytes that belong to them.
    pub consumed: usize,
    /// Whether what followed them was no request.
    pub refused: bool,
}

/// Carries out `received`, which arrives in pieces of `piece` bytes, on a server of its own.
///
/// # Errors
/// [`OpenError`] if there is no server to be had.
pub fn interpret(received: &[u8], piece: usize) -> Result<Interpreted, OpenError> {
    let keyspace = Keyspace::new(Settings::default())?;
    let shared = Shared::new(keyspace, None, Limits::default(), 1);
    let mut session = Session::new(1, String::new(), &shared);
    let mut reader = RequestReader::new(shared.limits.request);
    let mut reply = Reply::new(OUTPUT, false);
    let mut done = Interpreted { requests: 0, consumed: 0, refused: false };
    let mut arrived = 0;
    loop {
        let input = &received[done.consumed..arrived];
        match reader.advance(input, session.is_trusted()) {
            Err(_) => {
                done.refused = true;
                return Ok(done);
            }
            Ok(None) if arrived == received.len() => return Ok(done),
            Ok(None) => arrived = received.len().min(arrived + piece.max(1)),
            Ok(Some(length)) => {
                let args = reader.args(input);
                if !args.is_empty() {
                    done.requests += 1;
                    if let Some(walk) = commands::run(&shared, &mut session, args, &mut reply) {
                        walk.run(&shared.keyspace, args, &mut reply);
                    }
                }
                reader.clear();
                reply.clear(OUTPUT);
                done.consumed += length;
                if session.is_closing() {
                    return Ok(done);
                }
            }
        }
    }
}
