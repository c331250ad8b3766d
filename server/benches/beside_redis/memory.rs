//! Resident memory of both servers after the same pairs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::load::VALUE;
use super::programs::Programs;
use super::servers::{Kind, Server};

/// Pairs that the goals are set for.
pub(crate) const PAIRS: u32 = 1_000_000;
/// The TTL of each pair that has one: none ends while it is measured.
const TTL_S: u32 = 3_600;
/// How long servers may clean up behind a load before their memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// What is loaded, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) ttl: bool,
    /// Values as the file has them, and our server loads it; otherwise values of one length, and
    /// both are loaded by SETs.
    pub(crate) file: bool,
    /// The most bytes that our process is to take with all pairs.
    pub(crate) most_bytes: Option<f64>,
}

const CASES: [Case; 4] = [
    Case { ttl: false, file: false, most_bytes: None },
    Case { ttl: true, file: false, most_bytes: None },
    Case { ttl: false, file: true, most_bytes: Some(130e6) },
    Case { ttl: true, file: true, most_bytes: Some(150e6) },
];

/// The resident memory of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grown {
    /// Without pairs.
    before: f64,
    /// With them.
    pub(crate) after: f64,
}

impl Grown {
    /// Bytes for each of `pairs`.
    pub(crate) fn per_pair(self, pairs: u32) -> f64 {
        (self.after - self.before) / f64::from(pairs)
    }
}

/// What one case gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) case: Case,
    /// Our server, as it is or without huge pages.
    pub(crate) kind: Kind,
    pub(crate) pairs: u32,
    pub(crate) ours: Grown,
    pub(crate) redis: Grown,
}

/// Measures every case, each server a fresh process.
///
/// # Errors
/// If a program fails, or pairs are missing.
pub(crate) fn measure(programs: &Programs, pairs: u32) -> Result<Vec<Measured>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let file = folder.path().join("pairs.data");
    generate(&file, pairs)?;
    let text = std::fs::read_to_string(&file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    let as_they_are: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.split_once(' ')).collect();
    let cut = |value: &str| value.bytes().cycle().take(VALUE).collect::<Vec<u8>>();
    let of_one_length: Vec<(&str, Vec<u8>)> =
        as_they_are.iter().map(|(key, value)| (*key, cut(value))).collect();
    let mut measured = Vec::new();
    for case in CASES {
        let ttl_s = case.ttl.then_some(TTL_S);
        let by_socket = |kind| -> Result<Grown, String> {
            let server = Server::start(programs, kind, &[])?;
            let before = resident(&server)?;
            let mut client = server.client()?;
            if case.file {
                let pairs =
                    as_they_are.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
                client.load(pairs, ttl_s)?;
            } else {
                let pairs = of_one_length.iter().map(|(key, value)| (key.as_bytes(), &value[..]));
                client.load(pairs, ttl_s)?;
            }
            Ok(Grown { before, after: resident_with(&server, pairs)? })
        };
        let redis = by_socket(Kind::Redis)?;
        for kind in [Kind::Ours, Kind::OursInSmallPages] {
            eprintln!("memory of {pairs} pairs, {}", name(case, kind));
            let ours = if case.file {
                loaded(programs, kind, &file, ttl_s, pairs)?
            } else {
                by_socket(kind)?
            };
            measured.push(Measured { case, kind, pairs, ours, redis });
        }
    }
    Ok(measured)
}

/// What a case is called.
pub(crate) fn name(case: Case, kind: Kind) -> String {
    let values = if case.file {
        format!("values of 10 to 60 bytes (median {VALUE}), ours by `--load`")
    } else {
        format!("{VALUE}-byte values, by SET")
    };
    let ttl = if case.ttl { "a TTL on each" } else { "no TTL" };
    let pages = if kind == Kind::Ours { "" } else { ", ours with MIMALLOC_ALLOW_THP=0" };
    format!("{values}, {ttl}{pages}")
}

/// The memory of our server with the pairs of a file.
fn loaded(
    programs: &Programs,
    kind: Kind,
    file: &Path,
    ttl_s: Option<u32>,
    pairs: u32,
) -> Result<Grown, String> {
    let before = resident(&Server::start(programs, kind, &[])?)?;
    let (file, ttl) = (file.display().to_string(), format!("{}s", ttl_s.unwrap_or(0)));
    let mut arguments = vec!["--load", file.as_str()];
    if ttl_s.is_some() {
        arguments.extend(["--default-ttl", &ttl]);
    }
    let server = Server::start(programs, kind, &arguments)?;
    Ok(Grown { before, after: resident_with(&server, pairs)? })
}

/// The memory of a server, once it has come to rest and has shown to have all pairs.
fn resident_with(server: &Server, pairs: u32) -> Result<f64, String> {
    let there = server.client()?.keys()?;
    if there != u64::from(pairs) {
        return Err(format!("{pairs} pairs were loaded, and {there} are there"));
    }
    resident(server)
}

fn resident(server: &Server) -> Result<f64, String> {
    std::thread::sleep(SETTLE);
    server.resident_bytes()
}

/// Has our server make the pairs.
fn generate(file: &Path, pairs: u32) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(["generate", "--seed", "7", "--lines", &pairs.to_string()]).arg(file);
    let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("no pairs could be made: {other:?}")),
    }
}
