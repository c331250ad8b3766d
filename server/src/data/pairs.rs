//! Made-up pairs: UUIDs, and texts of 10 to 60 letters and digits, 35 at the median.

use std::io::{self, Write};

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Pairs that a seed decides, the same on every machine.
#[derive(Debug)]
pub(crate) struct Pairs {
    random: Pcg64,
    text: Vec<u8>,
}

impl Pairs {
    /// The pairs of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: Pcg64::seed_from_u64(seed), text: Vec::new() }
    }

    /// Writes the next pair as a line.
    pub(crate) fn write(&mut self, separator: &str, to: &mut impl Write) -> io::Result<()> {
        let (high, low) = (self.random.next_u64(), self.random.next_u64());
        write_uuid(high, low, to)?;
        to.write_all(separator.as_bytes())?;
        // Two throws of a die with 26 sides: 35 on average and at the median.
        let mut throw = || usize::try_from(self.random.next_u64() % 26).unwrap_or(0);
        let length = 10 + throw() + throw();
        self.text.clear();
        let mut bits = 0;
        for place in 0..length {
            if place % 10 == 0 {
                bits = self.random.next_u64();
            }
            self.text.push(LETTERS[usize::try_from(bits & 63).unwrap_or(0)]);
            bits >>= 6;
        }
        self.text.push(b'\n');
        to.write_all(&self.text)
    }
}

/// Writes a random UUID of version 4.
fn write_uuid(high: u64, low: u64, to: &mut impl Write) -> io::Result<()> {
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    write!(
        to,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_pairs_of_the_promised_sizes() {
        let make = |seed| {
            let (mut pairs, mut file) = (Pairs::new(seed), Vec::new());
            for _ in 0..10_000 {
                pairs.write(" ", &mut file).expect("memory takes it");
            }
            String::from_utf8(file).expect("text")
        };
        let file = make(7);
        assert_eq!(file, make(7));
        assert_ne!(file, make(8));
        // Written down once: a change of the generator would change everybody's files.
        assert_eq!(
            file.lines().next(),
            Some("00213964-d113-480f-bb38-6b745518224d CZvQggBnf3vrPcXvPiE")
        );
        let mut sizes: Vec<usize> = file
            .lines()
            .map(|line| {
                let (key, value) = line.split_once(' ').expect("a separator");
                assert_eq!((key.len(), key.as_bytes()[14]), (36, b'4'));
                value.len()
            })
            .collect();
        sizes.sort_unstable();
        assert_eq!((sizes[0], sizes[5_000], sizes[9_999]), (10, 35, 60));
    }
}
