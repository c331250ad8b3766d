//! GET and SET at both servers in turns, by redis-benchmark and by a client that does less.

use super::Arguments;
use super::by_turns;
use super::client::Client;
use super::figures::{self, Run};
use super::programs::Programs;
use super::servers::{Kind, Server};
use super::times::{Spent, Times};

/// Connections of the clients.
pub(crate) const CONNECTIONS: u32 = 50;
/// Bytes of each value.
pub(crate) const VALUE: usize = 35;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    RedisBenchmark,
    ByTurns,
}

/// What is asked for in one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) asker: Asker,
    pub(crate) command: &'static str,
    /// Requests that a connection sends before it waits for their replies.
    pub(crate) pipeline: u32,
    /// So many times the rate of redis-server is what we want.
    pub(crate) goal: Option<f64>,
}

const CASES: [Case; 5] = [
    Case::of_redis_benchmark("get", 1, Some(1.2)),
    Case { asker: Asker::ByTurns, command: "get", pipeline: 1, goal: Some(1.2) },
    Case::of_redis_benchmark("set", 1, None),
    Case::of_redis_benchmark("get", 16, Some(1.6)),
    Case::of_redis_benchmark("set", 16, None),
];

impl Case {
    const fn of_redis_benchmark(command: &'static str, pipeline: u32, goal: Option<f64>) -> Self {
        Self { asker: Asker::RedisBenchmark, command, pipeline, goal }
    }

    /// What a table calls it.
    pub(crate) fn name(self) -> String {
        let command = self.command.to_uppercase();
        match self.asker {
            Asker::RedisBenchmark => command,
            Asker::ByTurns => format!("{command}, asked by turns"),
        }
    }

    /// Requests of a run: seconds on a machine of today.
    fn requests(self, quick: bool) -> u32 {
        let requests = if self.pipeline == 1 { 300_000 } else { 1_500_000 };
        if quick { requests / 10 } else { requests }
    }
}

/// What one run gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) run: Run,
    /// The processor's time that the server took for an operation, in microseconds.
    pub(crate) cpu_us: f64,
    pub(crate) spent: Spent,
}

/// What the rounds of one case gave: of ours and of redis-server's.
#[derive(Debug)]
pub(crate) struct Rounds {
    pub(crate) case: Case,
    pub(crate) ours: Vec<Sample>,
    pub(crate) redis: Vec<Sample>,
}

/// Both servers with the same pairs.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) ours: Server,
    redis: Server,
}

impl Loaded {
    /// Starts and loads them.
    ///
    /// # Errors
    /// If that fails, or a server has not as many keys as were loaded.
    pub(crate) fn start(programs: &Programs, keys: u64) -> Result<Self, String> {
        let start = |kind| -> Result<Server, String> {
            let server = Server::start(programs, kind, &[])?;
            eprintln!("loading {keys} pairs into {kind:?}");
            load(&mut server.client()?, keys)?;
            Ok(server)
        };
        Ok(Self { ours: start(Kind::Ours)?, redis: start(Kind::Redis)? })
    }
}

/// The key that redis-benchmark makes of a number.
pub(crate) fn key(number: u64) -> String {
    format!("key:{number:012}")
}

/// Stores under every key that redis-benchmark may ask for.
fn load(client: &mut Client, keys: u64) -> Result<(), String> {
    const STEP: usize = 10_000;
    let value = [b'x'; VALUE];
    let mut numbers = 0..keys;
    loop {
        let names: Vec<String> = numbers.by_ref().take(STEP).map(key).collect();
        if names.is_empty() {
            break;
        }
        client.load(names.iter().map(|name| (name.as_bytes(), &value[..])), None)?;
    }
    match client.keys()? {
        there if there == keys => Ok(()),
        there => Err(format!("{keys} keys were loaded, and {there} are there")),
    }
}

/// Measures every case in every round; the server that goes first changes with each round.
///
/// # Errors
/// If a program fails, or a GET found nothing.
pub(crate) fn measure(
    programs: &Programs,
    loaded: &mut Loaded,
    arguments: &Arguments,
) -> Result<Vec<Rounds>, String> {
    let empty = |case| Rounds { case, ours: Vec::new(), redis: Vec::new() };
    let mut measured: Vec<Rounds> = CASES.into_iter().map(empty).collect();
    let rounds = if arguments.quick { arguments.rounds.min(2) } else { arguments.rounds };
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for Rounds { case, ours, redis } in &mut measured {
            let mut turns = [(&loaded.ours, ours), (&loaded.redis, redis)];
            if round % 2 == 1 {
                turns.reverse();
            }
            for (server, samples) in turns {
                samples.push(sample(programs, server, *case, arguments)?);
            }
        }
    }
    for server in [&loaded.ours, &loaded.redis] {
        let misses = server.client()?.misses()?;
        if misses > 0 {
            return Err(format!("{misses} look-ups found nothing: the rates mean nothing"));
        }
    }
    Ok(measured)
}

fn sample(
    programs: &Programs,
    server: &Server,
    case: Case,
    arguments: &Arguments,
) -> Result<Sample, String> {
    let requests = case.requests(arguments.quick);
    let before = Times::read(server)?;
    let csv = match case.asker {
        Asker::RedisBenchmark => redis_benchmark(programs, server, case, requests, arguments.keys)?,
        Asker::ByTurns => ask_by_turns(programs, server, requests, arguments.keys)?,
    };
    let spent = before.spent(server)?;
    let cpu_us = spent.server_s * 1e6 / f64::from(requests);
    let run = figures::run(&csv);
    let run = run.ok_or_else(|| format!("the client told no figures: {}", csv.trim()))?;
    Ok(Sample { run, cpu_us, spent })
}

fn redis_benchmark(
    programs: &Programs,
    server: &Server,
    case: Case,
    requests: u32,
    keys: u64,
) -> Result<String, String> {
    let words = [
        ("-h", "127.0.0.1".to_owned()),
        ("-p", server.resp.port().to_string()),
        ("-c", CONNECTIONS.to_string()),
        ("-P", case.pipeline.to_string()),
        ("-n", requests.to_string()),
        ("-r", keys.to_string()),
        ("-d", VALUE.to_string()),
        ("-t", case.command.to_owned()),
    ];
    let words = words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]);
    let words: Vec<String> = words.chain(["--csv".to_owned()]).collect();
    programs.output("redis-benchmark", &words)
}

fn ask_by_turns(
    programs: &Programs,
    server: &Server,
    requests: u32,
    keys: u64,
) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let words = [by_turns::ARGUMENT, &server.resp.to_string(), &requests.to_string()];
    let keys = ["--keys".to_owned(), keys.to_string()];
    let words: Vec<String> = words.into_iter().map(str::to_owned).chain(keys).collect();
    programs.output(&own.to_string_lossy(), &words)
}
