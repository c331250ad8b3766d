//! How a trace is written down, version 1. All numbers are little-endian.
//!
//! ```text
//! header   magic "kvtrace\n"   version u32   started u64 (ms since 1970)   crc u32
//! block    kind "RECS" or "END\n"   number u32   thread u32   records u32
//!          unpacked u32   packed u32   from u64 (ns)   lost u64   crc u32   payload, zstd
//! ```
//!
//! A block holds records of one thread; `from` is where their times count from, `lost` how many
//! records had been lost when it was written, and `crc` is over all of the block before and after
//! itself. The last block is an `END\n` without records: a file that has none was cut short. In
//! it, `from` is when recording ended. Blocks are numbered, so that none can go missing unseen.
//!
//! ```text
//! record   flags u8   time since the record before, ns, zigzag   hash u64   key's length
//!          [value's length]   [TTL, us]
//! flags    bits 0-2 verb, 3 hit, 4 has a value's length, 5 has a TTL, 6 keeps its TTL
//! ```
//!
//! Lengths, times and TTLs are varints of seven bits a byte, low ones first.

use super::{Life, Record, Verb};

/// What every trace starts with.
pub const MAGIC: [u8; 8] = *b"kvtrace\n";
/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Bytes of the file's header.
pub const HEADER_LEN: usize = 24;
/// Bytes of a block before its payload.
pub const BLOCK_HEADER_LEN: usize = 44;
/// The most that a block's records can take, unpacked.
pub const UNPACKED_MAX: u32 = 1 << 20;
/// The most that they can take packed, as zstd may make the incompressible a little longer.
pub const PACKED_MAX: u32 = UNPACKED_MAX + (UNPACKED_MAX >> 7) + 1_024;
/// No TTL that a store takes is longer: 35 years, in microseconds.
pub const TTL_MAX_US: u64 = 35 * 366 * 24 * 3_600 * 1_000_000;

const HIT: u8 = 1 << 3;
const HAS_VALUE: u8 = 1 << 4;
const HAS_TTL: u8 = 1 << 5;
const KEEPS_TTL: u8 = 1 << 6;
/// Kind, number, thread, records, unpacked, packed, from, lost: all before the checksum.
const CHECKED_LEN: usize = BLOCK_HEADER_LEN - 4;

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Records.
    Records,
    /// The end of the trace.
    End,
}

impl Kind {
    const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Records => *b"RECS",
            Self::End => *b"END\n",
        }
    }
}

/// The head of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockHeader {
    /// What it is.
    pub kind: Kind,
    /// Its number among the blocks, from 0.
    pub number: u32,
    /// The thread that all its records are of.
    pub thread: u32,
    /// How many there are.
    pub records: u32,
    /// Bytes of them, unpacked.
    pub unpacked: u32,
    /// Bytes of the payload.
    pub packed: u32,
    /// Where their times count from.
    pub from_ns: u64,
    /// How many records had been lost, in all.
    pub lost: u64,
    /// The checksum.
    pub crc: u32,
}

impl BlockHeader {
    /// The header in bytes, with the checksum over itself and `payload`.
    #[must_use]
    pub fn seal(&self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_LEN);
        bytes.extend(self.kind.bytes());
        for number in [self.number, self.thread, self.records, self.unpacked, self.packed] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.from_ns.to_le_bytes());
        bytes.extend(self.lost.to_le_bytes());
        let crc = checksum(&bytes, payload);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    /// Reads a header; `None` if it is not one of any kind.
    #[must_use]
    pub fn parse(bytes: &[u8; BLOCK_HEADER_LEN]) -> Option<Self> {
        let mut rest = &bytes[..];
        let kind = take::<4>(&mut rest)?;
        let kind = [Kind::Records, Kind::End].into_iter().find(|known| known.bytes() == kind)?;
        let mut word = || take::<4>(&mut rest).map(u32::from_le_bytes);
        let (number, thread, records) = (word()?, word()?, word()?);
        let (unpacked, packed) = (word()?, word()?);
        let from_ns = take::<8>(&mut rest).map(u64::from_le_bytes)?;
        let lost = take::<8>(&mut rest).map(u64::from_le_bytes)?;
        let crc = take::<4>(&mut rest).map(u32::from_le_bytes)?;
        Some(Self { kind, number, thread, records, unpacked, packed, from_ns, lost, crc })
    }
}

/// The checksum over a block's header, of which `head` may be longer, and its payload.
#[must_use]
pub fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..head.len().min(CHECKED_LEN)]);
    hasher.update(payload);
    hasher.finalize()
}

/// The file's header.
#[must_use]
pub fn header(started_unix_ms: u64) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&started_unix_ms.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Adds a record to those of its block; `last_ns` is the time of the one before it.
pub fn encode(record: &Record, last_ns: u64, out: &mut Vec<u8>) {
    let ttl_flags = match record.life {
        Life::Unlimited => 0,
        Life::Keep => KEEPS_TTL,
        Life::After(_) => HAS_TTL,
    };
    let value_flag = if record.value_len.is_some() { HAS_VALUE } else { 0 };
    let hit_flag = if record.hit { HIT } else { 0 };
    out.push(record.verb as u8 | hit_flag | value_flag | ttl_flags);
    put_varint(zigzag(record.at_ns.wrapping_sub(last_ns).cast_signed()), out);
    out.extend(record.key.to_le_bytes());
    put_varint(u64::from(record.key_len), out);
    if let Some(len) = record.value_len {
        put_varint(u64::from(len), out);
    }
    if let Life::After(ttl_us) = record.life {
        put_varint(ttl_us, out);
    }
}

