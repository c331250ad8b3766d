//! Commands on parts of values.

use std::ops::Range;

use super::{Call, Outcome, TOO_LONG, integer, refused};
use crate::keyspace::{Change, Lifetime};

/// Where the part from `first` to `last` lies in a value of `length` bytes; positions below zero
/// count from its end.
fn part(first: i64, last: i64, length: usize) -> Range<usize> {
    if first < 0 && last < 0 && first > last {
        return 0..0;
    }
    let length_i64 = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |position: i64| {
        let from_start = if position < 0 { length_i64.saturating_add(position) } else { position };
        usize::try_from(from_start.max(0)).unwrap_or(usize::MAX)
    };
    let end = place(last).saturating_add(1).min(length);
    place(first).min(end)..end
}

/// GETRANGE, and SUBSTR, as it was once called.
pub(super) fn getrange(call: &mut Call<'_>) -> Outcome {
    let (first, last) = (integer(call.args, 2)?, integer(call.args, 3)?);
    let reply = &mut *call.reply;
    let show = |value: &[u8]| reply.bulk(&value[part(first, last, value.len())]);
    let found = call.shared.keyspace.read(&call.args[1], show);
    if found.map_err(|refusal| refused(refusal, "getrange"))?.is_none() {
        call.reply.bulk(b"");
    }
    Ok(())
}

/// SETRANGE: what lies between the value's end and the offset becomes zeros.
pub(super) fn setrange(call: &mut Call<'_>) -> Outcome {
    let (key, part) = (&call.args[1], &call.args[3]);
    let offset = integer(call.args, 2)?;
    let offset = u64::try_from(offset).map_err(|_| "ERR offset is out of range")?;
    let most = call.shared.limits.request.bulk;
    // An offset that does not fit is too far in any case.
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = offset.saturating_add(part.len());
    // No more is allocated than can be stored.
    let room = call.keyspace().room(key);
    let changed = call.keyspace().change(key, |found| {
        let before = found.unwrap_or_default();
        if part.is_empty() {
            return (Change::Keep, Ok(before.len()));
        }
        if end > most {
            return (Change::Keep, Err(TOO_LONG));
        }
        if end > room {
            return (Change::Keep, Err(super::NO_MEMORY));
        }
        let mut value = Vec::with_capacity(end.max(before.len()));
        value.extend_from_slice(before);
        value.resize(end.max(before.len()), 0);
        value[offset..end].copy_from_slice(part);
        let length = value.len();
        let lifetime = if found.is_some() { Lifetime::Keep } else { Lifetime::Default };
        (Change::Put(value, lifetime), Ok(length))
    });
    let length = changed.map_err(|refusal| refused(refusal, "setrange"))??;
    call.reply.count(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_part_lies_within_the_value_whatever_is_asked() {
        let ends = [i64::MIN, i64::MIN + 1, -6, -5, -1, 0, 1, 4, 5, i64::MAX - 1, i64::MAX];
        for length in [0, 1, 5] {
            for first in ends {
                for last in ends {
                    let part = part(first, last, length);
                    assert!(part.start <= part.end && part.end <= length, "{first} {last}");
                }
            }
        }
        assert_eq!(part(0, -1, 5), 0..5);
        assert_eq!(part(-3, -2, 5), 2..4);
        assert_eq!(part(-1, -5, 5), 0..0);
        assert!(part(-5, -9, 5).is_empty());
    }
}
