//! Pairs as the text that Redis keeps in its append-only files: one command after another.
//!
//! Written are `SELECT 0`, then a `SET` for each pair, with `PXAT` where it has a deadline. Read is
//! also `PEXPIREAT`, so that what Redis itself makes of strings can be read.

use std::fmt;
use std::io::{self, BufRead, Read as _, Write as _};

use crate::wire::parse_integer;

/// What every text begins with, so that none is empty.
pub(super) const BEGINNING: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

/// The most words of a command: those of `SET key value PXAT time`.
const MOST_WORDS: usize = 5;
/// The longest line that says a number, its end included.
const LONGEST_LINE: u64 = 32;

/// Adds the command that stores a pair.
pub(super) fn put(text: &mut Vec<u8>, key: &[u8], value: &[u8], deadline_ms: Option<i64>) {
    text.extend_from_slice(if deadline_ms.is_some() { b"*5\r\n" } else { b"*3\r\n" });
    word(text, b"SET");
    word(text, key);
    word(text, value);
    if let Some(deadline_ms) = deadline_ms {
        word(text, b"PXAT");
        word(text, itoa::Buffer::new().format(deadline_ms).as_bytes());
    }
}

fn word(text: &mut Vec<u8>, word: &[u8]) {
    // Memory takes whatever is written.
    let _ = write!(text, "${}\r\n", word.len());
    text.extend_from_slice(word);
    text.extend_from_slice(b"\r\n");
}

/// What a command does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'t> {
    /// Stores a pair.
    Put { key: &'t [u8], value: &'t [u8], deadline_ms: Option<i64> },
    /// Gives a pair another deadline.
    Expire { key: &'t [u8], deadline_ms: i64 },
    /// Chooses the only database.
    Select,
}

/// Why a text cannot be read on.
#[derive(Debug)]
pub(super) enum TextError {
    /// It cannot be had.
    Io(io::Error),
    /// It ends within a command.
    CutOff,
    /// What is there is no command.
    NoCommand,
    /// It is a command that no snapshot has.
    Unknown(String),
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::CutOff => f.write_str("the text ends within a command"),
            Self::NoCommand => f.write_str("this is no command"),
            Self::Unknown(name) => write!(
                f,
                "`{name}` is not read: only SELECT 0, SET (with PXAT or without) and PEXPIREAT are"
            ),
        }
    }
}

/// Reads commands, one after another.
#[derive(Debug)]
pub(super) struct TextReader<R> {
    from: R,
    /// Bytes that were read.
    position: u64,
    /// Where the last command begins.
    start: u64,
    words: [Vec<u8>; MOST_WORDS],
    count: usize,
}

impl<R: BufRead> TextReader<R> {
    /// A reader of the text in `from`.
    pub(super) fn new(from: R) -> Self {
        Self { from, position: 0, start: 0, words: Default::default(), count: 0 }
    }

    /// Where the last command begins, in bytes.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How much has been read, in bytes.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// What the text comes from.
    pub(super) fn get_ref(&self) -> &R {
        &self.from
    }

    /// The same, to go on with what follows the text.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// The next command; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Step<'_>>, TextError> {
        self.start = self.position;
        if self.from.fill_buf().map_err(TextError::Io)?.is_empty() {
            return Ok(None);
        }
        let count = usize::try_from(self.number(b'*')?).map_err(|_| TextError::NoCommand)?;
        if !(1..=MOST_WORDS).contains(&count) {
            return Err(TextError::NoCommand);
        }
        self.count = count;
        for place in 0..count {
            self.read_word(place)?;
        }
        self.step().map(Some)
    }

    /// What the words that were read mean.
    fn step(&self) -> Result<Step<'_>, TextError> {
        let words = &self.words[..self.count];
        let is = |place: usize, name: &str| {
            words.get(place).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let time = |word: &[u8]| parse_integer(word).ok_or(TextError::NoCommand);
        match words {
            [_, key, value] if is(0, "set") => Ok(Step::Put { key, value, deadline_ms: None }),
            [_, key, value, _, at] if is(0, "set") && is(3, "pxat") => {
                Ok(Step::Put { key, value, deadline_ms: Some(time(at)?) })
            }
            [_, key, at] if is(0, "pexpireat") => Ok(Step::Expire { key, deadline_ms: time(at)? }),
            [_, _] if is(0, "select") && is(1, "0") => Ok(Step::Select),
            _ => {
                let name = words.first().map(Vec::as_slice).unwrap_or_default();
                let name = &name[..name.len().min(32)];
                Err(TextError::Unknown(name.escape_ascii().to_string()))
            }
        }
    }

    /// Reads a word into its place.
    fn read_word(&mut self, place: usize) -> Result<(), TextError> {
        let length = self.number(b'$')?;
        let word = &mut self.words[place];
        word.clear();
        // It is not believed that there is so much before it has been read.
        let read = (&mut self.from).take(length).read_to_end(word).map_err(TextError::Io)?;
        self.position += read as u64;
        let mut end = [0; 2];
        match self.from.read_exact(&mut end) {
            Ok(()) if end == *b"\r\n" => {
                self.position += 2;
                Ok(())
            }
            Ok(()) => Err(TextError::NoCommand),
            Err(error) => Err(cut_off_or(error)),
        }
    }

    /// Reads a line of `kind` and a number.
    fn number(&mut self, kind: u8) -> Result<u64, TextError> {
        let mut line = Vec::with_capacity(16);
        let read = (&mut self.from).take(LONGEST_LINE).read_until(b'\n', &mut line);
        self.position += read.map_err(TextError::Io)? as u64;
        let Some(whole) = line.strip_suffix(b"\r\n") else {
            let is_cut_off = !line.ends_with(b"\n") && (line.len() as u64) < LONGEST_LINE;
            return Err(if is_cut_off { TextError::CutOff } else { TextError::NoCommand });
        };
        let number = whole.strip_prefix(&[kind]).and_then(parse_integer);
        number.and_then(|number| u64::try_from(number).ok()).ok_or(TextError::NoCommand)
    }
}

