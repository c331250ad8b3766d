//! The search for the highest rate that holds: which rate to try next, given what came of those
//! before.
//!
//! Up in factors from the lowest rate until one does not hold, then between the highest that held
//! and the lowest that did not, until they are close enough. A measurement can be unlucky, so both
//! ends are tried once more in the end; an end that does not stand moves, and the search goes on.

/// Rates grow by this factor as long as none has failed.
const GROWTH: f64 = 2.0;
/// After so many tries the system is found to be too uneven to be searched.
const TRIES_MAX: usize = 60;

/// What is looked for, and how exactly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// The share by which the upper end may lie above the lower one in the end.
    pub(crate) precision: f64,
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    range: Range,
    /// In order of their rates.
    tried: Vec<Tried>,
    tries: usize,
}

/// A rate, and what came of it last.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tried {
    rate: f64,
    holds: bool,
    /// How often in a row.
    times: u32,
}

/// Where a search has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// The highest rate that held, if any did.
    pub(crate) holds: Option<f64>,
    /// The lowest rate above it that did not hold; `None` if all up to the end of the range held.
    pub(crate) fails: Option<f64>,
    /// Whether they are as close as was asked for, and both were confirmed.
    pub(crate) is_settled: bool,
}

impl Search {
    pub(crate) const fn new(range: Range) -> Self {
        Self { range, tried: Vec::new(), tries: 0 }
    }

    /// The next rate to try; `None` when the search is over.
    pub(crate) fn next(&self) -> Option<f64> {
        if self.tries >= TRIES_MAX {
            return None;
        }
        let Range { from, to, precision } = self.range;
        match self.ends() {
            (None, None) => Some(from),
            // Unless it fails twice, the lowest rate may have been unlucky.
            (None, Some(high)) => unconfirmed(high),
            (Some(low), None) if low.rate >= to => unconfirmed(low),
            (Some(low), None) => Some((low.rate * GROWTH).min(to)),
            (Some(low), Some(high)) if high.rate <= low.rate * (1.0 + precision) => {
                unconfirmed(low).or_else(|| unconfirmed(high))
            }
            (Some(low), Some(high)) => Some((low.rate * high.rate).sqrt()),
        }
    }

    /// Notes what came of `rate`.
    #[expect(clippy::float_cmp, reason = "a rate that is tried again is the same number")]
    pub(crate) fn tell(&mut self, rate: f64, holds: bool) {
        self.tries += 1;
        match self.tried.iter_mut().find(|tried| tried.rate == rate) {
            Some(tried) if tried.holds == holds => tried.times += 1,
            Some(tried) => *tried = Tried { rate, holds, times: 1 },
            None => self.tried.push(Tried { rate, holds, times: 1 }),
        }
        self.tried.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    }

    /// Where it has come to.
    pub(crate) fn found(&self) -> Found {
        let (low, high) = self.ends();
        Found {
            holds: low.map(|low| low.rate),
            fails: high.map(|high| high.rate),
            is_settled: self.next().is_none() && self.tries < TRIES_MAX,
        }
    }

    /// The lowest rate that does not hold, and the highest below it that does.
    fn ends(&self) -> (Option<Tried>, Option<Tried>) {
        let high = self.tried.iter().find(|tried| !tried.holds);
        let below = |tried: &&Tried| high.is_none_or(|high| tried.rate < high.rate);
        (self.tried.iter().rfind(|tried| tried.holds && below(tried)).copied(), high.copied())
    }
}

fn unconfirmed(end: Tried) -> Option<f64> {
    (end.times < 2).then_some(end.rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches where `holds` answers a rate and how often it has been tried before.
    fn search(range: Range, holds: impl Fn(f64, usize) -> bool) -> (Found, Vec<f64>) {
        let mut search = Search::new(range);
        let mut tried: Vec<f64> = Vec::new();
        while let Some(rate) = search.next() {
            let is_same = |other: &&f64| other.to_bits() == rate.to_bits();
            let before = tried.iter().filter(is_same).count();
            search.tell(rate, holds(rate, before));
            tried.push(rate);
        }
        (search.found(), tried)
    }

    const RANGE: Range = Range { from: 1_000.0, to: 1e9, precision: 0.05 };

    #[test]
    fn every_limit_is_found_as_exactly_as_was_asked_and_both_ends_are_confirmed() {
        for exponent in 0..200 {
            let limit = 1_000.0 * 1.06_f64.powi(exponent);
            let (found, tried) = search(RANGE, |rate, _| rate <= limit);
            let (low, high) = (found.holds.expect("some hold"), found.fails.expect("some fail"));
            assert!(found.is_settled && low <= limit && limit < high, "{limit}: {found:?}");
            assert!(high <= low * 1.05, "{limit}: {found:?}");
            for end in [low, high] {
                let times = tried.iter().filter(|rate| (**rate - end).abs() < 1e-9).count();
                assert_eq!(times, 2, "{limit}: {end} of {tried:?}");
            }
            assert!(tried.len() < 32, "{limit}: {tried:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_answers_too() {
        let to_10k = Range { to: 10_000.0, ..RANGE };
        let (found, tried) = search(to_10k, |_, _| true);
        assert_eq!((found.holds, found.fails, found.is_settled), (Some(10_000.0), None, true));
        assert_eq!(tried, [1_000.0, 2_000.0, 4_000.0, 8_000.0, 10_000.0, 10_000.0]);
        let (found, tried) = search(RANGE, |_, _| false);
        assert_eq!((found.holds, found.fails, found.is_settled), (None, Some(1_000.0), true));
        assert_eq!(tried, [1_000.0, 1_000.0]);
    }

    #[test]
    fn a_single_unlucky_try_is_put_right() {
        // The first try of 8 000 fails, the second shows that it holds.
        let unlucky = |rate: f64, before| {
            rate < 90_000.0 && !(rate.to_bits() == 8e3_f64.to_bits() && before == 0)
        };
        let (found, _) = search(RANGE, unlucky);
        assert!(found.holds.is_some_and(|low| low > 85_000.0), "{found:?}");
        assert!(found.is_settled);
        // The first try of 4 000 holds by luck, the second does not.
        let lucky = |rate: f64, before| {
            rate < 3_000.0 || rate.to_bits() == 4e3_f64.to_bits() && before == 0
        };
        let (found, _) = search(RANGE, lucky);
        assert!(found.holds.is_some_and(|low| low < 3_000.0), "{found:?}");
        assert!(found.is_settled);
    }

    #[test]
    fn what_never_settles_ends_and_says_so() {
        let (found, tried) = search(RANGE, |_, before| before % 2 == 0);
        assert_eq!(tried.len(), TRIES_MAX);
        assert!(!found.is_settled);
    }
}
