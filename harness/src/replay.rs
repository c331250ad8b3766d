//! Runs a workload once, in this process, and measures it.
//!
//! `run` makes all operations and keys, then opens the target, then loads it and goes through
//! the phases; a `worker` a thread does the operations and a `record` a thread keeps what
//! they gave. When all is over, the `oracle` judges the answers that only the whole history
//! can judge.

mod estimate;
mod keys;
#[cfg(test)]
mod limited;
mod oracle;
mod pace;
mod paced;
mod pauses;
#[cfg(test)]
mod planted;
mod probing;
mod record;
mod sampler;
mod search;
mod series;
mod session;
mod value;
mod worker;

use crate::report::Repeat;
use crate::report::capacity::SearchRecord;
use crate::target::{self, Choice, Target, TargetName};
use crate::trace::Overflow;
use crate::trace::play::Source;
use crate::workload::Workload;
use crate::workload::model::{KeyShape, ValueShape};
pub use estimate::{Estimate, estimate};
use keys::{Keys, Numbers, Texts};
pub use probing::Plan;
pub use session::{Progress, Silent};
use value::Value;

/// Runs `workload` against `target` once; one that was made of a trace takes its operations there.
///
/// # Errors
/// Why the target cannot be made, or why the run cannot be what the workload asks for.
pub fn run(
    workload: &Workload,
    trace: Option<&Source>,
    target: &Choice,
    progress: &mut dyn Progress,
) -> Result<Repeat, String> {
    dispatch(workload, Against::Target(target), progress, Whole { trace })
}

/// Runs `workload` against the store once and records it into a file.
///
/// # Errors
/// As [`run`], and if the file cannot be written.
pub fn record(
    workload: &Workload,
    file: &str,
    overflow: Overflow,
    progress: &mut dyn Progress,
) -> Result<Repeat, String> {
    let address = target::recorded::address(file, overflow);
    dispatch(workload, Against::Recorder(&address), progress, Whole { trace: None })
}

/// Looks for the highest rate at which `target` meets the objectives of a phase of `workload`.
///
/// # Errors
/// As [`run`], and if too few operations were done to judge the objectives.
pub fn capacity(
    workload: &Workload,
    plan: &Plan,
    target: &Choice,
    progress: &mut dyn Progress,
) -> Result<SearchRecord, String> {
    dispatch(workload, Against::Target(target), progress, plan)
}

/// What a workload is done against.
#[derive(Clone, Copy)]
enum Against<'a> {
    Target(&'a Choice),
    /// The store, recorded into this.
    Recorder(&'a str),
}

/// What is done with a workload, once it is settled of which types everything is.
trait Errand: Copy {
    type Outcome;

    fn go<T: Target<S::Key, V>, S: Keys, V: Value>(
        self,
        workload: &Workload,
        address: Option<&str>,
        progress: &mut dyn Progress,
        make_keys: fn(&Workload) -> S,
    ) -> Result<Self::Outcome, String>;
}

/// All phases, one after the other.
#[derive(Clone, Copy)]
struct Whole<'a> {
    /// The trace that the workload was made of, if it was.
    trace: Option<&'a Source>,
}

impl Errand for Whole<'_> {
    type Outcome = Repeat;

    fn go<T: Target<S::Key, V>, S: Keys, V: Value>(
        self,
        workload: &Workload,
        address: Option<&str>,
        progress: &mut dyn Progress,
        make_keys: fn(&Workload) -> S,
    ) -> Result<Repeat, String> {
        session::run::<T, S, V>(workload, address, self.trace, progress, make_keys)
    }
}

impl Errand for &Plan {
    type Outcome = SearchRecord;

    fn go<T: Target<S::Key, V>, S: Keys, V: Value>(
        self,
        workload: &Workload,
        address: Option<&str>,
        progress: &mut dyn Progress,
        make_keys: fn(&Workload) -> S,
    ) -> Result<SearchRecord, String> {
        probing::run::<T, S, V>(workload, self, address, progress, make_keys)
    }
}

