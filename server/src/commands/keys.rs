//! Commands about keys whatever their values.

use std::hash::{BuildHasher, RandomState};

use super::glob;
use super::{Call, NO_INTEGER, Outcome, SYNTAX, refused};
use crate::keyspace::Keyspace;
use crate::wire::{Args, Reply};

/// DEL and UNLINK: memory is given back at once in either.
pub(super) fn del(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.from(1);
    let deleted = keys.iter().filter(|key| call.keyspace().remove(key)).count();
    call.reply.count(deleted);
    Ok(())
}

pub(super) fn exists(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.from(1);
    let there = keys.iter().filter(|key| call.keyspace().contains(key)).count();
    call.reply.count(there);
    Ok(())
}

/// TOUCH: uses each key, so that it is evicted later.
pub(super) fn touch(call: &mut Call<'_>) -> Outcome {
    let mut there = 0;
    for key in call.args.from(1).iter() {
        let found = call.keyspace().read(key, |_| ());
        let found = found.map_err(|refusal| refused(refusal, "touch"))?;
        there += usize::from(found.is_some());
    }
    call.reply.count(there);
    Ok(())
}

pub(super) fn kind(call: &mut Call<'_>) -> Outcome {
    let there = call.keyspace().contains(&call.args[1]);
    call.reply.simple(if there { "string" } else { "none" });
    Ok(())
}

pub(super) fn dbsize(call: &mut Call<'_>) -> Outcome {
    let held = call.keyspace().len();
    call.reply.count(held);
    Ok(())
}

/// FLUSHDB and FLUSHALL: done when answered, also where ASYNC was said.
pub(super) fn flush(keyspace: &Keyspace, args: Args<'_>, reply: &mut Reply) -> Outcome {
    if args.len() > 2 || (args.len() == 2 && !args.is(1, "async") && !args.is(1, "sync")) {
        return Err(SYNTAX);
    }
    keyspace.purge();
    reply.ok();
    Ok(())
}

/// Writes `keys` as a list.
fn list(keys: &[Box<[u8]>], reply: &mut Reply) {
    reply.array(keys.len());
    for key in keys {
        reply.bulk(key);
    }
}

/// KEYS: looks at every pair.
pub(super) fn keys(keyspace: &Keyspace, args: Args<'_>, reply: &mut Reply) -> Outcome {
    let (pattern, mut found) = (&args[1], Vec::new());
    let mut bytes = 0;
    keyspace.for_each_key(|key| {
        // What a reply has no room for need not be held either.
        if bytes <= reply.limit() && glob::matches(pattern, key) {
            bytes += key.len();
            found.push(key.into());
        }
    });
    list(&found, reply);
    Ok(())
}

/// RANDOMKEY: any key with the same chance. Looks at every pair.
pub(super) fn randomkey(keyspace: &Keyspace, _: Args<'_>, reply: &mut Reply) -> Outcome {
    // The smallest of the keys' hashes under a hasher that is new each time.
    let hasher = RandomState::new();
    let mut smallest: Option<(u64, Box<[u8]>)> = None;
    keyspace.for_each_key(|key| {
        let hash = hasher.hash_one(key);
        if smallest.as_ref().is_none_or(|(least, _)| hash < *least) {
            smallest = Some((hash, key.into()));
        }
    });
    match smallest {
        Some((_, key)) => reply.bulk(&key),
        None => reply.null(),
    }
    Ok(())
}

/// The options of SCAN.
struct ScanOptions<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    /// Whether values of the kind that was asked for can be there.
    kind_exists: bool,
}

impl<'a> ScanOptions<'a> {
    fn parse(args: Args<'a>) -> Result<Self, super::Error> {
        let mut options = Self { pattern: None, count: 10, kind_exists: true };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let argument = words.next().ok_or(SYNTAX)?;
            match word.to_ascii_lowercase().as_slice() {
                b"match" => options.pattern = Some(argument),
                b"count" => {
                    let count = crate::wire::parse_integer(argument).ok_or(NO_INTEGER)?;
                    options.count = usize::try_from(count).map_err(|_| SYNTAX)?;
                    if count < 1 {
                        return Err(SYNTAX);
                    }
                }
                b"type" => options.kind_exists = argument.eq_ignore_ascii_case(b"string"),
                _ => return Err(SYNTAX),
            }
        }
        Ok(options)
    }
}

/// SCAN: see [`Keyspace::scan`] for what it promises.
pub(super) fn scan(keyspace: &Keyspace, args: Args<'_>, reply: &mut Reply) -> Outcome {
    let cursor = match std::str::from_utf8(&args[1]) {
        // As C reads numbers.
        Ok("") => Some(0),
        text => text.ok().and_then(|text| text.parse::<u64>().ok()),
    };
    let cursor = cursor.ok_or("ERR invalid cursor")?;
    let options = ScanOptions::parse(args.from(2))?;
    let (next, mut keys) = keyspace.scan(cursor, options.count);
    if let Some(pattern) = options.pattern {
        keys.retain(|key| glob::matches(pattern, key));
    }
    if !options.kind_exists {
        keys.clear();
    }
    reply.array(2);
    let mut digits = itoa::Buffer::new();
    reply.bulk(digits.format(next).as_bytes());
    list(&keys, reply);
    Ok(())
}
