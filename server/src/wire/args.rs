//! The words of one request, where they lie in the bytes that were received.

use std::ops::{Index, Range};

/// A command and its arguments; at least the command is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Args<'a> {
    bytes: &'a [u8],
    places: &'a [Range<usize>],
}

impl<'a> Args<'a> {
    /// The words that lie at `places` of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], places: &'a [Range<usize>]) -> Self {
        Self { bytes, places }
    }

    /// How many words there are, the command among them.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is not even a command.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The word at `position`, if there are that many.
    #[inline]
    pub(crate) fn get(&self, position: usize) -> Option<&'a [u8]> {
        self.places.get(position).map(|place| &self.bytes[place.clone()])
    }

    /// The words from `position` on.
    pub(crate) fn from(&self, position: usize) -> Self {
        Self { bytes: self.bytes, places: self.places.get(position..).unwrap_or_default() }
    }

    /// The words in their order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        self.places.iter().map(move |place| &bytes[place.clone()])
    }

    /// Whether the word at `position` is `name`, in whatever case.
    pub(crate) fn is(&self, position: usize, name: &str) -> bool {
        self.get(position).is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The same words apart from the buffer they came in.
    pub(crate) fn apart(self) -> (Vec<u8>, Vec<Range<usize>>) {
        let (mut bytes, mut places) = (Vec::new(), Vec::with_capacity(self.len()));
        for word in self.iter() {
            let start = bytes.len();
            bytes.extend_from_slice(word);
            places.push(start..bytes.len());
        }
        (bytes, places)
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// The word at `position`, which the command's arity says is there.
    #[inline]
    fn index(&self, position: usize) -> &[u8] {
        &self.bytes[self.places[position].clone()]
    }
}
