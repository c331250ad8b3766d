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
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thread_local::ThreadLocal;

use super::writer::Writer;
use super::{Life, Record, Verb, format};

/// A thread's buffer is handed over when it holds so many bytes: some 5,000 records.
const BUFFER_LEN: usize = 64 << 10;
/// Buffers that may wait for the writing thread.
const QUEUE: usize = 64;
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
pub(super) struct Core {
    origin: Instant,
    options: Options,
    hasher: foldhash::quality::FixedState,
    /// One for each thread that calls; a thread that begins takes over that of one that ended.
    pub(super) buffers: ThreadLocal<Mutex<Buffer>>,
    threads: AtomicU32,
    to_writer: SyncSender<Packet>,
    lost: AtomicU64,
    /// No more records are taken.
    is_closed: AtomicBool,
}

/// Encoded records of one thread.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) thread: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) records: u32,
    pub(super) from_ns: u64,
    last_ns: u64,
}

/// What the writing thread is given.
#[derive(Debug)]
pub(super) enum Packet {
    Records(Buffer),
    End { at_ns: u64 },
}

impl Buffer {
    /// What has nothing in it and needs no room.
    pub(super) const fn nothing(at_ns: u64) -> Self {
        Self { thread: 0, bytes: Vec::new(), records: 0, from_ns: at_ns, last_ns: at_ns }
    }

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
    pub(super) fn take(&mut self) -> Self {
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
    pub(super) fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn lost(&self) -> u64 {
        // ORDERING: Relaxed; a count, and the end reads it after all who count have sent.
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn lose(&self, records: u32) {
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender};

    use super::*;
    use crate::trace::{Reader, Torn};

    /// A disk that takes nothing until it is told to go on, and then may fail.
    struct Disk {
        gate: Option<Receiver<()>>,
        written: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if bytes.len() != format::HEADER_LEN
                && let Some(gate) = self.gate.take()
            {
                let _ = gate.recv();
            }
            let mut written = lock(&self.written);
            if written.len() + bytes.len() > self.room {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "no room"));
            }
            written.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn disk(room: usize) -> (Disk, Sender<()>, Arc<Mutex<Vec<u8>>>) {
        let ((go, gate), written) = (mpsc::channel(), Arc::default());
        (Disk { gate: Some(gate), written: Arc::clone(&written), room }, go, written)
    }

    fn call(key: u64) -> Call {
        let (hit, value_len, life) = (false, None, Life::Unlimited);
        Call { at_ns: key, verb: Verb::Get, hit, key, key_len: 8, value_len, life }
    }

    /// More calls than all buffers and the queue can hold.
    const CALLS: u64 = ((QUEUE + 4) * BUFFER_LEN / 11) as u64;

    #[test]
    fn what_cannot_be_written_in_time_is_lost_and_counted() {
        let (disk, go, written) = disk(usize::MAX);
        let recorder = Recorder::new(disk, Options::default()).expect("made");
        for key in 0..CALLS {
            recorder.note(&call(key));
        }
        assert!(recorder.lost() > 0, "the queue is full");
        go.send(()).expect("waits");
        let outcome = recorder.finish().expect("written");
        assert_eq!(outcome.records + outcome.lost, CALLS);
        assert_eq!(outcome.lost, recorder.lost());
        let bytes = lock(&written);
        assert_eq!(outcome.bytes, bytes.len() as u64);
        let mut keys = 0;
        let end = Reader::new(&bytes[..], Torn::Refuse)
            .and_then(|reader| reader.for_each(|_| keys += 1))
            .expect("whole");
        assert_eq!((end.records, end.lost), (outcome.records, outcome.lost));
        assert_eq!(keys, outcome.records);
    }

    #[test]
    fn callers_wait_if_none_may_be_lost() {
        let (disk, go, _) = disk(usize::MAX);
        let options = Options { overflow: Overflow::Block, ..Options::default() };
        let recorder = Recorder::new(disk, options).expect("made");
        let own = recorder.clone();
        let caller = thread::spawn(move || (0..CALLS).for_each(|key| own.note(&call(key))));
        go.send(()).expect("waits");
        caller.join().expect("no panic");
        let outcome = recorder.finish().expect("written");
        assert_eq!((outcome.records, outcome.lost), (CALLS, 0));
    }

    #[test]
    fn a_full_disk_stops_nobody_and_is_told_at_the_end() {
        let (disk, go, _) = disk(100_000);
        go.send(()).expect("open");
        let options = Options { overflow: Overflow::Block, ..Options::default() };
        let recorder = Recorder::new(disk, options).expect("made");
        for key in 0..CALLS {
            recorder.note(&call(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        }
        let error = recorder.finish().expect_err("no room");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(recorder.lost() > CALLS / 2, "{} of {CALLS}", recorder.lost());
    }

    #[test]
    fn what_lies_in_a_buffer_is_fetched_in_order() {
        let (disk, go, written) = disk(usize::MAX);
        drop(go);
        let recorder = Recorder::new(disk, Options::default()).expect("made");
        let kept = || {
            let mut keys = Vec::new();
            let bytes = lock(&written).clone();
            let reader = Reader::new(&bytes[..], Torn::Keep).expect("a trace");
            reader.for_each(|record| keys.push(record.key)).expect("kept");
            keys
        };
        recorder.note(&call(0));
        while kept().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        recorder.note(&call(1));
        recorder.finish().expect("written");
        assert_eq!(kept(), [0, 1]);
    }
}
