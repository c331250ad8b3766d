//! `check`: what a workload file means and needs.

use super::InputArgs;
use super::failure::Failure;
use super::inputs;
use crate::output;
use crate::replay;
use crate::workload::{stream, units};

pub(super) fn run(args: &InputArgs) -> Result<(), Failure> {
    for input in inputs::read(args)? {
        let targets = inputs::targets(&[], &input)?;
        for case in &input.cases {
            let workload = &case.workload;
            let effective = serde_json::to_string_pretty(workload)
                .map_err(|error| Failure::Failed(error.to_string()))?;
            let digest = stream::digest(workload, &stream::scripts(workload));
            let estimate = replay::estimate(workload);
            #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
            let show = |bytes: u64| units::show_bytes(bytes as f64);
            let run: Vec<_> = targets.run.iter().map(|target| target.label.as_str()).collect();
            output::print(&effective);
            output::print(&format!("file     {}", input.source.label));
            output::print(&format!("question {}", input.source.question()));
            if let Some(label) = &case.label {
                output::print(&format!("case     {label}"));
            }
            output::print(&format!("targets  {}", run.join(", ")));
            for (target, why) in &targets.skipped {
                output::print(&format!("skipped  {target}: {why}"));
            }
            output::print(&format!("digest   {digest}"));
            output::print(&format!(
                "memory   about {} ({} operations, {} keys, {} entries)",
                show(estimate.total_bytes()),
                show(estimate.operations_bytes),
                show(estimate.keys_bytes),
                show(estimate.target_bytes),
            ));
        }
    }
    Ok(())
}
