//! Memory of this process and of the machine. `None` where the system does not tell: the figures
//! come from `/proc`, so Linux only.

use std::fs;

/// Memory that is resident now, cheaply: a page or two off on many threads.
#[must_use]
pub fn rss_bytes() -> Option<u64> {
    kib_line(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// Memory that is resident now, exactly; slower, because the kernel walks the page tables.
#[must_use]
pub fn rss_bytes_exact() -> Option<u64> {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").ok();
    rollup.and_then(|text| kib_line(&text, "Rss:")).or_else(rss_bytes)
}

/// Memory that a new program could use without swapping.
#[must_use]
pub fn available_bytes() -> Option<u64> {
    kib_line(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

/// The load average of the last minute; 0 where there is none.
#[must_use]
pub fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// The number in a line such as `MemTotal:  24 kB`, in bytes.
pub(super) fn kib_line(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_in_bytes() {
        let text = "MemTotal:       24000 kB\nMemAvailable:      12 kB\n";
        assert_eq!(kib_line(text, "MemAvailable:"), Some(12_288));
        assert_eq!(kib_line(text, "SwapFree:"), None);
    }
}