/// The end of the text where more was to come, or another error.
fn cut_off_or(error: io::Error) -> TextError {
    // zstd says the same of a frame that ends too soon, but with a text of its own.
    let is_end = error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none();
    if is_end { TextError::CutOff } else { TextError::Io(error) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pair = (Vec<u8>, Vec<u8>, Option<i64>);

    fn pairs(text: &[u8]) -> Result<Vec<Pair>, TextError> {
        let (mut reader, mut pairs) = (TextReader::new(text), Vec::new());
        while let Some(step) = reader.next()? {
            if let Step::Put { key, value, deadline_ms } = step {
                pairs.push((key.to_vec(), value.to_vec(), deadline_ms));
            }
        }
        assert_eq!(reader.position(), text.len() as u64);
        Ok(pairs)
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..20),
            proptest::sample::select(vec![b"\r\n".to_vec(), b"*1\r\n".to_vec(), b"SET".to_vec()]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]
        #[test]
        fn what_is_written_is_read_and_nothing_that_is_cut_off(
            written in proptest::collection::vec(
                (bytes(), bytes(), proptest::option::of(any::<i64>())), 0..6),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut text = BEGINNING.to_vec();
            let mut whole = vec![0, text.len()];
            for (key, value, deadline_ms) in &written {
                put(&mut text, key, value, *deadline_ms);
                whole.push(text.len());
            }
            prop_assert_eq!(pairs(&text).expect("it is whole"), written);
            let cut = cut.index(text.len());
            let read = pairs(&text[..cut]);
            prop_assert_eq!(read.is_ok(), whole.contains(&cut), "at {}: {:?}", cut, read);
            prop_assert!(read.is_ok() || matches!(read, Err(TextError::CutOff)));
        }

        #[test]
        fn whatever_is_read_does_no_harm(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = pairs(&text);
            let _ = pairs(&[b"*3\r\n$3\r\nSET\r\n", &text[..]].concat());
        }
    }

    #[test]
    fn what_is_no_command_of_a_snapshot_is_refused() {
        for text in [
            &b"PING\r\n"[..],
            b"*0\r\n",
            b"*-1\r\n",
            b"*6\r\n",
            b"*1\r\n$04\r\nPING\r\n",
            b"*1\r\n$4\r\nPINGxx",
            b"*1\n$4\r\nPING\r\n",
            b"*3\r\n$3\r\nSET\r\n$-1\r\n",
            b"*00000000000000000000000000000000000001\r\n",
            b"*5\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n$4\r\nPXAT\r\n$1\r\nx\r\n",
        ] {
            let read = pairs(text);
            assert!(matches!(read, Err(TextError::NoCommand)), "{}", text.escape_ascii());
        }
        for text in [
            &b"*1\r\n$4\r\nPING\r\n"[..],
            b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n",
            b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n",
            b"*5\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\nPX\r\n$1\r\n5\r\n",
        ] {
            let read = pairs(text);
            assert!(matches!(read, Err(TextError::Unknown(_))), "{}", text.escape_ascii());
        }
        // A length is not believed: nothing so long is there, and no memory is taken for it.
        let long = b"*3\r\n$3\r\nSET\r\n$9223372036854775807\r\nab";
        assert!(matches!(pairs(long), Err(TextError::CutOff)));
    }

    #[test]
    fn a_deadline_may_follow_as_redis_writes_it() {
        let text = b"*3\r\n$9\r\nPEXPIREAT\r\n$1\r\na\r\n$4\r\n1234\r\n";
        let mut reader = TextReader::new(&text[..]);
        let step = reader.next().expect("it is whole");
        assert_eq!(step, Some(Step::Expire { key: b"a", deadline_ms: 1_234 }));
    }
}
