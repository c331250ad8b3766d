//! Reads snapshots: nothing of one that is not whole passes for one.
//!
//! A snapshot is one frame of zstd, with a checksum of all it holds, and nothing after it. A file
//! that was cut off ends within the frame; one that was damaged has another checksum.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressStyle};
use zstd::stream::read::Decoder;

use super::text::{Step, TextError, TextReader};
use crate::keyspace::{Keyspace, Lifetime, Refused};

/// What a frame of zstd begins with.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Set in the byte after it if a checksum stands at the frame's end.
const HAS_CHECKSUM: u8 = 0b100;
/// How much is unpacked at a time.
const UNPACKED: usize = 256 * 1024;
/// Steps between two looks at the progress.
const STEPS: u64 = 1_024;

/// What was read of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Contents {
    /// Pairs that live still.
    pub pairs: u64,
    /// Those of them that have a deadline.
    pub with_deadline: u64,
    /// Pairs whose deadline has passed since: they are left out.
    pub expired: u64,
    /// The length of the text, in bytes.
    pub text_bytes: u64,
}

/// Why a file is not read as a snapshot.
#[derive(Debug)]
pub struct ReadError {
    file: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    /// The system does not let it be read.
    Io(io::Error),
    /// It does not begin as a snapshot does.
    NoSnapshot,
    /// It was packed without a checksum.
    NoChecksum,
    /// It ends here, within the frame.
    CutOff(u64),
    /// About here it is not what was written.
    Damaged(u64, String),
    /// After the snapshot, which ends here, something follows.
    Followed(u64),
    /// Here, in what it unpacks to, it is no text of a snapshot.
    Text(u64, String),
    /// Here, in what it unpacks to, stands a pair that cannot be kept.
    Refused(u64, Refused),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = "nothing was loaded; put a good copy in its place, or move it away to start \
                      without it";
        write!(f, "{}: ", self.file.display())?;
        match &self.reason {
            Reason::Io(error) => write!(f, "cannot be read: {error}"),
            Reason::NoSnapshot => {
                write!(f, "byte 0: this is no snapshot, which begins as a zstd file: {remedy}")
            }
            Reason::NoChecksum => write!(
                f,
                "byte 4: this was packed without a checksum, so that nobody can tell whether it is \
                 whole: pack it with `zstd --check`"
            ),
            Reason::CutOff(at) => {
                write!(f, "byte {at}: it ends here, in the middle: it was cut off: {remedy}")
            }
            Reason::Damaged(at, why) => {
                write!(f, "byte {at} or before: it is damaged ({why}): {remedy}")
            }
            Reason::Followed(at) => {
                write!(f, "byte {at}: the snapshot ends here, but more follows: {remedy}")
            }
            Reason::Text(at, why) => {
                write!(f, "byte {at} of what it unpacks to: {why}: {remedy}")
            }
            Reason::Refused(at, Refused::TooHeavy) => write!(
                f,
                "byte {at} of what it unpacks to: this pair is larger than `--max-memory`: nothing \
                 was loaded; allow more"
            ),
            Reason::Refused(at, Refused::TooFar) => write!(
                f,
                "byte {at} of what it unpacks to: the deadline of this pair lies further away than \
                 can be represented: {remedy}"
            ),
            Reason::Refused(at, Refused::DiskFull) => write!(
                f,
                "byte {at} of what it unpacks to: the disk of `--values` has no room for this pair: \
                 make room, or lower `--values-spare`"
            ),
            Reason::Refused(at, Refused::DiskFailed) => write!(
                f,
                "byte {at} of what it unpacks to: the disk of `--values` failed with this pair; see \
                 the log above"
            ),
        }
    }
}

impl std::error::Error for ReadError {}

/// Counts what is read of a file.
struct Counted<R> {
    from: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}

type Unpacked<R> = BufReader<Decoder<'static, BufReader<Counted<R>>>>;

/// A snapshot that is being read.
struct Snapshot<R: Read> {
    text: TextReader<Unpacked<R>>,
}

