//! How many gets a cache of a given size would have answered: traces of keys, played through one
//! policy after the other.
//!
//! Read-through and single-threaded: a get, and if it finds nothing, a put of that key. After each
//! access the cache does what it has put off (for moka: `run_pending_tasks`), so that a policy
//! which works in the background has seen every access before the next, as it would have at the
//! pace of a real service.

pub mod file;
pub mod policy;
pub mod synthetic;

pub use policy::Policy;

/// Keys in the order in which they are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What it is called in tables.
    pub name: String,
    /// The keys, by number.
    pub keys: Vec<u64>,
}

impl Trace {
    /// How many different keys it asks for.
    #[must_use]
    pub fn distinct(&self) -> usize {
        let mut keys = self.keys.clone();
        keys.sort_unstable();
        keys.dedup();
        keys.len()
    }
}

/// What came of one trace at one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The trace's name.
    pub trace: String,
    /// Gets that were played.
    pub accesses: usize,
    /// How many entries the caches could hold.
    pub entries: u64,
    /// The part of gets that was answered, in the order of the policies.
    pub ratios: Vec<f64>,
}

/// Plays `trace` through each of `policies` with room for `entries`.
///
/// # Errors
/// If a cache cannot be made; names the policy.
pub fn play(trace: &Trace, entries: u64, policies: &[Policy]) -> Result<Row, String> {
    let ratios = policies
        .iter()
        .map(|policy| {
            let hits = policy.hits(&trace.keys, entries);
            hits.map(|hits| share(hits, trace.keys.len())).map_err(|e| format!("{policy}: {e}"))
        })
        .collect::<Result<_, _>>()?;
    Ok(Row { trace: trace.name.clone(), accesses: trace.keys.len(), entries, ratios })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn share(hits: u64, accesses: usize) -> f64 {
    hits as f64 / accesses.max(1) as f64
}
