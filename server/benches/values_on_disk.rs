//! What values on disk save in memory and cost in time: one server with all in memory and some
//! with `--values` are loaded with the same pairs, and take turns at the same look-ups.
//!
//! `just bench-values`, `just bench-values --pairs 1000000 --caches 64MiB,256MiB --out FILE`
//!
//! Look-ups are for keys by Zipf's law, one after the other on one connection over loopback: what
//! is told is service time. A server with its values on disk has two rows: `cached`, its files in
//! the system's page cache, and then `dropped`, its files dropped from there before each turn, as if
//! memory were short.

use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::Parser;
use harness::environment::{machine, process, revision};
use hdrhistogram::Histogram;
use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Compares servers with their values in memory and on disk.
#[derive(Debug, Parser)]
struct Options {
    /// How many pairs
    #[arg(long, default_value_t = 1_000_000)]
    pairs: usize,
    /// How large each value is, in bytes
    #[arg(long, default_value_t = 1_024)]
    value: usize,
    /// The `--values-cache` of each server with its values on disk
    #[arg(long, value_delimiter = ',', default_value = "16MiB,64MiB,256MiB")]
    caches: Vec<String>,
    /// How skewed look-ups are: the exponent of Zipf's law
    #[arg(long, default_value_t = 0.99)]
    skew: f64,
    /// How many turns each server has
    #[arg(long, default_value_t = 20)]
    turns: usize,
    /// Look-ups of a turn
    #[arg(long, default_value_t = 10_000)]
    gets: usize,
    /// What decides values and look-ups
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where files go: a folder on the disk that is to be measured
    #[arg(long, default_value = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-values"))]
    folder: PathBuf,
    /// Where to write the table, too
    #[arg(long)]
    out: Option<PathBuf>,
    /// As `cargo bench` says
    #[arg(long, hide = true)]
    bench: bool,
}

/// Keys by popularity, the popular ones anywhere among all.
struct Zipf {
    /// The share of look-ups for this rank and those before it.
    shares: Vec<f64>,
    random: Pcg64,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^52")]
    fn new(options: &Options) -> Self {
        let mut sum = 0.0;
        let weights = (1..=options.pairs).map(|rank| (rank as f64).powf(-options.skew));
        let mut shares: Vec<f64> = weights
            .map(|weight| {
                sum += weight;
                sum
            })
            .collect();
        for share in &mut shares {
            *share /= sum;
        }
        Self { shares, random: Pcg64::seed_from_u64(options.seed) }
    }

    /// The number of the next key.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
    fn next(&mut self) -> usize {
        let point = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let rank = self.shares.partition_point(|share| *share < point);
        scattered(rank, self.shares.len())
    }
}

/// The key of a rank, or the one that is stored in this place: each of `pairs` once.
fn scattered(rank: usize, pairs: usize) -> usize {
    // A prime larger than any number of pairs here divides none of them.
    const PRIME: u128 = 2_305_843_009_213_693_951;
    usize::try_from(rank as u128 * PRIME % pairs as u128).unwrap_or(0)
}

fn key(number: usize) -> String {
    format!("user:{number:012}")
}

/// The value of a key: bytes that nothing can make smaller.
fn value(number: usize, options: &Options) -> Vec<u8> {
    let mut value = vec![0; options.value];
    let seed = options.seed ^ ((number as u64) << 20);
    Pcg64::seed_from_u64(seed).fill_bytes(&mut value);
    value
}

/// A server, and a connection to it.
struct Server {
    name: String,
    child: Child,
    stream: BufReader<TcpStream>,
    http: SocketAddr,
    /// Where its values are, if on disk.
    folder: Option<PathBuf>,
    cached: Histogram<u64>,
    dropped: Histogram<u64>,
    /// Values that were found in memory and not, in the turns of either kind.
    found: [(u64, u64); 2],
}