impl<R: Read> Snapshot<R> {
    /// Looks at how it begins.
    fn open(from: R) -> Result<Self, Reason> {
        let mut packed = BufReader::with_capacity(UNPACKED, Counted { from, bytes: 0 });
        let beginning = packed.fill_buf().map_err(Reason::Io)?;
        match beginning.get(..5) {
            Some([magic @ .., flags]) if *magic == MAGIC => {
                if flags & HAS_CHECKSUM == 0 {
                    return Err(Reason::NoChecksum);
                }
            }
            None if !beginning.is_empty()
                && MAGIC.starts_with(&beginning[..beginning.len().min(4)]) =>
            {
                return Err(Reason::CutOff(beginning.len() as u64));
            }
            _ => return Err(Reason::NoSnapshot),
        }
        let decoder = Decoder::with_buffer(packed).map_err(Reason::Io)?.single_frame();
        Ok(Self { text: TextReader::new(BufReader::with_capacity(UNPACKED, decoder)) })
    }

    /// Hands each step to `f`, with where it stands; then sees that all was whole. What `f` was
    /// given is to be believed only if this succeeds. Every now and then, `progress` is told how
    /// much of the file has been read.
    fn read(
        mut self,
        mut f: impl FnMut(Step<'_>) -> Result<(), Refused>,
        progress: impl Fn(u64),
    ) -> Result<u64, Reason> {
        for number in 0_u64.. {
            if number.is_multiple_of(STEPS) {
                progress(self.consumed());
            }
            let taken = match self.text.next() {
                Ok(None) => break,
                Ok(Some(step)) => f(step),
                Err(error) => return Err(self.reason(error)),
            };
            taken.map_err(|refused| Reason::Refused(self.text.start(), refused))?;
        }
        let text_bytes = self.text.position();
        let mut packed = self.text.into_inner().into_inner().finish();
        let follows = !packed.fill_buf().map_err(Reason::Io)?.is_empty();
        let end = packed.get_ref().bytes - packed.buffer().len() as u64;
        if follows { Err(Reason::Followed(end)) } else { Ok(text_bytes) }
    }

    /// How much of the file was unpacked.
    fn consumed(&self) -> u64 {
        let packed = self.text.get_ref().get_ref().get_ref();
        packed.get_ref().bytes - packed.buffer().len() as u64
    }

    fn reason(&self, error: TextError) -> Reason {
        match error {
            // Only the system has a number for what went wrong.
            TextError::Io(error) if error.raw_os_error().is_some() => Reason::Io(error),
            TextError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Reason::CutOff(self.consumed())
            }
            TextError::Io(error) => Reason::Damaged(self.consumed(), error.to_string()),
            error => Reason::Text(self.text.start(), error.to_string()),
        }
    }
}

/// Opens `path` and has `f` read it, a bar showing how far it is.
fn with_file<T>(
    path: &Path,
    f: impl FnOnce(Snapshot<File>, &ProgressBar) -> Result<T, Reason>,
) -> Result<T, ReadError> {
    let read = || {
        let file = File::open(path).map_err(Reason::Io)?;
        let bar = ProgressBar::new(file.metadata().map_err(Reason::Io)?.len());
        let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        let done = Snapshot::open(file).and_then(|snapshot| f(snapshot, &bar));
        bar.finish_and_clear();
        done
    };
    read().map_err(|reason| ReadError { file: path.to_owned(), reason })
}

/// Reads the snapshot in `path` into `keyspace`, which is new. Pairs whose deadline has passed are
/// left out.
///
/// # Errors
/// [`ReadError`]; what was read before has been put then, so the keyspace must be done away with.
pub(crate) fn load(path: &Path, keyspace: &Keyspace) -> Result<Contents, ReadError> {
    with_file(path, |snapshot, bar| load_from(snapshot, keyspace, |read| bar.set_position(read)))
}

