//! Runs a workload once, in this process, and measures it.
//!
//! `run` makes all operations and keys, then opens the target, then loads it and goes through
//! the phases; a `worker` a thread does the operations and a `record` a thread keeps what
//! they gave. When all is over, the `oracle` judges the answers that only the whole history
//! can judge.

mod estimate;
mod keys;
mod oracle;
mod pace;
#[cfg(test)]
mod planted;
mod record;
mod series;
mod session;
mod value;
mod worker;

use crate::report::Repeat;
use crate::target::scc::SccTarget;
use crate::target::store::StoreTarget;
use crate::target::{Target, TargetName};
use crate::workload::Workload;
use crate::workload::model::{KeyShape, ValueShape};
pub use estimate::{Estimate, estimate};
use keys::{Keys, Numbers, Texts};
pub use session::Progress;
use value::Value;

/// Runs `workload` against `target` once.
///
/// # Errors
/// Why the target cannot be made, or why the run cannot be what the workload asks for.
pub fn run(
    workload: &Workload,
    target: TargetName,
    progress: &mut dyn Progress,
) -> Result<Repeat, String> {
    // Each combination is a program of its own, so that nothing is looked up in the hot loop.
    match workload.shape() {
        (KeyShape::Text, ValueShape::Bytes) => {
            with_keys::<Texts, Box<[u8]>>(workload, target, progress, Texts::new)
        }
        (KeyShape::Text, ValueShape::U64) => {
            with_keys::<Texts, u64>(workload, target, progress, Texts::new)
        }
        (KeyShape::U64, ValueShape::Bytes) => {
            with_keys::<Numbers, Box<[u8]>>(workload, target, progress, Numbers::new)
        }
        (KeyShape::U64, ValueShape::U64) => {
            with_keys::<Numbers, u64>(workload, target, progress, Numbers::new)
        }
    }
}

fn with_keys<S: Keys, V: Value>(
    workload: &Workload,
    target: TargetName,
    progress: &mut dyn Progress,
    make_keys: fn(&Workload) -> S,
) -> Result<Repeat, String> {
    match target {
        TargetName::Store => {
            with_target::<StoreTarget<S::Key, V>, S, V>(workload, progress, make_keys)
        }
        TargetName::Scc => with_target::<SccTarget<S::Key, V>, S, V>(workload, progress, make_keys),
    }
}

fn with_target<T: Target<S::Key, V>, S: Keys, V: Value>(
    workload: &Workload,
    progress: &mut dyn Progress,
    make_keys: fn(&Workload) -> S,
) -> Result<Repeat, String> {
    session::run::<T, S, V>(workload, progress, make_keys)
}
