//! Gathers calls from all threads and has one thread write them down.
//!
//! ```text
//! caller --> its thread's buffer --full--> queue (bounded) --> the writing thread --> file
//! ```
//!
//! A caller encodes its record into the buffer of its thread, under a lock that nobody else wants
//! but the writing thread, when it fetches what has lain too long. Memory is bounded: a buffer a
//! thread and [`QUEUE`] in the queue. When the queue is full, [`Overflow`] says what gives way.

use std::fs::File;
use std::hash::{BuildHasher as _, Hash};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thread_local::ThreadLocal;

use super::format::{self, BlockHeader, Kind};
use super::{Life, Record, Verb};

/// A thread's buffer is handed over when it holds so many bytes: some 5,000 records.
const BUFFER_LEN: usize = 64 << 10;
/// Buffers that may wait for the writing thread.
const QUEUE: usize = 64;
/// What has lain in a buffer for so long is fetched, so that little is lost if the process dies.
const FETCH_EVERY: Duration = Duration::from_secs(1);
/// zstd's level. Hashes hardly pack; the rest does at any level.
const LEVEL: i32 = 1;

/// What gives way when calls come faster than they can be written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Records are lost, and counted: the callers of a store would rather lose them than wait.
    #[default]
    Drop,
    /// Callers wait, and no record is lost.
    Block,
}

/// How to record.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What to do when the writing thread cannot keep up.
    pub overflow: Overflow,
    /// The default TTL of the store, which the store does not tell: what a put without a TTL of
    /// its own gives.
    pub default_ttl: Option<Duration>,
    /// Hash keys by this seed, so that traces of the same keys can be laid side by side. Without
    /// one, a new one is drawn, and no key can be guessed from a trace by hashing candidates.
    pub hash_seed: Option<u64>,
}

/// One call, as it is to be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it began: [`Recorder::now_ns`].
    pub at_ns: u64,
    /// What was asked.
    pub verb: Verb,
    /// Whether the key had a live value.
    pub hit: bool,
    /// The key's hash: [`Recorder::hash`].
    pub key: u64,
    /// Bytes of the key.
    pub key_len: usize,
    /// Bytes of the value.
    pub value_len: Option<usize>,
    /// The TTL given.
    pub life: Life,
}

/// What came of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Records in the trace.
    pub records: u64,
    /// Records lost because the writing thread could not keep up.
    pub lost: u64,
    /// Bytes of the trace.
    pub bytes: u64,
}

/// Writes a trace of the calls that it is told of. A cheap handle; when the last one is dropped,
/// the trace is finished, though only [`finish`](Recorder::finish) tells of errors.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Owner>);

/// What all handles share, and the writing thread does not.
#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
    /// `None` once the trace is finished.
    writer: Mutex<Option<JoinHandle<io::Result<Written>>>>,
}

/// What the handles and the writing thread share.
#[derive(Debug)]
struct Core {
    origin: Instant,
    options: Options,
    hasher: foldhash::quality::FixedState,
    /// One for each thread that calls; a thread that begins takes over that of one that ended.
    buffers: ThreadLocal<Mutex<Buffer>>,
    threads: AtomicU32,
    to_writer: SyncSender<Packet>,
    lost: AtomicU64,
    /// No more records are taken.
    is_closed: AtomicBool,
}

/// Encoded records of one thread.
#[derive(Debug)]
struct Buffer {
    thread: u32,
    bytes: Vec<u8>,
    records: u32,
    from_ns: u64,
    last_ns: u64,
}

/// What the writing thread is given.
#[derive(Debug)]
enum Packet {
    Records(Buffer),
    End { at_ns: u64 },
}

impl Buffer {
    fn new(thread: u32) -> Self {
        let bytes = Vec::with_capacity(BUFFER_LEN + 64);
        Self { thread, bytes, records: 0, from_ns: 0, last_ns: 0 }
    }

    fn push(&mut self, record: &Record) {
        if self.records == 0 {
            (self.from_ns, self.last_ns) = (record.at_ns, record.at_ns);
        }
        format::encode(record, self.last_ns, &mut self.bytes);
        self.last_ns = record.at_ns;
        self.records += 1;
    }

    /// What it holds; it is empty afterwards.
    fn take(&mut self) -> Self {
        let empty = Self::new(self.thread);
        std::mem::replace(self, empty)
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.records = 0;
    }
}

