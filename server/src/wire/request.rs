//! Reads requests: arrays of bulk strings, or a line.

use std::ops::Range;

use super::Args;
use super::inline;

/// How large requests may be.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// The most bytes of one word.
    pub bulk: usize,
    /// The most words of a request.
    pub words: usize,
    /// The most bytes of a request.
    pub request: usize,
}

/// What is wrong with what a client sent; nothing after it can be made sense of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProtocolError(Vec<u8>);

impl ProtocolError {
    /// The complaint as it is to be replied.
    pub(crate) fn text(&self) -> Vec<u8> {
        [b"ERR Protocol error: ", &self.0[..]].concat()
    }
}

fn error<T>(what: &str) -> Result<T, ProtocolError> {
    Err(ProtocolError(what.as_bytes().to_vec()))
}

/// The longest line that is waited for to end: a number's, or an inline command's.
const LONGEST_LINE: usize = 64 * 1024;

/// What who has not said the password may send: enough to say it.
const UNKNOWN: RequestLimits = RequestLimits { bulk: 16_384, words: 10, request: 256 * 1024 };

/// Reads one request after another from bytes that come in pieces, each byte once.
#[derive(Debug)]
pub(crate) struct RequestReader {
    limits: RequestLimits,
    /// How much of the bytes has been made sense of.
    position: usize,
    /// Words that are still to come, once their number is known.
    missing: Option<usize>,
    /// The length of the word that is being received.
    bulk: Option<usize>,
    /// Where the words lie: in what was received, or, of an inline command, in `unquoted`.
    places: Vec<Range<usize>>,
    unquoted: Option<Vec<u8>>,
}

/// A number of the protocol's own, or why it cannot be had.
enum Line<T> {
    Whole(T),
    Incomplete,
}

