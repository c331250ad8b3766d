//! What is in a trace, in figures.

use std::collections::{BTreeMap, HashMap, HashSet};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::reader::{Damage, End, Reader, Torn};
use super::{Life, Record, Verb};

/// Points of the course.
const COURSE_POINTS: usize = 60;
/// The course is first gathered in steps of so many nanoseconds, and then joined.
const STEP_NS: u64 = 1_000_000;
/// Steps to hold at most; they are made longer as needed.
const STEPS_MAX: u64 = 4_096;
/// A slope of fewer keys than this says nothing.
const SLOPE_KEYS_MIN: usize = 100;

/// All that `trace info` tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// When recording began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// From the first call's beginning to the last one's.
    pub seconds: f64,
    /// Calls in the trace.
    pub calls: u64,
    /// Calls that were lost while recording.
    pub lost: u64,
    /// What is damaged, if the trace is and was read all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The hash over what was recorded.
    pub sha256: String,
    /// Threads that called.
    pub threads: usize,
    /// Calls by verb.
    pub verbs: BTreeMap<&'static str, u64>,
    /// Different keys.
    pub keys: usize,
    /// Keys that had a value when they were first heard of: they were there before, or put
    /// meanwhile by a call that began later and ended sooner.
    pub keys_before: usize,
    /// How unevenly keys are asked for.
    pub popularity: Popularity,
    /// The part of reads that found a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hit_ratio: Option<f64>,
    /// Bytes of keys, over calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_bytes: Option<Percentiles>,
    /// Bytes of values, over calls that wrote or returned one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_bytes: Option<Percentiles>,
    /// TTLs that were given, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_us: Option<Percentiles>,
    /// The part of writes that gave a TTL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_share: Option<f64>,
    /// Calls in equal parts of the time.
    pub course: Course,
}

/// How unevenly keys are asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Popularity {
    /// The part of calls on the most popular hundredth of the keys.
    pub top_1_percent: f64,
    /// The part of calls on the most popular tenth.
    pub top_10_percent: f64,
    /// The part of calls on the most popular key.
    pub top_key: f64,
    /// The exponent of the Zipf law that comes nearest, by least squares over the logarithms of
    /// ranks and counts; `None` of too few keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipf_slope: Option<f64>,
}

/// A distribution in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// How many there are.
    pub count: u64,
    /// The smallest.
    pub min: u64,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub p50: u64,
    /// The 90th percentile.
    pub p90: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

/// Calls over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Course {
    /// The length of each part.
    pub seconds: f64,
    /// Calls in it.
    pub calls: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Key {
    calls: u64,
    first_ns: u64,
    hit: bool,
}

struct Gathered {
    verbs: BTreeMap<&'static str, u64>,
    threads: HashSet<u32>,
    keys: HashMap<u64, Key, foldhash::fast::FixedState>,
    key_bytes: Spread,
    value_bytes: Spread,
    ttl_us: Spread,
    reads: u64,
    hits: u64,
    writes: u64,
    from_ns: u64,
    until_ns: u64,
    steps: Steps,
}

/// Calls in steps of time, which double in length when there are too many.
struct Steps {
    step_ns: u64,
    calls: Vec<u64>,
}

impl Summary {
    /// Reads a trace.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read<R: std::io::Read>(reader: Reader<R>) -> Result<Self, Damage> {
        let mut gathered = Gathered::new();
        let end = reader.for_each(|record| gathered.add(record))?;
        Ok(gathered.summary(end))
    }

    /// Reads a trace from its file.
    ///
    /// # Errors
    /// What is wrong with it; names it.
    pub fn of_file(path: &std::path::Path, torn: Torn) -> Result<Self, String> {
        let reader = Reader::open(path, torn)?;
        Self::read(reader).map_err(|damage| format!("{}: {damage}", path.display()))
    }
}

