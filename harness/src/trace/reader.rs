//! Reading a trace, block by block, and refusing what is damaged.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Record;
use super::format::{
    self, BLOCK_HEADER_LEN, BlockHeader, HEADER_LEN, Kind, MAGIC, PACKED_MAX, UNPACKED_MAX, VERSION,
};
use crate::workload::digest::hex;

/// What to do about a trace that is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Torn {
    /// Refuse it.
    #[default]
    Refuse,
    /// Take all blocks before the damage.
    Keep,
}

/// What is wrong with a trace, where, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The byte where the part begins that is wrong.
    pub at: u64,
    /// The number of the block, if it is one that is wrong.
    pub block: Option<u32>,
    /// What is wrong.
    pub what: String,
    /// What can be done.
    pub remedy: String,
    /// Whether what is before it can be read.
    can_keep: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.at)?;
        if let Some(block) = self.block {
            write!(f, " (block {block})")?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// What is known of a trace when all of it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// When recording began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// Records that were read.
    pub records: u64,
    /// Records that were lost while recording.
    pub lost: u64,
    /// The hash over what was read, however it was packed.
    pub sha256: String,
    /// Why it ended before its end, if it did and that was to be borne.
    pub damage: Option<Damage>,
}

/// Reads a trace.
pub struct Reader<R> {
    input: R,
    torn: Torn,
    started_unix_ms: u64,
    /// Where the next block begins.
    at: u64,
    blocks: u32,
    records: u64,
    lost: u64,
    hash: Sha256,
    is_over: bool,
    damage: Option<Damage>,
    packed: Vec<u8>,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Reader<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a trace; names it.
    pub fn open(path: &Path, torn: Torn) -> Result<Self, String> {
        let file = File::open(path)
            .map_err(|error| format!("{}: cannot be read: {error}", path.display()))?;
        Self::new(BufReader::new(file), torn)
            .map_err(|damage| format!("{}: {damage}", path.display()))
    }
}

