//! Files of pairs: one a line, a key, a separator and a value. They are text.

mod pairs;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::keyspace::{Keyspace, Lifetime, Refused};
pub(crate) use pairs::Pairs;

/// The longest line.
const LONGEST: u64 = 64 << 20;
/// Malformed lines that are named before the rest are only counted.
const NAMED: u64 = 5;

/// What to do about a line that is no pair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum OnError {
    /// Load nothing, and name the line
    #[default]
    Refuse,
    /// Leave it out, name the first few and count them all
    Count,
}

/// How a file is read.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// What stands between key and value: the first of these in a line. A space or a tab if `None`.
    pub separator: Option<String>,
    /// What to do about a line that is no pair.
    pub on_error: OnError,
}

/// What was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Lines that are a pair; a key that stands on several has the value of the last.
    pub(crate) pairs: u64,
    /// Lines that are not.
    pub(crate) malformed: u64,
}

/// Why a line is no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    /// There is nothing between key and value.
    NoSeparator,
    /// It begins with the separator.
    NoKey,
    /// It is not UTF-8.
    NoText,
    /// It is longer than any line may be.
    TooLong,
    /// Its pair is heavier than all together may be.
    TooHeavy,
    /// The disk did not take its value.
    Disk,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSeparator => "there is no separator between a key and a value",
            Self::NoKey => "there is no key before the separator",
            Self::NoText => "this is not UTF-8",
            Self::TooLong => "the line is longer than 64 MiB",
            Self::TooHeavy => "the pair is larger than `--max-memory`",
            Self::Disk => "the disk at `--values` did not take the value",
        })
    }
}

/// Why a file was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A line of this number is no pair.
    Line(PathBuf, u64, LineError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => {
                let path = path.display();
                write!(
                    f,
                    "{path}: cannot be read ({error}): `--load` needs a file that is there and may \
                     be read"
                )
            }
            Self::Line(path, line, error @ LineError::Disk) => {
                write!(f, "{}:{line}: {error}: the log says why", path.display())
            }
            Self::Line(path, line, error @ LineError::TooHeavy) => write!(
                f,
                "{}:{line}: {error}: nothing was loaded; say a larger `--max-memory`, or leave such \
                 lines out with `--load-errors count`",
                path.display()
            ),
            Self::Line(path, line, error) => write!(
                f,
                "{}:{line}: {error}: nothing was loaded; correct the line, say what separates keys \
                 from values with `--load-separator`, or leave such lines out with \
                 `--load-errors count`",
                path.display()
            ),
        }
    }
}

impl std::error::Error for LoadError {}

/// Key and value of a line.
fn split<'l>(line: &'l [u8], separator: Option<&str>) -> Result<(&'l [u8], &'l [u8]), LineError> {
    let line = std::str::from_utf8(line).map_err(|_| LineError::NoText)?;
    let split = match separator {
        Some(separator) => line.split_once(separator),
        None => line.split_once([' ', '\t']),
    };
    match split {
        None => Err(LineError::NoSeparator),
        Some(("", _)) => Err(LineError::NoKey),
        Some((key, value)) => Ok((key.as_bytes(), value.as_bytes())),
    }
}

/// Loads the pairs of a file into `keyspace`. Empty lines are nothing; a line may end as on Windows.
///
/// # Errors
/// [`LoadError`]; what stands before a line that is refused has been loaded then, so the keyspace
/// must be done away with.
pub(crate) fn load(
    path: &Path,
    options: &LoadOptions,
    keyspace: &Keyspace,
) -> Result<Loaded, LoadError> {
    let unreadable = |error| LoadError::Unreadable(path.to_owned(), error);
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let bar = ProgressBar::new(size);
    let style = ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes}, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut file = BufReader::with_capacity(1 << 20, file);
    let (mut loaded, mut bytes, mut number) = (Loaded::default(), Vec::new(), 0);
    loop {
        bytes.clear();
        let read = io::Read::take(&mut file, LONGEST).read_until(b'\n', &mut bytes);
        let read = read.map_err(unreadable)? as u64;
        if read == 0 {
            break;
        }
        number += 1;
        if number % 1_024 == 0 {
            bar.set_position(io::Seek::stream_position(&mut file).unwrap_or(0));
        }
        let cut_off = read == LONGEST && !bytes.ends_with(b"\n");
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let stored = match split(line, options.separator.as_deref()) {
            _ if cut_off => {
                skip_line(&mut file).map_err(unreadable)?;
                Err(LineError::TooLong)
            }
            Err(LineError::NoSeparator) if line.is_empty() => continue,
            Err(error) => Err(error),
            Ok((key, value)) => {
                let put = keyspace.put(key, value, Lifetime::Default);
                put.map(drop).map_err(|refused| match refused {
                    Refused::DiskFailed | Refused::DiskFull => LineError::Disk,
                    Refused::TooHeavy | Refused::TooFar => LineError::TooHeavy,
                })
            }
        };
        match stored {
            Ok(()) => loaded.pairs += 1,
            // A disk that takes no more is nothing that could be wrong with a line.
            Err(error) if options.on_error == OnError::Refuse || error == LineError::Disk => {
                return Err(LoadError::Line(path.to_owned(), number, error));
            }
            Err(error) => {
                loaded.malformed += 1;
                if loaded.malformed <= NAMED {
                    tracing::warn!("{}:{number}: {error}: left out", path.display());
                }
            }
        }
    }
    bar.finish_and_clear();
    let Loaded { pairs, malformed } = loaded;
    tracing::info!(pairs, malformed, "loaded {}", path.display());
    Ok(loaded)
}

/// Reads on to the end of a line.
fn skip_line(file: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = file.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let read = end.map_or(bytes.len(), |end| end + 1);
        file.consume(read);
        if end.is_some() || read == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_at_its_first_separator() {
        let pair = |key: &'static str, value: &'static str| Ok((key.as_bytes(), value.as_bytes()));
        assert_eq!(split(b"a b c", None), pair("a", "b c"));
        assert_eq!(split(b"a\tb c", None), pair("a", "b c"));
        assert_eq!(split(b"a b\tc", None), pair("a", "b\tc"));
        assert_eq!(split(b"a ", None), pair("a", ""));
        assert_eq!(split(b"a b::c::d", Some("::")), pair("a b", "c::d"));
        assert_eq!(split(b"a", None), Err(LineError::NoSeparator));
        assert_eq!(split(b" b", None), Err(LineError::NoKey));
        assert_eq!(split(b"a \xff", None), Err(LineError::NoText));
        assert_eq!(split(b"a b", Some(";")), Err(LineError::NoSeparator));
    }
}
