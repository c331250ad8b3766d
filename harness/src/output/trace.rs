//! What is in a trace, as text.

use super::grid::Grid;
use crate::trace::summary::{Course, Percentiles, Summary};
use crate::workload::units;

/// Eighths of a line's height.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The summary for a terminal.
#[must_use]
pub fn render(summary: &Summary) -> String {
    let mut lines = Vec::new();
    let mut line = |name: &str, text: String| lines.push(format!("{name:<11}{text}"));
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let rate = summary.calls as f64 / summary.seconds.max(1e-9);
    let (calls, threads) = (units::show_count(summary.calls), summary.threads);
    line("duration", format!("{}, from {} threads", time_ns(summary.seconds * 1e9), threads));
    line("calls", format!("{calls}, {} on average", units::show_rate(rate)));
    match summary.lost {
        0 => line("lost", "none".to_owned()),
        lost => line("lost", format!("{} more, while recording", units::show_count(lost))),
    }
    if let Some(damage) = &summary.damage {
        line("damaged", format!("{damage}: all of this is of what is before it"));
    }
    let (keys, before) = (summary.keys as u64, summary.keys_before as u64);
    line(
        "keys",
        format!(
            "{}, of which {} were there before",
            units::show_count(keys),
            units::show_count(before)
        ),
    );
    let top = &summary.popularity;
    let slope = top.zipf_slope.map_or_else(
        || "too few keys for a Zipf slope".to_owned(),
        |slope| format!("Zipf slope about {slope:.2}"),
    );
    line(
        "popularity",
        format!(
            "top 1% of keys {}, top 10% {}, top key {} of calls; {slope}",
            percent(top.top_1_percent),
            percent(top.top_10_percent),
            percent(top.top_key)
        ),
    );
    line("hits", summary.hit_ratio.map_or_else(|| "no reads".to_owned(), percent));
    line("ttl", summary.ttl_share.map_or_else(|| "no writes".to_owned(), given));
    line("rate", course(&summary.course));
    line("sha256", summary.sha256.clone());
    format!("{}\n\n{}\n\n{}", lines.join("\n"), verbs(summary), distributions(summary))
}

fn given(share: f64) -> String {
    format!("given by {} of writes", percent(share))
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn time_ns(ns: f64) -> String {
    units::show_ns(ns)
}

/// Calls over time as a line of bars, and what its height stands for.
fn course(course: &Course) -> String {
    let most = course.calls.iter().copied().max().unwrap_or(0).max(1);
    let bar = |calls: &u64| match calls {
        0 => ' ',
        calls => BARS[usize::try_from(calls.saturating_mul(8).div_ceil(most)).unwrap_or(8) - 1],
    };
    let bars: String = course.calls.iter().map(bar).collect();
    #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
    let highest = most as f64 / course.seconds.max(1e-9);
    let each = time_ns(course.seconds * 1e9);
    format!("|{bars}| at most {}, {each} a bar", units::show_rate(highest))
}

fn verbs(summary: &Summary) -> String {
    let mut grid = Grid::new(1, &["verb", "calls", "share"]);
    for (verb, calls) in &summary.verbs {
        #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
        let share = *calls as f64 / summary.calls.max(1) as f64;
        grid.push(vec![(*verb).to_owned(), units::show_count(*calls), percent(share)]);
    }
    grid.terminal()
}

fn distributions(summary: &Summary) -> String {
    let mut grid = Grid::new(1, &["what", "min", "mean", "p50", "p90", "p99", "max"]);
    let mut row = |name: &str, of: Option<&Percentiles>, show: &dyn Fn(f64) -> String| {
        if let Some(of) = of {
            #[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
            let whole = |value: u64| show(value as f64);
            let mut cells = vec![name.to_owned(), whole(of.min), show(of.mean)];
            cells.extend([of.p50, of.p90, of.p99, of.max].map(whole));
            grid.push(cells);
        }
    };
    row("key", summary.key_bytes.as_ref(), &units::show_bytes);
    row("value", summary.value_bytes.as_ref(), &units::show_bytes);
    row("TTL", summary.ttl_us.as_ref(), &|us| time_ns(us * 1e3));
    grid.terminal()
}
