//! What all connections share: the pairs, what was chosen, and what is counted.

#[cfg(test)]
pub(crate) mod narrow;
mod pace;

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::keyspace::Keyspace;
use crate::snapshot::Snapshots;
use crate::wire::RequestLimits;
pub(crate) use pace::Pace;

/// How much clients may ask of the server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How large requests may be.
    pub request: RequestLimits,
    /// The most bytes of replies that are held for one client.
    pub output: usize,
    /// The most clients at once.
    pub clients: usize,
    /// How long a client may ask nothing before it is closed; for ever if `None`.
    pub idle: Option<Duration>,
    /// How long a client may leave a request unfinished, or its replies unread, without a byte
    /// moving. Where one takes more than 64 KiB, so much must move in this time, and at least a 64th
    /// of it.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let request = RequestLimits { bulk: 512 << 20, words: 1 << 20, request: 1 << 30 };
        let stall = Duration::from_secs(60);
        Self { request, output: 1 << 30, clients: 10_000, idle: None, stall }
    }
}

/// What all connections share.
pub(crate) struct Shared {
    /// The pairs.
    pub(crate) keyspace: Keyspace,
    /// What clients must say first, if anything.
    pub(crate) password: Option<String>,
    /// How much clients may ask.
    pub(crate) limits: Limits,
    /// Threads that serve clients.
    pub(crate) threads: usize,
    /// The snapshots, if any are kept.
    pub(crate) snapshots: Option<Snapshots>,
    /// When the server started.
    pub(crate) started: Instant,
    /// Where the protocol of Redis is spoken.
    pub(crate) resp_addr: OnceLock<SocketAddr>,
    clients: AtomicUsize,
    accepted: AtomicU64,
    refused: AtomicU64,
    commands: AtomicU64,
}

/// Memory that the process holds, in bytes, where the system tells it.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// One client's place among the clients; given back when dropped.
pub(crate) struct Seat<'s> {
    shared: &'s Shared,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("snapshots", &self.snapshots).finish_non_exhaustive()
    }
}

impl Shared {
    /// What connections to a new server share.
    pub(crate) fn new(
        keyspace: Keyspace,
        password: Option<String>,
        limits: Limits,
        threads: usize,
    ) -> Self {
        Self {
            keyspace,
            password,
            limits,
            threads,
            snapshots: None,
            started: Instant::now(),
            resp_addr: OnceLock::new(),
            clients: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            commands: AtomicU64::new(0),
        }
    }

    /// The same with snapshots.
    pub(crate) fn with_snapshots(self, snapshots: Option<Snapshots>) -> Self {
        Self { snapshots, ..self }
    }

    /// Takes a place among the clients, if one is free; returns the client's number.
    pub(crate) fn enter(&self) -> Option<u64> {
        if self.clients.fetch_add(1, Ordering::SeqCst) >= self.limits.clients {
            self.leave();
            self.refused.fetch_add(1, Ordering::SeqCst);
            return None;
        }
        Some(self.accepted.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Gives a place back.
    fn leave(&self) {
        self.clients.fetch_sub(1, Ordering::SeqCst);
    }

    /// Gives a place that was taken back when it is dropped.
    pub(crate) fn seat(&self) -> Seat<'_> {
        Seat { shared: self }
    }

    /// Counts commands that were carried out.
    pub(crate) fn count_commands(&self, commands: u64) {
        self.commands.fetch_add(commands, Ordering::SeqCst);
    }

    /// Clients that are connected.
    pub(crate) fn clients(&self) -> usize {
        self.clients.load(Ordering::SeqCst)
    }

    /// Clients that were let in since the start.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Clients that were turned away for want of places.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    /// Commands that were carried out.
    pub(crate) fn commands(&self) -> u64 {
        self.commands.load(Ordering::SeqCst)
    }

    /// Whether `said` is the password, in a time that does not tell how much of it is right.
    pub(crate) fn is_password(&self, said: &[u8]) -> bool {
        let password = self.password.as_deref().unwrap_or_default().as_bytes();
        constant_time_eq::constant_time_eq(said, password)
    }
}