impl Drop for Server {
    fn drop(&mut self) {
        // It would not fail to stop; its files go with it.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(name: String, values: Option<(&Path, &str)>) -> Outcome<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
        command.args(["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0", "--threads", "1"]);
        if let Some((folder, cache)) = values {
            command.arg("--values").arg(folder).args(["--values-cache", cache]);
        }
        let mut child = command.stderr(Stdio::piped()).env("NO_COLOR", "1").spawn()?;
        let mut log = BufReader::new(child.stderr.take().ok_or("no log")?);
        let mut line = String::new();
        while !line.contains("resp=") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                return Err("a server did not start".into());
            }
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
        let field = |name: &str| -> Outcome<SocketAddr> {
            let after = line.split(name).nth(1).ok_or("the log says no address")?;
            let end = after.find([' ', '\n', '"']).unwrap_or(after.len());
            Ok(after[..end].parse()?)
        };
        let stream = TcpStream::connect(field("resp=")?)?;
        stream.set_nodelay(true)?;
        let folder = values.map(|(folder, _)| folder.to_owned());
        let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3);
        let (http, stream) = (field("http=\"")?, BufReader::new(stream));
        let (cached, dropped) = (histogram()?, histogram()?);
        Ok(Self { name, child, stream, http, folder, cached, dropped, found: [(0, 0); 2] })
    }

    /// Stores all pairs.
    fn load(&mut self, options: &Options) -> Outcome<()> {
        let numbers: Vec<usize> = (0..options.pairs).collect();
        let mut line = String::new();
        for batch in numbers.chunks(256) {
            let mut requests = Vec::new();
            for number in batch {
                let key = key(scattered(*number, options.pairs));
                let value = value(scattered(*number, options.pairs), options);
                write!(
                    requests,
                    "*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n${}\r\n",
                    key.len(),
                    value.len()
                )?;
                requests.extend(value);
                requests.extend(b"\r\n");
            }
            self.stream.get_mut().write_all(&requests)?;
            for _ in batch {
                line.clear();
                self.stream.read_line(&mut line)?;
                if line != "+OK\r\n" {
                    return Err(format!("{}: {line}", self.name).into());
                }
            }
        }
        Ok(())
    }

    /// Looks a key up and checks the value; how long it took.
    fn get(&mut self, number: usize, options: &Options, found: &mut Vec<u8>) -> Outcome<Duration> {
        let key = key(number);
        let request = format!("*2\r\n$3\r\nGET\r\n${}\r\n{key}\r\n", key.len());
        let begun = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut header = String::new();
        self.stream.read_line(&mut header)?;
        if header != format!("${}\r\n", options.value) {
            return Err(format!("{}: {key}: {header}", self.name).into());
        }
        found.resize(options.value + 2, 0);
        self.stream.read_exact(found)?;
        let took = begun.elapsed();
        if found[..options.value] != value(number, options) {
            return Err(format!("{}: {key} has another value", self.name).into());
        }
        Ok(took)
    }

    /// A turn of look-ups.
    fn turn(&mut self, keys: &[usize], options: &Options, drop_files: bool) -> Outcome<()> {
        if drop_files {
            self.drop_files()?;
        }
        let before = self.hot()?;
        let mut found = Vec::new();
        for number in keys {
            let took = self.get(*number, options, &mut found)?;
            let times = if drop_files { &mut self.dropped } else { &mut self.cached };
            times.saturating_record(u64::try_from(took.as_nanos())?);
        }
        let after = self.hot()?;
        let sum = &mut self.found[usize::from(drop_files)];
        *sum = (sum.0 + after.0 - before.0, sum.1 + after.1 - before.1);
        Ok(())
    }

    /// Drops its files from the system's page cache.
    fn drop_files(&self) -> Outcome<()> {
        for path in self.folder.iter().flat_map(|folder| files(folder)) {
            // Some come and go.
            let Ok(file) = File::open(path) else { continue };
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
        Ok(())
    }

    fn metric(&self, name: &str) -> Outcome<Option<u64>> {
        let mut stream = TcpStream::connect(self.http)?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        Ok(line.map(str::parse).transpose()?)
    }

    /// Values that were found in memory, and not.
    fn hot(&self) -> Outcome<(u64, u64)> {
        let count = |name: &str| Ok::<_, Box<dyn Error>>(self.metric(name)?.unwrap_or(0));
        Ok((count("values_hot_hits_total")?, count("values_hot_misses_total")?))
    }

    fn resident(&self) -> Outcome<u64> {
        Ok(self.metric("process_resident_memory_bytes")?.ok_or("the system tells no memory")?)
    }

    /// Waits until what the load left to do is done.
    fn rest(&self) -> Outcome<()> {
        let mut before = None;
        for _ in 0..60 {
            let now = self.metric("values_disk_bytes")?;
            if now.is_none() || now == before {
                return Ok(());
            }
            before = now;
            std::thread::sleep(Duration::from_secs(2));
        }
        Ok(())
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// One row: what, memory, bytes a pair, files, found in memory, quantiles.
#[expect(clippy::cast_precision_loss, reason = "for show")]
fn row(
    server: &Server,
    turns: &str,
    loaded: (u64, u64),
    times: &Histogram<u64>,
    options: &Options,
) -> Outcome<String> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let us = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1e3;
    let (hits, misses) = server.found[usize::from(turns == "dropped")];
    let share = match hits + misses {
        0 => "all".to_owned(),
        all => format!("{:.1}%", hits as f64 / all as f64 * 100.0),
    };
    let disk =
        server.metric("values_disk_bytes")?.map_or("-".to_owned(), |b| format!("{:.0}", mib(b)));
    let grown = loaded.1.saturating_sub(loaded.0) as f64;
    Ok(format!(
        "| {} | {turns} | {:.0} | {:.0} | {:.0} | {disk} | {share} | {:.1} | {:.1} | {:.1} | {:.1} |",
        server.name,
        mib(loaded.1),
        grown / options.pairs as f64,
        mib(server.resident()?),
        us(0.5),
        us(0.95),
        us(0.99),
        us(0.999),
    ))
}

fn table(servers: &[(Server, (u64, u64))], options: &Options) -> Outcome<String> {
    let mut text = format!(
        "# Values in memory and on disk\n\n{} pairs, values of {} bytes that cannot be compressed, \
         keys of 17; GETs one after the other over loopback, keys by Zipf's law ({}), {} turns of {} \
         for each server, taken in turn; seed {}. `cached`: its files are in the system's page cache. `dropped`: before each turn the server's files \
         were dropped from the system's page cache. A share of values was found in the memory of \
         `--values-cache`.\n\n",
        options.pairs, options.value, options.skew, options.turns, options.gets, options.seed
    );
    text.push_str(
        "| values | files | MiB loaded | bytes a pair | MiB at the end | MiB on disk | found in memory \
         | GET p50 us | p95 us | p99 us | p99.9 us |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (server, loaded) in servers {
        let kind = if server.folder.is_some() { "cached" } else { "-" };
        writeln!(text, "{}", row(server, kind, *loaded, &server.cached, options)?)?;
        if server.folder.is_some() {
            writeln!(text, "{}", row(server, "dropped", *loaded, &server.dropped, options)?)?;
        }
    }
    Ok(text)
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    // Before minutes are spent on what cannot be kept.
    let out = options.out.as_deref().map(page).transpose()?;
    let made = provenance();
    let mut servers = vec![(Server::start("in memory".to_owned(), None)?, (0, 0))];
    for (number, cache) in options.caches.iter().enumerate() {
        let folder = options.folder.join(number.to_string());
        let server = Server::start(format!("on disk, {cache} hot"), Some((&folder, cache)))?;
        servers.push((server, (0, 0)));
    }
    let mut log = std::io::stderr();
    for (server, memory) in &mut servers {
        let (begun, before) = (Instant::now(), server.resident()?);
        server.load(&options)?;
        writeln!(log, "{}: loaded in {:.1} s", server.name, begun.elapsed().as_secs_f64())?;
        server.rest()?;
        *memory = (before, server.resident()?);
    }
    let mut zipf = Zipf::new(&options);
    let mut keys = |gets: usize| (0..gets).map(|_| zipf.next()).collect::<Vec<_>>();
    // What is hot is hot before anything is timed.
    let warmup = keys(options.gets * 5);
    for (server, _) in &mut servers {
        for path in server.folder.iter().flat_map(|folder| files(folder)) {
            // Files that were just written are in the page cache, but for those that are large.
            if let Ok(mut file) = File::open(path) {
                std::io::copy(&mut file, &mut std::io::sink())?;
            }
        }
        server.turn(&warmup, &options, false)?;
        server.cached.reset();
        server.found = [(0, 0); 2];
    }
    for drop_files in [false, true] {
        for turn in 0..options.turns {
            let keys = keys(options.gets);
            for (server, _) in &mut servers {
                if server.folder.is_some() || !drop_files {
                    server.turn(&keys, &options, drop_files)?;
                }
            }
            let kind = if drop_files { "dropped" } else { "cached" };
            writeln!(log, "{kind}: turn {} of {}", turn + 1, options.turns)?;
        }
    }
    let text = format!("{}\n{made}\n", table(&servers, &options)?);
    std::io::stdout().write_all(text.as_bytes())?;
    if let Some(path) = out {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// The page that is to be written, by a path from the workspace, where the recipe is run; what is in
/// it stays until there is something new.
fn page(out: &Path) -> Outcome<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(out);
    let opened = File::options().append(true).create(true).open(&path);
    opened.map_err(|error| format!("{}: cannot be written: {error}", path.display()))?;
    Ok(path)
}

/// What was measured, and where.
fn provenance() -> String {
    let revision = revision::read(Path::new(env!("CARGO_MANIFEST_DIR")));
    format!(
        "Made by `just bench-values`; server {} at revision {revision}; {}; load average {:.1} before.",
        env!("CARGO_PKG_VERSION"),
        machine::read(),
        process::load_average(),
    )
}
