//! A workload file as its author wrote it: every key that exists, none that does not.
//!
//! Numbers are read wide and signed, so that a negative or huge one is refused by our own message
//! at its own place rather than by the parser's.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) schema: Spanned<i64>,
    pub(super) name: Spanned<String>,
    pub(super) seed: u64,
    #[serde(default)]
    pub(super) run: Run,
    pub(super) keyspace: Spanned<BTreeMap<String, Spanned<Keyspace>>>,
    #[serde(default)]
    pub(super) phase: Vec<Spanned<Phase>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub(super) threads: Option<Spanned<OneOrMany>>,
    pub(super) repeat: Option<Spanned<i64>>,
    pub(super) timing: Option<Spanned<Timing>>,
    pub(super) preallocate: Option<bool>,
    pub(super) max_entries: Option<Spanned<i64>>,
    pub(super) eviction: Option<Spanned<String>>,
    pub(super) targets: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) requires: Option<Vec<Spanned<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timing {
    pub(super) mode: Spanned<String>,
    pub(super) every: Option<Spanned<i64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keyspace {
    pub(super) keys: Spanned<OneOrMany>,
    pub(super) key: Spanned<Key>,
    pub(super) value: Spanned<Value>,
    pub(super) ttl: Option<Spanned<Ttl>>,
    pub(super) prefill: Option<Spanned<Prefill>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) kind: Option<Spanned<String>>,
    pub(super) len: Option<Spanned<i64>>,
    pub(super) prefix: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Value {
    pub(super) kind: Option<Spanned<String>>,
    pub(super) sizes: Option<Spanned<Sizes>>,
    pub(super) fill: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ttl {
    pub(super) share: Option<Spanned<f64>>,
    pub(super) dist: Spanned<String>,
    pub(super) min: Option<Spanned<String>>,
    pub(super) max: Option<Spanned<String>>,
    pub(super) after: Option<Spanned<String>>,
    pub(super) at: Option<Spanned<String>>,
    pub(super) mean: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefill {
    pub(super) fraction: Option<Spanned<f64>>,
    pub(super) order: Option<Spanned<String>>,
    pub(super) report: Option<bool>,
    pub(super) slo: Option<Slo>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Phase {
    pub(super) name: Spanned<String>,
    pub(super) like: Option<Spanned<String>>,
    pub(super) ops: Option<Spanned<i64>>,
    pub(super) duration: Option<Spanned<String>>,
    pub(super) arrival: Option<Spanned<Arrival>>,
    pub(super) think: Option<Spanned<Think>>,
    pub(super) commands: Option<Spanned<Vec<Spanned<Command>>>>,
    pub(super) report: Option<bool>,
    pub(super) slo: Option<Slo>,
}

/// Objectives by what they are about: `get = ["p(99) < 1ms"]`.
pub(super) type Slo = BTreeMap<Spanned<String>, Vec<Spanned<String>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Command {
    pub(super) verb: Spanned<String>,
    pub(super) keyspace: Spanned<String>,
    pub(super) weight: Spanned<i64>,
    pub(super) keys: Option<Spanned<KeyChoice>>,
    pub(super) batch: Option<Spanned<Batch>>,
    pub(super) miss: Option<Spanned<f64>>,
    pub(super) ttl: Option<Spanned<Ttl>>,
    pub(super) touch: Option<Spanned<Ttl>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyChoice {
    pub(super) dist: Spanned<String>,
    pub(super) s: Option<Spanned<f64>>,
    pub(super) fraction: Option<Spanned<f64>>,
    pub(super) share: Option<Spanned<f64>>,
    pub(super) run: Option<Spanned<bool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Think {
    pub(super) dist: Spanned<String>,
    pub(super) mean: Spanned<String>,
}

/// `"closed"`, or `{ process = "poisson", rate = "500k/s" }`, or the same with a `ramp`.
#[derive(Debug)]
pub(super) enum Arrival {
    Word(String),
    Process(Box<Process>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the key is called so in files")]
pub(super) struct Process {
    pub(super) process: Spanned<String>,
    pub(super) rate: Option<Spanned<String>>,
    pub(super) ramp: Option<Spanned<Ramp>>,
}

/// `{ from = "100k/s", to = "1M/s", steps = 10, each = "3s" }`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ramp {
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) steps: Spanned<i64>,
    pub(super) each: Spanned<String>,
    pub(super) spacing: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for Arrival {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArrivalVisitor;
        impl<'de> Visitor<'de> for ArrivalVisitor {
            type Value = Arrival;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"closed\" or { process = \"poisson\", rate = \"500k/s\" }")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Arrival, E> {
                Ok(Arrival::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Arrival, A::Error> {
                Box::deserialize(MapAccessDeserializer::new(map)).map(Arrival::Process)
            }
        }
        deserializer.deserialize_any(ArrivalVisitor)
    }
}

/// `16`, or `{ min = 1, max = 100 }`.
#[derive(Debug)]
pub(super) enum Batch {
    Fixed(i64),
    Between(Between),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between {
    pub(super) min: Spanned<i64>,
    pub(super) max: Spanned<i64>,
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BatchVisitor;
        impl<'de> Visitor<'de> for BatchVisitor {
            type Value = Batch;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or { min = 1, max = 100 }")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Batch, E> {
                Ok(Batch::Fixed(number))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Batch, A::Error> {
                Between::deserialize(MapAccessDeserializer::new(map)).map(Batch::Between)
            }
        }
        deserializer.deserialize_any(BatchVisitor)
    }
}

/// `[[bytes, weight], ..]`, `[[from, to, weight], ..]`, or a law: `{ dist = "uniform", .. }`.
#[derive(Debug)]
pub(super) enum Sizes {
    List(Vec<Spanned<Vec<i64>>>),
    Law(SizeLaw),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeLaw {
    pub(super) dist: Spanned<String>,
    pub(super) median: Option<Spanned<i64>>,
    pub(super) p99: Option<Spanned<i64>>,
    pub(super) min: Option<Spanned<i64>>,
    pub(super) max: Option<Spanned<i64>>,
}

impl<'de> Deserialize<'de> for Sizes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizesVisitor;
        impl<'de> Visitor<'de> for SizesVisitor {
            type Value = Sizes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[[bytes, weight], ..], [[from, to, weight], ..] or { dist = .. }")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Sizes, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Sizes::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sizes, A::Error> {
                SizeLaw::deserialize(MapAccessDeserializer::new(map)).map(Sizes::Law)
            }
        }
        deserializer.deserialize_any(SizesVisitor)
    }
}

/// A number, or a list of numbers to be run one after the other.
#[derive(Debug)]
pub(super) struct OneOrMany(pub(super) Vec<i64>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumbersVisitor;
        impl<'de> Visitor<'de> for NumbersVisitor {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a list of them")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![number]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrMany, A::Error> {
                let mut numbers = Vec::new();
                while let Some(number) = list.next_element()? {
                    numbers.push(number);
                }
                Ok(OneOrMany(numbers))
            }
        }
        deserializer.deserialize_any(NumbersVisitor)
    }
}