impl Gathered {
    fn new() -> Self {
        Self {
            verbs: BTreeMap::new(),
            threads: HashSet::new(),
            keys: HashMap::default(),
            key_bytes: Spread::new(),
            value_bytes: Spread::new(),
            ttl_us: Spread::new(),
            reads: 0,
            hits: 0,
            writes: 0,
            from_ns: u64::MAX,
            until_ns: 0,
            steps: Steps { step_ns: STEP_NS, calls: Vec::new() },
        }
    }

    fn add(&mut self, record: &Record) {
        *self.verbs.entry(record.verb.name()).or_default() += 1;
        self.threads.insert(record.thread);
        let first = Key { calls: 0, first_ns: record.at_ns, hit: record.hit };
        let key = self.keys.entry(record.key).or_insert(first);
        if record.at_ns < key.first_ns {
            (key.first_ns, key.hit) = (record.at_ns, record.hit);
        }
        key.calls += 1;
        self.key_bytes.add(u64::from(record.key_len));
        if let Some(len) = record.value_len {
            self.value_bytes.add(u64::from(len));
        }
        // A get-or-put that found a value gave no TTL, though it would have.
        let writes = record.verb.writes() && !(record.verb == Verb::GetOrPut && record.hit);
        self.writes += u64::from(writes);
        if let Life::After(ttl_us) = record.life
            && writes
        {
            self.ttl_us.add(ttl_us);
        }
        if record.verb.reads() {
            self.reads += 1;
            self.hits += u64::from(record.hit);
        }
        self.from_ns = self.from_ns.min(record.at_ns);
        self.until_ns = self.until_ns.max(record.at_ns);
        self.steps.add(record.at_ns);
    }

    fn summary(self, end: End) -> Summary {
        let span_ns = self.until_ns.saturating_sub(self.from_ns);
        Summary {
            started_unix_ms: end.started_unix_ms,
            seconds: float(span_ns) / 1e9,
            calls: end.records,
            lost: end.lost,
            damage: end.damage.map(|damage| damage.to_string()),
            sha256: end.sha256,
            threads: self.threads.len(),
            verbs: self.verbs,
            keys: self.keys.len(),
            keys_before: self.keys.values().filter(|key| key.hit).count(),
            popularity: popularity(self.keys.values().map(|key| key.calls).collect()),
            hit_ratio: (self.reads > 0).then(|| float(self.hits) / float(self.reads)),
            key_bytes: self.key_bytes.percentiles(),
            value_bytes: self.value_bytes.percentiles(),
            ttl_share: (self.writes > 0)
                .then(|| float(self.ttl_us.values.len()) / float(self.writes)),
            ttl_us: self.ttl_us.percentiles(),
            course: self.steps.course(self.from_ns, self.until_ns),
        }
    }
}

impl Steps {
    fn add(&mut self, at_ns: u64) {
        while at_ns / self.step_ns >= STEPS_MAX {
            self.calls = self.calls.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.step_ns = self.step_ns.saturating_mul(2);
        }
        let number = usize::try_from(at_ns / self.step_ns).unwrap_or(0);
        if self.calls.len() <= number {
            self.calls.resize(number + 1, 0);
        }
        self.calls[number] += 1;
    }

    /// Joined to few points, from the first call's step to the last one's.
    fn course(self, from_ns: u64, until_ns: u64) -> Course {
        let number = |at_ns: u64| usize::try_from(at_ns / self.step_ns).unwrap_or(0);
        let Some(calls) = self.calls.get(number(from_ns)..=number(until_ns)) else {
            return Course::default();
        };
        let joined = calls.len().div_ceil(COURSE_POINTS).max(1);
        let seconds = float(self.step_ns) * float(joined as u64) / 1e9;
        Course { seconds, calls: calls.chunks(joined).map(|part| part.iter().sum()).collect() }
    }
}

fn popularity(mut counts: Vec<u64>) -> Popularity {
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let all: u64 = counts.iter().sum();
    let top = |keys: usize| {
        let calls: u64 = counts.iter().take(keys.max(1)).sum();
        float(calls) / float(all.max(1))
    };
    Popularity {
        top_1_percent: top(counts.len().div_ceil(100)),
        top_10_percent: top(counts.len().div_ceil(10)),
        top_key: top(1),
        zipf_slope: zipf_slope(&counts),
    }
}

