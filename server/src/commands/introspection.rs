//! Commands about the server: what it is, how it is configured, what it can do.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::session::unknown_subcommand;
use super::table::{self, COMMANDS, Command};
use super::{Call, Error, Outcome, REDIS_VERSION, glob, wrong_arity};
use crate::state::{Shared, resident_bytes};
use crate::wire::Reply;

type Section = fn(&Shared, &mut String);

/// The sections of INFO, in their order.
const SECTIONS: [(&str, Section); 8] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Expiry", expiry),
    ("Keyspace", keyspace),
];

/// INFO, or INFO with the names of sections.
pub(super) fn info(call: &mut Call<'_>) -> Outcome {
    let wanted = call.args.from(1);
    let all = ["default", "all", "everything"];
    let is_wanted = |name: &str| {
        wanted.is_empty()
            || (0..wanted.len())
                .any(|at| wanted.is(at, name) || all.iter().any(|word| wanted.is(at, word)))
    };
    let mut text = String::new();
    for (name, section) in SECTIONS {
        if is_wanted(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            let _ = write!(text, "# {name}\r\n");
            section(call.shared, &mut text);
        }
    }
    call.reply.text(&text);
    Ok(())
}

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    let _ = write!(text, "{name}:{value}\r\n");
}

fn server(shared: &Shared, text: &mut String) {
    let up = shared.started.elapsed().as_secs();
    line(text, "redis_version", REDIS_VERSION);
    line(text, "server_name", env!("CARGO_PKG_NAME"));
    line(text, "server_version", env!("CARGO_PKG_VERSION"));
    line(text, "redis_mode", "standalone");
    line(text, "os", std::env::consts::OS);
    line(text, "arch_bits", usize::BITS);
    line(text, "process_id", std::process::id());
    line(text, "tcp_port", shared.resp_addr.get().map_or(0, std::net::SocketAddr::port));
    line(text, "uptime_in_seconds", up);
    line(text, "uptime_in_days", up / 86_400);
    line(text, "io_threads", shared.threads);
}

fn clients(shared: &Shared, text: &mut String) {
    line(text, "connected_clients", shared.clients());
    line(text, "maxclients", shared.limits.clients);
}

fn memory(shared: &Shared, text: &mut String) {
    let stats = shared.keyspace.stats();
    // What is asked after is what the server costs: all that it holds, not only the pairs.
    if let Some(bytes) = resident_bytes() {
        line(text, "used_memory", bytes);
        line(text, "used_memory_rss", bytes);
    }
    line(text, "store_bytes", stats.estimated_bytes);
    line(text, "store_weight", stats.weight);
    line(text, "maxmemory", shared.keyspace.settings().max_memory.unwrap_or(0));
    line(text, "maxmemory_policy", policy(shared));
}

/// The nearest of the names that Redis has for whom it evicts.
fn policy(shared: &Shared) -> &'static str {
    let settings = shared.keyspace.settings();
    let bounded = settings.max_memory.is_some() || settings.max_entries.is_some();
    if bounded { "allkeys-lfu" } else { "noeviction" }
}

fn persistence(shared: &Shared, text: &mut String) {
    line(text, "loading", 0);
    line(text, "aof_enabled", 0);
    let Some(snapshots) = &shared.snapshots else { return };
    let status = snapshots.status();
    let seconds = |time: Option<Duration>| {
        time.and_then(|time| i64::try_from(time.as_secs()).ok()).unwrap_or(-1)
    };
    let current = status.since.map(|since| since.elapsed());
    let loaded = snapshots.loaded().unwrap_or_default();
    line(text, "rdb_bgsave_in_progress", u8::from(status.since.is_some()));
    line(text, "rdb_last_save_time", status.last_s);
    line(text, "rdb_last_bgsave_status", if status.failure.is_some() { "err" } else { "ok" });
    line(text, "rdb_last_bgsave_time_sec", seconds(status.took));
    line(text, "rdb_current_bgsave_time_sec", seconds(current));
    line(text, "rdb_saves", status.successes);
    line(text, "rdb_last_load_keys_expired", loaded.expired);
    line(text, "rdb_last_load_keys_loaded", loaded.pairs);
    line(text, "snapshot_file", snapshots.file().display());
    line(text, "snapshot_pairs", status.written.pairs);
    line(text, "snapshot_bytes", status.written.bytes);
    line(text, "snapshot_failures", status.failures);
    // In one line, whatever the system or a file's name says.
    let failure = status.failure.unwrap_or_default().replace(['\r', '\n'], " ");
    line(text, "snapshot_failure", failure);
}