fn load_from<R: Read>(
    snapshot: Snapshot<R>,
    keyspace: &Keyspace,
    progress: impl Fn(u64),
) -> Result<Contents, Reason> {
    let mut contents = Contents::default();
    let step = |step: Step<'_>| {
        contents.note(&step, || keyspace.now_ms());
        match step {
            Step::Put { key, value, deadline_ms } => {
                let lifetime = deadline_ms.map_or(Lifetime::Never, Lifetime::Until);
                Keyspace::punctually(|| keyspace.put(key, value, lifetime)).map(drop)
            }
            Step::Expire { key, deadline_ms } => {
                Keyspace::punctually(|| keyspace.expire(key, deadline_ms)).map(drop)
            }
            Step::Select => Ok(()),
        }
    };
    let text_bytes = snapshot.read(step, progress)?;
    Ok(Contents { text_bytes, ..contents })
}

/// Reads the snapshot in `path` to its end, and keeps nothing of it.
///
/// # Errors
/// [`ReadError`] if it is not whole.
pub(crate) fn check(path: &Path) -> Result<Contents, ReadError> {
    with_file(path, |snapshot, bar| {
        let mut contents = Contents::default();
        let step = |step: Step<'_>| {
            contents.note(&step, wall_ms);
            Ok(())
        };
        let text_bytes = snapshot.read(step, |read| bar.set_position(read))?;
        Ok(Contents { text_bytes, ..contents })
    })
}

/// Writes the text of the snapshot in `path` to `to`, once all of it was seen to be whole; returns
/// what came of writing.
///
/// # Errors
/// [`ReadError`] if it is not whole.
pub(crate) fn unpack(path: &Path, to: &mut impl Write) -> Result<io::Result<()>, ReadError> {
    check(path)?;
    with_file(path, |snapshot, _| {
        let mut text = snapshot.text.into_inner();
        loop {
            let piece = match text.fill_buf() {
                Ok([]) => return Ok(to.flush()),
                Ok(piece) => piece,
                Err(error) => return Err(Reason::Io(error)),
            };
            let length = piece.len();
            if let Err(error) = to.write_all(piece) {
                return Ok(Err(error));
            }
            text.consume(length);
        }
    })
}

impl Contents {
    /// Counts a step.
    fn note(&mut self, step: &Step<'_>, now_ms: impl Fn() -> i64) {
        match *step {
            Step::Put { deadline_ms: None, .. } => self.pairs += 1,
            Step::Put { deadline_ms: Some(deadline_ms), .. } if deadline_ms <= now_ms() => {
                self.expired += 1;
            }
            Step::Put { .. } => {
                self.pairs += 1;
                self.with_deadline += 1;
            }
            // It follows the pair that it is for.
            Step::Expire { deadline_ms, .. } if deadline_ms <= now_ms() => {
                self.pairs = self.pairs.saturating_sub(1);
                self.expired += 1;
            }
            Step::Expire { .. } => self.with_deadline += 1,
            Step::Select => {}
        }
    }
}

/// The wall-clock time in milliseconds; zero before 1970.
fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Loads what `bytes` hold as a file would; returns how many pairs. For tests and fuzzing.
///
/// # Errors
/// Why it is no whole snapshot.
pub(crate) fn load_bytes(bytes: &[u8], keyspace: &Keyspace) -> Result<Contents, ReadError> {
    let loaded = Snapshot::open(bytes).and_then(|snapshot| load_from(snapshot, keyspace, |_| ()));
    loaded.map_err(|reason| ReadError { file: PathBuf::from("memory"), reason })
}

/// The pairs of a snapshot, with their deadlines, by key.
#[cfg(test)]
pub(super) type Pairs = std::collections::BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

