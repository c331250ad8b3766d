//! Requests without a socket, and snapshots without a file: what arrives is carried out as on a
//! connection, or read as at the start. For tests and fuzzing.

use crate::commands::{self, Session};
use crate::keyspace::{Keyspace, OpenError, Settings};
use crate::snapshot::{self, Contents, ReadError};
use crate::state::{Limits, Shared};
use crate::wire::{Reply, RequestReader};

/// The most bytes of replies, and of a value: what is made up should not fill the memory.
const MOST: usize = 1 << 20;

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
    let mut limits = Limits::default();
    limits.request.bulk = MOST;
    let shared = Shared::new(keyspace, None, limits, 1);
    let mut session = Session::new(1, String::new(), &shared);
    let mut reader = RequestReader::new(shared.limits.request);
    let mut reply = Reply::new(MOST, false);
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
                        walk.run(&shared, args, &mut reply);
                    }
                }
                reader.clear();
                reply.clear(MOST);
                done.consumed += length;
                if session.is_closing() {
                    return Ok(done);
                }
            }
        }
    }
}

/// Reads `bytes` as a snapshot, for a server of its own.
///
/// # Errors
/// [`OpenError`] if there is no server to be had; within, why this is no whole snapshot.
pub fn read_snapshot(bytes: &[u8]) -> Result<Result<Contents, ReadError>, OpenError> {
    let keyspace = Keyspace::new(Settings::default())?;
    Ok(snapshot::load_bytes(bytes, &keyspace))
}

/// A snapshot that holds `text`, whatever that is.
///
/// # Errors
/// Those of zstd, which has no reason for any.
pub fn packed(text: &[u8]) -> std::io::Result<Vec<u8>> {
    snapshot::pack(text)
}
