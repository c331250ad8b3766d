//! The command line: what can be asked, and how it is answered.

mod generate;
mod get;
mod snapshot;
mod units;

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::data::{LoadOptions, OnError};
use crate::serve::{Config, Running, StartError};
use crate::{Limits, RequestLimits, Settings, SnapshotSettings, ValuesOnDisk};

const EXAMPLES: &str = "\
Examples:
  server                                    RESP on 127.0.0.1:6380, HTTP on 127.0.0.1:8080
  server --resp 0.0.0.0:6379 --http off --requirepass SECRET
  server --max-memory 1GiB --default-ttl 10min --threads 1
  server --values /var/cache/values --values-cache 1GiB
  server generate --lines 10000 --seed 7 pairs.data
  server --load pairs.data
  server get 127.0.0.1:8080 KEY
  server --snapshot pairs.zst --snapshot-every 10min
  server snapshot cat pairs.zst > appendonly.aof; redis-check-aof appendonly.aof

Exit codes:
  0  stopped by SIGTERM or SIGINT, the last snapshot written; done
  1  could not start, or failed; no such key; a snapshot that is not whole
  2  wrong usage";

/// Puts the store on a socket.
#[derive(Debug, Parser)]
#[command(name = "server", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: ServeArgs,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a file of pairs for `--load`
    Generate(GenerateArgs),
    /// Ask a server for the value of a key, over HTTP
    Get(GetArgs),
    /// Look into a snapshot
    #[command(subcommand)]
    Snapshot(SnapshotVerb),
}

#[derive(Debug, Subcommand)]
enum SnapshotVerb {
    /// Print the text of a snapshot that is whole, as Redis keeps it in its append-only files
    Cat {
        /// The snapshot
        file: PathBuf,
    },
    /// Say whether a snapshot is whole, and what it holds
    Check {
        /// The snapshot
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// How many pairs
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    lines: u64,
    /// What decides the pairs: the same seed makes the same file everywhere
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// What stands between key and value
    #[arg(long, value_name = "TEXT", default_value = " ", value_parser = units::separator)]
    separator: String,
    /// The file to write; it is replaced
    file: PathBuf,
}

#[derive(Debug, Args)]
struct GetArgs {
    /// The server's address for HTTP, e.g. 127.0.0.1:8080
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// The key
    key: String,
    /// The server's password
    #[arg(long, value_name = "PASSWORD", env = "SERVER_REQUIREPASS", hide_env_values = true)]
    password: Option<String>,
}

/// What a server is to be.
#[derive(Debug, Args)]
struct ServeArgs {
    /// Where to speak the protocol of Redis (RESP2 and RESP3)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6380")]
    resp: SocketAddr,
    /// Where to speak HTTP, or `off`
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = http_addr)]
    http: HttpAddr,
    /// What clients must say first (AUTH); needed on addresses that other machines can reach
    #[arg(long, value_name = "PASSWORD", env = "SERVER_REQUIREPASS", hide_env_values = true)]
    requirepass: Option<String>,
    /// Serve anybody on an address that other machines can reach
    #[arg(long, conflicts_with = "requirepass")]
    insecure: bool,
    /// Threads that serve clients [default: one for each processor; four with `--values`, as they
    /// wait for the disk]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Load the pairs of this file (one a line: key, separator, value) before anybody is served
    #[arg(long, value_name = "FILE")]
    load: Vec<PathBuf>,
    /// What to do about lines that are no pair
    #[arg(long, value_enum, default_value = "refuse")]
    load_errors: OnError,
    /// What stands between key and value [default: a space or a tab]
    #[arg(long, value_name = "TEXT", value_parser = units::separator)]
    load_separator: Option<String>,
    #[command(flatten)]
    snapshot: SnapshotArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What outlives the process.
#[derive(Debug, Args)]
struct SnapshotArgs {
    /// Keep a snapshot of all pairs in this file: read at the start if it is there (`--load` is left
    /// out then), written on SAVE and BGSAVE, and at last on SIGTERM or SIGINT
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Write it so often, too (e.g. 10min) [default: only when asked and at the end]
    #[arg(long, value_name = "TIME", requires = "snapshot", value_parser = units::time)]
    snapshot_every: Option<Duration>,
}

/// What is kept.
#[derive(Debug, Args)]
struct KeepArgs {
    /// The most pairs to hold; beyond it, who is used least goes
    #[arg(long, value_name = "N", conflicts_with = "max_memory")]
    max_entries: Option<usize>,
    /// The most memory for pairs (e.g. 512MiB); beyond it, who is used least goes. With `--values`
    /// a value counts as 8 bytes
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_memory: Option<u64>,
    /// How long values stay that are stored without a TTL (e.g. 90s, 10min) [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    default_ttl: Option<Duration>,
    #[command(flatten)]
    values: ValuesArgs,
}

