//! The servers as processes: started, asked what they take, stopped.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;
use super::figures;
use super::programs::{Programs, Side};

/// How long a server may take until it serves; it may have a file to load.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    /// Ours, whose allocator does not ask for huge pages.
    OursInSmallPages,
    Redis,
}

/// A server that runs; killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it speaks the protocol of Redis.
    pub(crate) resp: SocketAddr,
    /// Where it speaks HTTP, if it does.
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Starts a server that keeps nothing on disk, and waits until it serves.
    ///
    /// # Errors
    /// If it does not.
    pub(crate) fn start(
        programs: &Programs,
        kind: Kind,
        arguments: &[&str],
    ) -> Result<Self, String> {
        let (resp, http) = (free()?, free()?);
        let (program, own) = match kind {
            Kind::Ours | Kind::OursInSmallPages => {
                let own = ["--resp", &resp.to_string(), "--http", &http.to_string()];
                (env!("CARGO_BIN_EXE_server"), own.map(str::to_owned).to_vec())
            }
            Kind::Redis => {
                let port = resp.port().to_string();
                let own = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly"];
                ("redis-server", own.into_iter().chain(["no"]).map(str::to_owned).collect())
            }
        };
        let mut command = programs.command(Side::Server, program);
        command.args(own).args(arguments).current_dir(std::env::temp_dir());
        if kind == Kind::OursInSmallPages {
            command.env("MIMALLOC_ALLOW_THP", "0");
        }
        command.env_remove("SERVER_REQUIREPASS").stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| format!("{program} cannot be started: {error}"))?;
        let mut server = Self { child, resp, http };
        let begun = Instant::now();
        while server.client().and_then(|mut client| client.ask(&[b"PING"])).is_err() {
            if let Ok(Some(status)) = server.child.try_wait() {
                return Err(format!("{program} ended as it started: {status}"));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{program} does not serve on {resp}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// A connection to it.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(crate) fn client(&self) -> Result<Client, String> {
        Client::connect(self.resp)
    }

    /// The processor's time that it has taken, in seconds, to a hundredth.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn cpu_s(&self) -> Result<f64, String> {
        figures::cpu_s(&self.tell("stat")?).ok_or_else(|| "no times in /proc".to_owned())
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn resident_bytes(&self) -> Result<f64, String> {
        let bytes = figures::resident_bytes(&self.tell("status")?);
        bytes.ok_or_else(|| "no memory in /proc".to_owned())
    }

    fn tell(&self, what: &str) -> Result<String, String> {
        let path = format!("/proc/{}/{what}", self.child.id());
        fs::read_to_string(&path).map_err(|error| format!("{path}: {error}; Linux tells this"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
fn free() -> Result<SocketAddr, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let addr = listener.and_then(|listener| listener.local_addr());
    addr.map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}
