//! Commands as a person types them: words between spaces, quoted where need be.

use std::ops::Range;

/// Splits `line` into words, which are added to `bytes` and their places to `places`; `false` if a
/// quote is not closed, or closed within a word.
///
/// Within double quotes `\n`, `\r`, `\t`, `\b`, `\a`, `\xHH` mean what they do in C, and any other
/// character stands for itself after a backslash; within single quotes only `\'` does.
pub(super) fn split(line: &[u8], bytes: &mut Vec<u8>, places: &mut Vec<Range<usize>>) -> bool {
    let mut rest = line;
    loop {
        while let Some((first, after)) = rest.split_first() {
            if !is_space(*first) {
                break;
            }
            rest = after;
        }
        // A NUL ends the line, as it does in C.
        if rest.first().is_none_or(|byte| *byte == 0) {
            return true;
        }
        let start = bytes.len();
        match word(rest, bytes) {
            Some(after) => rest = after,
            None => return false,
        }
        places.push(start..bytes.len());
    }
}

/// Reads one word; returns what follows it.
fn word<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return Some(rest),
            [b'"', after @ ..] => return closed(double_quoted(after, bytes)?),
            [b'\'', after @ ..] => return closed(single_quoted(after, bytes)?),
            [byte, after @ ..] if is_space(*byte) => return Some(after),
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

/// A closing quote ends the word: a space must follow, or nothing.
fn closed(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        Some(byte) if !is_space(*byte) && *byte != 0 => None,
        _ => Some(rest),
    }
}

fn double_quoted<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return None,
            [b'"', after @ ..] => return Some(after),
            [b'\\', b'x', high, low, after @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high)? * 16 + hex(*low)?);
                rest = after;
            }
            [b'\\', escaped, after @ ..] if *escaped != 0 => {
                bytes.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => *other,
                });
                rest = after;
            }
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

fn single_quoted<'l>(mut rest: &'l [u8], bytes: &mut Vec<u8>) -> Option<&'l [u8]> {
    loop {
        match rest {
            [] | [0, ..] => return None,
            [b'\\', b'\'', after @ ..] => {
                bytes.push(b'\'');
                rest = after;
            }
            [b'\'', after @ ..] => return Some(after),
            [byte, after @ ..] => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
}

/// What `isspace` of C says of a byte.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
