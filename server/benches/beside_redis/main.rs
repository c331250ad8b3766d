//! The server beside redis-server: the same clients, keys and bytes, in turns on the same machine.
//!
//! `just bench-server`, or with `--quick` to see that it works. Rates depend on who else uses the
//! machine; what counts are the ratios of runs that follow each other, and the processor's time for
//! each operation.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

mod by_turns;
mod client;
mod figures;
mod http;
mod load;
mod memory;
mod page;
mod programs;
mod servers;
mod times;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use page::Results;
use programs::Programs;

/// Compare the server with redis-server: rates, processor time, latencies, memory; and HTTP
#[derive(Debug, Parser)]
#[command(name = "just bench-server", version)]
struct Arguments {
    /// A tenth of the pairs and short runs: shows that it works, and proves nothing
    #[arg(long)]
    quick: bool,
    /// How often each run is repeated; the servers take turns
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Keys that are read and written, chosen at random
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    keys: u64,
    /// Write the tables to this Markdown file, too; a relative name begins at the repository's root
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Be the client that asks by turns, of this server, and so many requests
    #[arg(long, hide = true, num_args = 2, value_names = ["ADDR", "N"])]
    by_turns: Option<Vec<String>>,
    /// What `cargo bench` tells every program
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// How it was called, for who wants to call it again.
    fn command(&self) -> String {
        let quick = if self.quick { " --quick" } else { "" };
        let out = if self.out.is_some() { " --out FILE" } else { "" };
        format!("just bench-server{quick} --rounds {} --keys {}{out}", self.rounds, self.keys)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("error: {complaint}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    if let Some([addr, requests]) = arguments.by_turns.as_deref() {
        let addr = addr.parse().map_err(|error| format!("{addr}: {error}"))?;
        let requests = requests.parse().map_err(|error| format!("{requests}: {error}"))?;
        println!("{}", by_turns::run(addr, requests, arguments.keys)?);
        return Ok(());
    }
    let programs = Programs::find()?;
    let conditions = page::Conditions::read(arguments, &programs);
    let mut loaded = load::Loaded::start(&programs, arguments.keys)?;
    let rates = load::measure(&programs, &mut loaded, arguments)?;
    let http = http::measure(&programs, &loaded.ours, arguments)?;
    drop(loaded);
    let pairs = if arguments.quick { 100_000 } else { memory::PAIRS };
    let memory = memory::measure(&programs, pairs)?;
    let results = Results { conditions, rates, http, memory };
    println!("{}", results.terminal());
    let Some(out) = &arguments.out else { return Ok(()) };
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(out);
    std::fs::write(&out, results.markdown())
        .map_err(|error| format!("{}: cannot be written: {error}", out.display()))
}
