//! Checks what a file says about its values.

use toml::Spanned;

use super::{Problem, file, wrong};
use crate::workload::model::{SizeDist, ValueKind};
use crate::workload::sizes;

const VALUE_LEN_MIN: i64 = sizes::VALUE_LEN_MIN as i64;
const VALUE_LEN_MAX: i64 = 64 << 20;
const LIST_MAX: usize = 64;

pub(super) fn value_kind(raw: &Spanned<file::Value>) -> Result<ValueKind, Problem> {
    let remedy = "write { kind = \"u64\" } or { sizes = [[100, 1]], fill = \"verify\" }";
    let value = raw.get_ref();
    if let Some(fill) = &value.fill
        && fill.get_ref() != "verify"
    {
        return Err(wrong(fill, "not a way to fill values", "write \"verify\""));
    }
    match (value.kind.as_ref().map(|kind| kind.get_ref().as_str()), &value.sizes) {
        (Some("u64"), None) => Ok(ValueKind::U64),
        (None, Some(sizes)) => match sizes.get_ref() {
            file::Sizes::Law(raw) => Ok(ValueKind::Drawn { sizes: law(raw)? }),
            file::Sizes::List(list) if list.first().is_some_and(|one| one.get_ref().len() == 3) => {
                buckets(sizes, list)
            }
            file::Sizes::List(list) => pairs(sizes, list),
        },
        _ => Err(wrong(raw, "not a kind of value", remedy)),
    }
}

fn pairs(place: &Spanned<file::Sizes>, list: &[Spanned<Vec<i64>>]) -> Result<ValueKind, Problem> {
    let pair = |item: &Spanned<Vec<i64>>| {
        let [bytes, weight] = item.get_ref()[..] else {
            let remedy = "write [bytes, weight], e.g. [100, 1], or in all [from, to, weight]";
            return Err(wrong(item, "not a size and its weight", remedy));
        };
        Ok((length(item, bytes)?, weight_of(item, weight)?))
    };
    let sizes = list.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    if sizes.len() > LIST_MAX || sizes.iter().all(|(_, weight)| *weight == 0) {
        let remedy = "write 1 to 64 [bytes, weight] pairs, e.g. [[100, 1]]";
        return Err(wrong(place, "no sizes, too many, or weights of zero", remedy));
    }
    Ok(ValueKind::Bytes { sizes })
}

fn buckets(place: &Spanned<file::Sizes>, list: &[Spanned<Vec<i64>>]) -> Result<ValueKind, Problem> {
    let bucket = |item: &Spanned<Vec<i64>>| match item.get_ref()[..] {
        [from, to, _] if from > to => Err(wrong(item, "from is above to", "swap them")),
        [from, to, weight] => {
            Ok((length(item, from)?, length(item, to)?, weight_of(item, weight)?))
        }
        _ => {
            let remedy = "write [from, to, weight], e.g. [16, 64, 1], or in all [bytes, weight]";
            Err(wrong(item, "not a range of sizes and its weight", remedy))
        }
    };
    let buckets = list.iter().map(bucket).collect::<Result<Vec<_>, _>>()?;
    if buckets.len() > LIST_MAX || buckets.iter().all(|(_, _, weight)| *weight == 0) {
        let remedy = "write 1 to 64 [from, to, weight] buckets, e.g. [[16, 64, 1]]";
        return Err(wrong(place, "no sizes, too many, or weights of zero", remedy));
    }
    Ok(ValueKind::Drawn { sizes: SizeDist::Histogram { buckets } })
}

fn law(raw: &file::SizeLaw) -> Result<SizeDist, Problem> {
    let length = |number: &Spanned<i64>| length(number, *number.get_ref());
    let keys = [&raw.median, &raw.p99, &raw.min, &raw.max].map(Option::as_ref);
    match (raw.dist.get_ref().as_str(), keys) {
        ("lognormal", [Some(median), Some(p99), None, Some(max)]) => {
            if p99.get_ref() <= median.get_ref() {
                let remedy = "write a p99 above the median, or sizes = [[bytes, 1]]";
                return Err(wrong(p99, "p99 is not above the median", remedy));
            }
            if max.get_ref() < p99.get_ref() {
                return Err(wrong(
                    max,
                    "max is below p99",
                    "raise it: longer values are cut to it",
                ));
            }
            Ok(SizeDist::Lognormal {
                median: length(median)?,
                p99: length(p99)?,
                max: length(max)?,
            })
        }
        ("uniform", [None, None, Some(min), Some(max)]) => {
            if min.get_ref() > max.get_ref() {
                return Err(wrong(min, "min is above max", "swap them"));
            }
            Ok(SizeDist::Uniform { min: length(min)?, max: length(max)? })
        }
        _ => {
            let remedy = "write dist = \"lognormal\" with median, p99 and max, or \"uniform\" with \
                          min and max";
            Err(wrong(&raw.dist, "not a distribution with its own keys", remedy))
        }
    }
}

fn length<T>(place: &Spanned<T>, bytes: i64) -> Result<u32, Problem> {
    if !(VALUE_LEN_MIN..=VALUE_LEN_MAX).contains(&bytes) {
        let what = format!("{bytes} bytes cannot be verified");
        let remedy = format!("write {VALUE_LEN_MIN} (what the check needs) to {VALUE_LEN_MAX}");
        return Err(wrong(place, what, remedy));
    }
    Ok(u32::try_from(bytes).unwrap_or(u32::MAX))
}

fn weight_of<T>(place: &Spanned<T>, weight: i64) -> Result<u32, Problem> {
    u32::try_from(weight)
        .map_err(|_| wrong(place, format!("a weight of {weight}"), "write 0 or more"))
}
