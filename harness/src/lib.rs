//! Replays declarative workload files against the store and its peers, checks every answer, and
//! writes percentile reports.
//!
//! Layers, imports point down only: `cli -> {output, replay, hit_ratio} -> doctor -> {compare,
//! environment} -> report -> target -> trace -> workload`. Neither `report`, `compare` nor `output`
//! knows `replay`: a saved report is rendered, judged and compared without running anything.

#![forbid(unsafe_code)]

pub mod cli;
pub mod compare;
pub mod doctor;
pub mod environment;
pub mod hit_ratio;
pub mod output;
pub mod replay;
pub mod report;
pub mod target;
pub mod trace;
pub mod workload;