fn dispatch<E: Errand>(
    workload: &Workload,
    against: Against<'_>,
    progress: &mut dyn Progress,
    errand: E,
) -> Result<E::Outcome, String> {
    // Each combination is a program of its own, so that nothing is looked up in the hot loop.
    match workload.shape() {
        (KeyShape::Text, value) => {
            let make_keys = Texts::new;
            Run { workload, against, progress, errand, make_keys }.dispatch(value)
        }
        (KeyShape::U64, value) => {
            let make_keys = Numbers::new;
            Run { workload, against, progress, errand, make_keys }.dispatch(value)
        }
    }
}

/// A run whose kind of keys is settled.
struct Run<'a, S: Keys, E> {
    workload: &'a Workload,
    against: Against<'a>,
    progress: &'a mut dyn Progress,
    errand: E,
    make_keys: fn(&Workload) -> S,
}

impl<S: Keys, E: Errand> Run<'_, S, E> {
    fn dispatch(self, value: ValueShape) -> Result<E::Outcome, String> {
        match value {
            ValueShape::Bytes => self.of_values::<Box<[u8]>>(),
            ValueShape::U64 => self.of_values::<u64>(),
        }
    }

    fn of_values<V: Value>(self) -> Result<E::Outcome, String> {
        match self.against {
            Against::Target(Choice { name: TargetName::Store, .. }) => {
                self.on::<target::store::StoreTarget<S::Key, V>, V>()
            }
            Against::Target(Choice { name: TargetName::ByteStore, .. }) => {
                self.on::<target::byte_store::ByteStoreTarget, target::byte_store::Kept<V>>()
            }
            Against::Target(Choice { name: TargetName::Scc, .. }) => {
                self.on::<target::scc::SccTarget<S::Key, V>, V>()
            }
            _ => self.on_further::<V>(),
        }
    }

    fn on_further<V: Value>(self) -> Result<E::Outcome, String> {
        let Against::Target(target) = self.against else {
            return self.on::<target::recorded::RecordedTarget<S::Key, V>, V>();
        };
        match target.name {
            // Who gives out clones is given what is cheap to clone, as its users would.
            #[cfg(feature = "moka")]
            TargetName::Moka => self.on::<target::moka::MokaTarget<_, _>, V::Shared>(),
            #[cfg(feature = "quick_cache")]
            TargetName::QuickCache => {
                self.on::<target::quick_cache::QuickCacheTarget<_, _>, V::Shared>()
            }
            #[cfg(feature = "dashmap")]
            TargetName::Dashmap => self.on::<target::dashmap::DashmapTarget<S::Key, V>, V>(),
            #[cfg(feature = "papaya")]
            TargetName::Papaya => self.on::<target::papaya::PapayaTarget<S::Key, V>, V>(),
            #[cfg(feature = "mini-moka")]
            TargetName::MiniMoka => self.on::<target::mini_moka::MiniMokaTarget<_, _>, V::Shared>(),
            #[cfg(feature = "lru")]
            TargetName::Lru => self.on::<target::lru::LruTarget<S::Key, V>, V>(),
            #[cfg(feature = "redis")]
            TargetName::Redis => self.on::<target::redis::RedisServer<S::Key, V>, V>(),
            #[cfg(feature = "redis")]
            TargetName::RedisCluster => self.on::<target::redis::RedisCluster<S::Key, V>, V>(),
            other => Err(other.not_built_in()),
        }
    }

    fn on<T: Target<S::Key, V>, V: Value>(self) -> Result<E::Outcome, String> {
        let address = match self.against {
            Against::Target(target) => target.address.as_deref(),
            Against::Recorder(address) => Some(address),
        };
        self.errand.go::<T, S, V>(self.workload, address, self.progress, self.make_keys)
    }
}
