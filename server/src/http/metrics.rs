//! What the server has counted, as Prometheus reads it.

use std::fmt::{Display, Write as _};

use crate::keyspace::ValueStats;
use crate::snapshot::Status;
use crate::state::{Shared, resident_bytes};

/// The kind of text it is.
pub(super) const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// One metric without labels.
fn metric(text: &mut String, name: &str, kind: &str, help: &str, value: impl Display) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

/// All metrics.
pub(super) fn text(shared: &Shared) -> String {
    let stats = shared.keyspace.stats();
    let mut text = String::new();
    let counters = [
        ("hits", "Look-ups that found a live value.", stats.hits),
        ("misses", "Look-ups that found none, or an expired one.", stats.misses),
        ("puts", "Values stored.", stats.puts),
        ("deletes", "Live values removed.", stats.deletes),
        ("purged", "Pairs removed by a purge.", stats.purged),
        ("evicted", "Pairs that had to go to keep the bound.", stats.evicted),
        ("expired_lazily", "Expired values reclaimed by who met them.", stats.expired_lazily),
        (
            "expired_by_sweeper",
            "Expired values reclaimed by the sweeper.",
            stats.expired_by_sweeper,
        ),
    ];
    for (name, help, value) in counters {
        metric(&mut text, &format!("store_{name}_total"), "counter", help, value);
    }
    let gauges = [
        ("entries", "Pairs held.", stats.entries as u64),
        ("expiry_nodes", "Pairs held that have a TTL.", stats.expiry_nodes as u64),
        ("weight", "What all pairs of a bounded store weigh.", stats.weight),
        ("table_bytes", "Memory of table, index and queues.", stats.estimated_bytes as u64),
    ];
    for (name, help, value) in gauges {
        metric(&mut text, &format!("store_{name}"), "gauge", help, value);
    }
    let lag = stats.expiry_lag;
    let name = "store_expiry_lag_seconds";
    let help = "How long after its deadline an expired value was reclaimed.";
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (quantile, lag) in [("0.5", lag.p50), ("0.99", lag.p99), ("1", lag.max)] {
        let _ = writeln!(text, "{name}{{quantile=\"{quantile}\"}} {}", lag.as_secs_f64());
    }
    if let Some(stats) = shared.keyspace.value_stats() {
        values(&mut text, stats);
    }
    if let Some(bytes) = resident_bytes() {
        let help = "Memory that the process holds.";
        metric(&mut text, "process_resident_memory_bytes", "gauge", help, bytes);
    }
    let up = shared.started.elapsed().as_secs_f64();
    metric(&mut text, "server_uptime_seconds", "gauge", "Time since the start.", up);
    metric(&mut text, "server_clients", "gauge", "Clients connected.", shared.clients());
    let (accepted, refused) = (shared.accepted(), shared.refused());
    metric(&mut text, "server_clients_total", "counter", "Clients let in.", accepted);
    metric(&mut text, "server_refused_total", "counter", "Clients turned away.", refused);
    let commands = shared.commands();
    metric(&mut text, "server_commands_total", "counter", "Requests carried out.", commands);
    if let Some(snapshots) = &shared.snapshots {
        snapshot(&mut text, &snapshots.status());
    }
    text
}

/// What became of the snapshots.
fn snapshot(text: &mut String, status: &Status) {
    let name = |what: &str| format!("server_snapshot{what}");
    let (written, failed) = (status.successes, status.failures);
    metric(text, &name("s_total"), "counter", "Snapshots written.", written);
    metric(text, &name("_failures_total"), "counter", "Snapshots that failed.", failed);
    let busy = u8::from(status.since.is_some());
    metric(text, &name("_in_progress"), "gauge", "Whether one is being written.", busy);
    let help = "When the last was written; the start of the server before any.";
    metric(text, &name("_last_timestamp_seconds"), "gauge", help, status.last_s);
    let took = status.took.unwrap_or_default().as_secs_f64();
    let help = "How long the last attempt took.";
    metric(text, &name("_last_duration_seconds"), "gauge", help, took);
    let gauges = [
        ("_last_bytes", "The length of the last.", status.written.bytes),
        ("_last_text_bytes", "What the last unpacks to.", status.written.text_bytes),
        ("_last_pairs", "Pairs in the last.", status.written.pairs),
    ];
    for (what, help, value) in gauges {
        metric(text, &name(what), "gauge", help, value);
    }
}

/// What there is to say of values on disk.
fn values(text: &mut String, stats: ValueStats) {
    let counters = [
        ("hot_hits", "Values that were asked for and found in memory.", stats.hot_hits),
        ("hot_misses", "Values that had to be read from disk.", stats.hot_misses),
        ("failures", "Reads and writes of the disk that failed.", stats.failures),
        ("refusals", "Values refused as the disk was full.", stats.refusals),
    ];
    for (name, help, value) in counters {
        metric(text, &format!("values_{name}_total"), "counter", help, value);
    }
    let gauges = [
        ("hot", "Values in memory.", stats.hot_values),
        ("hot_bytes", "What values in memory take.", stats.hot_bytes),
        ("disk_bytes", "What all files of values take.", stats.disk_bytes),
    ];
    for (name, help, value) in gauges {
        metric(text, &format!("values_{name}"), "gauge", help, value);
    }
}
