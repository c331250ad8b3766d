//! Programs that others have made, which tests run against the server.

#![allow(dead_code, reason = "each test uses what it needs")]

use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// So long that only a mistake takes it; nothing asserts that anything is faster.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Where a program is; folders of the system count although not every user has them in `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Whether something is here. Says so if not, with the remedy; with `INTEROP=required` that is a
/// failure.
pub(crate) fn is_here(is_it: bool, what: &str, remedy: &str) -> bool {
    if is_it {
        return true;
    }
    let complaint = format!("{what} not there: {remedy}");
    assert!(std::env::var("INTEROP").as_deref() != Ok("required"), "{complaint}");
    let _ = writeln!(std::io::stderr(), "SKIPPED, {complaint}");
    false
}

/// The same for what `fetch.sh` fetches, which CI does without where nothing can be fetched.
pub(crate) fn is_fetched(is_it: bool, what: &str, remedy: &str) -> bool {
    let without = std::env::var_os("INTEROP_WITHOUT_FETCHED").is_some();
    if without && !is_it {
        let _ = writeln!(std::io::stderr(), "SKIPPED, {what} not there: {remedy}");
        return false;
    }
    is_here(is_it, what, remedy)
}

/// The same for programs that Debian has.
pub(crate) fn are_here(names: &[&str]) -> bool {
    let missing: Vec<&str> = names.iter().copied().filter(|name| program(name).is_none()).collect();
    let remedy = "install Debian's redis-server, redis-tools, nutcracker and tcl";
    is_here(missing.is_empty(), &missing.join(", "), remedy)
}

/// A port that nobody listens at now.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    free.local_addr().expect("it has one").port()
}

/// Waits for what must become so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited too long: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// `command`, to be killed with the test that starts it, where there is a program for that.
fn bound_to_us(program: &Path) -> Command {
    match self::program("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    }
}

/// Runs a program to its end with `input`; one that goes on is killed after a while.
pub(crate) fn run(program: &Path, arguments: &[&str], input: &[u8]) -> Output {
    run_in(&std::env::temp_dir(), program, arguments, input)
}

/// The same in a folder.
pub(crate) fn run_in(folder: &Path, program: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = bound_to_us(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_vec();
    // One that ends without reading it all will say why.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let read = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            drop(pipe.read_to_end(&mut bytes));
            bytes
        })
    };
    let stdout = read(Box::new(child.stdout.take().expect("it is piped")));
    let stderr = read(Box::new(child.stderr.take().expect("it is piped")));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            drop(child.kill());
        }
        sleep(Duration::from_millis(10));
    };
    writer.join().expect("no panic");
    let (stdout, stderr) = (stdout.join().expect("no panic"), stderr.join().expect("no panic"));
    Output { status, stdout, stderr }
}

/// What a program has said, errors last.
pub(crate) fn text(output: &Output) -> String {
    let bytes = [&*output.stdout, &*output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program that listens at a port in a folder of its own; gone with this.
pub(crate) struct Started {
    process: Child,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Started {
    /// Starts a program until a port is found that nobody else took meanwhile.
    pub(crate) fn new(program: &Path, arguments: impl Fn(u16, &Path) -> Vec<String>) -> Self {
        for _ in 0..5 {
            let started = Self::at(free_port(), program, &arguments);
            if let Some(started) = started {
                return started;
            }
        }
        panic!("{} does not start", program.display());
    }

    /// Starts a program that listens at `port`, or nothing if it does not.
    pub(crate) fn at(
        port: u16,
        program: &Path,
        arguments: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = bound_to_us(program);
        command.args(arguments(port, folder.path())).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = command.spawn().expect("it can be started");
        let mut ended = false;
        until("a server listens, or has given up", || {
            ended = process.try_wait().expect("it can be asked").is_some();
            ended || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        (!ended).then_some(Self { process, port, folder })
    }

    /// Our own server, as it is run, at `port`.
    pub(crate) fn ours_at(port: u16) -> Option<Self> {
        Self::at(port, Path::new(env!("CARGO_BIN_EXE_server")), |port, _| {
            ["--resp", &format!("127.0.0.1:{port}"), "--http", "off", "--threads", "1"]
                .map(str::to_owned)
                .into()
        })
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
