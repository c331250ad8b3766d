//! The server as a whole: it listens, hands connections to its threads, and stops.
//!
//! Each thread runs an event loop of its own and keeps the connections it was handed: nothing is
//! shared between them but the pairs and a few counters.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::commands::Session;
use crate::data::{self, LoadError, LoadOptions};
use crate::keyspace::{Keyspace, OpenError, Settings};
use crate::snapshot::{SnapshotError, SnapshotSettings, Snapshots};
use crate::state::{Limits, Shared};
use crate::{http, resp};

/// What a server is to be.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the protocol of Redis is spoken; port 0 for any.
    pub resp: SocketAddr,
    /// Where HTTP is spoken, if anywhere.
    pub http: Option<SocketAddr>,
    /// What clients must say first, if anything.
    pub password: Option<String>,
    /// Serve whoever comes on an address that others can reach, without a password.
    pub insecure: bool,
    /// Threads that serve clients.
    pub threads: usize,
    /// How much clients may ask.
    pub limits: Limits,
    /// What is kept.
    pub keyspace: Settings,
    /// Files of pairs to begin with.
    pub load: Vec<PathBuf>,
    /// How they are read.
    pub load_options: LoadOptions,
    /// Where snapshots are kept, if anywhere. If one is there already, the server begins with it
    /// and not with the files of pairs.
    pub snapshot: Option<SnapshotSettings>,
}

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// Anybody could use it on this address.
    Open(SocketAddr),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// The keyspace cannot be had as wished.
    Keyspace(OpenError),
    /// A file of pairs cannot be loaded.
    Load(LoadError),
    /// Snapshots cannot be kept as wished.
    Snapshot(SnapshotError),
    /// A thread or its event loop cannot be had.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(addr) => write!(
                f,
                "{addr}: other machines can reach this address, and anybody there could read and \
                 change everything: add `--requirepass PASSWORD`, listen on 127.0.0.1, or say \
                 `--insecure` if that is what you want"
            ),
            Self::Listen(addr, error) => write!(
                f,
                "{addr}: cannot listen there ({error}): choose another address or port, or stop \
                 whoever has it"
            ),
            Self::Keyspace(error) => write!(f, "{error}"),
            Self::Load(error) => write!(f, "{error}"),
            Self::Snapshot(error) => write!(f, "{error}"),
            Self::Thread(error) => write!(
                f,
                "a thread could not be started ({error}): say fewer `--threads`, or let the process \
                 have more threads and open files (`ulimit -u`, `ulimit -n`)"
            ),
        }
    }
}

impl std::error::Error for StartError {}

/// A server that runs until it is told to stop.
#[derive(Debug)]
pub struct Running {
    /// Where the protocol of Redis is spoken.
    pub resp: SocketAddr,
    /// Where HTTP is spoken, if anywhere.
    pub http: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// The thread that writes snapshots.
    writer: Option<JoinHandle<()>>,
}

/// How long connections have for what they are at when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Threads beside each event loop for commands that look at every pair; who asks for more of them
/// waits.
const WALKERS: usize = 2;

/// Connections that wait to be let in.
const BACKLOG: i32 = 1024;

/// How long a client may be silent before the system asks whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(300);

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy)]
enum Language {
    Resp,
    Http,
}

/// A connection on its way to a thread, and its client's number.
struct Arrival {
    language: Language,
    stream: std::net::TcpStream,
    peer: SocketAddr,
    id: u64,
}

impl Running {
    /// Starts a server.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running then.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        if config.password.is_none() && !config.insecure {
            let mut addresses = std::iter::once(config.resp).chain(config.http);
            if let Some(open) = addresses.find(|addr| !addr.ip().is_loopback()) {
                return Err(StartError::Open(open));
            }
        }
        let keyspace = Keyspace::new(config.keyspace.clone()).map_err(StartError::Keyspace)?;
        let snapshots = begin(config, &keyspace)?;
        let threads = config.threads.max(1);
        let password = config.password.clone();
        let shared = Shared::new(keyspace, password, config.limits, threads);
        let shared = Arc::new(shared.with_snapshots(snapshots));
        let (stop, stopped) = watch::channel(false);
        let acceptor = runtime()?;
        let (listener, resp) = listen(&acceptor, config.resp)?;
        let http = config.http.map(|addr| listen(&acceptor, addr)).transpose()?;
        let _ = shared.resp_addr.set(resp);

        let http_addr = http.as_ref().map(|(_, addr)| *addr);
        let mut running = Self {
            resp,
            http: http_addr,
            stop,
            shared: Arc::clone(&shared),
            threads: Vec::new(),
            writer: None,
        };
        let mut workers = Vec::new();
        for number in 0..threads {
            let (sender, arrivals) = mpsc::unbounded_channel();
            workers.push(sender);
            let (worker, shared, stopped) = (runtime()?, Arc::clone(&shared), stopped.clone());
            running.spawn(format!("serve-{number}"), move || {
                worker.block_on(work(shared, arrivals, stopped));
            })?;
        }
        if shared.snapshots.is_some() {
            let shared = Arc::clone(&shared);
            running.writer = Some(thread("snapshot".to_owned(), move || {
                if let Some(snapshots) = &shared.snapshots {
                    snapshots.attend(&shared.keyspace);
                }
            })?);
        }
        running.spawn("accept".to_owned(), move || {
            acceptor.block_on(async {
                let resp = accept(listener, Language::Resp, &shared, &workers, stopped.clone());
                match http {
                    None => resp.await,
                    Some((listener, _)) => {
                        let http = accept(listener, Language::Http, &shared, &workers, stopped);
                        tokio::join!(resp, http);
                    }
                }
            });
        })?;
        Ok(running)
    }

    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> Result<(), StartError> {
        // Those that run already stop as `self` is dropped.
        self.threads.push(thread(name, body)?);
        Ok(())
    }

    /// Stops: nobody is let in any more, what was received is replied to, connections are closed;
    /// then a last snapshot is written, if any are kept.
    ///
    /// # Errors
    /// Why the last snapshot was not written; the one before is still there.
    pub fn stop(mut self) -> Result<(), String> {
        self.end(true);
        let failure = self.shared.snapshots.as_ref().and_then(|kept| kept.status().failure);
        failure.map_or(Ok(()), Err)
    }

    /// The same, with or without a last snapshot; one that is being written is given up.
    fn end(&mut self, with_snapshot: bool) {
        self.stop.send_replace(true);
        let snapshots = self.shared.snapshots.as_ref();
        // Clients that wait for one are told at once.
        if let Some(snapshots) = snapshots {
            snapshots.close();
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if let Some(snapshots) = snapshots.filter(|_| with_snapshot) {
            snapshots.finish(&self.shared.keyspace);
        }
    }
}

