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
#[cfg(test)]
mod planted;
mod probing;
mod record;
mod search;
mod series;
mod session;
mod value;
mod worker;

use crate::report::Repeat;
use crate::report::capacity::SearchRecord;
use crate::target::{self, Choice, Target, TargetName};
use crate::workload::Workload;
use crate::workload::model::{KeyShape, ValueShape};
pub use estimate::{Estimate, estimate};
use keys::{Keys, Numbers, Texts};
pub use probing::Plan;
pub use session::Progress;
use value::Value;

/// Runs `workload` against `target` once.
///
/// # Errors
/// Why the target cannot be made, or why the run cannot be what the workload asks for.
pub fn run(
    workload: &Workload,
    target: &Choice,
    progress: &mut dyn Progress,
) -> Result<Repeat, String> {
    dispatch(workload, target, progress, Whole)
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
    dispatch(workload, target, progress, plan)
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
struct Whole;

impl Errand for Whole {
    type Outcome = Repeat;

    fn go<T: Target<S::Key, V>, S: Keys, V: Value>(
        self,
        workload: &Workload,
        address: Option<&str>,
        progress: &mut dyn Progress,
        make_keys: fn(&Workload) -> S,
    ) -> Result<Repeat, String> {
        session::run::<T, S, V>(workload, address, progress, make_keys)
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
    target: &Choice,
    progress: &mut dyn Progress,
    errand: E,
) -> Result<E::Outcome, String> {
    // Each combination is a program of its own, so that nothing is looked up in the hot loop.
    match workload.shape() {
        (KeyShape::Text, ValueShape::Bytes) => {
            Run { workload, target, progress, errand, make_keys: Texts::new }
                .dispatch::<Box<[u8]>>()
        }
        (KeyShape::Text, ValueShape::U64) => {
            Run { workload, target, progress, errand, make_keys: Texts::new }.dispatch::<u64>()
        }
        (KeyShape::U64, ValueShape::Bytes) => {
            Run { workload, target, progress, errand, make_keys: Numbers::new }
                .dispatch::<Box<[u8]>>()
        }
        (KeyShape::U64, ValueShape::U64) => {
            Run { workload, target, progress, errand, make_keys: Numbers::new }.dispatch::<u64>()
        }
    }
}

/// A run whose kind of keys is settled.
struct Run<'a, S: Keys, E> {
    workload: &'a Workload,
    target: &'a Choice,
    progress: &'a mut dyn Progress,
    errand: E,
    make_keys: fn(&Workload) -> S,
}

impl<S: Keys, E: Errand> Run<'_, S, E> {
    fn dispatch<V: Value>(self) -> Result<E::Outcome, String> {
        match self.target.name {
            TargetName::Store => self.against::<target::store::StoreTarget<S::Key, V>, V>(),
            TargetName::Scc => self.against::<target::scc::SccTarget<S::Key, V>, V>(),
            _ => self.peer::<V>(),
        }
    }

    fn peer<V: Value>(self) -> Result<E::Outcome, String> {
        match self.target.name {
            #[cfg(feature = "moka")]
            TargetName::Moka => self.against::<target::moka::MokaTarget<S::Key, V>, V>(),
            #[cfg(feature = "quick_cache")]
            TargetName::QuickCache => {
                self.against::<target::quick_cache::QuickCacheTarget<S::Key, V>, V>()
            }
            #[cfg(feature = "dashmap")]
            TargetName::Dashmap => self.against::<target::dashmap::DashmapTarget<S::Key, V>, V>(),
            #[cfg(feature = "papaya")]
            TargetName::Papaya => self.against::<target::papaya::PapayaTarget<S::Key, V>, V>(),
            #[cfg(feature = "mini-moka")]
            TargetName::MiniMoka => {
                self.against::<target::mini_moka::MiniMokaTarget<S::Key, V>, V>()
            }
            #[cfg(feature = "lru")]
            TargetName::Lru => self.against::<target::lru::LruTarget<S::Key, V>, V>(),
            #[cfg(feature = "redis")]
            TargetName::Redis => self.against::<target::redis::RedisServer<S::Key, V>, V>(),
            #[cfg(feature = "redis")]
            TargetName::RedisCluster => self.against::<target::redis::RedisCluster<S::Key, V>, V>(),
            other => Err(other.not_built_in()),
        }
    }

    fn against<T: Target<S::Key, V>, V: Value>(self) -> Result<E::Outcome, String> {
        let address = self.target.address.as_deref();
        self.errand.go::<T, S, V>(self.workload, address, self.progress, self.make_keys)
    }
}
