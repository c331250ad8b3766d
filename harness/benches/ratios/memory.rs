//! Bytes an entry: what a process has resident after a load, less what it had before it, over the
//! entries held. Each map has a process of its own.

use harness::compare::goal::Goal;
use harness::environment::process;
use harness::target::scc::SccTarget;
use harness::target::store::StoreTarget;
use harness::target::{Key, Options, Payload, Target};
use harness::workload::units;

use crate::Session;
use crate::child;
use crate::pairs::{self, HOUR, Numbered};
use crate::row::{Row, Unit};

/// Maps whose memory is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Numbers,
    NumbersTtl,
    NumbersBounded,
    NumbersScc,
    Texts,
    TextsScc,
    Together,
    TogetherTtl,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Numbers,
        Self::NumbersTtl,
        Self::NumbersBounded,
        Self::NumbersScc,
        Self::Texts,
        Self::TextsScc,
        Self::Together,
        Self::TogetherTtl,
    ];

    /// What a process is asked for by.
    const fn job(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::NumbersTtl => "numbers_ttl",
            Self::NumbersBounded => "numbers_bounded",
            Self::NumbersScc => "numbers_scc",
            Self::Texts => "texts",
            Self::TextsScc => "texts_scc",
            Self::Together => "together",
            Self::TogetherTtl => "together_ttl",
        }
    }
}

pub(crate) fn rows(session: &Session) -> Result<Vec<Row>, String> {
    let measured = |kind: Kind| {
        session.tell(&format!("memory: {}", kind.job()));
        let figures = child::figures(kind.job(), session.keys, &[], &[])?;
        figures.first().copied().ok_or_else(|| format!("{}: no figure", kind.job()))
    };
    let bare = measured(Kind::NumbersScc)?;
    let mut rows = Vec::new();
    for (kind, what, limit) in [
        (Kind::Numbers, "no TTL, no bound", 46.0),
        (Kind::NumbersTtl, "TTL on each", 62.0),
        (Kind::NumbersBounded, "bounded (S3-FIFO)", 64.0),
    ] {
        let what = format!("bytes an entry, u64 -> u64, {what}");
        let row = Row::judged(what, Unit::Bytes, Goal::AtMost(limit), &[measured(kind)?])?;
        rows.push(row.aside(format!("scc {bare:.1} B")));
    }
    let [own, their] = [measured(Kind::Texts)?, measured(Kind::TextsScc)?];
    let what = "bytes an entry, 36-byte key -> 35 to 100 bytes, boxed: over scc".to_owned();
    let row = Row::judged(what, Unit::Ratio, Goal::AtMost(1.08), &[own / their])?;
    rows.push(row.aside(format!("{own:.1} B, scc {their:.1} B")));
    for (kind, what, limit) in
        [(Kind::Together, "no TTL", 145.0), (Kind::TogetherTtl, "TTL on each", 165.0)]
    {
        let what = format!("bytes an entry, 36-byte key -> 35 to 100 bytes, ByteStore, {what}");
        let row = Row::judged(what, Unit::Bytes, Goal::AtMost(limit), &[measured(kind)?])?;
        rows.push(row.aside(format!("scc with boxes {their:.1} B")));
    }
    Ok(rows)
}

/// Measures the map that `job` names, in this process.
pub(crate) fn measure(job: &str, keys: u64) -> Result<f64, String> {
    let kind = Kind::ALL.into_iter().find(|kind| kind.job() == job);
    let (roomy, bounded) = (pairs::roomy(keys), pairs::bounded(keys));
    match kind.ok_or_else(|| format!("`{job}` is nothing to measure"))? {
        Kind::Numbers => bytes::<u64, u64, StoreTarget<_, _>>(&roomy, keys, false),
        Kind::NumbersTtl => bytes::<u64, u64, StoreTarget<_, _>>(&roomy, keys, true),
        Kind::NumbersBounded => bytes::<u64, u64, StoreTarget<_, _>>(&bounded, keys, false),
        Kind::NumbersScc => bytes::<u64, u64, SccTarget<_, _>>(&roomy, keys, false),
        Kind::Texts => bytes::<Box<str>, Box<[u8]>, StoreTarget<_, _>>(&roomy, keys, false),
        Kind::TextsScc => bytes::<Box<str>, Box<[u8]>, SccTarget<_, _>>(&roomy, keys, false),
        Kind::Together => together(keys, false),
        Kind::TogetherTtl => together(keys, true),
    }
}

/// Memory that is resident, in bytes.
pub(crate) fn resident() -> Result<u64, String> {
    let bytes = process::rss_bytes_exact();
    bytes.ok_or_else(|| "this system does not tell a process's memory (there is no /proc)".into())
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a machine are below 2^53")]
fn together(keys: u64, gives_ttl: bool) -> Result<f64, String> {
    let before = resident()?;
    let options = Options { gives_ttl, ..pairs::roomy(keys) };
    let store = crate::bytes::filled(&options, keys)?;
    let after = resident()?;
    let entries = store.len();
    std::mem::forget(store);
    Ok(after.saturating_sub(before) as f64 / entries as f64)
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a machine are below 2^53")]
fn bytes<K, V, T>(options: &Options, keys: u64, gives_ttl: bool) -> Result<f64, String>
where
    K: Key + Numbered,
    V: Payload + Numbered,
    T: Target<K, V>,
{
    let before = resident()?;
    let mut target: T = pairs::filled(options, keys, gives_ttl.then_some(HOUR))?;
    let after = resident()?;
    let entries = target.entries().unwrap_or(0);
    // Some of a bounded map's shards are full before others.
    if entries < keys / 100 * 99 {
        return Err(format!("of {} pairs {entries} are held", units::show_count(keys)));
    }
    // The process ends soon: to free them one by one would only take time.
    std::mem::forget(target);
    Ok(after.saturating_sub(before) as f64 / entries as f64)
}
