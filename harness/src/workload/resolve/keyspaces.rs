//! Checks the key spaces of a file and makes the model of them.

use toml::Spanned;

use super::values::value_kind;
use super::{Problem, Scale, bad_unit, file, in_range, positive_list, share, wrong};
use crate::workload::model::{KeyKind, Keyspace, Ttl, TtlDist, ValueKind};
use crate::workload::units;

/// An operation has 32 bits for its key.
const KEYS_MAX: u64 = u32::MAX as u64;
/// An operation has 6 bits for its command, and the load has one for each key space.
const SPACES_MAX: usize = 64;

pub(super) fn keyspaces(
    file: &file::File,
    scale: Scale,
    swept: u64,
) -> Result<Vec<Keyspace>, Problem> {
    let spaces = file.keyspace.get_ref();
    if spaces.is_empty() {
        let what = "a workload without keys";
        return Err(wrong(&file.keyspace, what, "add a [keyspace.NAME]"));
    }
    let mut made: Vec<Keyspace> = Vec::new();
    let mut first: u64 = 0;
    for (name, raw) in spaces {
        if made.len() == SPACES_MAX {
            let what = format!("{} key spaces", spaces.len());
            let remedy = format!("write {SPACES_MAX} or less, each with more keys");
            return Err(wrong(raw, what, remedy));
        }
        let keys = &raw.get_ref().keys;
        let count = match keys.get_ref().0.len() {
            1 => key_counts(keys, scale)?[0],
            _ => swept,
        };
        let absent = (count / 16).clamp(1_000, 1_000_000);
        if first + count + absent > KEYS_MAX {
            let what = format!("more than {} keys in all", units::show_count(KEYS_MAX));
            return Err(wrong(keys, what, "lower it"));
        }
        let space = keyspace(name, raw.get_ref(), [first, count, absent], scale)?;
        if let Some(other) = made.first()
            && ((other.key == KeyKind::U64) != (space.key == KeyKind::U64)
                || (other.value == ValueKind::U64) != (space.value == ValueKind::U64))
        {
            let what = format!("keys or values of another type than in `{}`", other.name);
            let remedy = "use u64 for the same part in all key spaces of a file, or in none";
            return Err(wrong(&raw.get_ref().key, what, remedy));
        }
        first += count + absent;
        made.push(space);
    }
    Ok(made)
}

fn keyspace(
    name: &str,
    raw: &file::Keyspace,
    [first, keys, absent]: [u64; 3],
    scale: Scale,
) -> Result<Keyspace, Problem> {
    let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let (mut loaded, mut shuffled) = (0, true);
    if let Some(prefill) = raw.prefill.as_ref().map(Spanned::get_ref) {
        let fraction = share(prefill.fraction.as_ref(), 1.0)?;
        loaded = portion(keys, fraction);
        if let Some(order) = &prefill.order {
            shuffled = match order.get_ref().as_str() {
                "shuffled" => true,
                "sequential" => false,
                other => {
                    let what = format!("`{other}` is not an order");
                    return Err(wrong(order, what, "write \"shuffled\" or \"sequential\""));
                }
            };
        }
    }
    Ok(Keyspace {
        name: name.to_owned(),
        first: narrow(first),
        keys: narrow(keys),
        absent: narrow(absent),
        key: key_kind(&raw.key, first + keys + absent)?,
        value: value_kind(&raw.value)?,
        ttl: raw.ttl.as_ref().map(|raw| ttl(raw, true, scale)).transpose()?,
        loaded: narrow(loaded),
        shuffled,
    })
}

fn key_kind(raw: &Spanned<file::Key>, numbers: u64) -> Result<KeyKind, Problem> {
    let remedy =
        "write { kind = \"uuid\" }, { kind = \"u64\" } or { len = 16, prefix = \"user:\" }";
    let key = raw.get_ref();
    match (key.kind.as_ref().map(|kind| kind.get_ref().as_str()), &key.len, &key.prefix) {
        (Some("uuid"), None, None) => Ok(KeyKind::Uuid),
        (Some("u64"), None, None) => Ok(KeyKind::U64),
        (None, Some(len), prefix) => {
            let prefix = prefix.as_ref().map_or("", |prefix| prefix.get_ref().as_str());
            let digits = numbers.to_string().len();
            let least = i64::try_from(prefix.len() + digits).unwrap_or(i64::MAX);
            let len = in_range(len, least, 1 << 16, "bytes of a key with this prefix and count")?;
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            Ok(KeyKind::Text { len, prefix: prefix.to_owned() })
        }
        _ => Err(wrong(raw, "not a kind of key", remedy)),
    }
}

/// A TTL; only a key space's own may be a cliff, since its moment counts from the load.
pub(super) fn ttl(
    raw: &Spanned<file::Ttl>,
    cliff_allowed: bool,
    scale: Scale,
) -> Result<Ttl, Problem> {
    let remedy = "write dist = \"fixed\" with after, \"uniform\" with min and max, \"exponential\" \
                  with mean, or \"cliff\" (of a key space) with at";
    let ttl = raw.get_ref();
    let times = [&ttl.min, &ttl.max, &ttl.after, &ttl.mean, &ttl.at];
    let dist = match (ttl.dist.get_ref().as_str(), times.map(Option::as_ref)) {
        ("fixed", [None, None, Some(after), None, None]) => {
            TtlDist::Fixed { after_ns: time(after, scale)? }
        }
        ("uniform", [Some(min), Some(max), None, None, None]) => {
            let (min_ns, max_ns) = (time(min, scale)?, time(max, scale)?);
            if min_ns > max_ns {
                return Err(wrong(min, "min is above max", "swap them"));
            }
            TtlDist::Uniform { min_ns, max_ns }
        }
        ("exponential", [None, None, None, Some(mean), None]) => {
            TtlDist::Exponential { mean_ns: time(mean, scale)? }
        }
        ("cliff", [None, None, None, None, Some(at)]) if cliff_allowed => {
            TtlDist::Cliff { at_ns: time(at, scale)? }
        }
        _ => return Err(wrong(&ttl.dist, "not a distribution with its own keys", remedy)),
    };
    Ok(Ttl { share: share(ttl.share.as_ref(), 1.0)?, dist })
}

fn time(text: &Spanned<String>, scale: Scale) -> Result<u64, Problem> {
    match units::parse_duration_ns(text.get_ref()) {
        Ok(0) => Err(wrong(text, "a TTL of zero", "write 1ms or more")),
        Ok(ns) => Ok(scale.time_ns(ns)),
        Err(complaint) => Err(bad_unit(text, complaint)),
    }
}

pub(super) fn key_counts(
    keys: &Spanned<file::OneOrMany>,
    scale: Scale,
) -> Result<Vec<u64>, Problem> {
    let most = i64::try_from(KEYS_MAX).unwrap_or(i64::MAX);
    let counts = positive_list(Some(keys), 1, "keys", most)?;
    Ok(counts.into_iter().map(|count| scale.count(count)).collect())
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "key counts are below 2^32 and the fraction is within 0..=1"
)]
fn portion(count: u64, fraction: f64) -> u64 {
    (count as f64 * fraction).round() as u64
}
