//! Traces that were recorded: one key a line, the records of libCacheSim's `oracleGeneral`, or our
//! own.

use std::collections::HashMap;

use crate::trace::format::MAGIC;
use crate::trace::{Torn, play};

/// How a trace is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// UTF-8, one key a line.
    Lines,
    /// Packed little-endian records of 24 bytes: `time u32, object u64, size u32, next access i64`.
    OracleGeneral,
}

const RECORD_LEN: usize = 24;
/// The object's bytes in a record.
const OBJECT: std::ops::Range<usize> = 4..12;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The keys of a trace in its order, by number. Sizes of objects are not looked at: the caches
/// count entries. A trace of our own is known by its first bytes, whatever `format` says; of it,
/// the keys of gets are taken, as each stands for the put that followed where it found nothing.
///
/// # Errors
/// What is wrong, where, and what would be right; without the file's name.
pub fn read(bytes: &[u8], format: Format) -> Result<Vec<u64>, String> {
    if bytes.is_empty() {
        return Err("an empty file; name one with accesses in it".to_owned());
    }
    if bytes.starts_with(&ZSTD_MAGIC) {
        return Err("compressed with zstd; unpack it first (zstd -d)".to_owned());
    }
    if bytes.starts_with(&MAGIC) {
        let reads = play::reads(bytes, Torn::Refuse).map_err(|damage| damage.to_string())?;
        if reads.is_empty() {
            return Err("no get is in it; record a store that is read".to_owned());
        }
        return Ok(reads);
    }
    match format {
        Format::Lines => read_lines(bytes),
        Format::OracleGeneral => read_records(bytes),
    }
}

fn read_lines(bytes: &[u8]) -> Result<Vec<u64>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = bytes[..at].split(|byte| *byte == b'\n').count();
        format!("line {line}: not UTF-8 at byte {at}; is it of --format oracle-general?")
    })?;
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    text.lines()
        .zip(1..)
        .map(|(key, line)| {
            if key.is_empty() {
                return Err(format!("line {line}: no key; write one a line"));
            }
            let next = numbers.len() as u64;
            Ok(*numbers.entry(key).or_insert(next))
        })
        .collect()
}

fn read_records(bytes: &[u8]) -> Result<Vec<u64>, String> {
    let (records, rest) = bytes.as_chunks::<RECORD_LEN>();
    if !rest.is_empty() {
        let (number, at) = (records.len() + 1, bytes.len() - rest.len());
        return Err(format!(
            "record {number}, at byte {at}, has {} of {RECORD_LEN} bytes; is it cut short, or of \
             another --format?",
            rest.len()
        ));
    }
    let object = |record: &[u8; RECORD_LEN]| {
        record[OBJECT].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    Ok(records.iter().map(object).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(object: u64) -> Vec<u8> {
        let mut bytes = 7u32.to_le_bytes().to_vec();
        bytes.extend(object.to_le_bytes());
        bytes.extend(512u32.to_le_bytes());
        bytes.extend((-1i64).to_le_bytes());
        bytes
    }

    #[test]
    fn both_formats_give_the_keys_in_order() {
        assert_eq!(read("a\nb\r\na\n".as_bytes(), Format::Lines), Ok(vec![0, 1, 0]));
        assert_eq!(read("a\nb".as_bytes(), Format::Lines), Ok(vec![0, 1]));
        let records = [record(5), record(u64::MAX - 1), record(5)].concat();
        assert_eq!(read(&records, Format::OracleGeneral), Ok(vec![5, u64::MAX - 1, 5]));
    }

    #[test]
    fn a_damaged_trace_is_refused_with_its_place() {
        let refused = |bytes: &[u8], format, complaint: &str| {
            let error = read(bytes, format).expect_err(complaint);
            assert!(error.starts_with(complaint), "{error}");
        };
        refused(b"", Format::Lines, "an empty file");
        refused(b"", Format::OracleGeneral, "an empty file");
        refused(b"a\nb\n\xff\n", Format::Lines, "line 3: not UTF-8 at byte 4");
        refused(b"a\n\nb\n", Format::Lines, "line 2: no key");
        let cut = &[record(1), record(2)].concat()[..40];
        refused(cut, Format::OracleGeneral, "record 2, at byte 24, has 16 of 24 bytes");
        refused(&[0x28, 0xb5, 0x2f, 0xfd, 0], Format::OracleGeneral, "compressed with zstd");
    }
}
