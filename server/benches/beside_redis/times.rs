//! How long a server and its clients were at work.

use std::time::Instant;

use super::figures;
use super::servers::Server;

/// The clock, and the processor's time of a server and of all clients so far.
pub(crate) struct Times {
    at: Instant,
    server_s: f64,
    clients_s: f64,
}

/// What was between two times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    /// The processor's time of the server, in seconds.
    pub(crate) server_s: f64,
    /// The share of the time in which the server was at work.
    pub(crate) server_busy: f64,
    /// The same of its client. One that always is asks no faster, whatever the server.
    pub(crate) client_busy: f64,
}

impl Times {
    /// Those of now; clients count once they have ended.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn read(server: &Server) -> Result<Self, String> {
        let path = "/proc/self/stat";
        let own = std::fs::read_to_string(path)
            .map_err(|error| format!("{path}: {error}; Linux tells this"))?;
        let clients_s = figures::children_cpu_s(&own);
        Ok(Self {
            at: Instant::now(),
            server_s: server.cpu_s()?,
            clients_s: clients_s.ok_or_else(|| format!("no times in {path}"))?,
        })
    }

    /// What has been spent since.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn spent(&self, server: &Server) -> Result<Spent, String> {
        let now = Self::read(server)?;
        let elapsed_s = now.at.duration_since(self.at).as_secs_f64();
        let server_s = now.server_s - self.server_s;
        Ok(Spent {
            server_s,
            server_busy: server_s / elapsed_s,
            client_busy: (now.clients_s - self.clients_s) / elapsed_s,
        })
    }
}
