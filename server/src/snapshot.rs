//! Snapshots: all pairs in a file, written while they are used and read when the server starts.
//!
//! The file is one checksummed frame of zstd that holds text as Redis keeps it in its append-only
//! files. `walk` copies pairs out in bounded pieces, `write` gets them to the disk without ever
//! touching what was written before, `read` refuses whatever is not whole. This file says when:
//! one thread of its own writes, when asked or when it is time, one snapshot after another.

#[cfg(test)]
mod faults;
mod read;
mod text;
mod walk;
mod write;

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::keyspace::Keyspace;
pub use read::{Contents, ReadError};
pub(crate) use read::{check, load_bytes, unpack};
use walk::Bounds;
pub(crate) use write::pack;
use write::{Disk, Written};

/// Where snapshots are kept, and how often they are written.
#[derive(Debug, Clone)]
pub struct SnapshotSettings {
    /// The file, read at the start if it is there.
    pub file: PathBuf,
    /// How often it is written without being asked for.
    pub every: Option<Duration>,
}

/// Why a server cannot keep its snapshots as wished.
#[derive(Debug)]
pub enum SnapshotError {
    /// Another process keeps its own there.
    Locked(PathBuf),
    /// Its folder cannot be written to.
    Folder(PathBuf, io::Error),
    /// The file that is there is no whole snapshot.
    Read(ReadError),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(file) => write!(
                f,
                "{}: another server keeps its snapshots there: give each a file of its own",
                file.display()
            ),
            Self::Folder(file, error) => write!(
                f,
                "{}: cannot be written ({error}): `--snapshot` needs a folder that is there and \
                 may be written to",
                file.display()
            ),
            Self::Read(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SnapshotError {}

/// Why a snapshot was not begun: one is being written, or none shall be any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBegun {
    InProgress,
    Stopping,
}

/// What became of the snapshots so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    /// Since when one has been written, if one is.
    pub(crate) since: Option<Instant>,
    /// When the last whole one was, in seconds since 1970; the start of the server before any.
    pub(crate) last_s: u64,
    /// How long the last attempt took.
    pub(crate) took: Option<Duration>,
    /// The last whole one.
    pub(crate) written: Written,
    /// Snapshots that were written.
    pub(crate) successes: u64,
    /// Attempts that failed.
    pub(crate) failures: u64,
    /// Why the last attempt failed, if it did.
    pub(crate) failure: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    status: Status,
    /// Whether one was asked for and has not been begun.
    asked: bool,
    /// Attempts that have ended.
    ended: u64,
    /// Whether none may be asked for any more, and the writing thread is to end.
    closed: bool,
}

/// The snapshots of a server.
#[derive(Debug)]
pub(crate) struct Snapshots {
    settings: SnapshotSettings,
    /// What was read at the start, if there was something.
    loaded: Option<Contents>,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: Condvar,
    /// Set when what is being written is not wanted any more.
    given_up: AtomicBool,
    /// Held for as long as nobody else may write there.
    _lock: File,
}

