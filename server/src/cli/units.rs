//! Sizes and times as people write them: `64MiB`, `10min`.

use std::time::Duration;

/// A number and a unit of `units`.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Reads a size such as `512MiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
    scaled(text, &units).ok_or_else(|| "write a size as 64KiB, 512MiB or 2GiB".to_owned())
}

/// Reads a time such as `90s`; none is refused.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let time_ms = scaled(text, &units).filter(|time_ms| *time_ms > 0);
    time_ms
        .map(Duration::from_millis)
        .ok_or_else(|| "write a time as 500ms, 90s, 10min, 2h or 7d".to_owned())
}

/// What stands between key and value: not nothing, and no line break.
pub(super) fn separator(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['\n', '\r']) {
        return Err("it must be one character or more, and no line break".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_in_their_units() {
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("7B"), Ok(7));
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "5", "KiB", "-1KiB", "1.5GiB", "5 s", "99999999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(time("0s").is_err());
        assert!(separator("").is_err() && separator("a\n").is_err() && separator("::").is_ok());
    }
}
