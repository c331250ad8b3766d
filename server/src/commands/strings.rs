//! Commands that read and write whole values.

use super::deadline::Unit;
use super::{Call, Error, NO_MEMORY, Outcome, SYNTAX, TOO_LONG, refused, wrong_arity};
use crate::keyspace::{Change, Lifetime};
use crate::wire::{Args, Reply};

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let reply = &mut *call.reply;
    let found = call.shared.keyspace.read(&call.args[1], |value| reply.bulk(value));
    if found.map_err(|refusal| refused(refusal, "get"))?.is_none() {
        reply.null();
    }
    Ok(())
}

pub(super) fn mget(call: &mut Call<'_>) -> Outcome {
    let keys = call.args.from(1);
    let before = call.reply.mark();
    call.reply.array(keys.len());
    for key in keys.iter() {
        let reply = &mut *call.reply;
        match call.shared.keyspace.read(key, |value| reply.bulk(value)) {
            Ok(Some(())) => {}
            Ok(None) => reply.null(),
            Err(refusal) => {
                reply.take_back(before);
                return Err(refused(refusal, "mget"));
            }
        }
    }
    Ok(())
}

pub(super) fn strlen(call: &mut Call<'_>) -> Outcome {
    let length = call.keyspace().read(&call.args[1], <[u8]>::len);
    let length = length.map_err(|refusal| refused(refusal, "strlen"))?;
    call.reply.count(length.unwrap_or(0));
    Ok(())
}

/// Which keys a SET may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    Any,
    Absent,
    Present,
}

/// The options of SET, or of GETEX.
struct Options<'a> {
    only: Only,
    get: bool,
    keep: bool,
    persist: bool,
    expire: Option<(Unit, &'a [u8])>,
}

impl<'a> Options<'a> {
    /// Reads the options from `args`; those of SET, or those of GETEX.
    fn parse(args: Args<'a>, set: bool) -> Result<Self, Error> {
        let mut options =
            Self { only: Only::Any, get: false, keep: false, persist: false, expire: None };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            // The same unit twice is taken, and the last time said counts.
            let may_expire = |unit: &Unit| {
                let other = options.expire.is_some_and(|(said, _)| said != *unit);
                !options.keep && !options.persist && !other
            };
            if set && is("nx") && options.only != Only::Present {
                options.only = Only::Absent;
            } else if set && is("xx") && options.only != Only::Absent {
                options.only = Only::Present;
            } else if set && is("get") {
                options.get = true;
            } else if set && is("keepttl") && !options.persist && options.expire.is_none() {
                options.keep = true;
            } else if !set && is("persist") && !options.keep && options.expire.is_none() {
                options.persist = true;
            } else if let Some(unit) = Unit::named(word).filter(may_expire) {
                options.expire = Some((unit, words.next().ok_or(SYNTAX)?));
            } else {
                return Err(SYNTAX);
            }
        }
        Ok(options)
    }
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let (key, value) = (&call.args[1], &call.args[2]);
    if call.args.len() == 3 {
        let put = call.keyspace().put(key, value, Lifetime::Default);
        put.map_err(|refusal| refused(refusal, "set"))?;
        call.reply.ok();
        return Ok(());
    }
    let options = Options::parse(call.args.from(3), true)?;
    let lifetime = match options.expire {
        Some((unit, text)) => Lifetime::Until(unit.positive(text, call.keyspace(), "set")?),
        None if options.keep => Lifetime::Keep,
        None => Lifetime::Default,
    };
    if options.only == Only::Any && !options.get {
        let put = call.keyspace().put(key, value, lifetime);
        put.map_err(|refusal| refused(refusal, "set"))?;
        call.reply.ok();
        return Ok(());
    }
    let decide = |found: Option<&[u8]>| {
        let stored = match options.only {
            Only::Any => true,
            Only::Absent => found.is_none(),
            Only::Present => found.is_some(),
        };
        let former = found.filter(|_| options.get).map(<[u8]>::to_vec);
        let change = if stored { Change::Put(value.to_vec(), lifetime) } else { Change::Keep };
        (change, (stored, former))
    };
    let changed = call.keyspace().change(key, decide);
    let (stored, former) = changed.map_err(|refusal| refused(refusal, "set"))?;
    match former {
        Some(former) => call.reply.bulk(&former),
        None if options.get || !stored => call.reply.null(),
        None => call.reply.ok(),
    }
    Ok(())
}