impl RequestReader {
    /// A reader that has read nothing.
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self { limits, position: 0, missing: None, bulk: None, places: Vec::new(), unquoted: None }
    }

    /// Goes on reading `bytes`, which begin where the last request ended. Returns the request's
    /// length once it is whole; [`args`](Self::args) then has its words, none for an empty one, and
    /// the next call begins another. Who is not `trusted` may send only little.
    ///
    /// # Errors
    /// [`ProtocolError`], worded as Redis words it.
    #[inline]
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        trusted: bool,
    ) -> Result<Option<usize>, ProtocolError> {
        if self.position == 0 {
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => {}
                Some(_) => return self.line(bytes),
            }
        }
        let limits = if trusted { self.limits } else { UNKNOWN };
        let whole = self.array(bytes, limits, trusted)?;
        if bytes.len() > limits.request && whole.is_none_or(|length| length > limits.request) {
            return error("request too large");
        }
        Ok(whole)
    }

    /// The words of the request that was just found whole in `bytes`.
    #[inline]
    pub(crate) fn args<'a>(&'a self, bytes: &'a [u8]) -> Args<'a> {
        Args::new(self.unquoted.as_deref().unwrap_or(bytes), &self.places)
    }

    /// Forgets the request that was read.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.position = 0;
        self.places.clear();
        self.unquoted = None;
        if self.places.capacity() > 1024 {
            self.places = Vec::new();
        }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = bytes.iter().take(LONGEST_LINE + 1).position(|byte| *byte == b'\n') else {
            if bytes.len() > LONGEST_LINE {
                return error("too big inline request");
            }
            return Ok(None);
        };
        let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
        let mut unquoted = Vec::with_capacity(line.len());
        if !inline::split(line, &mut unquoted, &mut self.places) {
            return error("unbalanced quotes in request");
        }
        self.unquoted = Some(unquoted);
        Ok(Some(end + 1))
    }

    fn array(
        &mut self,
        bytes: &[u8],
        limits: RequestLimits,
        trusted: bool,
    ) -> Result<Option<usize>, ProtocolError> {
        let mut missing = match self.missing {
            Some(missing) => missing,
            None => match self.count(bytes, limits, trusted)? {
                Line::Whole(count) => count,
                Line::Incomplete => return Ok(None),
            },
        };
        while missing > 0 {
            self.missing = Some(missing);
            let length = match self.bulk {
                Some(length) => length,
                None => match self.length(bytes, limits, trusted)? {
                    Line::Whole(length) => *self.bulk.insert(length),
                    Line::Incomplete => return Ok(None),
                },
            };
            let end = self.position + length;
            if bytes.len() < end + 2 {
                return Ok(None);
            }
            self.places.push(self.position..end);
            self.position = end + 2;
            self.bulk = None;
            missing -= 1;
        }
        self.missing = None;
        Ok(Some(self.position))
    }

    /// Reads `*COUNT`.
    fn count(
        &mut self,
        bytes: &[u8],
        limits: RequestLimits,
        trusted: bool,
    ) -> Result<Line<usize>, ProtocolError> {
        let Line::Whole((line, after)) = self.number(bytes, "too big mbulk count string")? else {
            return Ok(Line::Incomplete);
        };
        let count = match parse_length(&line[1..]) {
            Some(count) if count < 0 => 0,
            Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
            None => return error("invalid multibulk length"),
        };
        if count > limits.words {
            let words = "invalid multibulk length";
            return error(if trusted { words } else { "unauthenticated multibulk length" });
        }
        self.position = after;
        Ok(Line::Whole(count))
    }

    /// Reads `$LENGTH`.
    fn length(
        &mut self,
        bytes: &[u8],
        limits: RequestLimits,
        trusted: bool,
    ) -> Result<Line<usize>, ProtocolError> {
        let Line::Whole((line, after)) = self.number(bytes, "too big bulk count string")? else {
            return Ok(Line::Incomplete);
        };
        let first = line.first().copied().unwrap_or(b'\r');
        if first != b'$' {
            return Err(ProtocolError([b"expected '$', got '", &[first][..], b"'"].concat()));
        }
        let length = parse_length(&line[1..]).and_then(|length| usize::try_from(length).ok());
        let Some(length) = length.filter(|length| *length <= self.limits.bulk) else {
            return error("invalid bulk length");
        };
        if !trusted && length > limits.bulk {
            return error("unauthenticated bulk length");
        }
        self.position = after;
        Ok(Line::Whole(length))
    }

    /// The line that begins at `position`, and where the next one does.
    fn number<'b>(
        &self,
        bytes: &'b [u8],
        too_long: &str,
    ) -> Result<Line<(&'b [u8], usize)>, ProtocolError> {
        let rest = bytes.get(self.position..).unwrap_or_default();
        match rest.iter().take(LONGEST_LINE + 1).position(|byte| *byte == b'\r') {
            Some(end) if rest.len() > end + 1 => {
                Ok(Line::Whole((&rest[..end], self.position + end + 2)))
            }
            None if rest.len() > LONGEST_LINE => error(too_long),
            _ => Ok(Line::Incomplete),
        }
    }
}

/// A whole number as Redis reads it: no plus sign, no leading zeros, no spaces.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let leading = *digits.first()?;
    if leading == b'0' && text.len() > 1 {
        return None;
    }
    // Counted downwards: the least number has no positive counterpart.
    let negative = digits.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_sub(digit)
    })?;
    if digits.len() < text.len() { Some(negative) } else { negative.checked_neg() }
}

/// A length: as above, and no more than fits in 31 bits.
fn parse_length(text: &[u8]) -> Option<i64> {
    parse_integer(text).filter(|number| *number <= i64::from(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::parse_integer;

    #[test]
    fn whole_numbers_are_read_to_their_limits_and_in_one_way_only() {
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(parse_integer(number.to_string().as_bytes()), Some(number));
        }
        let beyond = ["9223372036854775808", "-9223372036854775809", "99999999999999999999"];
        for text in
            ["", "-", "+1", "01", "-0", "-01", " 1", "1 ", "1a", "--1"].iter().chain(&beyond)
        {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }
}
