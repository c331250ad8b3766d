//! What commands do: from the words of a request to a reply.
//!
//! Replies and errors are those of Redis 7, to the byte where it is deterministic; `tests/` asks
//! both. Each command on one key is one atomic step on it.

#![expect(clippy::unnecessary_wraps, reason = "the functions of the table are of one type")]

mod deadline;
mod expiry;
mod glob;
mod introspection;
mod keys;
mod numbers;
mod persistence;
mod ranges;
mod session;
mod strings;
mod table;

use std::borrow::Cow;

use crate::keyspace::{Keyspace, Refused};
use crate::state::Shared;
use crate::wire::{Args, Reply};

pub(crate) use session::Session;
use table::{Command, Run};

/// The release of Redis whose behaviour is followed, as clients ask for it.
pub(crate) const REDIS_VERSION: &str = "7.0.15";

/// What a command is carried out with.
struct Call<'c> {
    /// The words of the request; their number fits the command's arity.
    args: Args<'c>,
    shared: &'c Shared,
    session: &'c mut Session,
    reply: &'c mut Reply,
}

impl Call<'_> {
    fn keyspace(&self) -> &Keyspace {
        &self.shared.keyspace
    }
}

/// Why a command was not carried out: the reply, beginning with its kind.
#[derive(Debug, Clone)]
struct Error(Cow<'static, [u8]>);

impl Error {
    const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// A complaint about a word, which is shown as C shows a text: up to a NUL.
    fn about(before: &str, word: &[u8], after: &str) -> Self {
        let word = up_to_nul(word);
        Self([before.as_bytes(), word, after.as_bytes()].concat().into())
    }
}

impl From<&'static str> for Error {
    fn from(text: &'static str) -> Self {
        Self::new(text)
    }
}

/// What carries out a command: replies, or says why not.
type Outcome = Result<(), Error>;

const SYNTAX: Error = Error::new("ERR syntax error");
const NO_INTEGER: Error = Error::new("ERR value is not an integer or out of range");
const NO_FLOAT: Error = Error::new("ERR value is not a valid float");
const TOO_LONG: Error = Error::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
const NO_DISK: Error = Error::new("ERR the disk with the values failed; see the server's log");
const NO_ROOM: Error = Error::new("OOM command not allowed when the disk with the values is full.");
const NO_MEMORY: Error = Error::new("OOM command not allowed when used memory > 'maxmemory'.");

/// The complaint about a command that was given too few or too many words.
fn wrong_arity(name: &str) -> Error {
    Error::about("ERR wrong number of arguments for '", name.as_bytes(), "' command")
}

/// The complaint about a deadline that is no time, or too far away.
fn bad_deadline(name: &str) -> Error {
    Error::about("ERR invalid expire time in '", name.as_bytes(), "' command")
}

/// The complaint about what the keyspace refused of command `name`.
fn refused(refusal: Refused, name: &str) -> Error {
    match refusal {
        Refused::TooFar => bad_deadline(name),
        Refused::TooHeavy => NO_MEMORY,
        Refused::DiskFailed => NO_DISK,
        Refused::DiskFull => NO_ROOM,
    }
}

/// What is left to do of a request that was not carried out on the spot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk(Later);

#[derive(Debug, Clone, Copy)]
enum Later {
    /// To look at every pair.
    Pairs(fn(&Keyspace, Args<'_>, &mut Reply) -> Outcome),
    /// To wait for a disk.
    Disk(fn(&Shared, &mut Reply) -> Outcome),
}

impl Walk {
    /// Whether it is soon done where there are no more than `few` pairs; if not, it should be done
    /// where nobody waits for the thread.
    pub(crate) fn is_short(self, shared: &Shared, few: usize) -> bool {
        matches!(self.0, Later::Pairs(_)) && shared.keyspace.len() <= few
    }

    /// Carries it out.
    pub(crate) fn run(self, shared: &Shared, args: Args<'_>, reply: &mut Reply) {
        let outcome = match self.0 {
            Later::Pairs(walk) => walk(&shared.keyspace, args, reply),
            Later::Disk(wait) => wait(shared, reply),
        };
        if let Err(error) = outcome {
            reply.error(&error.0);
        }
    }
}

/// Carries out the request in `args`, or returns what is to be done where it takes long. The reply
/// is added to `reply`.
pub(crate) fn run(
    shared: &Shared,
    session: &mut Session,
    args: Args<'_>,
    reply: &mut Reply,
) -> Option<Walk> {
    if is_other_protocol(args) {
        session.close();
        return None;
    }
    let outcome = match find(args) {
        Ok(command) if session.may(command) => match command.run {
            Run::Now(run) => run(&mut Call { args, shared, session, reply }),
            Run::Walk(walk) => return Some(Walk(Later::Pairs(walk))),
            Run::Disk(wait) => return Some(Walk(Later::Disk(wait))),
        },
        Ok(_) => Err(Error::new("NOAUTH Authentication required.")),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        reply.error(&error.0);
    }
    None
}

/// Whether a browser was made to send this: a page could have it post commands in a form's text.
/// As in Redis, it is hung up on.
fn is_other_protocol(args: Args<'_>) -> bool {
    args.get(0).is_some_and(|name| {
        name.first().is_some_and(|first| matches!(first, b'p' | b'P' | b'h' | b'H'))
            && (args.is(0, "post") || args.is(0, "host:"))
    })
}

/// The command that `args` name and have the right number of words for, or the complaint.
fn find(args: Args<'_>) -> Result<&'static Command, Error> {
    let name = args.get(0).unwrap_or_default();
    let Some(command) = table::find(name) else { return Err(unknown(args)) };
    if !command.takes(args.len()) {
        return Err(wrong_arity(command.name));
    }
    Ok(command)
}

fn up_to_nul(word: &[u8]) -> &[u8] {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    &word[..end]
}

/// The complaint about a command that is not known: it shows the beginning of what was said.
fn unknown(args: Args<'_>) -> Error {
    const SHOWN: usize = 128;
    let shown = |word: &[u8], most: usize| {
        let text = up_to_nul(word);
        text[..text.len().min(most)].to_vec()
    };
    let mut words = Vec::new();
    for word in args.from(1).iter() {
        if words.len() >= SHOWN {
            break;
        }
        let most = SHOWN - words.len();
        words.push(b'\'');
        words.extend(shown(word, most));
        words.extend(b"' ");
    }
    let mut complaint = b"ERR unknown command '".to_vec();
    complaint.extend(shown(args.get(0).unwrap_or_default(), SHOWN));
    complaint.extend(b"', with args beginning with: ");
    complaint.extend(words);
    Error(complaint.into())
}

/// The word at `position` as a whole number.
fn integer(args: Args<'_>, position: usize) -> Result<i64, Error> {
    args.get(position).and_then(crate::wire::parse_integer).ok_or(NO_INTEGER)
}
