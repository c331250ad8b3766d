//! Checks a file as a whole and makes the model of it.

use std::collections::BTreeSet;

use toml::Spanned;

use super::error::Problem;
use super::file;
use super::model::{Capability, Case, KeyKind, Keyspace, Run, Ttl, TtlDist, ValueKind, Workload};
use super::resolve_commands as commands;
use super::slo::{self, Objective};
use super::units;

/// The smallest value that holds its own key, version, deadline and checksum.
const VALUE_LEN_MIN: i64 = 16;
const VALUE_LEN_MAX: i64 = 64 << 20;
const THREADS_MAX: i64 = 64;
const LIST_MAX: usize = 64;
/// An operation has 32 bits for its key.
const KEYS_MAX: u64 = u32::MAX as u64;

/// Whether the whole file is meant, or a hundredth of it (times: a tenth).
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) quick: bool,
}

impl Scale {
    /// Keys or operations; small counts stay as they are.
    pub(super) fn count(self, count: u64) -> u64 {
        if self.quick { (count / 100).max(1_000).min(count) } else { count }
    }

    pub(super) fn time_ns(self, ns: u64) -> u64 {
        if self.quick { ns.div_ceil(10) } else { ns }
    }
}

/// All cases of a file: one, or one for each point of its sweep.
pub(super) fn cases(file: &file::File, scale: Scale) -> Result<Vec<Case>, Problem> {
    if *file.schema.get_ref() != 1 {
        return Err(wrong(&file.schema, "this harness reads schema 1", "write 1"));
    }
    check_name(&file.name)?;
    let threads = positive_list(file.run.threads.as_ref(), 2, "threads", THREADS_MAX)?;
    let spaces = file.keyspace.get_ref();
    let swept: Vec<_> =
        spaces.values().filter(|space| space.get_ref().keys.get_ref().0.len() > 1).collect();
    if let [_, second, ..] = swept[..] {
        let keys = &second.get_ref().keys;
        return Err(wrong(keys, "a second list of keys", "sweep one key space at a time"));
    }
    let sizes = match swept.first() {
        Some(space) => key_counts(&space.get_ref().keys, scale)?,
        None => vec![0],
    };
    let mut cases = Vec::new();
    for keys in &sizes {
        for threads_now in &threads {
            let mut label = Vec::new();
            if sizes.len() > 1 {
                label.push(format!("keys={keys}"));
            }
            if threads.len() > 1 {
                label.push(format!("threads={threads_now}"));
            }
            let workload = workload(file, scale, *threads_now, *keys)?;
            let label = (!label.is_empty()).then(|| label.join(","));
            cases.push(Case { label, workload });
        }
    }
    Ok(cases)
}

fn workload(
    file: &file::File,
    scale: Scale,
    threads: u64,
    swept: u64,
) -> Result<Workload, Problem> {
    let keyspaces = keyspaces(file, scale, swept)?;
    let phases = commands::phases(&file.phase, &keyspaces, scale)?;
    let prefills = || {
        let spaces = file.keyspace.get_ref().values();
        spaces.filter_map(|space| space.get_ref().prefill.as_ref()).map(Spanned::get_ref)
    };
    let load_report = prefills().any(|prefill| prefill.report.unwrap_or(false));
    if phases.is_empty() && !load_report {
        let span = file.name.span();
        let remedy = "add a [[phase]], or report the load with prefill = { report = true }";
        return Err(Problem::new(span, "a workload without anything to report", remedy));
    }
    let mut load_slo = Vec::new();
    for prefill in prefills() {
        load_slo.extend(objectives(prefill.slo.as_ref())?);
    }
    let run = run(file, scale, threads, &keyspaces, &phases)?;
    let name = file.name.get_ref().clone();
    Ok(Workload { name, seed: file.seed, run, keyspaces, load_slo, load_report, phases })
}

fn run(
    file: &file::File,
    scale: Scale,
    threads: u64,
    keyspaces: &[Keyspace],
    phases: &[super::model::Phase],
) -> Result<Run, Problem> {
    let repeat = match &file.run.repeat {
        Some(repeat) => in_range(repeat, 1, 1_000, "repeats")?,
        None => 1,
    };
    let mut requires = Vec::new();
    for name in file.run.requires.iter().flatten() {
        match name.get_ref().as_str() {
            "ttl" => requires.push(Capability::Ttl),
            other => {
                return Err(wrong(name, format!("`{other}` is not a capability"), "write \"ttl\""));
            }
        }
    }
    // A file that gives TTLs needs them, whether it says so or not.
    let commands = phases.iter().flat_map(|phase| &phase.commands);
    let gives_ttl = keyspaces.iter().any(|space| space.ttl.is_some())
        || commands.into_iter().any(|command| command.ttl.is_some());
    if gives_ttl && requires.is_empty() {
        requires.push(Capability::Ttl);
    }
    let targets = file.run.targets.as_ref().map(Spanned::get_ref).into_iter().flatten();
    Ok(Run {
        threads: usize::try_from(threads).unwrap_or(usize::MAX),
        repeat: if scale.quick { 1 } else { u32::try_from(repeat).unwrap_or(u32::MAX) },
        time_every: time_every(file.run.timing.as_ref())?,
        preallocate: file.run.preallocate.unwrap_or(true),
        targets: targets.map(|target| target.get_ref().clone()).collect(),
        requires,
    })
}

