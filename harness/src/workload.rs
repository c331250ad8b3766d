//! Workload files: what they may say, what they mean, and the operations they stand for.
//!
//! Reading goes in two stages. `file` is what the author wrote, strict and with the place of
//! each value; `resolve` checks it as a whole and makes `model`, in which nothing is optional
//! any more and every unit is fixed. `stream` turns the model into operations, the same ones on
//! every machine.

pub mod digest;
pub mod error;
mod file;
pub mod load;
pub mod mixer;
pub mod model;
pub mod ramp;
pub mod random;
mod resolve;
pub mod restore;
pub mod sizes;
pub mod slo;
pub mod stream;
pub mod units;
pub mod zipf;

pub use error::Problem;
pub use load::{Overrides, Source, load};
pub use model::{Case, Workload};
