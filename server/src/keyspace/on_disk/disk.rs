//! Values in files, each under a number that is used once. The only file that names `fjall`.
//!
//! Nothing has to survive the process: what is written is handed to the system when fjall wants
//! to, and deleted at the end.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fjall::config::CompressionPolicy;
use fjall::{AbstractTree as _, CompressionType, Database, KeyspaceCreateOptions};
use fjall::{KvSeparationOptions, PersistMode};

use super::folder::{Folder, FolderError};

/// Under what number a value lies.
pub(super) type Position = u64;

/// Memory for what was written last, before it goes to a file; up to four times as much while the
/// disk is behind.
const WRITE_BUFFER: u64 = 16 << 20;
/// Memory for blocks of files: for finding values, which themselves are kept by who asks.
const BLOCK_CACHE: u64 = 16 << 20;
/// The log that fjall writes first. Nobody reads it, but fjall cannot do without; its least.
const JOURNALS: u64 = 64 << 20;
/// Values from this size on lie apart from the tree that finds them, so that it stays small.
const APART: u32 = 1 << 10;
/// The files that such values lie in are rewritten as a quarter of them is dead.
const BLOB_FILE: u64 = 32 << 20;
/// One thread that writes files and one that tidies them up.
const THREADS: usize = 2;
/// The longest that a write waits for these threads.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many bytes are written it is asked how much room there is.
const ROOM_CHECK: u64 = 1 << 20;

/// What failed; it was logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskError {
    /// Reading or writing.
    Failed,
    /// There is less room than is to be spared.
    Full,
}

/// Values on disk.
pub(super) struct Disk {
    values: fjall::Keyspace,
    database: Database,
    /// How much room is to be left, in bytes.
    spare: u64,
    /// Bytes written since it was asked how much there is.
    unchecked: AtomicU64,
    /// Whether there was too little.
    full: AtomicBool,
    failures: AtomicU64,
    refusals: AtomicU64,
    /// Values that there are.
    live: AtomicU64,
    /// Whether values were removed whose room was not yet asked for.
    removed: AtomicBool,
    /// Whether a thread gets room back.
    reclaiming: Arc<AtomicBool>,
    /// Last, so that it is held until the files are gone.
    folder: Folder,
}

impl Disk {
    /// Nothing yet, in `folder`.
    pub(super) fn open(folder: &Path, spare: u64) -> Result<Self, FolderError> {
        let failed = |error: fjall::Error| {
            let error = match error {
                fjall::Error::Io(error) => error,
                other => std::io::Error::other(other),
            };
            FolderError::Io(folder.to_owned(), error)
        };
        let claimed = Folder::claim(folder)?;
        let database = Database::builder(&claimed.data)
            .temporary(true)
            .manual_journal_persist(true)
            .journal_compression(CompressionType::None)
            .max_journaling_size(JOURNALS)
            .cache_size(BLOCK_CACHE)
            .worker_threads(THREADS)
            .open()
            .map_err(failed)?;
        let options = || {
            let apart = KvSeparationOptions::default()
                .compression(CompressionType::None)
                .separation_threshold(APART)
                .file_target_size(BLOB_FILE);
            KeyspaceCreateOptions::default()
                .manual_journal_persist(true)
                .max_memtable_size(WRITE_BUFFER)
                .data_block_compression_policy(CompressionPolicy::disabled())
                // Who looks for a value knows that it is there.
                .expect_point_read_hits(true)
                .with_kv_separation(Some(apart))
        };
        let values = database.keyspace("values", options).map_err(failed)?;
        Ok(Self {
            values,
            database,
            spare,
            unchecked: AtomicU64::new(ROOM_CHECK),
            full: AtomicBool::new(false),
            failures: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            live: AtomicU64::new(0),
            removed: AtomicBool::new(false),
            reclaiming: Arc::new(AtomicBool::new(false)),
            folder: claimed,
        })
    }

    /// The value at `position`, if there is one.
    pub(super) fn read(&self, position: Position) -> Result<Option<fjall::Slice>, DiskError> {
        let read = self.values.get(position.to_be_bytes());
        read.map_err(|error| self.failed("a value could not be read", &error))
    }

    /// Whether there is a value at `position`; if that cannot be told, there is.
    pub(super) fn holds(&self, position: Position) -> bool {
        let holds = self.values.contains_key(position.to_be_bytes());
        holds
            .map_err(|error| self.failed("a value could not be looked for", &error))
            .unwrap_or(true)
    }

    /// Writes a value; on an error there is none.
    pub(super) fn write(&self, position: Position, value: &[u8]) -> Result<(), DiskError> {
        self.check_room(value.len() as u64)?;
        self.wait()?;
        let written = self.values.insert(position.to_be_bytes(), value);
        written.map_err(|error| self.failed("a value could not be written", &error))?;
        self.live.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Removes a value. If that fails it stays until the server stops, and nobody knows of it.
    pub(super) fn remove(&self, position: Position) {
        let removed = self.wait().and_then(|()| {
            let removed = self.values.remove(position.to_be_bytes());
            removed.map_err(|error| self.failed("a value could not be removed", &error))
        });
        if removed.is_ok() {
            self.live.fetch_sub(1, Ordering::SeqCst);
            self.removed.store(true, Ordering::SeqCst);
        }
    }

    /// Removes all values.
    pub(super) fn clear(&self) {
        if let Err(error) = self.values.clear().and_then(|()| let_go(&self.values)) {
            self.failed("the values could not be removed", &error);
        }
        self.live.store(0, Ordering::SeqCst);
        self.unchecked.store(ROOM_CHECK, Ordering::SeqCst);
    }

    /// Whether there are files with values, live or not.
    pub(super) fn has_files(&self) -> bool {
        self.values.disk_space() > 0
    }

    /// What all files take, in bytes; 0 if that cannot be said.
    pub(super) fn bytes(&self) -> u64 {
        self.database.disk_space().unwrap_or(0)
    }

    /// How many values there are; looks at each.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.values.len().expect("files can be read")
    }