/// Reads the records of a block, all of them or what is wrong with the first that is not one.
///
/// # Errors
/// Which record, and what is wrong with it.
pub fn decode(
    mut bytes: &[u8],
    thread: u32,
    from_ns: u64,
    records: u32,
) -> Result<Vec<Record>, String> {
    // A record has eleven bytes at least: a count that lies costs no memory.
    let mut all = Vec::with_capacity((records as usize).min(bytes.len() / 11 + 1));
    let mut last_ns = from_ns;
    for number in 0..records {
        let record = decode_one(&mut bytes, thread, last_ns)
            .ok_or_else(|| format!("record {number} of the block makes no sense"))?;
        last_ns = record.at_ns;
        all.push(record);
    }
    if bytes.is_empty() {
        Ok(all)
    } else {
        Err(format!("{} bytes are left over after the block's last record", bytes.len()))
    }
}

fn decode_one(rest: &mut &[u8], thread: u32, last_ns: u64) -> Option<Record> {
    let [flags] = take::<1>(rest)?;
    let verb = Verb::ALL.get(usize::from(flags & 7)).copied()?;
    let at_ns = last_ns.checked_add_signed(unzigzag(get_varint(rest)?))?;
    let key = u64::from_le_bytes(take::<8>(rest)?);
    let key_len = u32::try_from(get_varint(rest)?).ok()?;
    let value_len = match flags & HAS_VALUE {
        0 => None,
        _ => Some(u32::try_from(get_varint(rest)?).ok()?),
    };
    let life = match (flags & HAS_TTL != 0, flags & KEEPS_TTL != 0) {
        (false, false) => Life::Unlimited,
        (false, true) => Life::Keep,
        (true, false) => {
            Life::After(get_varint(rest).filter(|ttl_us| (1..=TTL_MAX_US).contains(ttl_us))?)
        }
        (true, true) => return None,
    };
    let is_known = flags >> 7 == 0;
    let hit = flags & HIT != 0;
    is_known.then_some(Record { at_ns, thread, verb, hit, key, key_len, value_len, life })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

const fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

const fn unzigzag(word: u64) -> i64 {
    (word >> 1).cast_signed() ^ -(word & 1).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time are meant")]
fn put_varint(mut word: u64, out: &mut Vec<u8>) {
    while word >= 0x80 {
        out.push(word as u8 | 0x80);
        word >>= 7;
    }
    out.push(word as u8);
}

fn get_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut word = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let [byte] = take::<1>(rest)?;
        let bits = u64::from(byte & 0x7f);
        word |= bits << shift;
        if bits << shift >> shift != bits {
            return None;
        }
        if byte < 0x80 {
            return Some(word);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at_ns: u64, verb: Verb, value_len: Option<u32>, life: Life) -> Record {
        let hit = at_ns.is_multiple_of(2);
        Record { at_ns, thread: 3, verb, hit, key: u64::MAX / 3, key_len: 300, value_len, life }
    }

    #[test]
    fn records_come_back_as_they_were_in_any_order_of_time() {
        let mut bytes = Vec::new();
        let mut records = Vec::new();
        let mut last_ns = 1_000;
        for (number, verb) in Verb::ALL.into_iter().enumerate() {
            for (at_ns, value_len, life) in [
                (5 + number as u64, None, Life::Unlimited),
                (u64::MAX / 2, Some(0), Life::Keep),
                (70_000, Some(u32::MAX), Life::After(1)),
                (70_000, Some(200), Life::After(TTL_MAX_US)),
            ] {
                let record = record(at_ns, verb, value_len, life);
                encode(&record, last_ns, &mut bytes);
                last_ns = at_ns;
                records.push(record);
            }
        }
        let count = u32::try_from(records.len()).expect("few");
        assert_eq!(decode(&bytes, 3, 1_000, count), Ok(records));
        assert!(decode(&bytes, 3, 1_000, count + 1).is_err());
        assert!(decode(&bytes, 3, 1_000, count - 1).is_err());
    }

    #[test]
    fn a_record_that_makes_no_sense_is_refused() {
        let mut bytes = Vec::new();
        encode(&record(5, Verb::Put, Some(9), Life::After(TTL_MAX_US + 1)), 0, &mut bytes);
        assert!(decode(&bytes, 0, 0, 1).is_err(), "a TTL longer than any");
        for flags in [0x80, HAS_TTL | KEEPS_TTL] {
            bytes.clear();
            encode(&record(5, Verb::Put, None, Life::Unlimited), 0, &mut bytes);
            assert!(decode(&bytes, 0, 0, 1).is_ok());
            bytes[0] |= flags;
            assert!(decode(&bytes, 0, 0, 1).is_err(), "flags {flags:b}");
        }
        let mut rest = &[0xff; 10][..];
        assert_eq!(get_varint(&mut rest), None, "more than 64 bits");
    }
}