impl Drop for Running {
    /// Stops without a last snapshot.
    fn drop(&mut self) {
        self.end(false);
    }
}

/// Reads what the server is to begin with.
fn begin(config: &Config, keyspace: &Keyspace) -> Result<Option<Snapshots>, StartError> {
    let snapshots = match &config.snapshot {
        None => None,
        Some(settings) => {
            Some(Snapshots::open(settings.clone(), keyspace).map_err(StartError::Snapshot)?)
        }
    };
    let is_loaded = snapshots.as_ref().is_some_and(|snapshots| snapshots.loaded().is_some());
    for file in &config.load {
        if is_loaded {
            // What it says may have been changed or deleted since.
            tracing::info!("{}: not loaded: there is a snapshot", file.display());
        } else {
            data::load(file, &config.load_options, keyspace).map_err(StartError::Load)?;
        }
    }
    Ok(snapshots)
}

fn thread(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name).spawn(body).map_err(StartError::Thread)
}

fn runtime() -> Result<Runtime, StartError> {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(WALKERS).build().map_err(StartError::Thread)
}

/// Listens on `addr`; returns the address with the port that it has in the end, too.
fn listen(runtime: &Runtime, addr: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen = || {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(addr),
            socket2::Type::STREAM,
            Some(socket2::Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let _context = runtime.enter();
        let listener = TcpListener::from_std(socket.into())?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen().map_err(|error| StartError::Listen(addr, error))
}

/// Completes once the server is to stop.
async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could tell is gone, which is the same.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Lets clients in and hands them to the workers in turn.
async fn accept(
    listener: TcpListener,
    language: Language,
    shared: &Shared,
    workers: &[mpsc::UnboundedSender<Arrival>],
    stopped: watch::Receiver<bool>,
) {
    let mut stop = std::pin::pin!(told(stopped));
    let mut turns = workers.iter().cycle();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.as_mut() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, most likely: it gets better only with time.
                tracing::warn!(%error, "a client could not be let in");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(id) = shared.enter() else {
            tracing::warn!(%peer, "client turned away: there are as many as may be");
            let full: &[u8] = match language {
                Language::Resp => b"-ERR max number of clients reached\r\n",
                Language::Http => b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n",
            };
            let _ = stream.try_write(full);
            continue;
        };
        let stream = ready(stream, shared.limits.stall);
        let arrival = stream.map(|stream| Arrival { language, stream, peer, id });
        let handed = match (arrival, turns.next()) {
            (Ok(arrival), Some(worker)) => worker.send(arrival).is_ok(),
            _ => false,
        };
        if !handed {
            drop(shared.seat());
        }
    }
}

/// Makes a connection ready to be handed over.
fn ready(stream: TcpStream, stall: Duration) -> io::Result<std::net::TcpStream> {
    stream.set_nodelay(true)?;
    // Whoever does not take what is sent to it is given up, whichever protocol it speaks.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(stall))?;
    let keepalive = socket2::TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    stream.into_std()
}

/// Serves the connections that arrive until no more can, then those that are left for a while.
async fn work(
    shared: Arc<Shared>,
    mut arrivals: mpsc::UnboundedReceiver<Arrival>,
    stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => {
                    let stop = told(stopped.clone());
                    connections.spawn(attend(Arc::clone(&shared), arrival, stop));
                }
                None => break,
            },
            Some(ended) = connections.join_next() => report(&ended),
        }
    }
    let rest = async {
        while let Some(ended) = connections.join_next().await {
            report(&ended);
        }
    };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::warn!("some clients were cut off: they did not read their replies");
    }
}

fn report(ended: &Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "serving a client failed");
    }
}

/// Serves one client.
async fn attend(shared: Arc<Shared>, arrival: Arrival, stop: impl Future<Output = ()>) {
    let _seat = shared.seat();
    let peer = arrival.peer.to_string();
    match (TcpStream::from_std(arrival.stream), arrival.language) {
        (Ok(stream), Language::Resp) => {
            let session = Session::new(arrival.id, peer, &shared);
            resp::serve(stream, &shared, session, stop).await;
        }
        (Ok(stream), Language::Http) => http::serve(stream, &shared, &peer, stop).await,
        (Err(error), _) => tracing::warn!(%error, "a client could not be taken over"),
    }
}