impl Snapshots {
    /// Sees that snapshots can be written, and reads the one that is there into `keyspace`, which is
    /// new.
    ///
    /// # Errors
    /// [`SnapshotError`]; the keyspace must be done away with then.
    pub(crate) fn open(
        settings: SnapshotSettings,
        keyspace: &Keyspace,
    ) -> Result<Self, SnapshotError> {
        let file = &settings.file;
        let lock = lock(file)?;
        let partial = write::partial(file);
        if std::fs::remove_file(&partial).is_ok() {
            tracing::warn!("{}: removed: it was cut off while it was written", partial.display());
        }
        let loaded = load(file, keyspace).map_err(SnapshotError::Read)?;
        let status = Status { last_s: wall_s(), ..Status::default() };
        Ok(Self {
            settings,
            loaded,
            state: Mutex::new(State { status, ..State::default() }),
            changed: Condvar::new(),
            given_up: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// What was read at the start, if there was something.
    pub(crate) fn loaded(&self) -> Option<Contents> {
        self.loaded
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.settings.file
    }

    /// What became of the snapshots so far.
    pub(crate) fn status(&self) -> Status {
        self.state().status.clone()
    }

    /// Has a snapshot written, and does not wait for it.
    ///
    /// # Errors
    /// [`NotBegun`] if it will not be.
    pub(crate) fn ask(&self) -> Result<(), NotBegun> {
        self.ask_and_number().map(drop)
    }

    /// Has a snapshot written and waits until it is.
    ///
    /// # Errors
    /// [`NotBegun`] if it will not be; within, why it failed.
    pub(crate) fn save(&self) -> Result<Result<(), String>, NotBegun> {
        let number = self.ask_and_number()?;
        let waited = self.changed.wait_while(self.state(), |state| state.ended <= number);
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        Ok(state.status.failure.clone().map_or(Ok(()), Err))
    }

    /// The number of the attempt that was asked for.
    fn ask_and_number(&self) -> Result<u64, NotBegun> {
        let mut state = self.state();
        if state.closed {
            return Err(NotBegun::Stopping);
        }
        if state.asked || state.status.since.is_some() {
            return Err(NotBegun::InProgress);
        }
        state.asked = true;
        state.status.since = Some(Instant::now());
        self.changed.notify_all();
        Ok(state.ended)
    }

    /// Gives up what is being written, lets nobody ask for more, and ends [`attend`](Self::attend).
    pub(crate) fn close(&self) {
        self.given_up.store(true, Ordering::SeqCst);
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Writes the last snapshot, once [`attend`](Self::attend) has ended. It does not give way: there
    /// is nobody left to serve, and whoever stops the server may not wait for long.
    pub(crate) fn finish(&self, keyspace: &Keyspace) {
        self.given_up.store(false, Ordering::SeqCst);
        self.attempt(self.state(), keyspace);
    }

    /// Writes a snapshot whenever one is asked for or it is time, until told to stop. Runs on a
    /// thread of its own.
    pub(crate) fn attend(&self, keyspace: &Keyspace) {
        give_way();
        let mut due = self.due();
        loop {
            let is_idle = |state: &mut State| !state.asked && !state.closed;
            let state = match due.map(|due| due.saturating_duration_since(Instant::now())) {
                None => {
                    let waited = self.changed.wait_while(self.state(), is_idle);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
                Some(left) => {
                    let waited = self.changed.wait_timeout_while(self.state(), left, is_idle);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            // Who asked before it was closed waits, if only to be told so.
            if state.closed && !state.asked {
                return;
            }
            due = self.due();
            self.attempt(state, keyspace);
        }
    }

    /// When the next snapshot is to be written that nobody asks for.
    fn due(&self) -> Option<Instant> {
        Instant::now().checked_add(self.settings.every?)
    }

    /// Writes a snapshot and notes what became of it.
    fn attempt(&self, mut state: MutexGuard<'_, State>, keyspace: &Keyspace) {
        let begun = Instant::now();
        state.asked = false;
        state.status.since = Some(begun);
        drop(state);
        let file = self.file();
        let go_on = || {
            let given_up = self.given_up.load(Ordering::SeqCst);
            if given_up { Err(io::Error::other("the server stops")) } else { Ok(()) }
        };
        let writing = || write::write(&Disk, file, keyspace, Bounds::default(), go_on);
        let panicked = |_| Err(io::Error::other("a mistake in the server"));
        let outcome = catch_unwind(AssertUnwindSafe(writing)).unwrap_or_else(panicked);
        let took = begun.elapsed();

        let mut state = self.state();
        state.ended += 1;
        let status = &mut state.status;
        (status.since, status.took) = (None, Some(took));
        match outcome {
            Ok(written) => {
                let Written { pairs, bytes, .. } = written;
                tracing::info!(pairs, bytes, ?took, "wrote {}", file.display());
                status.last_s = wall_s();
                status.written = written;
                status.successes += 1;
                status.failure = None;
            }
            Err(error) => {
                let failure = format!("{}: not written: {error}", file.display());
                if self.given_up.load(Ordering::SeqCst) {
                    tracing::info!("{failure}");
                } else {
                    tracing::error!("{failure}; what it held before is still there");
                }
                status.failures += 1;
                status.failure = Some(failure);
            }
        }
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the place beside `file` that says that it is ours. It is given back when the process ends,
/// however it does.
fn lock(file: &Path) -> Result<File, SnapshotError> {
    let options = File::options().write(true).create(true).truncate(false).to_owned();
    let unusable = |error| SnapshotError::Folder(file.to_owned(), error);
    let lock = options.open(write::beside(file, ".lock")).map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SnapshotError::Locked(file.to_owned())),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!(%error, "nothing keeps another server from {}", file.display());
            Ok(lock)
        }
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// Reads the snapshot that is there, if one is.
fn load(file: &Path, keyspace: &Keyspace) -> Result<Option<Contents>, ReadError> {
    // What cannot be looked at is there, for all that is known: reading will tell.
    if matches!(file.try_exists(), Ok(false)) {
        tracing::info!("{}: there is none yet: starting without pairs", file.display());
        return Ok(None);
    }
    let contents = read::load(file, keyspace)?;
    let Contents { pairs, with_deadline, expired, .. } = contents;
    tracing::info!(pairs, with_deadline, expired, "loaded {}", file.display());
    Ok(Some(contents))
}

/// Lets those who serve clients go first where processors are scarce.
fn give_way() {
    // Elsewhere it would be the whole process that does.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(%error, "snapshots are written at the same priority as all else");
    }
}

/// Seconds since 1970.
fn wall_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