/// The pairs of the snapshot in `bytes`, if it is whole.
#[cfg(test)]
pub(super) fn pairs(bytes: &[u8]) -> Result<Pairs, ReadError> {
    let mut pairs = Pairs::new();
    let put = |step: Step<'_>| {
        if let Step::Put { key, value, deadline_ms } = step {
            pairs.insert(key.to_vec(), (value.to_vec(), deadline_ms));
        }
        Ok(())
    };
    let read = Snapshot::open(bytes).and_then(|snapshot| snapshot.read(put, |_| ()));
    read.map_err(|reason| ReadError { file: PathBuf::from("memory"), reason })?;
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::text::{self, BEGINNING};
    use super::super::write::pack;
    use super::*;

    /// A snapshot of so many pairs, packed.
    fn packed(count: usize) -> Vec<u8> {
        let mut text = BEGINNING.to_vec();
        for (number, deadline_ms) in (0..count).zip(2_000_000_000_000..) {
            let key = format!("key-{number}-{}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let deadline_ms = (number % 2 == 0).then_some(deadline_ms);
            text::put(&mut text, key.as_bytes(), &key.as_bytes()[4..], deadline_ms);
        }
        pack(&text).expect("memory takes it")
    }

    #[test]
    fn what_is_torn_anywhere_is_refused() {
        for (count, step) in [(0, 1), (5, 1), (3_000, 997)] {
            let whole = packed(count);
            assert_eq!(pairs(&whole).expect("it is whole").len(), count);
            for end in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
                let error = pairs(&whole[..end]).expect_err("it is torn").to_string();
                let says = if end == 0 { "this is no snapshot" } else { "it was cut off" };
                let place = format!("byte {end}: ");
                assert!(error.contains(says) && error.contains(&place), "{end}: {error}");
            }
        }
    }

    #[test]
    fn what_is_damaged_anywhere_is_refused_or_the_same() {
        for (count, step) in [(0, 1), (5, 1), (3_000, 1_499)] {
            let whole = packed(count);
            let expected = pairs(&whole).expect("it is whole");
            let mut same = 0;
            for place in (0..whole.len()).step_by(step) {
                for bit in 0..8 {
                    let mut damaged = whole.clone();
                    damaged[place] ^= 1 << bit;
                    if let Ok(read) = pairs(&damaged) {
                        assert_eq!(read, expected, "bit {bit} of byte {place}");
                        same += 1;
                    }
                }
            }
            // The frame says how large a window to unpack with, and a larger one does as well; what
            // has been before may be found in more places than one.
            assert!(same <= 32, "{same} of {} bits mean nothing", 8 * whole.len() / step);
        }
    }

    #[test]
    fn what_follows_or_has_no_checksum_is_refused() {
        let whole = packed(5);
        for more in [&b"\0"[..], &whole] {
            let error = pairs(&[&whole[..], more].concat()).expect_err("more follows").to_string();
            assert!(error.contains(&format!("byte {}: the snapshot ends", whole.len())), "{error}");
        }
        let unchecked = zstd::bulk::compress(BEGINNING, 1).expect("memory takes it");
        let error = pairs(&unchecked).expect_err("it has no checksum").to_string();
        assert!(error.contains("zstd --check"), "{error}");
        let error = pairs(BEGINNING).expect_err("it is not packed").to_string();
        assert!(error.contains("byte 0: this is no snapshot"), "{error}");
        // The end of a text within a frame that is whole.
        let torn = pack(&[BEGINNING, b"*3\r\n$3\r\nSET\r\n"].concat()).expect("memory takes it");
        let error = pairs(&torn).expect_err("it is torn").to_string();
        assert!(error.contains("byte 23 of what it unpacks to: the text ends"), "{error}");
    }

    #[test]
    fn what_has_expired_meanwhile_is_counted_and_left_out() {
        let keyspace = Keyspace::new(crate::keyspace::Settings::default()).expect("it is plain");
        let mut text = BEGINNING.to_vec();
        text::put(&mut text, b"a", b"1", None);
        text::put(&mut text, b"b", b"2", Some(1));
        text::put(&mut text, b"c", b"3", Some(wall_ms() + 1_000_000));
        text::put(&mut text, b"d", b"4", None);
        text.extend_from_slice(b"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\nd\r\n$1\r\n1\r\n");
        let packed = pack(&text).expect("memory takes it");
        let contents = load_bytes(&packed, &keyspace).expect("it is whole");
        let text_bytes = text.len() as u64;
        assert_eq!(contents, Contents { pairs: 2, with_deadline: 1, expired: 2, text_bytes });
        let held = [b"a", b"b", b"c", b"d"].map(|key| keyspace.contains(key));
        assert_eq!((held, keyspace.len()), ([true, false, true, false], 2));
    }
}
