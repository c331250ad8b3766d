//! The programs that are run, and on which processor.

use std::path::Path;
use std::process::{Command, Stdio};

/// Which side of the sockets a program is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Server,
    Client,
}

/// What was found to run.
#[derive(Debug)]
pub(crate) struct Programs {
    /// Whether servers and clients are kept on a core each.
    pub(crate) pinned: bool,
    /// What redis-server says of its version.
    pub(crate) redis: String,
    /// What wrk says of its version.
    pub(crate) wrk: String,
}

/// What is needed, and the package of Debian that has it.
const NEEDED: [(&str, &str); 3] =
    [("redis-server", "redis-server"), ("redis-benchmark", "redis-tools"), ("wrk", "wrk")];

impl Programs {
    /// Looks for all of them.
    ///
    /// # Errors
    /// Names those that are missing, and where to have them from.
    pub(crate) fn find() -> Result<Self, String> {
        let missing: Vec<String> = NEEDED
            .iter()
            .filter(|(name, _)| !is_there(name))
            .map(|(name, package)| format!("{name} (Debian's {package})"))
            .collect();
        if !missing.is_empty() {
            return Err(format!("install what is missing here: {}", missing.join(", ")));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let pinned = cores >= 2 && is_there("taskset");
        Ok(Self { pinned, redis: first_line("redis-server", "--version")?, wrk: wrk_version()? })
    }

    /// A command that runs `program` on its side's core, where cores can be chosen.
    pub(crate) fn command(&self, side: Side, program: &str) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let core = match side {
            Side::Server => "0",
            Side::Client => "1",
        };
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", core, program]);
        command
    }

    /// Runs a client's program to its end; returns what it printed.
    ///
    /// # Errors
    /// If it cannot be run or fails; says what it said.
    pub(crate) fn output(&self, program: &str, arguments: &[String]) -> Result<String, String> {
        let mut command = self.command(Side::Client, program);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(format!("{program} failed ({}): {}", output.status, text(&output.stderr).trim()))
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

fn first_line(program: &str, argument: &str) -> Result<String, String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.map_err(|error| format!("{program} cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// `wrk 4.1.0` of `wrk debian/4.1.0-3+b2 [epoll] Copyright ..`.
fn wrk_version() -> Result<String, String> {
    let line = first_line("wrk", "--version")?;
    Ok(line.split(" [").next().unwrap_or_default().to_owned())
}
