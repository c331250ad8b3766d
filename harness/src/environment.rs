//! The machine, the sources and the process, as far as a report tells of them.

pub mod disturbance;
pub mod machine;
pub mod process;
pub mod repository;
pub mod revision;
pub mod timer;
pub mod worktree;
