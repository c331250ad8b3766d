//! Which commands there are.

use super::{
    Call, Outcome, expiry, introspection, keys, numbers, persistence, ranges, session, strings,
};
use crate::keyspace::Keyspace;
use crate::state::Shared;
use crate::wire::{Args, Reply};

/// How a command is carried out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Run {
    /// On the spot.
    Now(fn(&mut Call<'_>) -> Outcome),
    /// By looking at every pair.
    Walk(fn(&Keyspace, Args<'_>, &mut Reply) -> Outcome),
    /// By waiting for a disk.
    Disk(fn(&Shared, &mut Reply) -> Outcome),
}

/// What a command is, as COMMAND tells it.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) name: &'static str,
    /// How many words it takes, its name among them; at least so many if negative.
    pub(super) arity: i32,
    pub(super) flags: &'static [&'static str],
    /// Where its first key stands, its last (from the end if negative), and how far apart.
    pub(super) keys: (i32, i32, i32),
    pub(super) run: Run,
}

impl Command {
    /// Whether it can be given so many words.
    #[inline]
    pub(super) fn takes(&self, words: usize) -> bool {
        let words = i32::try_from(words).unwrap_or(i32::MAX);
        if self.arity < 0 { words >= -self.arity } else { words == self.arity }
    }

    /// Whether it may be carried out before the password was said.
    pub(super) fn is_for_all(&self) -> bool {
        self.flags.contains(&"no_auth")
    }
}

/// The command that goes by `name`, in whatever case.
#[inline]
pub(super) fn find(name: &[u8]) -> Option<&'static Command> {
    let letter = name.first()?.to_ascii_lowercase().checked_sub(b'a')?;
    let start = *STARTS.get(usize::from(letter))?;
    let end = *STARTS.get(usize::from(letter) + 1)?;
    let mut candidates = COMMANDS.get(start..end)?.iter();
    candidates.find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Where the names with each letter begin in [`COMMANDS`], and behind them where the last ones end.
static STARTS: [usize; 27] = {
    let (mut starts, mut place) = ([0; 27], 0);
    let mut letter = 0;
    while letter < 26 {
        while place < COMMANDS.len() && COMMANDS[place].name.as_bytes()[0] < b'a' + letter {
            place += 1;
        }
        starts[letter as usize] = place;
        letter += 1;
    }
    starts[26] = COMMANDS.len();
    starts
};

const fn now(
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    keys: (i32, i32, i32),
    run: fn(&mut Call<'_>) -> Outcome,
) -> Command {
    Command { name, arity, flags, keys, run: Run::Now(run) }
}

const fn walk(
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    run: fn(&Keyspace, Args<'_>, &mut Reply) -> Outcome,
) -> Command {
    Command { name, arity, flags, keys: NO_KEY, run: Run::Walk(run) }
}

const fn disk(
    name: &'static str,
    arity: i32,
    flags: &'static [&'static str],
    run: fn(&Shared, &mut Reply) -> Outcome,
) -> Command {
    Command { name, arity, flags, keys: NO_KEY, run: Run::Disk(run) }
}

const NO_KEY: (i32, i32, i32) = (0, 0, 0);
const ONE_KEY: (i32, i32, i32) = (1, 1, 1);
const ALL_KEYS: (i32, i32, i32) = (1, -1, 1);

const READ: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "denyoom", "fast"];
const CHANGE: &[&str] = &["write", "denyoom"];
const REMOVE: &[&str] = &["write", "fast"];
const SLOW: &[&str] = &["readonly"];
const ADMIN: &[&str] = &["noscript", "loading", "stale"];
const TIME: &[&str] = &["loading", "stale", "fast"];
const SAVE: &[&str] = &["admin", "noscript", "no_async_loading", "no_multi"];
const BGSAVE: &[&str] = &["admin", "noscript", "no_async_loading"];
const FAST: &[&str] = &["fast"];
const FOR_ALL: &[&str] = &["noscript", "loading", "stale", "fast", "no_auth"];

/// All commands, by name.
pub(super) static COMMANDS: &[Command] = &[
    now("append", 3, WRITE, ONE_KEY, strings::append),
    now("auth", -2, FOR_ALL, NO_KEY, session::auth),
    now("bgsave", -1, BGSAVE, NO_KEY, persistence::bgsave),
    now("client", -2, ADMIN, NO_KEY, session::client),
    now("command", -1, ADMIN, NO_KEY, introspection::command),
    now("config", -2, ADMIN, NO_KEY, introspection::config),
    now("dbsize", 1, READ, NO_KEY, keys::dbsize),
    now("decr", 2, WRITE, ONE_KEY, numbers::decr),
    now("decrby", 3, WRITE, ONE_KEY, numbers::decrby),
    now("del", -2, REMOVE, ALL_KEYS, keys::del),
    now("echo", 2, FAST, NO_KEY, session::echo),
    now("exists", -2, READ, ALL_KEYS, keys::exists),
    now("expire", -3, REMOVE, ONE_KEY, expiry::expire),
    now("expireat", -3, REMOVE, ONE_KEY, expiry::expireat),
    now("expiretime", 2, READ, ONE_KEY, expiry::expiretime),
    walk("flushall", -1, &["write"], keys::flush),
    walk("flushdb", -1, &["write"], keys::flush),
    now("function", -2, ADMIN, NO_KEY, introspection::function),
    now("get", 2, READ, ONE_KEY, strings::get),
    now("getdel", 2, REMOVE, ONE_KEY, strings::getdel),
    now("getex", -2, REMOVE, ONE_KEY, strings::getex),
    now("getrange", 4, SLOW, ONE_KEY, ranges::getrange),
    now("getset", 3, WRITE, ONE_KEY, strings::getset),
    now("hello", -1, FOR_ALL, NO_KEY, session::hello),
    now("incr", 2, WRITE, ONE_KEY, numbers::incr),
    now("incrby", 3, WRITE, ONE_KEY, numbers::incrby),
    now("incrbyfloat", 3, WRITE, ONE_KEY, numbers::incrbyfloat),
    now("info", -1, ADMIN, NO_KEY, introspection::info),
    walk("keys", 2, SLOW, keys::keys),
    now("lastsave", 1, &["loading", "stale", "fast"], NO_KEY, persistence::lastsave),
    now("mget", -2, READ, ALL_KEYS, strings::mget),
    now("mset", -3, WRITE, (1, -1, 2), strings::mset),
    now("persist", 2, REMOVE, ONE_KEY, expiry::persist),
    now("pexpire", -3, REMOVE, ONE_KEY, expiry::pexpire),
    now("pexpireat", -3, REMOVE, ONE_KEY, expiry::pexpireat),
    now("pexpiretime", 2, READ, ONE_KEY, expiry::pexpiretime),
    now("ping", -1, FAST, NO_KEY, session::ping),
    now("psetex", 4, WRITE, ONE_KEY, strings::psetex),
    now("pttl", 2, READ, ONE_KEY, expiry::pttl),
    now("quit", -1, FOR_ALL, NO_KEY, session::quit),
    walk("randomkey", 1, SLOW, keys::randomkey),
    disk("save", 1, SAVE, persistence::save),
    walk("scan", -2, SLOW, keys::scan),
    now("select", 2, FAST, NO_KEY, session::select),
    now("set", -3, WRITE, ONE_KEY, strings::set),
    now("setex", 4, WRITE, ONE_KEY, strings::setex),
    now("setnx", 3, WRITE, ONE_KEY, strings::setnx),
    now("setrange", 4, CHANGE, ONE_KEY, ranges::setrange),
    now("strlen", 2, READ, ONE_KEY, strings::strlen),
    now("substr", 4, SLOW, ONE_KEY, ranges::getrange),
    now("time", 1, TIME, NO_KEY, introspection::time),
    now("touch", -2, READ, ALL_KEYS, keys::touch),
    now("ttl", 2, READ, ONE_KEY, expiry::ttl),
    now("type", 2, READ, ONE_KEY, keys::kind),
    now("unlink", -2, REMOVE, ALL_KEYS, keys::del),
];

#[cfg(test)]
mod tests {
    use super::{COMMANDS, find};

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        for command in COMMANDS {
            for name in [command.name.to_owned(), command.name.to_ascii_uppercase()] {
                assert_eq!(find(name.as_bytes()).map(|found| found.name), Some(command.name));
            }
        }
        assert!(find(b"").is_none() && find(b"getx").is_none() && find(&[b'a'; 99]).is_none());
    }
}