fn stats(shared: &Shared, text: &mut String) {
    let stats = shared.keyspace.stats();
    line(text, "total_connections_received", shared.accepted());
    line(text, "total_commands_processed", shared.commands());
    line(text, "rejected_connections", shared.refused());
    line(text, "expired_keys", stats.expired_lazily + stats.expired_by_sweeper);
    line(text, "evicted_keys", stats.evicted);
    line(text, "keyspace_hits", stats.hits);
    line(text, "keyspace_misses", stats.misses);
}

fn replication(_: &Shared, text: &mut String) {
    line(text, "role", "master");
    line(text, "connected_slaves", 0);
}

fn expiry(shared: &Shared, text: &mut String) {
    let stats = shared.keyspace.stats();
    line(text, "expired_lazily", stats.expired_lazily);
    line(text, "expired_by_sweeper", stats.expired_by_sweeper);
    line(text, "expiry_lag_ms_p50", stats.expiry_lag.p50.as_millis());
    line(text, "expiry_lag_ms_p99", stats.expiry_lag.p99.as_millis());
    line(text, "expiry_lag_ms_max", stats.expiry_lag.max.as_millis());
}

fn keyspace(shared: &Shared, text: &mut String) {
    let stats = shared.keyspace.stats();
    if stats.entries > 0 {
        let nodes = stats.expiry_nodes;
        line(text, "db0", format_args!("keys={},expires={nodes},avg_ttl=0", stats.entries));
    }
}

/// What CONFIG GET tells, by the names that Redis has for it.
fn settings(shared: &Shared) -> Vec<(&'static str, String)> {
    let (limits, settings) = (shared.limits, shared.keyspace.settings());
    let port = shared.resp_addr.get().map_or(0, std::net::SocketAddr::port);
    vec![
        ("appendonly", "no".to_owned()),
        ("bind", shared.resp_addr.get().map_or(String::new(), |addr| addr.ip().to_string())),
        ("databases", "1".to_owned()),
        ("io-threads", shared.threads.to_string()),
        ("maxclients", limits.clients.to_string()),
        ("maxmemory", settings.max_memory.unwrap_or(0).to_string()),
        ("maxmemory-policy", policy(shared).to_owned()),
        ("port", port.to_string()),
        ("proto-max-bulk-len", limits.request.bulk.to_string()),
        ("save", String::new()),
        ("timeout", limits.idle.map_or(0, |idle| idle.as_secs()).to_string()),
    ]
}

/// How complaints about CONFIG SET begin.
const FAILED: &str = "ERR CONFIG SET failed (possibly related to argument '";

/// CONFIG GET and SET. Nothing can be changed while the server runs: to set a thing to what it is
/// succeeds, as test suites want it that turn persistence off.
pub(super) fn config(call: &mut Call<'_>) -> Outcome {
    let words = call.args.len();
    if call.args.is(1, "get") {
        if words < 3 {
            return Err(wrong_arity("config|get"));
        }
        let patterns = call.args.from(2);
        let wanted = |name: &str| {
            let mut patterns = patterns.iter();
            patterns.any(|word| glob::matches(&word.to_ascii_lowercase(), name.as_bytes()))
        };
        let mut found = settings(call.shared);
        found.retain(|(name, _)| wanted(name));
        call.reply.map(found.len());
        for (name, value) in found {
            call.reply.bulk(name.as_bytes());
            call.reply.bulk(value.as_bytes());
        }
        return Ok(());
    }
    if !call.args.is(1, "set") {
        return Err(unknown_subcommand(call, "CONFIG"));
    }
    if words < 4 {
        return Err(wrong_arity("config|set"));
    }
    if words % 2 == 1 {
        return Err("ERR syntax error".into());
    }
    let known = settings(call.shared);
    let mut said: Vec<&[u8]> = Vec::new();
    let mut words = call.args.from(2).iter();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())) {
            None => {
                let why = "ERR Unknown option or number of arguments for CONFIG SET - '";
                return Err(Error::about(why, name, "'"));
            }
            Some(_) if said.iter().any(|said| said.eq_ignore_ascii_case(name)) => {
                return Err(Error::about(FAILED, name, "') - duplicate parameter"));
            }
            Some((_, now)) if now.as_bytes() != value => {
                return Err(Error::about(FAILED, name, "') - can't set immutable config"));
            }
            Some(_) => said.push(name),
        }
    }
    call.reply.ok();
    Ok(())
}

