//! Commands about when values end.

use super::deadline::Unit;
use super::{Call, Error, Outcome, refused};
use crate::keyspace::{End, Lifetime};
use crate::wire::Args;

/// On what an EXPIRE depends.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
struct Only {
    without: bool,
    with: bool,
    later: bool,
    sooner: bool,
}

impl Only {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut only = Self::default();
        for word in args.iter() {
            match word.to_ascii_lowercase().as_slice() {
                b"nx" => only.without = true,
                b"xx" => only.with = true,
                b"gt" => only.later = true,
                b"lt" => only.sooner = true,
                _ => return Err(Error::about("ERR Unsupported option ", word, "")),
            }
        }
        if only.without && (only.with || only.later || only.sooner) {
            let complaint = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(complaint.into());
        }
        if only.later && only.sooner {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(only)
    }

    fn is_any(self) -> bool {
        !(self.without || self.with || self.later || self.sooner)
    }

    /// Whether a value that ends at `now_ms`, or never, may be made to end at `wanted_ms`.
    fn allows(self, now_ms: Option<i64>, wanted_ms: i64) -> bool {
        match now_ms {
            None => !self.with && !self.later,
            Some(now_ms) => {
                !(self.without
                    || self.later && wanted_ms <= now_ms
                    || self.sooner && wanted_ms >= now_ms)
            }
        }
    }
}

fn expire_as(call: &mut Call<'_>, unit: Unit, name: &str) -> Outcome {
    let key = &call.args[1];
    let only = Only::parse(call.args.from(3))?;
    let deadline_ms = unit.any(&call.args[2], call.keyspace(), name)?;
    let changed = if only.is_any() {
        call.keyspace().expire(key, deadline_ms)
    } else {
        let changed = call.keyspace().change_lifetime(key, |found| {
            let is_allowed = only.allows(found.deadline_ms, deadline_ms);
            (if is_allowed { Lifetime::Until(deadline_ms) } else { Lifetime::Keep }, is_allowed)
        });
        changed.map(|changed| changed == Some(true))
    };
    let changed = changed.map_err(|refusal| refused(refusal, name))?;
    call.reply.integer(i64::from(changed));
    Ok(())
}

pub(super) fn expire(call: &mut Call<'_>) -> Outcome {
    expire_as(call, Unit::EX, "expire")
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Outcome {
    expire_as(call, Unit::PX, "pexpire")
}

pub(super) fn expireat(call: &mut Call<'_>) -> Outcome {
    expire_as(call, Unit::EXAT, "expireat")
}

pub(super) fn pexpireat(call: &mut Call<'_>) -> Outcome {
    expire_as(call, Unit::PXAT, "pexpireat")
}

pub(super) fn persist(call: &mut Call<'_>) -> Outcome {
    let persisted = call.keyspace().persist(&call.args[1]);
    call.reply.integer(i64::from(persisted));
    Ok(())
}

/// A time in milliseconds, -1 for never, -2 for a key without a value.
fn time(end: End) -> i64 {
    match end {
        End::NoValue => -2,
        End::Never => -1,
        End::Ms(time_ms) => time_ms,
    }
}

/// The same in seconds.
fn seconds(time_ms: i64) -> i64 {
    if time_ms < 0 { time_ms } else { time_ms.saturating_add(500) / 1_000 }
}

pub(super) fn pttl(call: &mut Call<'_>) -> Outcome {
    let left_ms = time(call.keyspace().remaining_ms(&call.args[1]));
    call.reply.integer(left_ms);
    Ok(())
}

pub(super) fn ttl(call: &mut Call<'_>) -> Outcome {
    let left_ms = time(call.keyspace().remaining_ms(&call.args[1]));
    call.reply.integer(seconds(left_ms));
    Ok(())
}

pub(super) fn pexpiretime(call: &mut Call<'_>) -> Outcome {
    let deadline_ms = time(call.keyspace().deadline_ms(&call.args[1]));
    call.reply.integer(deadline_ms);
    Ok(())
}

pub(super) fn expiretime(call: &mut Call<'_>) -> Outcome {
    let deadline_ms = time(call.keyspace().deadline_ms(&call.args[1]));
    call.reply.integer(seconds(deadline_ms));
    Ok(())
}
