//! Keys, values and maps: the same for both sides of a comparison.

use std::time::Duration;

use harness::target::{Key, Options, Payload, Target};
use harness::workload::mixer::{Mixer, scramble};
use harness::workload::model::Bound;
use harness::workload::random::Random;
use harness::workload::zipf::Zipf;

/// Seeds what is drawn: the same operations in every run.
const SEED: u64 = 24_301;
/// A TTL that no measurement outlasts.
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
/// Values take so many bytes, each length as likely as the next; 67.5 on average.
const VALUE_BYTES: std::ops::RangeInclusive<u64> = 35..=100;

/// A source of numbers for one purpose.
pub(crate) fn random(purpose: &str, round: usize) -> Random {
    Random::new(SEED, purpose, [round as u64, 0])
}

/// A position of something that is held in memory.
#[expect(clippy::cast_possible_truncation, reason = "what is held in memory can be counted")]
pub(crate) const fn len(count: u64) -> usize {
    count as usize
}

/// Room for so many pairs at once.
pub(crate) fn roomy(keys: u64) -> Options {
    Options { capacity: Some(len(keys)), ..Options::default() }
}

/// No more than so many pairs, by the target's default policy.
pub(crate) fn bounded(keys: u64) -> Options {
    let bound = Bound { max_entries: keys, eviction: None };
    Options { bound: Some(bound), ..roomy(keys) }
}

/// How popular keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Law {
    Uniform,
    Zipf,
}

impl Law {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "Zipf 0.99",
        }
    }

    /// Draws so many of the numbers below `keys`, which are popular in no order: they are loaded in that of the
    /// numbers, and who comes first may lie together, or stay in a cache.
    pub(crate) fn draw(self, keys: u64, count: usize, random: &mut Random) -> Vec<u64> {
        match self {
            Self::Uniform => (0..count).map(|_| random.below(keys)).collect(),
            Self::Zipf => {
                let (zipf, mixer) = (Zipf::new(keys, 0.99), Mixer::new(keys, SEED));
                (0..count).map(|_| mixer.permute(zipf.draw(random))).collect()
            }
        }
    }
}

/// What can be made of its number.
pub(crate) trait Numbered: Sized {
    fn numbered(number: u64) -> Self;

    /// The same keys, those first that lie first in memory. Who asks for a key has it at hand; a
    /// measurement that fetches each from a place of its own measures that, too.
    fn in_order_of_memory(keys: Vec<Self>) -> Vec<Self> {
        keys
    }
}

impl Numbered for u64 {
    fn numbered(number: u64) -> Self {
        number
    }
}

/// A key of 36 bytes, as a UUID has.
impl Numbered for Box<str> {
    fn numbered(number: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let high = scramble(number ^ SEED);
        let words = [high, scramble(high)];
        let mut text = String::with_capacity(36);
        for digit in 0..32 {
            if matches!(digit, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            let nibble = words[digit / 16] >> (60 - 4 * (digit % 16)) & 0xf;
            text.push(char::from(DIGITS[len(nibble)]));
        }
        text.into()
    }

    fn in_order_of_memory(mut keys: Vec<Self>) -> Vec<Self> {
        keys.sort_unstable_by_key(|key| key.as_ptr().addr());
        keys
    }
}

/// A value of 35 to 100 bytes.
impl Numbered for Box<[u8]> {
    fn numbered(number: u64) -> Self {
        let lengths = VALUE_BYTES.end() - VALUE_BYTES.start() + 1;
        vec![0xa5; len(VALUE_BYTES.start() + scramble(number) % lengths)].into()
    }
}

/// A map that holds the pairs of all numbers below `keys`, with a TTL or none.
pub(crate) fn filled<K, V, T>(
    options: &Options,
    keys: u64,
    ttl: Option<Duration>,
) -> Result<T, String>
where
    K: Key + Numbered,
    V: Payload + Numbered,
    T: Target<K, V>,
{
    let options = Options { gives_ttl: ttl.is_some(), ..options.clone() };
    let mut target = T::open(&options)?;
    for number in 0..keys {
        let (key, value) = (K::numbered(number), V::numbered(number));
        match ttl {
            Some(ttl) => target.put_with_ttl(key, value, ttl),
            None => target.put(key, value),
        }
    }
    target.settle();
    Ok(target)
}
