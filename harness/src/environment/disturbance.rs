//! What the system does beside what is measured, and how it is set. `None` where it does not
//! tell.

use std::fs;

use serde::Serialize;

/// Settings of the system that change what is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// How the processor chooses its frequency.
    pub governor: Option<String>,
    /// Whether memory comes in huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// What the kernel reads as its clock.
    pub clock: Option<String>,
}

impl Settings {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        let word = |path: &str| {
            let text = fs::read_to_string(path).ok()?;
            let text = text.trim();
            (!text.is_empty()).then(|| text.to_owned())
        };
        Self {
            governor: word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            huge_pages: word("/sys/kernel/mm/transparent_hugepage/enabled").map(|all| chosen(&all)),
            clock: word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        }
    }
}

/// The one in brackets: `always [madvise] never`.
fn chosen(all: &str) -> String {
    let inner = all.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    inner.map_or(all, |(inner, _)| inner).to_owned()
}

/// Time of all processors since the system started, in its own ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks {
    all: u64,
    stolen: u64,
}

impl Ticks {
    /// Reads them.
    #[must_use]
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let numbers = line.split_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>();
        let numbers = numbers.ok()?;
        // user nice system idle iowait irq softirq steal; guests are part of user and nice.
        Some(Self { all: numbers.iter().take(8).sum(), stolen: *numbers.get(7)? })
    }

    /// The share of time since `earlier` in which a processor was ready to run and the hypervisor
    /// ran something else.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "ticks are far below 2^53")]
    pub fn stolen_since(self, earlier: Self) -> Option<f64> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        Some(self.stolen.saturating_sub(earlier.stolen) as f64 / all as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_all() {
        let ticks = |text: &str| Ticks::parse(text).expect("eight numbers");
        let before = ticks("cpu  100 0 50 800 0 0 0 10 7 0\ncpu0 1 2 3\n");
        let after = ticks("cpu  150 0 50 830 0 0 0 30 9 0\n");
        assert_eq!(after.stolen_since(before), Some(0.2));
        assert_eq!(before.stolen_since(before), None, "no time has passed");
        assert_eq!(before.stolen_since(after), None, "time does not run backwards");
        assert_eq!(Ticks::parse("intr 5"), None);
        assert_eq!(Ticks::parse("cpu  1 2 3\n"), None);
    }

    #[test]
    fn the_choice_is_the_one_in_brackets() {
        assert_eq!(chosen("always [madvise] never"), "madvise");
        assert_eq!(chosen("always"), "always");
    }
}
