//! Latency histograms: their range, their text form, and which of their quantiles can be believed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The shortest latency that is told apart from none.
const LOWEST_NS: u64 = 1;
/// Longer ones are counted as this.
pub const HIGHEST_NS: u64 = 60_000_000_000;
const DIGITS: u8 = 3;
/// A quantile with fewer samples above it than this is chance, and is not shown.
const SAMPLES_ABOVE_MIN: f64 = 10.0;

/// A histogram of nanoseconds, 1 ns to 60 s with three digits.
///
/// # Panics
/// Never: the bounds are constants that the type accepts.
#[must_use]
#[expect(clippy::expect_used, reason = "the bounds are constants")]
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS).expect("valid constant bounds")
}

/// The same range with two digits, for lateness: under overload it spreads over the whole range,
/// and nobody needs its third digit.
///
/// # Panics
/// Never: the bounds are constants that the type accepts.
#[must_use]
#[expect(clippy::expect_used, reason = "the bounds are constants")]
pub fn coarse() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, 2).expect("valid constant bounds")
}

/// A histogram as text: the V2 format of `HdrHistogram`, compressed, in base 64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded(String);

impl Encoded {
    /// Puts a histogram into text.
    #[must_use]
    pub fn new(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        let outcome = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
        debug_assert!(outcome.is_ok(), "writing to memory does not fail");
        Self(BASE64.encode(bytes))
    }

    /// Reads the histogram back.
    ///
    /// # Errors
    /// If the text is not such a histogram, or has another range than ours.
    pub fn decode(&self) -> Result<Histogram<u64>, String> {
        let bytes = BASE64.decode(&self.0).map_err(|error| error.to_string())?;
        // Eight bytes of head, the last four of which count what follows. The decoder itself does
        // not miss what it does not need.
        let length = bytes.get(4..8).and_then(|length| <[u8; 4]>::try_from(length).ok());
        if length
            .is_none_or(|length| u64::from(u32::from_be_bytes(length)) + 8 != bytes.len() as u64)
        {
            return Err("a histogram that is cut short".to_owned());
        }
        let histogram: Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| error.to_string())?;
        let range = (histogram.low(), histogram.high());
        if range == (LOWEST_NS, HIGHEST_NS) {
            return Ok(histogram);
        }
        // Added to ours, its samples would be moved to where our range ends.
        let ((low, high), (ours_low, ours_high)) = (range, (LOWEST_NS, HIGHEST_NS));
        Err(format!("its range is {low} to {high} ns, not {ours_low} to {ours_high} ns"))
    }
}

/// The quantiles that tables show, in nanoseconds. `None`: too few samples to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Latencies measured.
    pub samples: u64,
    /// Their mean.
    pub mean_ns: f64,
    /// Half are below.
    pub p50_ns: Option<u64>,
    /// 90% are below.
    pub p90_ns: Option<u64>,
    /// 95% are below.
    pub p95_ns: Option<u64>,
    /// 99% are below.
    pub p99_ns: Option<u64>,
    /// 99.9% are below.
    pub p999_ns: Option<u64>,
    /// The largest.
    pub max_ns: Option<u64>,
}

impl Quantiles {
    /// Of all samples of a histogram.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        Self {
            samples: histogram.len(),
            mean_ns: histogram.mean(),
            p50_ns: percentile(histogram, 50.0),
            p90_ns: percentile(histogram, 90.0),
            p95_ns: percentile(histogram, 95.0),
            p99_ns: percentile(histogram, 99.0),
            p999_ns: percentile(histogram, 99.9),
            max_ns: (!histogram.is_empty()).then(|| histogram.max()),
        }
    }
}

/// The latency below which `percentage` of the samples lie, if enough lie above it to know.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "sample counts are far below 2^53")]
pub fn percentile<T: hdrhistogram::Counter>(
    histogram: &Histogram<T>,
    percentage: f64,
) -> Option<u64> {
    let above = histogram.len() as f64 * (100.0 - percentage) / 100.0;
    // A hair of tolerance, so that 10 000 samples do show their 99.9th percentile.
    (above + 1e-6 >= SAMPLES_ABOVE_MIN).then(|| histogram.value_at_percentile(percentage))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_samples(samples: u64) -> Histogram<u64> {
        let mut histogram = latencies();
        for value in 1..=samples {
            histogram.record(value).expect("in range");
        }
        histogram
    }

    #[test]
    fn a_histogram_survives_its_text_form() {
        let histogram = of_samples(5_000);
        assert_eq!(Encoded::new(&histogram).decode(), Ok(histogram));
        assert!(Encoded("AAAA".into()).decode().is_err());
        assert!(Encoded("?".into()).decode().is_err());
    }

    #[test]
    fn a_histogram_of_another_range_or_cut_short_is_refused() {
        let other = Histogram::<u64>::new_with_bounds(1, 1_000_000, 3).expect("valid bounds");
        let error = Encoded::new(&other).decode().expect_err("another range");
        assert_eq!(error, "its range is 1 to 1000000 ns, not 1 to 60000000000 ns");
        let whole = Encoded::new(&of_samples(5_000)).0;
        for length in 0..whole.len() {
            assert!(Encoded(whole[..length].to_owned()).decode().is_err(), "{length}");
        }
    }

    #[test]
    fn a_quantile_with_fewer_than_ten_samples_above_it_is_hidden() {
        assert_eq!(percentile(&of_samples(999), 99.0), None);
        assert_eq!(percentile(&of_samples(1_000), 99.0), Some(990));
        let quantiles = Quantiles::of(&of_samples(9_999));
        assert!(quantiles.p99_ns.is_some() && quantiles.p999_ns.is_none());
        assert!(Quantiles::of(&of_samples(10_000)).p999_ns.is_some());
        assert_eq!(Quantiles::of(&latencies()).max_ns, None);
    }
}