impl<R: Read> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// If there is none, it is damaged, or of another version.
    pub fn new(mut input: R, torn: Torn) -> Result<Self, Damage> {
        let wrong = |at: u64, what: String, remedy: &str| Damage {
            at,
            block: None,
            what,
            remedy: remedy.to_owned(),
            can_keep: false,
        };
        let mut header = [0; HEADER_LEN];
        let len = fill(&mut input, &mut header).map_err(|error| cannot_read(0, &error))?;
        let known = len.min(MAGIC.len());
        if len == 0 || header[..known] != MAGIC[..known] {
            let remedy = "name one that `harness trace record` or a `Recorder` wrote";
            return Err(wrong(0, "this is not a trace".to_owned(), remedy));
        }
        let word =
            |at: usize| header[at..at + 4].iter().rev().fold(0, |n, b| n << 8 | u32::from(*b));
        if len >= 12 && word(8) != VERSION {
            let what = format!("version {}; this harness reads version {VERSION}", word(8));
            return Err(wrong(8, what, "use the harness that wrote it, or a newer one"));
        }
        if len < HEADER_LEN {
            let what = format!("cut short in its header: {len} of {HEADER_LEN} bytes");
            return Err(wrong(0, what, "record it again"));
        }
        if word(20) != crc32fast::hash(&header[..20]) {
            return Err(wrong(0, "a damaged header".to_owned(), "restore it, or record it again"));
        }
        let mut hash = Sha256::new();
        hash.update(&header[..12]);
        Ok(Self {
            input,
            torn,
            started_unix_ms: u64::from(word(16)) << 32 | u64::from(word(12)),
            at: HEADER_LEN as u64,
            blocks: 0,
            records: 0,
            lost: 0,
            hash,
            is_over: false,
            damage: None,
            packed: Vec::new(),
        })
    }

    /// Gives each record to `visit`: those of a thread in its order, blocks as they were written.
    ///
    /// # Errors
    /// What is damaged, unless that is to be borne. All records before it have been visited.
    pub fn for_each(mut self, mut visit: impl FnMut(&Record)) -> Result<End, Damage> {
        while let Some(records) = self.next_block()? {
            records.iter().for_each(&mut visit);
        }
        Ok(End {
            started_unix_ms: self.started_unix_ms,
            records: self.records,
            lost: self.lost,
            sha256: hex(&self.hash.finalize()),
            damage: self.damage,
        })
    }

    /// The records of the next block; `None` after the last.
    fn next_block(&mut self) -> Result<Option<Vec<Record>>, Damage> {
        if self.is_over {
            return Ok(None);
        }
        match self.read_block() {
            Err(damage) if self.torn == Torn::Keep && damage.can_keep => {
                self.is_over = true;
                self.damage = Some(damage);
                Ok(None)
            }
            outcome => outcome,
        }
    }

    fn read_block(&mut self) -> Result<Option<Vec<Record>>, Damage> {
        let mut head = [0; BLOCK_HEADER_LEN];
        let len = self.fill(&mut head)?;
        if len < BLOCK_HEADER_LEN {
            let what = match len {
                0 => "ends without an end mark: it was cut short, or never finished".to_owned(),
                _ => format!("cut short in a block's header: {len} of {BLOCK_HEADER_LEN} bytes"),
            };
            return Err(self.torn(what));
        }
        let Some(header) = BlockHeader::parse(&head) else {
            return Err(self.torn("no block begins here".to_owned()));
        };
        if header.packed > PACKED_MAX || header.unpacked > UNPACKED_MAX {
            return Err(self.torn("a block's header with lengths that no block has".to_owned()));
        }
        let mut packed = std::mem::take(&mut self.packed);
        packed.resize(header.packed as usize, 0);
        let len = self.fill(&mut packed)?;
        if len < packed.len() {
            let what = format!("cut short in a block: {len} of {} bytes", packed.len());
            return Err(self.torn(what));
        }
        if format::checksum(&head, &packed) != header.crc {
            return Err(self.torn("a block whose checksum is not that of its bytes".to_owned()));
        }
        if header.number != self.blocks {
            let what = format!("block {} stands where {} belongs", header.number, self.blocks);
            return Err(self.torn(what));
        }
        let records = match header.kind {
            Kind::Records => Some(self.unpack(&header, &packed)?),
            Kind::End => {
                self.check_over()?;
                None
            }
        };
        self.at += (BLOCK_HEADER_LEN + packed.len()) as u64;
        self.packed = packed;
        self.blocks += 1;
        self.lost = header.lost;
        Ok(records)
    }

    fn unpack(&mut self, header: &BlockHeader, packed: &[u8]) -> Result<Vec<Record>, Damage> {
        let bytes = zstd::bulk::decompress(packed, header.unpacked as usize)
            .map_err(|error| self.torn(format!("a block that cannot be unpacked: {error}")))?;
        if bytes.len() != header.unpacked as usize {
            let what = format!("a block of {} bytes that says {}", bytes.len(), header.unpacked);
            return Err(self.torn(what));
        }
        let records = format::decode(&bytes, header.thread, header.from_ns, header.records)
            .map_err(|what| self.torn(what))?;
        self.hash.update(header.thread.to_le_bytes());
        self.hash.update(header.from_ns.to_le_bytes());
        self.hash.update(header.records.to_le_bytes());
        self.hash.update(&bytes);
        self.records += records.len() as u64;
        Ok(records)
    }

    /// Nothing may follow the end.
    fn check_over(&mut self) -> Result<(), Damage> {
        if self.fill(&mut [0])? > 0 {
            return Err(self.torn("bytes after the end mark, which no recorder writes".to_owned()));
        }
        self.is_over = true;
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, Damage> {
        fill(&mut self.input, bytes).map_err(|error| cannot_read(self.at, &error))
    }

    fn torn(&self, what: String) -> Damage {
        let remedy = format!("--torn keep reads the {} records before it", self.records);
        Damage { at: self.at, block: Some(self.blocks), what, remedy, can_keep: true }
    }
}

fn cannot_read(at: u64, error: &io::Error) -> Damage {
    let (what, remedy) = (format!("cannot be read: {error}"), "see to the disk".to_owned());
    Damage { at, block: None, what, remedy, can_keep: false }
}

/// Reads until `bytes` is full or the input ends; returns how many were read.
fn fill(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while len < bytes.len() {
        match input.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
