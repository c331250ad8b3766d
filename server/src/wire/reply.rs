//! Writes replies, as the second or the third version of the protocol has them.

/// Bytes to send, and how they are to be written.
#[derive(Debug)]
pub(crate) struct Reply {
    bytes: Vec<u8>,
    /// The third version of the protocol, which knows maps, sets and a null of its own.
    resp3: bool,
    /// The most bytes to hold.
    limit: usize,
    overflowed: bool,
}

impl Reply {
    /// Nothing yet, of at most `limit` bytes.
    pub(crate) fn new(limit: usize, resp3: bool) -> Self {
        Self { bytes: Vec::new(), resp3, limit, overflowed: false }
    }

    /// Whether it is the third version of the protocol that is written.
    pub(crate) fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// Chooses between the second version of the protocol and the third.
    pub(crate) fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// What has been written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether more was written than may be held; the rest is not there.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The most bytes to hold.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Forgets what was written, and lets go of memory beyond `keep` bytes.
    pub(crate) fn clear(&mut self, keep: usize) {
        self.bytes.clear();
        if self.bytes.capacity() > keep {
            self.bytes.shrink_to(keep);
        }
    }

    /// Where what is written next begins.
    pub(crate) fn mark(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets what was written since `mark` was where it begins.
    pub(crate) fn take_back(&mut self, mark: usize) {
        self.bytes.truncate(mark);
    }

    /// Adds what another reply holds.
    pub(crate) fn append(&mut self, other: &Self) {
        self.push(&[other.bytes()]);
        self.overflowed |= other.overflowed;
    }

    #[inline]
    fn push(&mut self, parts: &[&[u8]]) {
        let more: usize = parts.iter().map(|part| part.len()).sum();
        if self.overflowed || self.bytes.len() + more > self.limit {
            self.overflowed = true;
            return;
        }
        self.bytes.reserve(more);
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.push(&[&[kind], digits.format(number).as_bytes(), b"\r\n"]);
    }

    #[inline]
    fn length(&mut self, kind: u8, length: usize) {
        self.header(kind, i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// `OK`.
    #[inline]
    pub(crate) fn ok(&mut self) {
        self.push(&[b"+OK\r\n"]);
    }

    /// A short text without line breaks.
    pub(crate) fn simple(&mut self, text: &str) {
        self.push(&[b"+", text.as_bytes(), b"\r\n"]);
    }

    /// An error; `text` begins with its kind, such as `ERR`. Line breaks become spaces.
    pub(crate) fn error(&mut self, text: &[u8]) {
        let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let start = text.iter().position(|byte| !is_break(byte)).unwrap_or(text.len());
        let end = text.iter().rposition(|byte| !is_break(byte)).map_or(start, |last| last + 1);
        let plain = |byte: &u8| if is_break(byte) { b' ' } else { *byte };
        let line: Vec<u8> = text[start..end].iter().map(plain).collect();
        self.push(&[b"-", &line, b"\r\n"]);
    }

    /// A whole number.
    #[inline]
    pub(crate) fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A whole number that counts something.
    pub(crate) fn count(&mut self, count: usize) {
        self.length(b':', count);
    }

    /// Bytes.
    #[inline]
    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        let mut digits = itoa::Buffer::new();
        self.push(&[b"$", digits.format(bytes.len()).as_bytes(), b"\r\n", bytes, b"\r\n"]);
    }

    /// Text that is meant to be read by people.
    pub(crate) fn text(&mut self, text: &str) {
        if self.resp3 {
            self.length(b'=', text.len() + 4);
            self.push(&[b"txt:", text.as_bytes(), b"\r\n"]);
        } else {
            self.bulk(text.as_bytes());
        }
    }

    /// Nothing, where a value might have been.
    #[inline]
    pub(crate) fn null(&mut self) {
        self.push(&[if self.resp3 { b"_\r\n" } else { b"$-1\r\n" }]);
    }

    /// The beginning of a list of `length` replies.
    pub(crate) fn array(&mut self, length: usize) {
        self.length(b'*', length);
    }

    /// The beginning of `length` pairs of replies.
    pub(crate) fn map(&mut self, length: usize) {
        if self.resp3 { self.length(b'%', length) } else { self.length(b'*', 2 * length) }
    }

    /// The beginning of a list of `length` replies whose order means nothing.
    pub(crate) fn set(&mut self, length: usize) {
        self.length(if self.resp3 { b'~' } else { b'*' }, length);
    }
}
