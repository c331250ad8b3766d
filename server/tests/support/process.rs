//! The command `server` as it is run.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::PATIENCE;

pub(crate) fn server(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_server"));
    command.args(arguments).stdin(Stdio::null()).env_remove("SERVER_REQUIREPASS");
    command
}

/// Runs it to its end; one that goes on is killed after a while.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = server(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    let begun = Instant::now();
    while child.try_wait().expect("it can be asked").is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it ended")
}

pub(crate) fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A server that runs; killed when dropped.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) log: BufReader<std::process::ChildStderr>,
    /// What it said before it listened.
    pub(crate) before: String,
    pub(crate) resp: SocketAddr,
    pub(crate) http: String,
}

impl Serving {
    /// Starts it on free ports.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = server(&["--resp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        let mut child = command.args(arguments).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut before = String::new();
        let line = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).expect("text") > 0, "it ended: {before}");
            if line.contains("listening") {
                break line;
            }
            before.push_str(&line);
        };
        let field = |name: &str| {
            let after = line.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {line}"));
            let end = after.find([' ', '\n', '"']).unwrap_or(after.len());
            after[..end].to_owned()
        };
        let resp = field("resp=").parse().expect("an address");
        let http = field("http=\"");
        Self { child, log, before, resp, http }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn path_in(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}
