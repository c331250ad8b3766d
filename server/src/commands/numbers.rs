//! Commands that take values for numbers.

use rust_decimal::Decimal;

use super::{Call, Error, NO_FLOAT, NO_INTEGER, Outcome, integer, refused};
use crate::keyspace::{Change, Lifetime};
use crate::wire::parse_integer;

const OVERFLOW: &str = "ERR increment or decrement would overflow";

pub(super) fn incr(call: &mut Call<'_>) -> Outcome {
    add(call, 1, "incr")
}

pub(super) fn decr(call: &mut Call<'_>) -> Outcome {
    add(call, -1, "decr")
}

pub(super) fn incrby(call: &mut Call<'_>) -> Outcome {
    add(call, integer(call.args, 2)?, "incrby")
}

pub(super) fn decrby(call: &mut Call<'_>) -> Outcome {
    let less = integer(call.args, 2)?.checked_neg().ok_or("ERR decrement would overflow")?;
    add(call, less, "decrby")
}

fn sum(value: &[u8], more: i64) -> Result<i64, Error> {
    let before = parse_integer(value).ok_or(NO_INTEGER)?;
    before.checked_add(more).ok_or(Error::new(OVERFLOW))
}

/// A key without a value counts as zero.
fn add(call: &mut Call<'_>, more: i64, name: &str) -> Outcome {
    let key = &call.args[1];
    let added = call.keyspace().change(key, |found| {
        let after = match found.map_or(Ok(more), |value| sum(value, more)) {
            Ok(after) => after,
            Err(error) => return (Change::Keep, Err(error)),
        };
        let lifetime = if found.is_some() { Lifetime::Keep } else { Lifetime::Default };
        let digits = itoa::Buffer::new().format(after).as_bytes().to_vec();
        (Change::Put(digits, lifetime), Ok(after))
    });
    let after = added.map_err(|refusal| refused(refusal, name))??;
    call.reply.integer(after);
    Ok(())
}

pub(super) fn incrbyfloat(call: &mut Call<'_>) -> Outcome {
    let more = &call.args[2];
    let changed = call.keyspace().change(&call.args[1], |found| {
        let before = found.unwrap_or(b"0");
        match decimal_sum(before, more) {
            Ok(after) => {
                let lifetime = if found.is_some() { Lifetime::Keep } else { Lifetime::Default };
                (Change::Put(after.clone().into_bytes(), lifetime), Ok(after))
            }
            Err(error) => (Change::Keep, Err(error)),
        }
    });
    let after = changed.map_err(|refusal| refused(refusal, "incrbyfloat"))??;
    call.reply.bulk(after.as_bytes());
    Ok(())
}

/// The digits after the point that a sum is rounded to.
const FRACTION_DIGITS: u32 = 17;

/// The sum of two numbers with a fraction, without zeros at its end.
///
/// Exact for numbers of up to 28 digits, where Redis computes with 64 binary ones and is exact to
/// 17 or so; beyond them, with the 53 of a double.
fn decimal_sum(before: &[u8], more: &[u8]) -> Result<String, Error> {
    let (before, more) = (Number::parse(before)?, Number::parse(more)?);
    if let (Some(before), Some(more)) = (before.exact, more.exact)
        && let Some(sum) = before.checked_add(more)
    {
        let sum = sum.round_dp(FRACTION_DIGITS).normalize();
        return Ok(if sum.is_zero() { "0".to_owned() } else { sum.to_string() });
    }
    let sum = before.rough + more.rough;
    if !sum.is_finite() {
        return Err("ERR increment would produce NaN or Infinity".into());
    }
    let text = format!("{sum:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    Ok(if text == "-0" { "0" } else { text }.to_owned())
}

/// A number as text said it.
struct Number {
    /// To the last digit, if there are not too many.
    exact: Option<Decimal>,
    rough: f64,
}

impl Number {
    fn parse(text: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(text).map_err(|_| NO_FLOAT)?;
        let rough: f64 = text.parse().map_err(|_| NO_FLOAT)?;
        if rough.is_nan() {
            return Err(NO_FLOAT);
        }
        let plain = text.strip_prefix('+').unwrap_or(text);
        let exact = if plain.contains(['e', 'E']) {
            Decimal::from_scientific(plain).ok()
        } else {
            Decimal::from_str_exact(plain).ok()
        };
        Ok(Self { exact, rough })
    }
}