/// TIME: seconds since 1970, and microseconds of the current one.
pub(super) fn time(call: &mut Call<'_>) -> Outcome {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    call.reply.array(2);
    let mut digits = itoa::Buffer::new();
    call.reply.bulk(digits.format(since.as_secs()).as_bytes());
    call.reply.bulk(digits.format(since.subsec_micros()).as_bytes());
    Ok(())
}

/// FUNCTION FLUSH and LIST, as test suites ask before they begin: there are no functions.
pub(super) fn function(call: &mut Call<'_>) -> Outcome {
    let words = call.args.len();
    if call.args.is(1, "flush") {
        if words > 3 {
            let why = "ERR unknown subcommand or wrong number of arguments for '";
            return Err(Error::about(why, &call.args[1], "'. Try FUNCTION HELP."));
        }
        if words == 3 && !call.args.is(2, "async") && !call.args.is(2, "sync") {
            let complaint = "ERR FUNCTION FLUSH only supports SYNC|ASYNC option";
            return Err(complaint.into());
        }
        call.reply.ok();
    } else if call.args.is(1, "list") && words == 2 {
        call.reply.array(0);
    } else {
        return Err(unknown_subcommand(call, "FUNCTION"));
    }
    Ok(())
}

/// COMMAND, COMMAND COUNT, DOCS, INFO and LIST.
pub(super) fn command(call: &mut Call<'_>) -> Outcome {
    let names = call.args.from(2);
    if call.args.len() == 1 {
        call.reply.array(COMMANDS.len());
        for command in COMMANDS {
            describe(call.reply, command);
        }
    } else if call.args.is(1, "count") {
        if !names.is_empty() {
            return Err(wrong_arity("command|count"));
        }
        call.reply.count(COMMANDS.len());
    } else if call.args.is(1, "list") {
        call.reply.array(COMMANDS.len());
        for command in COMMANDS {
            call.reply.bulk(command.name.as_bytes());
        }
    } else if call.args.is(1, "info") {
        if names.is_empty() {
            call.reply.array(COMMANDS.len());
            for command in COMMANDS {
                describe(call.reply, command);
            }
        } else {
            call.reply.array(names.len());
            for name in names.iter() {
                match table::find(name) {
                    Some(command) => describe(call.reply, command),
                    None => call.reply.null(),
                }
            }
        }
    } else if call.args.is(1, "docs") {
        let is_wanted = |command: &&Command| {
            names.is_empty() || (0..names.len()).any(|at| names.is(at, command.name))
        };
        let found: Vec<_> = COMMANDS.iter().filter(is_wanted).collect();
        call.reply.map(found.len());
        for command in found {
            document(call.reply, command);
        }
    } else {
        return Err(unknown_subcommand(call, "COMMAND"));
    }
    Ok(())
}

/// A command as COMMAND INFO of Redis 7 tells it.
fn describe(reply: &mut Reply, command: &Command) {
    let (first, last, step) = command.keys;
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(command.arity.into());
    reply.set(command.flags.len());
    for flag in command.flags {
        reply.simple(flag);
    }
    for number in [first, last, step] {
        reply.integer(number.into());
    }
    // Categories, tips, key specifications, subcommands.
    reply.set(0);
    for _ in 0..3 {
        reply.array(0);
    }
}

/// A command as COMMAND DOCS tells it, in short.
fn document(reply: &mut Reply, command: &Command) {
    let group = match command.keys.0 {
        0 => "server",
        _ => "string",
    };
    reply.bulk(command.name.as_bytes());
    reply.map(1);
    reply.bulk(b"group");
    reply.bulk(group.as_bytes());
}