fn time_every(timing: Option<&Spanned<file::Timing>>) -> Result<u32, Problem> {
    let Some(timing) = timing.map(Spanned::get_ref) else { return Ok(64) };
    match (timing.mode.get_ref().as_str(), &timing.every) {
        ("all", None) => Ok(1),
        ("all", Some(every)) => Err(wrong(every, "mode \"all\" times every one", "remove it")),
        ("sampled", None) => Ok(64),
        ("sampled", Some(every)) => {
            let every = in_range(every, 1, 1_000_000, "operations a sample")?;
            Ok(u32::try_from(every).unwrap_or(u32::MAX))
        }
        (other, _) => {
            let what = format!("`{other}` is not a timing mode");
            Err(wrong(&timing.mode, what, "write \"all\" or \"sampled\""))
        }
    }
}

fn keyspaces(file: &file::File, scale: Scale, swept: u64) -> Result<Vec<Keyspace>, Problem> {
    let spaces = file.keyspace.get_ref();
    if spaces.is_empty() {
        let what = "a workload without keys";
        return Err(wrong(&file.keyspace, what, "add a [keyspace.NAME]"));
    }
    let mut made: Vec<Keyspace> = Vec::new();
    let mut first: u64 = 0;
    for (name, raw) in spaces {
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

fn value_kind(raw: &Spanned<file::Value>) -> Result<ValueKind, Problem> {
    let remedy = "write { kind = \"u64\" } or { sizes = [[100, 1]], fill = \"verify\" }";
    let value = raw.get_ref();
    if let Some(fill) = &value.fill
        && fill.get_ref() != "verify"
    {
        return Err(wrong(fill, "not a way to fill values", "write \"verify\""));
    }
    match (value.kind.as_ref().map(|kind| kind.get_ref().as_str()), &value.sizes) {
        (Some("u64"), None) => Ok(ValueKind::U64),
        (None, Some(sizes)) => {
            let list = sizes.get_ref();
            let pairs = list.iter().map(size_and_weight).collect::<Result<Vec<_>, _>>()?;
            if pairs.len() > LIST_MAX || pairs.iter().all(|(_, weight)| *weight == 0) {
                let remedy = "write 1 to 64 [bytes, weight] pairs, e.g. [[100, 1]]";
                return Err(wrong(sizes, "no sizes, too many, or weights of zero", remedy));
            }
            Ok(ValueKind::Bytes { sizes: pairs })
        }
        _ => Err(wrong(raw, "not a kind of value", remedy)),
    }
}

fn size_and_weight(pair: &Spanned<(i64, i64)>) -> Result<(u32, u32), Problem> {
    let (bytes, weight) = *pair.get_ref();
    if !(VALUE_LEN_MIN..=VALUE_LEN_MAX).contains(&bytes) {
        let what = format!("{bytes} bytes cannot be verified");
        let remedy = format!("write {VALUE_LEN_MIN} (what the check needs) to {VALUE_LEN_MAX}");
        return Err(wrong(pair, what, remedy));
    }
    let weight = u32::try_from(weight)
        .map_err(|_| wrong(pair, format!("a weight of {weight}"), "write 0 or more"))?;
    Ok((u32::try_from(bytes).unwrap_or(u32::MAX), weight))
}

/// A TTL; only a key space's own may be a cliff, since its moment counts from the load.
pub(super) fn ttl(
    raw: &Spanned<file::Ttl>,
    cliff_allowed: bool,
    scale: Scale,
) -> Result<Ttl, Problem> {
    let remedy = "write dist = \"fixed\" with after, \"uniform\" with min and max, or \"cliff\" \
                  (of a key space) with at";
    let ttl = raw.get_ref();
    let time = |text: &Spanned<String>| {
        let ns = units::parse_duration_ns(text.get_ref())
            .map_err(|complaint| bad_unit(text, complaint))?;
        if ns == 0 {
            Err(wrong(text, "a TTL of zero", "write 1ms or more"))
        } else {
            Ok(scale.time_ns(ns))
        }
    };
    let dist = match (ttl.dist.get_ref().as_str(), &ttl.min, &ttl.max, &ttl.after, &ttl.at) {
        ("fixed", None, None, Some(after), None) => TtlDist::Fixed { after_ns: time(after)? },
        ("uniform", Some(min), Some(max), None, None) => {
            let (min_ns, max_ns) = (time(min)?, time(max)?);
            if min_ns > max_ns {
                return Err(wrong(min, "min is above max", "swap them"));
            }
            TtlDist::Uniform { min_ns, max_ns }
        }
        ("cliff", None, None, None, Some(at)) if cliff_allowed => {
            TtlDist::Cliff { at_ns: time(at)? }
        }
        _ => return Err(wrong(&ttl.dist, "not a distribution with its own keys", remedy)),
    };
    Ok(Ttl { share: share(ttl.share.as_ref(), 1.0)?, dist })
}

pub(super) fn objectives(slo: Option<&file::Slo>) -> Result<Vec<Objective>, Problem> {
    let mut objectives = Vec::new();
    for (subject, texts) in slo.into_iter().flatten() {
        for text in texts {
            let parsed = slo::parse(subject.get_ref(), text.get_ref());
            objectives.push(parsed.map_err(|(what, remedy)| {
                // An unknown subject is the key's fault, anything else the text's.
                let known = slo::is_subject(subject.get_ref());
                let span = if known { text.span() } else { subject.span() };
                Problem::new(span, what, remedy)
            })?);
        }
    }
    Ok(objectives)
}

fn check_name(name: &Spanned<String>) -> Result<(), Problem> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
        let remedy = "use a-z, 0-9, _ and -: it becomes a folder";
        return Err(wrong(name, "not a name for a workload", remedy));
    }
    Ok(())
}