/// Where values are kept.
#[derive(Debug, Args)]
struct ValuesArgs {
    /// Keep values in files in this folder, and only keys in memory. It must be empty, new, or one
    /// that a server had before: the files are deleted at the start and at the end, as no pair
    /// outlives its server
    #[arg(long, value_name = "DIR")]
    values: Option<PathBuf>,
    /// Memory for the values that were used last, of those in files; beside it the files need some
    /// 60 MiB, up to 150 when much is written
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = units::size)]
    #[arg(requires = "values")]
    values_cache: u64,
    /// Refuse to store values while the disk with the files has less room than this. Files that are
    /// being tidied up need it: with much less the disk may fill up, and take no more values
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = units::size)]
    #[arg(requires = "values")]
    values_spare: u64,
}

/// How much clients may ask.
#[derive(Debug, Args)]
struct LimitArgs {
    /// The most clients at once
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    max_clients: usize,
    /// The largest key or value
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = units::size)]
    max_bulk: u64,
    /// The largest request
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::size)]
    max_request: u64,
    /// The most words of a request
    #[arg(long, value_name = "N", default_value_t = 1 << 20)]
    max_words: usize,
    /// The most of replies that is held for one client; beyond it, it is closed
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = units::size)]
    max_output: u64,
    /// Close clients that ask nothing for so long [default: never]
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    idle_timeout: Option<Duration>,
    /// Close clients that leave a request unfinished or replies unread for so long without a byte
    /// moving; of one that takes more than 64 KiB, so much must move in this time, and at least a
    /// 64th of it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = units::time)]
    stall_timeout: Duration,
}

/// An address, or none.
#[derive(Debug, Clone, Copy)]
struct HttpAddr(Option<SocketAddr>);

fn http_addr(text: &str) -> Result<HttpAddr, String> {
    match text {
        "off" => Ok(HttpAddr(None)),
        text => match text.parse() {
            Ok(addr) => Ok(HttpAddr(Some(addr))),
            Err(_) => Err("write an address as 127.0.0.1:8080, or `off`".to_owned()),
        },
    }
}

impl ServeArgs {
    fn config(&self) -> Config {
        let whole = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let values = &self.keep.values;
        let each = if values.values.is_some() { 4 } else { 1 };
        Config {
            resp: self.resp,
            http: self.http.0,
            password: self.requirepass.clone().filter(|password| !password.is_empty()),
            insecure: self.insecure,
            load: self.load.clone(),
            load_options: LoadOptions {
                separator: self.load_separator.clone(),
                on_error: self.load_errors,
            },
            snapshot: self
                .snapshot
                .snapshot
                .clone()
                .map(|file| SnapshotSettings { file, every: self.snapshot.snapshot_every }),
            threads: self.threads.map_or_else(|| each * cores(), usize::from),
            limits: Limits {
                request: RequestLimits {
                    bulk: whole(self.limits.max_bulk),
                    words: self.limits.max_words,
                    request: whole(self.limits.max_request),
                },
                output: whole(self.limits.max_output),
                clients: self.limits.max_clients,
                idle: self.limits.idle_timeout,
                stall: self.limits.stall_timeout,
            },
            keyspace: Settings {
                max_entries: self.keep.max_entries,
                max_memory: self.keep.max_memory,
                default_ttl: self.keep.default_ttl,
                values: values.values.clone().map(|folder| ValuesOnDisk {
                    folder,
                    cache: values.values_cache,
                    spare: values.values_spare,
                }),
            },
        }
    }
}

/// Does what the command line asks.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap tells them apart.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let outcome = match cli.verb {
        Some(Verb::Generate(args)) => generate::run(&args).map_err(|error| (error, 1)),
        Some(Verb::Get(args)) => get::run(&args).map_err(|error| (error, 1)),
        Some(Verb::Snapshot(verb)) => snapshot::run(&verb).map_err(|error| (error, 1)),
        None => run(&cli.serve.config()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((message, code)) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::from(code)
        }
    }
}

/// Serves until the process is told to stop; or what to say and to exit with.
fn run(config: &Config) -> Result<(), (String, u8)> {
    let failed = |error: StartError| {
        let code = match &error {
            StartError::Open(_) => 2,
            StartError::Keyspace(error) if error.is_wrong_usage() => 2,
            _ => 1,
        };
        (error.to_string(), code)
    };
    serve(config).map_err(failed)?.map_err(|failure| (failure, 1))
}

/// The same; returns what came of stopping.
fn serve(config: &Config) -> Result<Result<(), String>, StartError> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    log.with_ansi(colours).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StartError::Thread)?;
    // Signals are caught before anybody can be told that the server is there.
    let (mut terminate, mut interrupt) = {
        let _context = runtime.enter();
        let caught = signal(SignalKind::terminate())
            .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
        caught.map_err(StartError::Thread)?
    };
    let running = Running::start(config)?;
    let http = running.http.map_or_else(|| "off".to_owned(), |addr| addr.to_string());
    tracing::info!(resp = %running.resp, http, threads = config.threads, "listening");
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    tracing::info!("stopping");
    let stopped = running.stop();
    tracing::info!("stopped");
    Ok(stopped)
}