/// SETEX and PSETEX.
fn set_for(call: &mut Call<'_>, unit: Unit, name: &str) -> Outcome {
    let deadline_ms = unit.positive(&call.args[2], call.keyspace(), name)?;
    let put = call.keyspace().put(&call.args[1], &call.args[3], Lifetime::Until(deadline_ms));
    put.map_err(|refusal| refused(refusal, name))?;
    call.reply.ok();
    Ok(())
}

pub(super) fn setex(call: &mut Call<'_>) -> Outcome {
    set_for(call, Unit::EX, "setex")
}

pub(super) fn psetex(call: &mut Call<'_>) -> Outcome {
    set_for(call, Unit::PX, "psetex")
}

pub(super) fn setnx(call: &mut Call<'_>) -> Outcome {
    let (key, value) = (&call.args[1], &call.args[2]);
    let changed = call.keyspace().change(key, |found| match found {
        Some(_) => (Change::Keep, 0),
        None => (Change::Put(value.to_vec(), Lifetime::Default), 1),
    });
    let stored = changed.map_err(|refusal| refused(refusal, "setnx"))?;
    call.reply.integer(stored);
    Ok(())
}

/// A value that was there, or nothing.
fn maybe(reply: &mut Reply, value: Option<&[u8]>) {
    match value {
        Some(value) => reply.bulk(value),
        None => reply.null(),
    }
}

pub(super) fn getset(call: &mut Call<'_>) -> Outcome {
    let (key, value) = (&call.args[1], &call.args[2]);
    let changed = call.keyspace().change(key, |found| {
        let former = found.map(<[u8]>::to_vec);
        (Change::Put(value.to_vec(), Lifetime::Default), former)
    });
    let former = changed.map_err(|refusal| refused(refusal, "getset"))?;
    maybe(call.reply, former.as_deref());
    Ok(())
}

pub(super) fn getdel(call: &mut Call<'_>) -> Outcome {
    let former = call.keyspace().delete(&call.args[1]);
    let former = former.map_err(|refusal| refused(refusal, "getdel"))?;
    maybe(call.reply, former.as_deref());
    Ok(())
}

pub(super) fn getex(call: &mut Call<'_>) -> Outcome {
    let options = Options::parse(call.args.from(2), false)?;
    if options.expire.is_none() && !options.persist {
        return get(call);
    }
    // A bad time is of interest only where there is a value.
    let deadline = options.expire.map(|(unit, text)| unit.positive(text, call.keyspace(), "getex"));
    let changed = call.keyspace().change_lifetime(&call.args[1], |found| {
        let value = found.value.to_vec();
        match deadline {
            Some(Err(error)) => (Lifetime::Keep, Err(error)),
            Some(Ok(deadline_ms)) => (Lifetime::Until(deadline_ms), Ok(value)),
            None => (Lifetime::Never, Ok(value)),
        }
    });
    let value = changed.map_err(|refusal| refused(refusal, "getex"))?.transpose()?;
    maybe(call.reply, value.as_deref());
    Ok(())
}

/// Each pair is stored in a step of its own: another client may see some of them before others.
pub(super) fn mset(call: &mut Call<'_>) -> Outcome {
    let words = call.args.from(1);
    if words.len() % 2 == 1 {
        return Err(wrong_arity("mset"));
    }
    let pairs = || {
        let mut words = words.iter();
        std::iter::from_fn(move || words.next().zip(words.next()))
    };
    // All of them or none, at least of what can be known beforehand.
    if pairs().any(|(key, value)| value.len() > call.keyspace().room(key)) {
        return Err(NO_MEMORY);
    }
    for (key, value) in pairs() {
        let put = call.keyspace().put(key, value, Lifetime::Default);
        put.map_err(|refusal| refused(refusal, "mset"))?;
    }
    call.reply.ok();
    Ok(())
}

pub(super) fn append(call: &mut Call<'_>) -> Outcome {
    let (key, more) = (&call.args[1], &call.args[2]);
    let most = call.shared.limits.request.bulk;
    let changed = call.keyspace().change(key, |found| {
        let Some(found) = found else {
            return (Change::Put(more.to_vec(), Lifetime::Default), Some(more.len()));
        };
        let length = found.len() + more.len();
        if length > most {
            return (Change::Keep, None);
        }
        let mut value = Vec::with_capacity(length);
        value.extend_from_slice(found);
        value.extend_from_slice(more);
        (Change::Put(value, Lifetime::Keep), Some(length))
    });
    let length = changed.map_err(|refusal| refused(refusal, "append"))?.ok_or(TOO_LONG)?;
    call.reply.count(length);
    Ok(())
}