fn key_counts(keys: &Spanned<file::OneOrMany>, scale: Scale) -> Result<Vec<u64>, Problem> {
    let most = i64::try_from(KEYS_MAX).unwrap_or(i64::MAX);
    let counts = positive_list(Some(keys), 1, "keys", most)?;
    Ok(counts.into_iter().map(|count| scale.count(count)).collect())
}

fn positive_list(
    list: Option<&Spanned<file::OneOrMany>>,
    default: u64,
    noun: &str,
    most: i64,
) -> Result<Vec<u64>, Problem> {
    let Some(list) = list else { return Ok(vec![default]) };
    let numbers = &list.get_ref().0;
    let distinct: BTreeSet<_> = numbers.iter().collect();
    if numbers.is_empty() || distinct.len() < numbers.len() {
        return Err(wrong(list, format!("no {noun}, or the same twice"), "list each once"));
    }
    numbers
        .iter()
        .map(|number| match u64::try_from(*number) {
            Ok(positive) if (1..=most).contains(number) => Ok(positive),
            _ if *number < 1 => Err(wrong(list, format!("{number} {noun}"), "write 1 or more")),
            _ => Err(wrong(list, format!("{number} {noun}"), format!("write {most} or less"))),
        })
        .collect()
}

pub(super) fn in_range(
    number: &Spanned<i64>,
    least: i64,
    most: i64,
    noun: &str,
) -> Result<u64, Problem> {
    let value = *number.get_ref();
    match u64::try_from(value) {
        Ok(fine) if (least..=most).contains(&value) => Ok(fine),
        _ if value < least => {
            Err(wrong(number, format!("{value} {noun}"), format!("write {least} or more")))
        }
        _ => Err(wrong(number, format!("{value} {noun}"), format!("write {most} or less"))),
    }
}

/// A probability.
pub(super) fn share(number: Option<&Spanned<f64>>, default: f64) -> Result<f64, Problem> {
    match number {
        None => Ok(default),
        Some(number) if (0.0..=1.0).contains(number.get_ref()) => Ok(*number.get_ref()),
        Some(number) => {
            Err(wrong(number, format!("{} is not a share", number.get_ref()), "write 0.0 to 1.0"))
        }
    }
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

/// What a parser of units says already holds the remedy, after a semicolon.
pub(super) fn bad_unit<T>(place: &Spanned<T>, complaint: String) -> Problem {
    match complaint.split_once("; ") {
        Some((what, remedy)) => wrong(place, what, remedy),
        None => wrong(place, complaint, "give it a unit"),
    }
}

pub(super) fn wrong<T>(
    place: &Spanned<T>,
    what: impl Into<String>,
    remedy: impl Into<String>,
) -> Problem {
    Problem::new(place.span(), what, remedy)
}