impl Recorder {
    /// Records into a new file, over one that is there.
    ///
    /// # Errors
    /// If the file or the writing thread cannot be made.
    pub fn create(path: &Path, options: Options) -> io::Result<Self> {
        Self::new(BufWriter::new(File::create(path)?), options)
    }

    /// Records into `out`.
    ///
    /// # Errors
    /// If the header cannot be written or the writing thread not be made.
    pub fn new(mut out: impl Write + Send + 'static, options: Options) -> io::Result<Self> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        out.write_all(&format::header(u64::try_from(started.as_millis()).unwrap_or(0)))?;
        let random = || std::hash::RandomState::new().hash_one(0);
        let seed = options.hash_seed.unwrap_or_else(random);
        let (to_writer, packets) = mpsc::sync_channel(QUEUE);
        let core = Arc::new(Core {
            origin: Instant::now(),
            options,
            hasher: foldhash::quality::FixedState::with_seed(seed),
            buffers: ThreadLocal::new(),
            threads: AtomicU32::new(0),
            to_writer,
            lost: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        });
        let shared = Arc::clone(&core);
        let writer = thread::Builder::new()
            .name("trace".to_owned())
            .spawn(move || Writer::new(out).run(&packets, &shared))?;
        Ok(Self(Arc::new(Owner { core, writer: Mutex::new(Some(writer)) })))
    }

    /// The recorder's clock: nanoseconds since it was made.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.0.core.now_ns()
    }

    /// The hash of a key by this recorder's seed.
    #[must_use]
    pub fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.0.core.hasher.hash_one(key)
    }

    /// The TTL of a put that gives none of its own.
    #[must_use]
    pub fn default_life(&self) -> Life {
        self.0.core.options.default_ttl.map_or(Life::Unlimited, life_of)
    }

    /// Notes a call. Does nothing once the trace is finished.
    pub fn note(&self, call: &Call) {
        self.0.core.note(call);
    }

    /// How many records have been lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.core.lost()
    }

    /// Writes what is left, and the end. Calls that are under way meanwhile may be left out.
    ///
    /// # Errors
    /// The first error of writing, or that the trace is finished already.
    pub fn finish(&self) -> io::Result<Written> {
        self.0.finish()
    }
}

/// A TTL in whole microseconds, rounded up: none becomes zero.
pub(super) fn life_of(ttl: Duration) -> Life {
    let us = u64::try_from(ttl.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX);
    Life::After(us.clamp(1, format::TTL_MAX_US))
}