    /// Reads and writes that failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::SeqCst)
    }

    /// Writes that were refused for want of room.
    pub(super) fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }

    /// Waits while fjall's threads are behind.
    ///
    /// It would wait itself, a little later than here, but also for threads that have ended since
    /// the disk failed, and without end.
    fn wait(&self) -> Result<(), DiskError> {
        let behind =
            || self.values.sealed_memtable_count() >= 3 || self.values.tree.l0_run_count() >= 20;
        let mut since = None;
        while behind() {
            if let Err(error) = self.database.persist(PersistMode::Buffer) {
                return Err(self.failed("the disk is not written any more", &error));
            }
            if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                return Err(self.failed("the disk is too slow", &"it is behind for 10 s"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Refuses to write `bytes` more where there is too little room. Before there is none at all:
    /// once a write has failed, fjall takes no other.
    fn check_room(&self, bytes: u64) -> Result<(), DiskError> {
        let before = self.unchecked.fetch_add(bytes, Ordering::SeqCst);
        if before + bytes >= ROOM_CHECK {
            self.unchecked.store(0, Ordering::SeqCst);
            let room = rustix::fs::statvfs(&self.folder.data)
                .map_or(u64::MAX, |room| room.f_bavail.saturating_mul(room.f_frsize));
            // Where it cannot be said, the write will tell.
            let full = room < self.spare.saturating_add(bytes);
            if full && !self.full.swap(full, Ordering::SeqCst) {
                let spare = self.spare;
                tracing::error!(room, spare, "values are refused: there is no room on the disk");
            }
            self.full.store(full, Ordering::SeqCst);
            if full {
                self.reclaim(room);
            }
        }
        if self.full.load(Ordering::SeqCst) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            // The next one asks again: there may be room by then.
            self.unchecked.store(ROOM_CHECK, Ordering::SeqCst);
            return Err(DiskError::Full);
        }
        Ok(())
    }

    /// Has a thread get back the room of values that were removed: fjall does so as more are
    /// written, and now none are.
    fn reclaim(&self, room: u64) {
        if !self.removed.load(Ordering::SeqCst) || self.reclaiming.swap(true, Ordering::SeqCst) {
            return;
        }
        self.removed.store(false, Ordering::SeqCst);
        let (values, live) = (self.values.clone(), self.live.load(Ordering::SeqCst));
        let reclaiming = Arc::clone(&self.reclaiming);
        let reclaim = move || {
            if let Err(error) = reclaimed(&values, live, room) {
                tracing::warn!(%error, "room on the disk could not be got back");
            }
            reclaiming.store(false, Ordering::SeqCst);
        };
        let thread = std::thread::Builder::new().name("reclaim".to_owned()).spawn(reclaim);
        if let Err(error) = thread {
            self.reclaiming.store(false, Ordering::SeqCst);
            self.failed("room on the disk could not be got back", &error);
        }
    }

    /// Counts a failure and logs it, more seldom as there are more.
    fn failed(&self, what: &str, error: &dyn Display) -> DiskError {
        let failures = self.failures.fetch_add(1, Ordering::SeqCst) + 1;
        if failures.is_power_of_two() {
            tracing::error!(%error, failures, "{what}");
        }
        DiskError::Failed
    }

    /// Counts as a failure that what must be at a position is not.
    pub(super) fn lost(&self) -> DiskError {
        self.failed("a value could not be read", &"it is not where it was written")
    }
}

/// Writes out which values were removed, and files anew without them, if what is `live` of their
/// values fits twice into the room there is.
fn reclaimed(values: &fjall::Keyspace, live: u64, room: u64) -> fjall::Result<()> {
    values.rotate_memtable()?;
    let begun = Instant::now();
    while values.sealed_memtable_count() > 0 && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    // A value that was removed counts twice, as itself and as removed.
    let dead = (values.approximate_len() as u64).saturating_sub(live) / 2;
    let share = u128::from(live) * 1_000 / u128::from((live + dead).max(1));
    let rewritten = u128::from(values.disk_space()) * share / 1_000;
    if dead > 0 && 2 * rewritten < u128::from(room) {
        values.major_compact()?;
        let_go(values)?;
    }
    Ok(())
}

/// Has files go that have been replaced. They stay until fjall begins another buffer some changes
/// later: these say that nothing is where nothing ever was.
fn let_go(values: &fjall::Keyspace) -> fjall::Result<()> {
    let nothing: Position = 0;
    for _ in 0..4 {
        values.remove(nothing.to_be_bytes())?;
    }
    values.rotate_memtable().map(drop)
}