/// Least squares over the logarithms, at ranks that rise by a tenth each: so that the many seldom
/// keys do not outweigh the few popular ones. Ranks of keys that were asked for once or twice are
/// left out: of these, chance has made the counts.
fn zipf_slope(counts: &[u64]) -> Option<f64> {
    let known = counts.partition_point(|count| *count > 2);
    if known < SLOPE_KEYS_MIN {
        return None;
    }
    let (mut n, mut sum_x, mut sum_y, mut sum_xx, mut sum_xy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let mut rank = 1;
    while rank <= known {
        let (x, y) = (float(rank as u64).ln(), float(counts[rank - 1]).ln());
        n += 1.0;
        sum_x += x;
        sum_y += y;
        sum_xx += x * x;
        sum_xy += x * y;
        rank = (rank + rank / 10).max(rank + 1);
    }
    let slope = (n * sum_xy - sum_x * sum_y) / (n * sum_xx - sum_x * sum_x);
    slope.is_finite().then_some(-slope)
}

/// Values, to three digits; the ends are exact.
struct Spread {
    values: Histogram<u64>,
    min: u64,
    max: u64,
}

impl Spread {
    #[expect(clippy::expect_used, reason = "the precision is a constant")]
    fn new() -> Self {
        let values = Histogram::new(3).expect("three digits");
        Self { values, min: u64::MAX, max: 0 }
    }

    fn add(&mut self, value: u64) {
        // It grows as needed, so nothing can fail.
        let _ = self.values.record(value);
        (self.min, self.max) = (self.min.min(value), self.max.max(value));
    }

    fn percentiles(&self) -> Option<Percentiles> {
        let at = |percentile| self.values.value_at_percentile(percentile).clamp(self.min, self.max);
        (!self.values.is_empty()).then(|| Percentiles {
            count: self.values.len(),
            min: self.min,
            mean: self.values.mean().clamp(float(self.min), float(self.max)),
            p50: at(50.0),
            p90: at(90.0),
            p99: at(99.0),
            max: self.max,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::random::Random;
    use crate::workload::zipf::Zipf;

    #[test]
    fn the_slope_of_keys_drawn_by_zipfs_law_is_its_exponent() {
        for s in [0.7, 0.99, 1.2] {
            let (zipf, mut random) = (Zipf::new(10_000, s), Random::new(7, "test", [0, 0]));
            let mut counts = vec![0; 10_000];
            for _ in 0..400_000 {
                counts[usize::try_from(zipf.draw(&mut random)).expect("small")] += 1;
            }
            let found = popularity(counts).zipf_slope.expect("enough keys");
            assert!((found - s).abs() < 0.05, "{s} is taken for {found}");
        }
        assert_eq!(popularity(vec![5; 99]).zipf_slope, None);
    }

    #[test]
    fn the_tops_are_parts_of_all_calls() {
        let mut counts = vec![1; 990];
        counts.extend([101; 10]);
        let found = popularity(counts);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(found.top_1_percent, 1_010.0 / 2_000.0), "{found:?}");
        assert!(close(found.top_10_percent, 1_100.0 / 2_000.0), "{found:?}");
        assert!(close(found.top_key, 101.0 / 2_000.0), "{found:?}");
    }

    #[test]
    fn the_course_covers_all_calls_however_long_it_is() {
        let mut steps = Steps { step_ns: STEP_NS, calls: Vec::new() };
        let second = 1_000_000_000;
        for number in 0..10_000 {
            steps.add(5 * second + number * second);
        }
        let course = steps.course(5 * second, 10_004 * second);
        assert!(course.calls.len() <= COURSE_POINTS, "{}", course.calls.len());
        assert_eq!(course.calls.iter().sum::<u64>(), 10_000);
        let most = course.calls.iter().max().expect("some");
        let even = course.calls[1..course.calls.len() - 1].iter().all(|calls| calls + 6 > *most);
        assert!(even, "{:?}", course.calls);
    }
}