impl Owner {
    fn finish(&self) -> io::Result<Written> {
        let writer = lock(&self.writer).take();
        let writer = writer.ok_or_else(|| io::Error::other("the trace is finished already"))?;
        let core = &self.core;
        core.is_closed.store(true, Ordering::SeqCst);
        let at_ns = core.now_ns();
        for buffer in &core.buffers {
            let mut buffer = lock(buffer);
            if buffer.records > 0 {
                core.send(buffer.take());
            }
        }
        let _ = core.to_writer.send(Packet::End { at_ns });
        writer.join().unwrap_or_else(|_| Err(io::Error::other("the writing thread panicked")))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Core {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn lost(&self) -> u64 {
        // ORDERING: Relaxed; a count, and the end reads it after all who count have sent.
        self.lost.load(Ordering::Relaxed)
    }

    fn lose(&self, records: u32) {
        // ORDERING: Relaxed; as in `lost`.
        self.lost.fetch_add(u64::from(records), Ordering::Relaxed);
    }

    fn note(&self, call: &Call) {
        let buffer = self.buffers.get_or(|| {
            // ORDERING: Relaxed; each must get a number of its own, and no more.
            Mutex::new(Buffer::new(self.threads.fetch_add(1, Ordering::Relaxed)))
        });
        let mut buffer = lock(buffer);
        if self.is_closed.load(Ordering::SeqCst) {
            return;
        }
        let narrow = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        buffer.push(&Record {
            at_ns: call.at_ns,
            thread: 0,
            verb: call.verb,
            hit: call.hit,
            key: call.key,
            key_len: narrow(call.key_len),
            value_len: call.value_len.map(narrow),
            life: call.life,
        });
        if buffer.bytes.len() >= BUFFER_LEN {
            self.hand_over(&mut buffer);
        }
    }

    fn hand_over(&self, buffer: &mut Buffer) {
        match self.options.overflow {
            Overflow::Block => self.send(buffer.take()),
            Overflow::Drop => {
                // Looked at before a new buffer is made, as one that is lost can be used again.
                let records = buffer.take();
                if let Err(error) = self.to_writer.try_send(Packet::Records(records)) {
                    let (mpsc::TrySendError::Full(packet)
                    | mpsc::TrySendError::Disconnected(packet)) = error;
                    if let Packet::Records(records) = packet {
                        self.lose(records.records);
                        *buffer = records;
                        buffer.forget();
                    }
                }
            }
        }
    }

    fn send(&self, buffer: Buffer) {
        let records = buffer.records;
        if self.to_writer.send(Packet::Records(buffer)).is_err() {
            self.lose(records);
        }
    }
}

/// The writing thread's side.
struct Writer<W> {
    out: W,
    packer: Option<zstd::bulk::Compressor<'static>>,
    blocks: u32,
    written: Written,
    /// The first error; nothing is written after it.
    error: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    fn new(out: W) -> Self {
        let packer = zstd::bulk::Compressor::new(LEVEL).ok();
        let written = Written { records: 0, lost: 0, bytes: format::HEADER_LEN as u64 };
        Self { out, packer, blocks: 0, written, error: None }
    }

    fn run(mut self, packets: &Receiver<Packet>, core: &Core) -> io::Result<Written> {
        loop {
            match packets.recv_timeout(FETCH_EVERY) {
                Ok(Packet::Records(buffer)) => self.records(&buffer, core),
                Ok(Packet::End { at_ns }) => return self.end(at_ns, core),
                // The core, which is lent, holds a sender.
                Err(RecvTimeoutError::Disconnected) => return self.end(core.now_ns(), core),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(at_ns) = self.fetch(packets, core) {
                        return self.end(at_ns, core);
                    }
                }
            }
        }
    }

    /// Takes what lies in the buffers. Returns when the trace ended, if it did meanwhile.
    fn fetch(&mut self, packets: &Receiver<Packet>, core: &Core) -> Option<u64> {
        for buffer in &core.buffers {
            // A thread that holds its buffer is busy, and may be waiting for this one.
            let Ok(mut buffer) = buffer.try_lock() else { continue };
            // While it is held, its thread hands nothing over: what it did before comes first.
            while let Ok(packet) = packets.try_recv() {
                match packet {
                    Packet::Records(earlier) => self.records(&earlier, core),
                    Packet::End { at_ns } => return Some(at_ns),
                }
            }
            if buffer.records > 0 {
                let records = buffer.take();
                drop(buffer);
                self.records(&records, core);
            }
        }
        let flushed = self.out.flush();
        self.keep(flushed);
        None
    }

    fn records(&mut self, buffer: &Buffer, core: &Core) {
        let written = self.block(Kind::Records, buffer, core);
        if self.keep(written) {
            self.written.records += u64::from(buffer.records);
        } else {
            core.lose(buffer.records);
        }
    }

    fn block(&mut self, kind: Kind, buffer: &Buffer, core: &Core) -> io::Result<()> {
        if let Some(error) = &self.error {
            return Err(io::Error::new(error.kind(), error.to_string()));
        }
        let packer = self.packer.as_mut().ok_or_else(|| io::Error::other("zstd cannot be used"))?;
        let payload =
            if buffer.bytes.is_empty() { Vec::new() } else { packer.compress(&buffer.bytes)? };
        let narrow = |len: usize| u32::try_from(len).map_err(io::Error::other);
        let header = BlockHeader {
            kind,
            number: self.blocks,
            thread: buffer.thread,
            records: buffer.records,
            unpacked: narrow(buffer.bytes.len())?,
            packed: narrow(payload.len())?,
            from_ns: buffer.from_ns,
            lost: core.lost(),
            crc: 0,
        };
        self.out.write_all(&header.seal(&payload))?;
        self.out.write_all(&payload)?;
        self.blocks += 1;
        self.written.bytes += (format::BLOCK_HEADER_LEN + payload.len()) as u64;
        Ok(())
    }

    /// Keeps the first error; says whether there was none now.
    fn keep(&mut self, outcome: io::Result<()>) -> bool {
        match outcome {
            Ok(()) => true,
            Err(error) => {
                self.error.get_or_insert(error);
                false
            }
        }
    }

    fn end(mut self, at_ns: u64, core: &Core) -> io::Result<Written> {
        let nothing =
            Buffer { thread: 0, bytes: Vec::new(), records: 0, from_ns: at_ns, last_ns: at_ns };
        let ended = self.block(Kind::End, &nothing, core).and_then(|()| self.out.flush());
        self.keep(ended);
        match self.error {
            Some(error) => Err(error),
            None => Ok(Written { lost: core.lost(), ..self.written }),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
