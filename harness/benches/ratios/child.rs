//! Processes of their own: whose memory is nobody else's.

use std::process::{Command, Stdio};
use std::time::Duration;

use harness::output;

use crate::{churn, memory, pages};

/// Measures what `job` names and prints the figures, one after the other.
pub(crate) fn work(job: &str, keys: u64, churn: Duration) -> Result<(), String> {
    let figures = match job {
        churn::JOB => churn::measure(churn)?,
        job if pages::measures(job) => pages::measure(job, keys)?,
        kind => vec![memory::measure(kind, keys)?],
    };
    let words: Vec<String> = figures.iter().map(f64::to_string).collect();
    output::print(&words.join(" "));
    Ok(())
}

/// Has a new process do so, with the lengths that it needs to know and variables in its environment.
pub(crate) fn figures(
    job: &str,
    keys: u64,
    lengths: &[&str],
    variables: &[(&str, &str)],
) -> Result<Vec<f64>, String> {
    let failed = |error: String| format!("the process for {job}: {error}");
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let output = Command::new(program)
        .args(["--child", job, "--keys", &keys.to_string()])
        .args(lengths)
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("{}; if it was killed, lower --keys", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .map(|word| word.parse().map_err(|_| failed(format!("`{word}` is no figure"))))
        .collect()
}
